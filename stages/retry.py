"""Try again what may pass by itself, with backoff, jitter and the server's own wish."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import TypeVar

from stages.errors import Stopped, Transient
from stages.machine import is_interruption

Result = TypeVar("Result")
# `given_up` of the Threads that a thread is one of.
_CURRENT = threading.local()


@dataclass(frozen=True, kw_only=True)
class Backoff:
    """How often and how long: delays double from `first` to `longest` seconds."""

    attempts: int = 8
    first: float = 0.25
    longest: float = 20.0

    def delay(self, attempt: int, error: Transient) -> float:
        """Seconds before the next try; half of it is chance, so that many do not come at once."""
        ceiling = min(self.longest, self.first * 2.0**attempt)
        jittered = ceiling * (0.5 + random.random() / 2)
        return float(max(jittered, min(error.retry_after or 0.0, 60.0)))


def seconds_asked(header: str | None) -> float | None:
    """A Retry-After in seconds; None for a date, and for what is no number."""
    text = (header or "").strip()
    # What `isdigit` alone lets pass, such as ², is no number.
    return float(text) if text.isascii() and text.isdigit() else None


def retrying(
    call: Callable[[], Result],
    backoff: Backoff | None = None,
    on_retry: Callable[[Transient, float], None] | None = None,
) -> Result:
    """Call until it succeeds, raises a final error, or the attempts are used up.

    The last Transient is raised as it is; so is the one before a pause that is given up.
    """
    backoff = backoff or Backoff()
    for attempt in range(backoff.attempts):
        try:
            return call()
        except Transient as error:
            if attempt + 1 == backoff.attempts:
                raise
            delay = backoff.delay(attempt, error)
            if on_retry:
                on_retry(error, delay)
            if not _paused(delay):
                raise
    raise AssertionError("a backoff has at least one attempt")


class Threads(ThreadPoolExecutor):
    """Threads that do not try again once the block is left by Ctrl-C or SIGTERM.

    Python waits for threads before it lets an interrupt out of a block: for a request that is under
    way, but not for the pause before the next one. Threads of a thread are given up with it.
    """

    def __init__(self, count: int) -> None:
        outer = _given_up()
        self._is_inner = outer is not None
        self._given_up = outer or threading.Event()
        super().__init__(count, initializer=_belong, initargs=(self._given_up,))

    def give_up(self) -> None:
        """End every pause, now and from now on."""
        self._given_up.set()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        # A generator that is closed early says nothing of the threads that its own belong to.
        closed = isinstance(error, GeneratorExit) and self._is_inner
        if error is not None and is_interruption(error) and not closed:
            self.give_up()
        return super().__exit__(kind, error, trace)


def pause(seconds: float) -> None:
    """Sleep. Raises Stopped in Threads that are given up."""
    if not _paused(seconds):
        raise Stopped("stopped", "run the same command again to go on")


def _paused(seconds: float) -> bool:
    """Whether the pause was not given up."""
    event = _given_up()
    if event is None:
        time.sleep(seconds)  # in the main thread a signal ends it
        return True
    return not event.wait(seconds)


def _belong(given_up: threading.Event) -> None:
    _CURRENT.given_up = given_up


def _given_up() -> threading.Event | None:
    return getattr(_CURRENT, "given_up", None)

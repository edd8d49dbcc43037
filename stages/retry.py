"""Retry transient failures, with backoff and jitter, respecting the server's Retry-After."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import TypeVar

from stages.errors import RERUN, Stopped, Transient
from stages.machine import is_interruption

Result = TypeVar("Result")
# `given_up` of the Threads pool that the current thread belongs to.
_CURRENT = threading.local()


@dataclass(frozen=True, kw_only=True)
class Backoff:
    """How many attempts, and how long to wait: delays double from `first` to `longest` seconds."""

    attempts: int = 8
    first: float = 0.25
    longest: float = 20.0

    def delay(self, attempt: int, error: Transient) -> float:
        """Seconds before the next attempt; half of it is random, so that clients don't retry
        simultaneously."""
        ceiling = min(self.longest, self.first * 2.0**attempt)
        jittered = ceiling * (0.5 + random.random() / 2)
        return float(max(jittered, min(error.retry_after or 0.0, 60.0)))


def seconds_asked(header: str | None) -> float | None:
    """Parse a Retry-After header in seconds; None for a date, and for anything not a number."""
    text = (header or "").strip()
    # `isdigit` alone also accepts characters such as ².
    return float(text) if text.isascii() and text.isdigit() else None


def retrying(
    call: Callable[[], Result],
    backoff: Backoff | None = None,
    on_retry: Callable[[Transient, float], None] | None = None,
) -> Result:
    """Call until it succeeds, raises a final error, or the attempts are used up.

    The last Transient is raised unchanged; so is the one before a pause that is given up.
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
    """Threads that do not retry once the block is left by Ctrl-C or SIGTERM.

    Python waits for the threads before an interrupt leaves the block. So they finish the request
    under way, but skip the pause before a retry. Nested Threads are given up with the outer ones.
    """

    def __init__(self, count: int) -> None:
        outer = _given_up()
        self._is_inner = outer is not None
        self._given_up = outer or threading.Event()
        super().__init__(count, initializer=_belong, initargs=(self._given_up,))

    def give_up(self) -> None:
        """End all current and future pauses."""
        self._given_up.set()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        # Closing an inner generator early must not give up the outer threads.
        closed = isinstance(error, GeneratorExit) and self._is_inner
        if error is not None and is_interruption(error) and not closed:
            self.give_up()
        return super().__exit__(kind, error, trace)


def pause(seconds: float) -> None:
    """Sleep. Raises Stopped in Threads that are given up."""
    if not _paused(seconds):
        raise Stopped("stopped", RERUN)


def _paused(seconds: float) -> bool:
    """Whether the pause was not given up."""
    event = _given_up()
    if event is None:
        time.sleep(seconds)  # in the main thread, a signal interrupts it
        return True
    return not event.wait(seconds)


def _belong(given_up: threading.Event) -> None:
    _CURRENT.given_up = given_up


def _given_up() -> threading.Event | None:
    return getattr(_CURRENT, "given_up", None)

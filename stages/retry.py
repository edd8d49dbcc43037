"""Try again what may pass by itself, with backoff, jitter and the server's own wish."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from stages.errors import Transient

Result = TypeVar("Result")


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

    The last Transient is raised as it is.
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
            time.sleep(delay)
    raise AssertionError("a backoff has at least one attempt")

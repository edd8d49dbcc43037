"""How much to send: documents per batch, batches in flight, and a limit per second, if set."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from stages.convex.cost import MOST_DOCUMENTS
from stages.convex.ledger_ops import LEDGER_ROW_BYTES
from stages.errors import UserError
from stages.retry import pause

START_DOCUMENTS = 100
# Mutations that a deployment of the smallest class runs in parallel.
MOST_IN_FLIGHT = 16
# Half of what such a deployment writes per second; the application has the other half.
PRODUCTION_RATE = 2.0 * 2**20
SLOW = 0.8
QUICK = 0.3
# Refusals within this many seconds count as one: these batches were in flight together.
SAME_NEWS = 0.5
RATE = re.compile(r"(\d+(?:\.\d+)?)\s*(KiB|MiB|docs)(?:/s)?")


@dataclass(frozen=True, kw_only=True)
class Rate:
    """The most to write per second; None for no limit."""

    bytes: float | None = None
    documents: float | None = None


def read_rate(texts: Iterable[str]) -> Rate:
    """Read `2MiB` and `500docs`, each at most once. Raises UserError for anything else."""
    limits: dict[str, float] = {}
    for text in texts:
        match = RATE.fullmatch(text.strip())
        kind = "documents" if match and match[2] == "docs" else "bytes"
        if not match or not float(match[1]) or kind in limits:
            raise UserError(
                f"--max-rate {text} is not a rate, or a rate of its kind was already given",
                "give a rate per second: --max-rate 2MiB, --max-rate 500docs, or both",
            )
        limits[kind] = float(match[1]) * {"KiB": 2**10, "MiB": 2**20, "docs": 1}[match[2]]
    return Rate(**limits)


@dataclass
class Pace:
    """Grows in steps, shrinks by half; the threads that send report to it.

    `slot` and `wait` make them wait; the clock is in seconds.
    """

    most_in_flight: int = MOST_IN_FLIGHT
    most_documents: int = MOST_DOCUMENTS
    documents: int = START_DOCUMENTS
    in_flight: int = 2
    rate: Rate = field(default_factory=Rate)
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = pause
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _busy: int = 0
    _free_at: float = 0.0
    _shrunk_at: float = float("-inf")

    def __post_init__(self) -> None:
        self.documents = min(self.documents, self.most_documents)
        self.in_flight = min(self.in_flight, self.most_in_flight)
        self._left = threading.Condition(self._lock)

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold one of the slots for batches in flight; waits until one is free."""
        with self._left:
            self._left.wait_for(lambda: self._busy < self.in_flight)
            self._busy += 1
        try:
            yield
        finally:
            with self._left:
                self._busy -= 1
                self._left.notify_all()

    def wait(self, documents: int, size: int) -> None:
        """Sleep until a batch of this many documents, and bytes of JSON, may be sent."""
        with self._lock:
            now = self.clock()
            start = max(now, self._free_at)
            self._free_at = start + self._lasts(documents, size)
        if start > now:
            self.sleep(start - now)

    def _lasts(self, documents: int, size: int) -> float:
        """Seconds that a batch takes up under the limit."""
        # The names in a ledger row weigh less than the JSON around a document in its record.
        written = size + documents * LEDGER_ROW_BYTES
        by_size = written / self.rate.bytes if self.rate.bytes else 0.0
        return max(by_size, documents / self.rate.documents if self.rate.documents else 0.0)

    def took(self, documents: int, seconds: float) -> None:
        """A batch went through."""
        with self._lock:
            if seconds > SLOW:
                self.documents = max(1, min(self.documents, documents) // 2)
            elif seconds < QUICK and documents >= self.documents:
                self.documents = min(self.most_documents, self.documents + self.documents // 2 + 1)
            self.in_flight = min(self.most_in_flight, self.in_flight + 1)

    def refused(self, retry_after: float | None = None) -> bool:
        """The deployment was overloaded, or transactions conflicted: send fewer in parallel.

        Nothing new is sent before the server's `retry_after` seconds are over, 60 at most. Returns
        False if this batch was in flight together with another refused one.
        """
        with self._lock:
            now = self.clock()
            if retry_after:
                self._free_at = max(self._free_at, now + min(retry_after, 60.0))
            if now - self._shrunk_at < SAME_NEWS:
                return False
            self._shrunk_at = now
            self.in_flight = max(1, self.in_flight // 2)
            return True

    def too_much(self, documents: int) -> None:
        """A batch of this many documents was over a limit of one transaction."""
        with self._lock:
            self.documents = max(1, documents // 2)

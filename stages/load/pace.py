"""How much at once: documents a batch and batches in flight, by what the last ones told."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

START_DOCUMENTS = 100
MOST_DOCUMENTS = 1000
# Of the request's records; a ledger row of about 250 bytes is written with each.
MOST_BYTES = 3_500_000
SLOW = 0.8
QUICK = 0.3


@dataclass
class Pace:
    """Grows by small steps, shrinks by halves. May be told from several threads."""

    most_in_flight: int = 4
    documents: int = START_DOCUMENTS
    in_flight: int = 2
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def took(self, documents: int, seconds: float) -> None:
        """A batch went through."""
        with self._lock:
            if seconds > SLOW:
                self.documents = max(1, min(self.documents, documents) // 2)
            elif seconds < QUICK and documents >= self.documents:
                self.documents = min(MOST_DOCUMENTS, self.documents + self.documents // 2 + 1)
            self.in_flight = min(self.most_in_flight, self.in_flight + 1)

    def refused(self) -> None:
        """The deployment was overloaded, or transactions met: fewer at once."""
        with self._lock:
            self.in_flight = max(1, self.in_flight // 2)

    def too_much(self, documents: int) -> None:
        """A batch of so many was over a limit of one transaction."""
        with self._lock:
            self.documents = max(1, documents // 2)

"""What ends the reading early: a snapshot that is too old, or a session waiting for our locks."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from stages.errors import StagesError, Stopped
from stages.extract.reader import Reader

LOOK_EVERY = 2.0


class Deadline:
    """Signals to every worker that it must stop reading, and why."""

    def __init__(self) -> None:
        self._reason: str | None = None

    def stop(self, reason: str) -> None:
        """End the reading; the first reason is kept."""
        self._reason = self._reason or reason

    def check(self) -> None:
        """Raise Stopped if reading was ended."""
        if self._reason:
            raise Stopped(self._reason, "completed work is kept; run again: stages extract")


@contextmanager
def watched(reader: Reader, deadline: Deadline, max_snapshot: float) -> Iterator[None]:
    """Check regularly how old the snapshot is and whether a session waits for our locks.

    `max_snapshot` is in seconds.
    """
    began, ended = time.monotonic(), threading.Event()

    def look() -> None:
        while not ended.wait(LOOK_EVERY):
            age = time.monotonic() - began
            if reader.has_snapshot and age > max_snapshot:
                deadline.stop(
                    f"the snapshot is {age / 60:.0f} minutes old, which is the limit "
                    "(--max-snapshot): it keeps the source from cleaning up"
                )
            try:
                blocked = reader.find_blocked()
            except StagesError as error:
                deadline.stop(error.message)
                return
            if blocked:
                deadline.stop(f"{blocked}, which our snapshot holds: releasing it")

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()

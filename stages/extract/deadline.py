"""What ends the reading early: a snapshot that is too old, or somebody who waits for our locks."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from stages.errors import StagesError, Stopped
from stages.extract.reader import Reader

LOOK_EVERY = 2.0


class Deadline:
    """Tells every worker that the reading is over, and why."""

    def __init__(self) -> None:
        self._reason: str | None = None

    def stop(self, reason: str) -> None:
        """End the reading; the first reason counts."""
        self._reason = self._reason or reason

    def check(self) -> None:
        """Raise Stopped where the reading is over."""
        if self._reason:
            raise Stopped(self._reason, "what is done is kept; run again: stages extract")


@contextmanager
def watched(reader: Reader, deadline: Deadline, max_snapshot: float) -> Iterator[None]:
    """Look, now and then, how old the snapshot is and whether somebody waits for our locks.

    `max_snapshot` is in seconds.
    """
    began, ended = time.monotonic(), threading.Event()

    def look() -> None:
        while not ended.wait(LOOK_EVERY):
            age = time.monotonic() - began
            if reader.has_snapshot and age > max_snapshot:
                deadline.stop(
                    f"the snapshot is {age / 60:.0f} minutes old, the most that was allowed "
                    "(--max-snapshot): it keeps the source from cleaning up"
                )
            try:
                blocked = reader.find_blocked()
            except StagesError as error:
                deadline.stop(error.message)
                return
            if blocked:
                deadline.stop(f"{blocked}, which we hold: letting go of it")

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()

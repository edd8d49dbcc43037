"""Closing parts in a thread beside the one that reads: the disk's time is not the source's."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor


class PartCloser:
    """One worker's thread for what follows the reading. At most one task is left to it at a time,
    since each holds the last rows of a part.

    `first` is to be done before any of them. An error of a task is raised by the next `submit`, or
    by `end`.
    """

    def __init__(self, first: Future[None]) -> None:
        self._first = first
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._last: Future[None] | None = None

    def submit(self, task: Callable[[], None]) -> None:
        """Leave a task to the thread, once it is through with the one before."""
        self.end()
        self._last = self._pool.submit(self._run, task)

    def end(self) -> None:
        """Wait until all that was submitted is done."""
        last, self._last = self._last, None
        if last is not None:
            last.result()

    def discard(self) -> None:
        """Let the thread end; an error of its last task is of no interest any more."""
        self._pool.shutdown()

    def _run(self, task: Callable[[], None]) -> None:
        self._first.result()
        task()

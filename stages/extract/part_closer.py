"""Close parts in a separate thread, so that reading the source does not wait for the disk."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor


class PartCloser:
    """One worker's thread for the work after reading. It has at most one task at a time, since each
    task holds the last rows of a part.

    `first` must be done before any task runs. A task's error is raised by the next `submit`, or by
    `end`.
    """

    def __init__(self, first: Future[None]) -> None:
        self._first = first
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._last: Future[None] | None = None

    def submit(self, task: Callable[[], None]) -> None:
        """Wait for the previous task to end, then hand over this one."""
        self.end()
        self._last = self._pool.submit(self._run, task)

    def end(self) -> None:
        """Wait for the last task to end."""
        last, self._last = self._last, None
        if last is not None:
            last.result()

    def discard(self) -> None:
        """Wait for the thread to end, ignoring any error of its last task."""
        self._pool.shutdown()

    def _run(self, task: Callable[[], None]) -> None:
        self._first.result()
        task()

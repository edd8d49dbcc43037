"""Several workers read the tables: gaps of open tables first, then tables that are not open yet."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from contextlib import suppress
from functools import partial

from stages.errors import TableFailed
from stages.extract.catalog import Reading
from stages.extract.deadline import Deadline, watched
from stages.extract.gaps import Gap
from stages.extract.part_closer import PartCloser
from stages.extract.reader import Reader, Session
from stages.extract.restart import Restart
from stages.extract.results import TableResult, failed_result
from stages.extract.table_extract import TableExtract
from stages.progress import Progress
from stages.project.plan import SourceTable
from stages.retry import Threads

Job = tuple[SourceTable, TableExtract | None, Gap | None]


class Workers:
    """Read tables in parallel, each worker over a session of its own.

    `report` gets the result of each table.
    """

    def __init__(
        self,
        reader: Reader,
        readings: Mapping[str, Reading],
        restart: Restart,
        progress: Progress,
        report: Callable[[SourceTable, TableResult], None],
    ) -> None:
        self._reader = reader
        self._readings = readings
        self._restart = restart
        self._progress = progress
        self._deadline = Deadline()
        self._report = report
        # Tables that have failed: other workers may still be reading their gaps.
        self._failed: set[str] = set()
        self._failing = threading.Lock()

    def run(
        self,
        entries: list[SourceTable],
        *,
        jobs: int,
        max_snapshot: float,
        before_parts: Callable[[], None],
    ) -> None:
        """Read all tables; `before_parts` is done before any part is closed.

        Raises Transient or Stopped if the source is lost on the way, and Stopped if the snapshot
        gets older than `max_snapshot` seconds or a session waits for our locks.
        """
        queue = JobQueue(entries)
        with (
            Threads(jobs + 1) as pool,
            watched(self._reader, self._deadline, max_snapshot),
        ):
            first = pool.submit(before_parts)
            try:
                working = [pool.submit(self._work, queue, first) for _ in range(jobs)]
                for future in wait(working, return_when=FIRST_EXCEPTION).done:
                    future.result()
            except BaseException:
                # The pool waits for all workers, which would read on to the end of their gaps.
                queue.stop()
                self._deadline.stop("stopped")
                self._reader.interrupt("stopped")
                pool.give_up()
                raise

    def _work(self, queue: JobQueue, first: Future[None]) -> None:
        sessions, closer = _Sessions(self._reader), PartCloser(first)
        try:
            with suppress(TableFailed):  # raised again for each table that needs the connection
                sessions.get()
            while (job := queue.take()) is not None:
                entry = job[0]
                try:
                    self._do(queue, sessions.get(), closer, job)
                except TableFailed as error:
                    queue.drop(entry)
                    self._fail(entry, error)
                    sessions.discard()
                except BaseException:
                    queue.stop()
                    raise
                queue.done()
            closer.end()
        finally:
            closer.discard()
            sessions.discard()

    def _fail(self, entry: SourceTable, error: TableFailed) -> None:
        """Report a table's first error; other workers mostly get the same."""
        with self._failing:
            is_first = entry.name not in self._failed
            self._failed.add(entry.name)
        if is_first:
            self._report(entry, failed_result(error))

    def _do(self, queue: JobQueue, session: Session, closer: PartCloser, job: Job) -> None:
        entry, table, gap = job
        report = partial(self._report, entry)
        if table is not None and gap is not None:
            table.fill(session, gap, self._deadline, closer, report)
            return
        self._deadline.check()
        reading, folder = self._readings[entry.name], self._restart.folder(entry.name)
        table = TableExtract(self._reader, entry, reading, folder, self._progress)
        gaps = table.open(session)
        if isinstance(gaps, dict):
            report(gaps)
        elif not gaps:
            report(table.finish())
        else:
            queue.add(entry, table, gaps)


class JobQueue:
    """Jobs for the workers: gaps of open tables first, then tables to open."""

    def __init__(self, entries: list[SourceTable]) -> None:
        self._gaps: list[Job] = []
        self._entries = list(entries)
        self._busy = 0
        self._stopped = False
        self._changed = threading.Condition()

    def take(self) -> Job | None:
        """The next job; None when all is done, or the run is stopped."""
        with self._changed:
            while True:
                if self._stopped:
                    return None
                if self._gaps:
                    self._busy += 1
                    return self._gaps.pop(0)
                if self._entries:
                    self._busy += 1
                    return self._entries.pop(0), None, None
                if not self._busy:
                    self._changed.notify_all()
                    return None
                self._changed.wait()

    def add(self, entry: SourceTable, table: TableExtract, gaps: list[Gap]) -> None:
        """Add the gaps of a table that was opened."""
        with self._changed:
            self._gaps += [(entry, table, gap) for gap in gaps]
            self._changed.notify_all()

    def drop(self, entry: SourceTable) -> None:
        """Drop the other gaps of a table that has failed."""
        with self._changed:
            self._gaps = [job for job in self._gaps if job[0] != entry]

    def done(self) -> None:
        """Note that a job has ended."""
        with self._changed:
            self._busy -= 1
            self._changed.notify_all()

    def stop(self) -> None:
        """Hand out no more jobs."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()


class _Sessions:
    """One worker's session, opened on first use and reopened after a failure."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._open: Session | None = None

    def get(self) -> Session:
        if self._open is None:
            self._open = self._reader.session()
        return self._open

    def discard(self) -> None:
        if self._open is not None:
            self._open.close()
        self._open = None

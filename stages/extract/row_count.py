"""The count of a table's rows at the source, which proves that all of them were read."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass

from stages.errors import TableFailed
from stages.extract.catalog import Reading
from stages.extract.reader import Reader, Session
from stages.project.plan import SourceTable
from stages.state.manifests import Counted, ExtractManifest


@dataclass(frozen=True, kw_only=True)
class Proof:
    """How the rows read compare with the count: the manifest's `counted`, and whether the source
    moved meanwhile. `error` is set if rows are missing, or there are too many."""

    counted: Counted
    moving: bool
    error: TableFailed | None


class RowCount:
    """Counts a table once, as soon as the count can serve as proof. Used by several workers.

    In a snapshot the count is the same at any time, so the first worker with no gap left to begin
    counts; over REST the count must come after the last row.
    """

    def __init__(self, reader: Reader, entry: SourceTable, reading: Reading) -> None:
        self._reader = reader
        self._reading = reading
        self._filtered = bool(entry.where) and reading.sample is None
        self._lock = threading.Lock()
        # Gaps not begun, and gaps not read to their end.
        self._untouched = self._unread = 0
        self._claimed = False
        # The rows to be read, and those that `where` leaves out.
        self._counts: Future[tuple[int, int]] = Future()

    def expect(self, gaps: int) -> None:
        """Set how many gaps there are to read."""
        self._untouched = self._unread = gaps

    def begin_gap(self) -> None:
        """Note that a worker begins a gap."""
        with self._lock:
            self._untouched -= 1

    def end_gap(self, session: Session) -> None:
        """Note that a worker has read a gap to its end; counts the table if it is time."""
        with self._lock:
            self._unread -= 1
            due = self._unread == 0
            if self._reader.has_snapshot:
                due = not self._untouched and not self._claimed
            self._claimed = self._claimed or due
        if due:
            self.count(session)

    def count(self, session: Session) -> None:
        """Count the rows at the source, and those that `where` leaves out."""
        try:
            rows = session.count(self._reading)
            left_out = 0
            if self._filtered:
                left_out = session.count(self._reading, filtered=False) - rows
            self._counts.set_result((rows, left_out))
        except BaseException as error:
            self._counts.set_exception(error)
            raise

    def prove(self, manifest: ExtractManifest, *, resumed: bool) -> Proof:
        """Compare the parts' rows with the count. Waits for the count and raises its error."""
        rows = sum(part.rows for part in manifest.parts)
        unit, (after, left_out) = self._reader.count_unit(self._reading), self._counts.result()
        before = after if manifest.counted.before is None else manifest.counted.before
        # REST has no snapshots: writes between two runs show only here.
        apart = resumed and not self._reader.has_snapshot
        differs = unit == "rows" and rows != after
        moving = before != after or (apart and differs)
        error = None
        hint = "run again with --restart; if this persists, the key columns are not unique"
        if differs and not moving and len(manifest.snapshots) == 1:
            error = TableFailed(
                f"{manifest.table} has {after:,} rows, but {rows:,} were read", hint
            )
        elif differs and not self._reader.has_snapshot and not apart and rows < min(before, after):
            # A key that is not unique loses rows. So may inserts behind the reading position while
            # other rows are deleted; the two can't be told apart.
            error = TableFailed(
                f"{manifest.table} had {before:,} rows before and {after:,} after, but {rows:,} "
                "were read",
                "run again with --restart when less is being written, or set SUPABASE_DB_URL; if "
                "this persists, the key columns are not unique",
            )
        counted = Counted(
            before=before, after=after, of=unit, filtered=left_out if self._filtered else None
        )
        return Proof(counted=counted, moving=moving, error=error)

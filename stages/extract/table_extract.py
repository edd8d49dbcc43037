"""Read one table to completion by filling the gaps in its spans (see `gaps`).

Reading a table the first time, resuming after a kill and repairing a part all work this way.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from pathlib import Path

import msgspec

from stages.errors import TableFailed
from stages.extract.catalog import Reading, renamed_columns
from stages.extract.deadline import Deadline
from stages.extract.gaps import Gap, add_part, close_gap, find_gaps
from stages.extract.part_closer import PartCloser
from stages.extract.reader import UNPROVEN, Key, Reader, Session, Size, key_texts, require_key
from stages.extract.results import TableResult, failed_result, uncounted_note
from stages.extract.reuse import compare_with_source, usable_manifest
from stages.extract.row_count import RowCount
from stages.extract.types import JSON_TEXT, arrow_schema
from stages.layout import counted
from stages.progress import Progress
from stages.project.plan import SourceTable
from stages.state.durable import remove
from stages.state.manifests import (
    Column,
    Counted,
    ExtractManifest,
    ExtractPart,
    SpanEntry,
    write_manifest,
)
from stages.state.parts import PartWriter, write_zero_rows
from stages.state.workspace import manifest_file, part_file, part_files

PART_ROWS = 250_000
PART_BYTES = 64 << 20
# Rows from which a table is split into spans: for fewer, the extra queries do not pay off.
LEAST_SPLIT = 20_000


class TableExtract:
    """The state of one table while it is read, and its manifest. Used by several workers."""

    def __init__(
        self,
        reader: Reader,
        entry: SourceTable,
        reading: Reading,
        folder: Path,
        progress: Progress,
    ) -> None:
        self.reader = reader
        self.entry = entry
        self.reading = reading
        self.folder = folder
        self.progress = progress
        self.resumed = False
        self._row_count = RowCount(reader, entry, reading)
        # Set by `open`.
        self.manifest: ExtractManifest
        # Guards the manifest and the number of open gaps.
        self._lock = threading.Lock()
        self._open_gaps = 0

    def open(self, session: Session) -> TableResult | list[Gap]:
        """The result, if the table is already complete; else the gaps to fill."""
        manifest = usable_manifest(self.reader, self.reading, self.folder, self.progress)
        if manifest and manifest.status == "complete":
            return compare_with_source(self.reader, session, self.reading, self.folder, manifest)
        size = session.size(self.reading)
        if manifest is None:
            manifest = self._begin(session, size)
        else:
            self.resumed = True
        snapshot = self.reader.snapshot()
        if snapshot not in manifest.snapshots:
            manifest.snapshots.append(snapshot)
        manifest.expected = size.rows
        self.manifest = manifest
        write_manifest(self.folder, manifest)
        gaps = list(find_gaps(manifest))
        self._open_gaps = len(gaps)
        self._row_count.expect(len(gaps))
        if not gaps:
            self._row_count.count(session)
        done = sum(part.rows for part in manifest.parts if not part.lost)
        self.progress.start("extract", self.entry.name, max(size.rows, done), done)
        return gaps

    def fill(
        self,
        session: Session,
        gap: Gap,
        deadline: Deadline,
        closer: PartCloser,
        report: Callable[[TableResult], None],
    ) -> None:
        """Read one gap into parts, which `closer` closes; `report` gets the table's result once its
        last gap is filled."""
        reading, schema = self.reading, arrow_schema(self.reading.columns)
        writer: PartWriter | None = None
        number, first, last, unproven = gap.number, None, gap.keys.after, 0
        self._row_count.begin_gap()
        try:
            # Postgres guarantees a primary key of its own catalog, though not across the rows of
            # children; OpenAPI infers keys.
            vouched = self.reader.has_snapshot and not reading.heirs
            # Closed here, even after an error: its cursor must not outlive the connection.
            with closing(session.read(reading, gap.keys)) as coming:
                for rows in coming:
                    deadline.check()
                    if not rows.num_rows:
                        continue
                    if reading.key and (self.entry.key or not vouched):
                        require_key(rows, reading, last)
                    if writer is None:
                        writer = PartWriter(part_file(self.folder, gap.span, number), schema)
                        first, unproven = key_texts(rows, reading, 0), 0
                    writer.write(rows)
                    unproven += rows.num_rows if UNPROVEN in (rows.schema.metadata or {}) else 0
                    last = key_texts(rows, reading, rows.num_rows - 1)
                    self.progress.advance(self.entry.name, rows.num_rows, rows.nbytes)
                    full = writer.rows >= PART_ROWS or writer.written_bytes() >= PART_BYTES
                    if full and not gap.alone:
                        closer.submit(
                            partial(self._close_part, writer, gap, number, first, last, unproven)
                        )
                        writer, number = None, number + 1
            closer.submit(
                partial(self._end_gap, writer, gap, number, first, last, unproven, report)
            )
            writer = None
        finally:
            if writer is not None:
                writer.abandon()
        self._row_count.end_gap(session)

    def finish(self) -> TableResult:
        """Check the number of rows and mark the table complete; returns its result."""
        manifest = self.manifest
        proof = self._row_count.prove(manifest, resumed=self.resumed)
        if proof.error:
            return failed_result(proof.error)
        files = {part.file for part in manifest.parts}
        for file in part_files(self.folder):
            if file.name not in files:
                remove(file)  # closed before a kill; its rows are gone from the source since
        rows = sum(part.rows for part in manifest.parts)
        manifest.status = "complete"
        manifest.rows, manifest.expected = rows, None
        manifest.counted = proof.counted
        manifest.moving = proof.moving
        manifest.unproven = sum(part.unproven for part in manifest.parts)
        manifest.finished = datetime.now(UTC).isoformat(timespec="seconds")
        write_manifest(self.folder, manifest)
        return {"status": "complete", "rows": rows, "note": self._note(rows, proof.counted)}

    def _begin(self, session: Session, size: Size) -> ExtractManifest:
        """The manifest of a table that is read from the start, cut into spans."""
        reading = self.reading
        rows = PART_ROWS
        if size.rows and size.bytes:
            rows = max(1, min(rows, PART_BYTES * size.rows // size.bytes))
        cuts = session.split(reading, size, rows) if size.rows >= min(LEAST_SPLIT, rows) else []
        bounds: list[Key | None] = [None, *cuts, None]
        # The manifest is removed first: without it, parts are just files to overwrite.
        for file in (manifest_file(self.folder), *part_files(self.folder, unfinished=True)):
            remove(file)
        write_zero_rows(self.folder, arrow_schema(reading.columns))
        return ExtractManifest(
            table=f"{reading.schema}.{reading.name}",
            status="reading",
            transport=self.reader.transport,
            spec=reading.fingerprint,
            columns=[Column(name=c.staged, postgres=c.type) for c in reading.columns],
            renamed=renamed_columns(reading),
            json=[c.staged for c in reading.columns if c.rule.arrow == JSON_TEXT],
            key=[c.staged for c in reading.key_columns],
            depends_on=dict(reading.depends_on),
            where=self.entry.where,
            sample=reading.sample,
            # Without a snapshot (REST), the count before is half of the proof.
            counted=Counted(before=None if self.reader.has_snapshot else size.rows),
            spans=[SpanEntry(after=after, until=until) for after, until in pairwise(bounds)],
        )

    def _close_part(
        self,
        writer: PartWriter,
        gap: Gap,
        number: int,
        first: Key | None,
        last: Key | None,
        unproven: int,
    ) -> None:
        try:
            closed = writer.close(first=first, last=last)
        except BaseException:
            writer.abandon()
            raise
        with self._lock:
            part = ExtractPart(
                **msgspec.structs.asdict(closed), span=gap.span, number=number, unproven=unproven
            )
            add_part(self.manifest, part)
            write_manifest(self.folder, self.manifest)

    def _end_gap(
        self,
        writer: PartWriter | None,
        gap: Gap,
        number: int,
        first: Key | None,
        last: Key | None,
        unproven: int,
        report: Callable[[TableResult], None],
    ) -> None:
        """Close a gap's last part, if it has one, and the gap."""
        if writer is not None:
            self._close_part(writer, gap, number, first, last, unproven)
        with self._lock:
            close_gap(self.manifest, gap)
            write_manifest(self.folder, self.manifest)
            self._open_gaps -= 1
            finished = self._open_gaps == 0
        if finished:
            with suppress(TableFailed):  # of the count; reported by whichever worker counted
                report(self.finish())

    def _note(self, rows: int, count: Counted) -> str:
        note = f"{counted(rows, 'row')}{uncounted_note(count.of, count.after or 0)}"
        if self.manifest.moving:
            note += f", while the source moved ({count.before:,} → {count.after:,})"
        if self.manifest.unproven:
            note += f", the floats of {self.manifest.unproven:,} with 15 digits as the plan says"
        if count.filtered:
            note += f", {count.filtered:,} left out by where"
        if self.resumed:
            note += ", resumed"
        for name, staged in self.manifest.renamed.items():
            note += f", column {name} is {staged} here"
        return note

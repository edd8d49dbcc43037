"""One table's way from nothing to complete: spans, the parts in them, and the gaps between.

A span is a range of the key, fixed when the table is begun; each is read in key order and cut into
closed parts. What is not covered by a whole part is a gap, whatever the reason: never read, killed
half-way, a part that is damaged. Bringing a table up to date is filling its gaps.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from stages.errors import Stopped, TableFailed
from stages.extract.catalog import Reading, renamed
from stages.extract.drift import moved_since
from stages.extract.part_closer import PartCloser
from stages.extract.reader import Key, Reader, Session, Size, Span, key_texts, require_key
from stages.extract.types import arrow_schema
from stages.progress import Progress
from stages.project.plan import SourceTable
from stages.state.durable import remove
from stages.state.integrity import find_damage
from stages.state.manifests import Manifest, read_manifest, write_manifest
from stages.state.parts import PartWriter, part_entry, write_zero_rows
from stages.state.workspace import manifest_file

PART_ROWS = 250_000
PART_BYTES = 64 << 20
# Spans beyond the first are worth their queries only for a table of some size.
LEAST_SPLIT = 20_000


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Rows of one span that no whole part covers. `number` is the first part to be made.

    With `alone`, it lies between two whole parts, and is filled by one part whatever its size.
    """

    span: int
    number: int
    keys: Span
    alone: bool = False


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
        self.manifest: Manifest = {}
        self.resumed = False
        self._lock = threading.Lock()
        # Gaps that nobody has begun, that are not read, and that are not closed.
        self._untouched = self._unread = self._open = 0
        self._counting = False
        self._counted: Future[tuple[int, int]] = Future()

    # ── opening ─────────────────────────────────────────────────────────────────────────────

    def open(self, session: Session) -> dict[str, Any] | list[Gap]:
        """The result, where the table is complete already; else the gaps to be filled."""
        manifest = self._usable()
        if manifest and manifest["status"] == "complete":
            return self._compare(session, manifest)
        size = session.size(self.reading)
        if manifest is None:
            manifest = self._begin(session, size)
        else:
            self.resumed = True
        snapshot = self.reader.snapshot()
        if snapshot not in manifest["snapshots"]:
            manifest["snapshots"].append(snapshot)
        self.manifest = manifest
        write_manifest(self.folder, manifest)
        gaps = list(find_gaps(manifest))
        self._untouched = self._unread = self._open = len(gaps)
        if not gaps:
            self._count(session)
        done = sum(part["rows"] for part in manifest["parts"] if not part.get("lost"))
        self.progress.start("extract", self.entry.name, max(size.rows - done, 0))
        return gaps

    def _begin(self, session: Session, size: Size) -> Manifest:
        reading = self.reading
        rows = PART_ROWS
        if size.rows and size.bytes:
            rows = max(1, min(rows, PART_BYTES * size.rows // size.bytes))
        cuts = session.split(reading, size, rows) if size.rows >= min(LEAST_SPLIT, rows) else []
        bounds: list[Key | None] = [None, *cuts, None]
        # The manifest goes first: without it, parts are only files to be written over.
        for file in (manifest_file(self.folder), *self.folder.glob("part-*")):
            remove(file)
        write_zero_rows(self.folder, arrow_schema(reading.columns))
        return {
            "table": f"{reading.schema}.{reading.name}",
            "status": "reading",
            "transport": self.reader.transport,
            "spec": reading.fingerprint,
            "columns": [{"name": c.staged, "postgres": c.type} for c in reading.columns],
            "renamed": renamed(reading),
            "key": [c.staged for c in reading.key_columns],
            "where": self.entry.where,
            "sample": reading.sample,
            "rows": 0,
            # Over REST, where there is no snapshot, the count before is half of the proof.
            "counted": {"before": size.rows} if self.reader.transport == "rest" else {},
            "snapshots": [],
            "spans": [
                {"after": after, "until": until, "read": False} for after, until in pairwise(bounds)
            ],
            "parts": [],
        }

    def _usable(self) -> Manifest | None:
        """The manifest, where its rows are those that would be read now; damaged parts are out."""
        manifest = read_manifest(self.folder)
        if manifest is None or manifest["status"] == "missing":
            return None
        if manifest["status"] == "reading" and manifest["transport"] != self.reader.transport:
            return None  # it has no parts yet, but a count that may be of something else
        if manifest["spec"] != self.reading.fingerprint:
            self.progress.note(f"{self.entry.name}: {self._drift(manifest)}; reading it anew")
            return None
        damaged = {
            part["file"]: wrong
            for part in manifest["parts"]
            if not part.get("lost") and (wrong := find_damage(self.folder, part))
        }
        for file, wrong in damaged.items():
            self.progress.note(f"{self.entry.name}: {file} {wrong}; reading it again")
        if not self.reading.key and (damaged or manifest["status"] == "reading"):
            return None  # without a key nothing says which rows a part held
        if damaged:
            alone = self.reader.transport == "postgres" or len(self.reading.key) == 1
            dropped = lose(manifest, set(damaged), alone=alone)
            write_manifest(self.folder, manifest)
            for file in dropped:
                remove(self.folder / file)
        return manifest

    def _drift(self, manifest: Manifest) -> str:
        before = [c["name"] for c in manifest["columns"]]
        now = [c.staged for c in self.reading.columns]
        gone = [name for name in before if name not in now]
        new = [name for name in now if name not in before]
        words = []
        if new:
            words.append(f"new columns {', '.join(new)}")
        if gone:
            words.append(f"columns gone: {', '.join(gone)}")
        return "; ".join(words) or "types, key or filter have changed"

    def _compare(self, session: Session, manifest: Manifest) -> dict[str, Any]:
        """A cheap second look at the source of a table that is complete."""
        of = self.reader.counts(self.reading)
        now, moved = moved_since(session, self.reading, manifest, of)
        if moved:
            note = f"the source has moved: {', '.join(moved)}; read anew with --restart"
        else:
            note = f"unchanged, {manifest['rows']:,} rows{_told_by(of, now)}"
        status = "moved" if moved else "unchanged"
        return {"status": status, "rows": manifest["rows"], "note": note}

    # ── filling ─────────────────────────────────────────────────────────────────────────────

    def fill(
        self,
        session: Session,
        gap: Gap,
        deadline: Deadline,
        closing: PartCloser,
        ended: Callable[[dict[str, Any]], None],
    ) -> None:
        """Read one gap into parts, which `closing` closes; `ended` gets the table's result, once
        its last gap is filled."""
        reading, schema = self.reading, arrow_schema(self.reading.columns)
        writer: PartWriter | None = None
        number, first, last = gap.number, None, gap.keys.after
        with self._lock:
            self._untouched -= 1
        try:
            for rows in session.read(reading, gap.keys):
                deadline.check()
                if not rows.num_rows:
                    continue
                if self.entry.key:
                    require_key(rows, reading, last)
                if writer is None:
                    writer = PartWriter(self.folder / part_name(gap.span, number), schema)
                    first = key_texts(rows, reading, 0)
                writer.write(rows)
                last = key_texts(rows, reading, rows.num_rows - 1)
                self.progress.advance(self.entry.name, rows.num_rows, rows.nbytes)
                full = writer.rows >= PART_ROWS or writer.written_bytes() >= PART_BYTES
                if full and not gap.alone:
                    closing.submit(partial(self._close, writer, gap, number, first, last))
                    writer, number = None, number + 1
            closing.submit(partial(self._end_gap, writer, gap, number, first, last, ended))
            writer = None
        finally:
            if writer is not None:
                writer.abandon()
        self._count_if_due(session)

    def _count_if_due(self, session: Session) -> None:
        """Count the rows at the source, if all of them are read, or if nobody is to read more of
        them and the snapshot makes it the same at any time."""
        with self._lock:
            self._unread -= 1
            due = self._unread == 0
            if self.reader.transport == "postgres":
                due = not self._untouched and not self._counting
            self._counting = self._counting or due
        if due:
            self._count(session)

    def _close(
        self, writer: PartWriter, gap: Gap, number: int, first: Key | None, last: Key | None
    ) -> None:
        try:
            part = part_entry(writer.close(first=first, last=last))
        except BaseException:
            writer.abandon()
            raise
        place = (gap.span, number)
        with self._lock:
            others = [p for p in self.manifest["parts"] if (p["span"], p["number"]) != place]
            parts = [*others, {**part, "span": gap.span, "number": number}]
            self.manifest["parts"] = sorted(parts, key=lambda p: (p["span"], p["number"]))
            write_manifest(self.folder, self.manifest)

    def _end_gap(
        self,
        writer: PartWriter | None,
        gap: Gap,
        number: int,
        first: Key | None,
        last: Key | None,
        ended: Callable[[dict[str, Any]], None],
    ) -> None:
        """Close a gap's last part, if it has one, and the gap."""
        if writer is not None:
            self._close(writer, gap, number, first, last)
        with self._lock:
            if not gap.alone:
                self.manifest["spans"][gap.span]["read"] = True
            # A lost part whose rows are all gone at the source is not made again.
            self.manifest["parts"] = [
                part
                for part in self.manifest["parts"]
                if not (
                    part.get("lost") and (part["span"], part["number"]) == (gap.span, gap.number)
                )
            ]
            write_manifest(self.folder, self.manifest)
            self._open -= 1
            finished = self._open == 0
        if finished:
            with suppress(TableFailed):  # of the count, and told where it was made
                ended(self.finish())

    def _count(self, session: Session) -> None:
        """Rows at the source, and those that `where` leaves out."""
        try:
            rows = session.count(self.reading)
            more = 0
            if self.entry.where and self.reading.sample is None:
                more = session.count(self.reading, filtered=False) - rows
            self._counted.set_result((rows, more))
        except BaseException as error:
            self._counted.set_exception(error)
            raise

    def finish(self) -> dict[str, Any]:
        """Prove the number of rows, and say that the table is complete; its result."""
        manifest = self.manifest
        rows = sum(part["rows"] for part in manifest["parts"])
        of, (after, left_out) = self.reader.counts(self.reading), self._counted.result()
        before = manifest["counted"].get("before", after)
        # What was written between two runs over REST shows only here: it has no snapshots to tell.
        apart = self.resumed and self.reader.transport == "rest"
        differs = of == "rows" and rows != after
        moving = before != after or (apart and differs)
        if differs and not moving and len(manifest["snapshots"]) == 1:
            return failed(
                TableFailed(
                    f"{manifest['table']} has {after:,} rows, but {rows:,} were read",
                    "run again with --restart; if it stays so, the key columns are not unique",
                )
            )
        named = {part["file"] for part in manifest["parts"]}
        for file in self.folder.glob("part-*.parquet"):
            if file.name not in named:
                remove(file)  # closed before a kill, and its rows are gone at the source since
        counted = {"before": before, "after": after} | ({"of": of} if of != "rows" else {})
        if self.entry.where and self.reading.sample is None:
            counted["filtered"] = left_out
        manifest |= {
            "status": "complete",
            "rows": rows,
            "counted": counted,
            "moving": moving,
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        write_manifest(self.folder, manifest)
        return {"status": "complete", "rows": rows, "note": self._note(rows, counted)}

    def _note(self, rows: int, counted: dict[str, Any]) -> str:
        note = f"{rows:,} rows{_told_by(counted.get('of', 'rows'), counted['after'])}"
        if self.manifest["moving"]:
            note += f", while the source moved ({counted['before']:,} → {counted['after']:,})"
        if counted.get("filtered"):
            note += f", {counted['filtered']:,} left out by where"
        if self.resumed:
            note += ", resumed"
        for name, staged in self.manifest["renamed"].items():
            note += f", column {name} is {staged} here"
        return note


def failed(error: TableFailed) -> dict[str, Any]:
    """The result of a table that can't be read."""
    return {"status": "failed", "rows": 0, "error": str(error)}


def _told_by(of: str, number: int) -> str:
    """A note's words for rows that the source does not count."""
    return "" if of == "rows" else f" (not counted over REST, which has {number:,} {of} now)"


class Deadline:
    """Ends the reading when the snapshot is too old, or somebody waits for our lock."""

    def __init__(self) -> None:
        self._reason: str | None = None

    def stop(self, reason: str) -> None:
        self._reason = self._reason or reason

    def check(self) -> None:
        if self._reason:
            raise Stopped(self._reason, "what is done is kept; run again: stages extract")


def part_name(span: int, number: int) -> str:
    """`part-00003.parquet`; a span that needs more parts goes on with `part-00003-001.parquet`."""
    return f"part-{span:05}.parquet" if number == 0 else f"part-{span:05}-{number:03}.parquet"


def find_gaps(manifest: Manifest) -> Iterator[Gap]:
    """What the whole parts of a manifest leave open, span by span, in key order."""
    for index, span in enumerate(manifest["spans"]):
        after, number = span["after"], 0
        for part in [part for part in manifest["parts"] if part["span"] == index]:
            if part.get("lost"):
                keys = Span(after=after, until=part["last"])
                yield Gap(span=index, number=part["number"], keys=keys, alone=True)
            after, number = part["last"], part["number"] + 1
        if not span["read"]:
            yield Gap(span=index, number=number, keys=Span(after=after, until=span["until"]))


def lose(manifest: Manifest, files: set[str], *, alone: bool) -> list[str]:
    """Mark damaged parts as lost; returns the files that are of no use any more.

    The last part of a span is read again to the span's end. Where a part can't be read `alone`
    (a composite key over REST), all that follows it in its span goes with it.
    """
    dropped = []
    for index, span in enumerate(manifest["spans"]):
        parts = [part for part in manifest["parts"] if part["span"] == index]
        lost = [number for number, part in enumerate(parts) if part["file"] in files]
        if not lost:
            continue
        if alone:
            for number in lost:
                parts[number]["lost"] = True
        kept = parts if alone else parts[: lost[0]]
        while kept and kept[-1].get("lost"):
            kept = kept[:-1]
        if len(kept) < len(parts):
            span["read"] = False
        gone = [part for part in parts if part not in kept or part.get("lost")]
        dropped += [part["file"] for part in gone]
        manifest["parts"] = [p for p in manifest["parts"] if p["span"] != index or p in kept]
    manifest["status"] = "reading"
    return dropped

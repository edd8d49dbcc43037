"""The extract stage: every source of the plan to closed parts, resumable inside a table."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from stages.checkpoint import (
    Manifest,
    PartWriter,
    damage,
    make_folder,
    part_entry,
    read_json,
    read_manifest,
    remove,
    require_identity,
    write_json,
    write_manifest,
    write_zero_rows,
)
from stages.errors import Shortfall, Stopped, TableFailed, Transient, UserError
from stages.extract.catalog import Catalog, Reading, settle
from stages.extract.reader import Reader, Session, key_texts
from stages.extract.types import arrow_schema
from stages.paths import Paths
from stages.plan import Plan, SourceTable
from stages.progress import Progress
from stages.settings import Source

PART_ROWS = 250_000
PART_BYTES = 64 << 20
Via = Literal["auto", "postgres", "rest"]


@dataclass(frozen=True, kw_only=True)
class ExtractOptions:
    """What may be asked of an extract."""

    tables: tuple[str, ...] = ()
    via: Via = "auto"
    jobs: int = 2
    restart: bool = False


@dataclass
class ExtractResult:
    """What came of each source: status, rows, and what a person should know."""

    transport: str | None = None
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def failed(self) -> list[str]:
        return [name for name, told in self.tables.items() if told["status"] == "failed"]


def extract(
    paths: Paths, plan: Plan, source: Source, options: ExtractOptions, progress: Progress
) -> ExtractResult:
    """Read the sources of the plan into `data/extract/`.

    A complete table is kept and only compared with the source; `restart` reads aside and swaps at
    the end. Raises UserError before the first row where settings or plan are wrong, Stopped where
    the source was lost on the way. Tables that fail are in the result; the others go on.
    """
    entries = plan.select_sources(options.tables)
    _require_source(paths, source, {})
    restart = _Restart(paths)
    if options.restart:
        restart.begin([entry.name for entry in entries])
    with _reader(paths, plan, source, options.via, restart, progress) as reader:
        _require_source(paths, source, reader.identity())
        result = ExtractResult(transport=reader.transport)
        catalog = reader.catalog()
        queue = _Queue(entries)

        def work() -> None:
            with _session(reader) as sessions:
                while (entry := queue.take()) is not None:
                    folder = restart.folder(entry.name)
                    try:
                        told = _Table(reader, catalog, entry, folder, progress).run(sessions())
                    except TableFailed as error:
                        told = {"status": "failed", "rows": 0, "error": str(error)}
                        sessions.discard()
                    result.tables[entry.name] = told
                    progress.done(
                        "extract",
                        entry.name,
                        told.get("error") or told.get("note") or f"{told['rows']:,} rows",
                        **{k: told[k] for k in ("status", "rows")},
                    )

        try:
            with ThreadPoolExecutor(max_workers=max(1, options.jobs)) as pool:
                for future in [pool.submit(work) for _ in range(max(1, options.jobs))]:
                    future.result()
        except Transient as error:
            raise Stopped(
                error.message, "what is done is kept; run again: stages extract"
            ) from None
        finally:
            queue.stop()
    if not result.failed:
        restart.finish()
    required = [e.name for e in entries if e.on_missing == "fail"]
    missing = [n for n in required if result.tables[n]["status"] == "missing"]
    if missing:
        raise Shortfall(
            f"the source has no table for {', '.join(missing)}",
            'create it, or say on_missing = "report" in the plan',
        )
    return result


# ── which source, which transport ───────────────────────────────────────────────────────────


def _require_source(paths: Paths, source: Source, seen: dict[str, Any]) -> None:
    require_identity(
        paths.source,
        {"ref": source.ref, **seen},
        "the source",
        "use another folder with --data DIR, or remove this one with: stages clean --staged",
    )


@contextmanager
def _reader(
    paths: Paths, plan: Plan, source: Source, via: Via, restart: _Restart, progress: Progress
) -> Iterator[Reader]:
    """The transport is settled here, once, before the first row."""
    half = _half_read(plan, restart)
    if half and via not in ("auto", half[1]):
        raise UserError(
            f"`{half[0]}` is half read over {half[1]}, and {via} may see other rows",
            f"go on with --via {half[1]}, or start anew with --restart",
        )
    wanted = half[1] if half else via
    reader: Reader
    if wanted == "rest" or (wanted == "auto" and not source.db_url):
        reader = _rest(plan, source)
    elif wanted == "postgres" or not source.url:
        reader = _postgres(source)
    else:
        try:
            reader = _postgres(source)
        except Transient as error:
            progress.note(f"{error.message}; reading over REST, which has no snapshot")
            reader = _rest(plan, source)
    try:
        yield reader
    finally:
        reader.close()


def _half_read(plan: Plan, restart: _Restart) -> tuple[str, str] | None:
    for name in plan.sources:
        manifest = read_manifest(restart.folder(name))
        if manifest and manifest["status"] == "reading" and manifest["parts"]:
            return name, manifest["transport"]
    return None


def _postgres(source: Source) -> Reader:
    from stages.extract.postgres import PostgresReader

    if not source.db_url:
        raise UserError(
            "there is no SUPABASE_DB_URL for --via postgres", "set it, or use --via rest"
        )
    return PostgresReader(source)


def _rest(plan: Plan, source: Source) -> Reader:
    from stages.extract.rest import RestReader

    if not source.url:
        raise UserError(
            "there are no SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY for --via rest",
            "set them, or use --via postgres",
        )
    return RestReader(source, {entry.schema for entry in plan.sources.values()})


class _Queue:
    """Entries for the workers, each once."""

    def __init__(self, entries: list[SourceTable]) -> None:
        self._entries = iter(entries)
        self._lock = threading.Lock()
        self._stopped = False

    def take(self) -> SourceTable | None:
        with self._lock:
            return None if self._stopped else next(self._entries, None)

    def stop(self) -> None:
        with self._lock:
            self._stopped = True


class _Sessions:
    """One worker's session, made when first asked for, and anew after a failure."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._open: Session | None = None

    def __call__(self) -> Session:
        if self._open is None:
            self._open = self._reader.session()
        return self._open

    def discard(self) -> None:
        if self._open is not None:
            self._open.close()
        self._open = None


@contextmanager
def _session(reader: Reader) -> Iterator[_Sessions]:
    sessions = _Sessions(reader)
    try:
        yield sessions
    finally:
        sessions.discard()


class _Restart:
    """`extract --restart` reads into `data/extract.next/` and swaps at the end.

    The folder's list says which tables belong to it; as long as it is there, `extract` goes on
    with it. Each step can be done again after a kill at any point.
    """

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._folder = paths.data / "extract.next"
        self._list = self._folder / "tables.json"

    @property
    def _tables(self) -> list[str]:
        listed = read_json(self._list)
        return list(listed["tables"]) if listed else []

    def begin(self, tables: list[str]) -> None:
        remove(self._folder)
        make_folder(self._folder)
        write_json(self._list, {"tables": tables})

    def folder(self, table: str) -> Path:
        """Where a table is read to."""
        if table in self._tables:
            return self._folder / table
        return self._paths.extract(table)

    def finish(self) -> None:
        """Swap in what was read aside."""
        for table in self._tables:
            read = self._folder / table
            if not read.exists():
                continue  # swapped before a kill
            make_folder(self._paths.extracts)
            remove(self._paths.extract(table))
            read.replace(self._paths.extract(table))
        remove(self._folder)


# ── one table ───────────────────────────────────────────────────────────────────────────────


class _Table:
    """Brings one source from wherever it stands to complete."""

    def __init__(
        self, reader: Reader, catalog: Catalog, entry: SourceTable, folder: Path, progress: Progress
    ) -> None:
        self.reader = reader
        self.catalog = catalog
        self.entry = entry
        self.folder = folder
        self.progress = progress

    def run(self, session: Session) -> dict[str, Any]:
        relation = self.catalog.get((self.entry.schema, self.entry.table))
        if relation is None:
            if not self.reader.missing(self.entry.schema, self.entry.table):
                raise TableFailed(
                    f"{self.entry.schema}.{self.entry.table} can be read, but its columns are not "
                    "listed",
                    "reload the API's schema cache: notify pgrst, 'reload schema'",
                )
            return self._missing()
        reading = settle(self.entry, relation)
        manifest = self._usable(reading)
        if manifest and manifest["status"] == "complete":
            return self._compare(session, reading, manifest)
        return self._read(session, reading, manifest)

    def _missing(self) -> dict[str, Any]:
        manifest = read_manifest(self.folder)
        if manifest and manifest["status"] != "missing":
            return {
                "status": "moved",
                "rows": manifest["rows"],
                "note": "the source has no such table any more; the extract is kept",
            }
        if manifest is None:
            write_manifest(
                self.folder,
                {
                    "table": f"{self.entry.schema}.{self.entry.table}",
                    "status": "missing",
                    "transport": self.reader.transport,
                    "rows": 0,
                    "snapshots": [self.reader.snapshot()],
                    "parts": [],
                },
            )
        return {"status": "missing", "rows": 0, "note": "missing: the source has no such table"}

    def _usable(self, reading: Reading) -> Manifest | None:
        """The manifest, less what can't be kept: another reading's rows, damaged parts."""
        manifest = read_manifest(self.folder)
        if manifest is None or manifest["status"] == "missing":
            return None
        if manifest["spec"] != reading.fingerprint:
            self.progress.note(
                f"{self.entry.name}: columns, key or filter have changed since; reading it anew"
            )
            return None
        for number, part in enumerate(manifest["parts"]):
            wrong = damage(self.folder, part)
            if wrong:
                kept = number if reading.key else 0
                self.progress.note(
                    f"{self.entry.name}: {part['file']} {wrong}; reading it again from there"
                )
                dropped = manifest["parts"][kept:]
                manifest |= {"parts": manifest["parts"][:kept], "status": "reading"}
                write_manifest(self.folder, manifest)
                for each in dropped:
                    remove(self.folder / each["file"])
                break
        return manifest

    def _compare(self, session: Session, reading: Reading, manifest: Manifest) -> dict[str, Any]:
        """A cheap second look at the source of a table that is complete."""
        now = session.standing(reading, manifest["snapshots"][-1])
        last = manifest["parts"][-1].get("last") if manifest["parts"] else None
        moved = []
        if now.rows != manifest["rows"]:
            moved.append(f"{now.rows:,} rows instead of {manifest['rows']:,}")
        elif reading.key and now.greatest != last:
            moved.append("another greatest key")
        if now.newer:
            moved.append(f"{now.newer:,} rows written since")
        if moved:
            note = f"the source has moved: {', '.join(moved)}; read anew with --restart"
        else:
            note = f"unchanged, {manifest['rows']:,} rows"
        return {
            "status": "moved" if moved else "unchanged",
            "rows": manifest["rows"],
            "note": note,
        }

    def _read(
        self, session: Session, reading: Reading, manifest: Manifest | None
    ) -> dict[str, Any]:
        schema = arrow_schema(reading.columns)
        snapshot = self.reader.snapshot()
        before = session.count(reading)
        resumed = manifest is not None and bool(manifest["parts"]) and bool(reading.key)
        if manifest is None or not resumed:
            remove(self.folder)
            manifest = {
                "table": f"{reading.schema}.{reading.name}",
                "status": "reading",
                "transport": self.reader.transport,
                "spec": reading.fingerprint,
                "columns": [{"name": c.name, "postgres": c.type} for c in reading.columns],
                "key": list(reading.key),
                "where": reading.where,
                "rows": 0,
                "counted": None,
                "snapshots": [],
                "parts": [],
            }
        if snapshot not in manifest["snapshots"]:
            manifest["snapshots"].append(snapshot)
        write_zero_rows(self.folder, schema)
        write_manifest(self.folder, manifest)
        self.progress.start("extract", self.entry.name, before)
        self._stream(session, reading, manifest)
        after = session.count(reading) if self.reader.transport == "rest" else before
        rows = sum(part["rows"] for part in manifest["parts"])
        moving = before != after
        if not moving and rows != before and len(manifest["snapshots"]) == 1:
            raise TableFailed(
                f"{reading.schema}.{reading.name} has {before:,} rows, but {rows:,} were read",
                "run again with --restart; if it stays so, the key columns are not unique",
            )
        manifest |= {
            "status": "complete",
            "rows": rows,
            "counted": {"before": before, "after": after},
            "moving": moving,
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        write_manifest(self.folder, manifest)
        note = f"{rows:,} rows"
        if moving:
            note += f", while the source moved ({before:,} → {after:,})"
        if resumed:
            note += ", resumed"
        return {"status": "complete", "rows": rows, "note": note}

    def _stream(self, session: Session, reading: Reading, manifest: Manifest) -> None:
        """Rows after the last closed part, to parts that are closed one by one."""
        schema = arrow_schema(reading.columns)
        after = manifest["parts"][-1]["last"] if manifest["parts"] else None
        writer: PartWriter | None = None
        first: list[str] | None = None
        last: list[str] | None = None

        def close(open_writer: PartWriter) -> None:
            part = open_writer.close(first=first, last=last)
            manifest["parts"].append(part_entry(part))
            write_manifest(self.folder, manifest)

        try:
            for rows in session.read(reading, after):
                if not rows.num_rows:
                    continue
                if writer is None:
                    number = len(manifest["parts"])
                    writer = PartWriter(self.folder / f"part-{number:05}.parquet", schema)
                    first = key_texts(rows, reading, 0)
                writer.write(rows)
                last = key_texts(rows, reading, rows.num_rows - 1)
                self.progress.advance(self.entry.name, rows.num_rows, rows.nbytes)
                if writer.rows >= PART_ROWS or writer.written_bytes() >= PART_BYTES:
                    close(writer)
                    writer = None
            if writer is not None:
                close(writer)
                writer = None
        finally:
            if writer is not None:
                writer.abandon()

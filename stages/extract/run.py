"""The extract stage: every source of the plan to closed parts, resumable inside a table."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from stages.errors import Shortfall, StagesError, Stopped, TableFailed, Transient
from stages.extract.catalog import Reading, Relations, settle
from stages.extract.part_closer import PartCloser
from stages.extract.reader import Reader, Session
from stages.extract.restart import Restart
from stages.extract.table_extract import Deadline, Gap, TableExtract, failed
from stages.extract.transport import Via, open_reader
from stages.extract.types import arrow_schema
from stages.progress import Progress
from stages.project.plan import Plan, SourceTable
from stages.project.settings import Source
from stages.state.identity import require_identity
from stages.state.manifests import read_manifest, write_manifest
from stages.state.parts import write_zero_rows
from stages.state.workspace import Workspace
from stages.views import refresh

LOOK_EVERY = 2.0


@dataclass(frozen=True, kw_only=True)
class ExtractOptions:
    """What may be asked of an extract. `max_snapshot` is in seconds."""

    tables: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    via: Via = "auto"
    jobs: int | None = None
    restart: bool = False
    sample: int | None = None
    max_snapshot: float = 7200.0


@dataclass
class ExtractResult:
    """What came of each source: status, rows, and what a person should know."""

    transport: str
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def failed(self) -> list[str]:
        return [name for name, told in self.tables.items() if told["status"] == "failed"]


def extract(
    workspace: Workspace, plan: Plan, source: Source, options: ExtractOptions, progress: Progress
) -> ExtractResult:
    """Read the sources of the plan into `data/extract/`.

    A complete table is kept and only compared with the source; `restart` reads aside and swaps at
    the end. Raises UserError before the first row where settings or plan are wrong, Stopped where
    the source was lost on the way. Tables that fail are in the result; the others go on.
    """
    entries = plan.select_sources(options.tables, options.exclude)
    _require_source(workspace, source, {})
    restart = Restart(workspace)
    if restart.swapping:
        restart.finish()
    if options.restart:
        restart.begin([entry.name for entry in entries])
    elif restart.tables:
        progress.note(f"going on with the restart of {', '.join(restart.tables)}")
    with open_reader(plan, source, options.via, restart, progress) as reader:
        _require_source(workspace, source, reader.identity())
        catalog = reader.catalog()
        run = _Run(reader, catalog, restart, options, progress)
        run.settle(entries)
        run.show_schemas()
        run.work(entries, beside=partial(refresh, workspace, plan))
        _tell_new_tables(plan, catalog, progress)
    result = run.result
    if not result.failed and all(table in result.tables for table in restart.tables):
        restart.finish()
    missing = [
        e.name
        for e in entries
        if e.on_missing == "fail" and result.tables[e.name]["status"] == "missing"
    ]
    if missing:
        raise Shortfall(
            f"the source has no table for {', '.join(missing)}",
            'create it, or say on_missing = "report" in the plan',
        )
    return result


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What an extract would read of one source. Seconds are a guess from rows and bytes.

    Bytes are None where the source does not tell them: over REST, and of views.
    """

    table: str
    rows: int
    bytes: int | None
    seconds: float


def forecast(
    plan: Plan, source: Source, workspace: Workspace, options: ExtractOptions, progress: Progress
) -> list[Forecast]:
    """`--dry-run`: rows, bytes and time of each source, without reading it."""
    entries = plan.select_sources(options.tables, options.exclude)
    found = []
    with open_reader(plan, source, options.via, Restart(workspace), progress) as reader:
        catalog = reader.catalog()
        session = reader.session()
        try:
            for entry in entries:
                relation = catalog.get((entry.schema, entry.table))
                if relation is None:
                    continue
                reading = settle(entry, relation)
                size = session.size(reading)
                # Rows a second as `make bench` measured them (README, Figures); a guess where
                # each is an answer of its own.
                pace = 450_000 if reader.transport == "postgres" else 60_000
                if reader.counts(reading) != "rows":
                    pace = 200
                found.append(
                    Forecast(
                        table=entry.name,
                        rows=size.rows,
                        bytes=size.bytes,
                        seconds=max(size.rows / pace, (size.bytes or 0) / 150e6),
                    )
                )
        finally:
            session.close()
    return found


def _require_source(workspace: Workspace, source: Source, seen: dict[str, Any]) -> None:
    require_identity(
        workspace.source,
        {"ref": source.ref, "sandbox": source.sandbox or None, **seen},
        "the source",
        "use another folder with --data DIR, or remove this one with: stages clean --staged",
    )


def _tell_new_tables(plan: Plan, catalog: Relations, progress: Progress) -> None:
    """Tables beside those of the plan: nobody has said that they may stay behind."""
    known = {(entry.schema, entry.table) for entry in plan.sources.values()}
    schemas = {schema for schema, _ in known if schema not in ("auth", "storage")}
    others = sorted(f"{s}.{t}" for s, t in catalog if s in schemas and (s, t) not in known)
    if others:
        shown = ", ".join(others[:10]) + (" …" if len(others) > 10 else "")
        progress.note(f"not in the plan: {len(others)} tables ({shown})")


class _Run:
    """Opens tables and fills their gaps, by several workers."""

    def __init__(
        self,
        reader: Reader,
        catalog: Relations,
        restart: Restart,
        options: ExtractOptions,
        progress: Progress,
    ) -> None:
        self.reader = reader
        self.catalog = catalog
        self.restart = restart
        self.options = options
        self.progress = progress
        self.result = ExtractResult(transport=reader.transport)
        self.deadline = Deadline()
        self.readings: dict[str, Reading] = {}

    def settle(self, entries: list[SourceTable]) -> None:
        """What will be read of each source; those that can't be are told and left out."""
        for entry in entries:
            relation = self.catalog.get((entry.schema, entry.table))
            try:
                if relation is not None:
                    self.readings[entry.name] = settle(entry, relation)
                elif self.reader.missing(entry.schema, entry.table):
                    self._end(entry, self._missing(entry))
                else:
                    raise TableFailed(
                        f"{entry.schema}.{entry.table} can be read, but its columns are not listed",
                        "reload the API's schema cache: notify pgrst, 'reload schema'",
                    )
            except TableFailed as error:
                self._end(entry, failed(error))
            if entry.include_secrets:
                secrets = ", ".join(entry.include_secrets)
                self.progress.note(f"{entry.name}: secrets are read, as the plan says: {secrets}")
        if self.options.sample is not None:
            from stages.extract.sample import narrow

            self.readings = narrow(self.reader, self.readings, self.options.sample)
            self.progress.note(
                f"a sample: {self.options.sample:,} rows a table, and the rows that they refer to"
            )

    def show_schemas(self) -> None:
        """No rows yet, but their form: views can be made before the first part is closed."""
        for name, reading in self.readings.items():
            folder = self.restart.folder(name)
            if read_manifest(folder) is None:
                write_zero_rows(folder, arrow_schema(reading.columns))

    def _missing(self, entry: SourceTable) -> dict[str, Any]:
        folder = self.restart.folder(entry.name)
        manifest = read_manifest(folder)
        if manifest and manifest["status"] != "missing":
            return {
                "status": "moved",
                "rows": manifest["rows"],
                "note": "the source has no such table any more; the extract is kept",
            }
        if manifest is None:
            write_manifest(
                folder,
                {
                    "table": f"{entry.schema}.{entry.table}",
                    "status": "missing",
                    "transport": self.reader.transport,
                    "rows": 0,
                    "snapshots": [self.reader.snapshot()],
                    "parts": [],
                },
            )
        return {"status": "missing", "rows": 0, "note": "missing: the source has no such table"}

    def _end(self, entry: SourceTable, told: dict[str, Any]) -> None:
        self.result.tables[entry.name] = told
        self.progress.done(
            "extract",
            entry.name,
            told.get("error") or told["note"],
            status=told["status"],
            rows=told["rows"],
        )

    def work(self, entries: list[SourceTable], beside: Callable[[], None]) -> None:
        """All tables to their end; `beside` is done before any part is closed.

        Raises Stopped where the source is lost on the way.
        """
        waiting = [entry for entry in entries if entry.name in self.readings]
        jobs = self.reader.jobs(self.options.jobs)
        queue = _Queue(waiting)
        try:
            with ThreadPoolExecutor(max_workers=jobs + 1) as pool, self._watched():
                first = pool.submit(beside)
                for future in [pool.submit(self._worker, queue, first) for _ in range(jobs)]:
                    future.result()
        except Transient as error:
            raise Stopped(
                error.message, "what is done is kept; run again: stages extract"
            ) from None

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Look, now and then, how old the snapshot is and whether somebody waits for our locks."""
        began, ended = time.monotonic(), threading.Event()

        def look() -> None:
            while not ended.wait(LOOK_EVERY):
                age = time.monotonic() - began
                if self.reader.transport == "postgres" and age > self.options.max_snapshot:
                    self.deadline.stop(
                        f"the snapshot is {age / 60:.0f} minutes old, the most that was allowed "
                        "(--max-snapshot): it keeps the source from cleaning up"
                    )
                try:
                    waits = self.reader.waiting()
                except StagesError as error:
                    self.deadline.stop(error.message)
                    return
                if waits:
                    self.deadline.stop(f"{waits}, which we hold: letting go of it")

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _worker(self, queue: _Queue, first: Future[None]) -> None:
        sessions, closing = _Sessions(self.reader), PartCloser(first)
        try:
            with suppress(TableFailed):  # said again for each table that needs the connection
                sessions()
            while (job := queue.take()) is not None:
                entry, work, gap = job
                try:
                    self._do(queue, sessions(), closing, entry, work, gap)
                except TableFailed as error:
                    queue.drop(entry)
                    self._end(entry, failed(error))
                    sessions.discard()
                except BaseException:
                    queue.stop()
                    raise
                queue.done()
            closing.end()
        finally:
            closing.discard()
            sessions.discard()

    def _do(
        self,
        queue: _Queue,
        session: Session,
        closing: PartCloser,
        entry: SourceTable,
        work: TableExtract | None,
        gap: Gap | None,
    ) -> None:
        if work is not None and gap is not None:
            work.fill(session, gap, self.deadline, closing, partial(self._end, entry))
            return
        self.deadline.check()
        folder = self.restart.folder(entry.name)
        work = TableExtract(self.reader, entry, self.readings[entry.name], folder, self.progress)
        opened = work.open(session)
        if isinstance(opened, dict):
            self._end(entry, opened)
        elif not opened:
            self._end(entry, work.finish())
        else:
            queue.add(entry, work, opened)


Job = tuple[SourceTable, TableExtract | None, Gap | None]


class _Queue:
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

    def add(self, entry: SourceTable, work: TableExtract, gaps: list[Gap]) -> None:
        with self._changed:
            self._gaps += [(entry, work, gap) for gap in gaps]
            self._changed.notify_all()

    def drop(self, entry: SourceTable) -> None:
        """A table has failed: its other gaps are not worth reading."""
        with self._changed:
            self._gaps = [job for job in self._gaps if job[0] != entry]

    def done(self) -> None:
        with self._changed:
            self._busy -= 1
            self._changed.notify_all()

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()


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

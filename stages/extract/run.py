"""The extract stage: every source of the plan to closed parts, resumable within a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from stages.errors import Shortfall, TableFailed, Transient
from stages.extract.beside import tables_beside
from stages.extract.catalog import Reading, Relations, resolve_reading
from stages.extract.drift import GONE
from stages.extract.misspelt import refuse_misspelt
from stages.extract.reader import Reader
from stages.extract.restart import Restart
from stages.extract.results import ExtractResult, TableResult, failed_result
from stages.extract.transport import Via, open_reader
from stages.extract.types import arrow_schema
from stages.extract.workers import Workers
from stages.progress import Progress
from stages.project.plan import Plan, SourceTable
from stages.project.settings import Source
from stages.state.failures import forget_failures, record_failure
from stages.state.identity import (
    read_source,
    record_identity,
    refuse_other,
    set_aside_source,
)
from stages.state.manifests import ExtractManifest, write_manifest
from stages.state.moved import record_moved
from stages.state.parts import is_form, write_zero_rows
from stages.state.records import read_whole
from stages.state.workspace import Workspace, manifest_file
from stages.views import refresh


@dataclass(frozen=True, kw_only=True)
class ExtractOptions:
    """The options of an extract. `max_snapshot` is in seconds."""

    tables: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    via: Via = "auto"
    jobs: int | None = None
    restart: bool = False
    sample: int | None = None
    max_snapshot: float = 7200.0


def extract(
    workspace: Workspace, plan: Plan, source: Source, options: ExtractOptions, progress: Progress
) -> ExtractResult:
    """Read the sources of the plan into `data/extract/`.

    A complete table is kept and only compared with the source; `restart` reads again into another
    folder and swaps at the end. Raises UserError before the first row if settings or plan are
    wrong, Stopped if the source is lost on the way, and Shortfall if a table with on_missing =
    "fail" is missing. Tables that fail are in the result; the others go on.
    """
    entries = plan.select_sources(options.tables, options.exclude)
    restart = Restart(workspace)
    if options.restart:
        restart.set_aside_damaged()
        if len(entries) == len(plan.sources):
            set_aside_source(workspace)
    _refuse_other_source(workspace, source, {})
    if restart.swapping:
        restart.finish()
    if options.restart:
        restart.begin([entry.name for entry in entries])
    elif restart.tables:
        progress.note(f"continuing the restart of {', '.join(restart.tables)}")
    with open_reader(plan, source, options.via, restart, progress) as reader:
        identity = _refuse_other_source(workspace, source, reader.identity())
        catalog = reader.catalog()
        record_identity(read_source(workspace), workspace.source, identity)
        run = _Run(plan, reader, catalog, workspace, restart, options, progress)
        progress.begin("extract", dict.fromkeys(entry.name for entry in entries))
        run.resolve(entries)
        run.show_schemas()
        run.read(entries, before_parts=partial(refresh, workspace, plan))
        if beside := tables_beside(plan, catalog):
            progress.note(beside)
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
            tables=missing,
        )
    return result


def _refuse_other_source(
    workspace: Workspace, source: Source, identity: dict[str, Any]
) -> dict[str, Any]:
    """What identifies the source. Raises UserError if the data folder belongs to another one."""
    seen = {"ref": source.ref, "sandbox": source.sandbox or None, **identity}
    refuse_other(
        read_source(workspace),
        workspace.source,
        seen,
        "the source",
        "use another folder with --data DIR, or remove this one with: stages clean --staged",
    )
    return seen


class _Run:
    """One run: what is read of each source, and its result."""

    def __init__(
        self,
        plan: Plan,
        reader: Reader,
        catalog: Relations,
        workspace: Workspace,
        restart: Restart,
        options: ExtractOptions,
        progress: Progress,
    ) -> None:
        self.plan = plan
        self.reader = reader
        self.workspace = workspace
        self.catalog = catalog
        self.restart = restart
        self.options = options
        self.progress = progress
        self.result = ExtractResult(transport=reader.transport)
        self.readings: dict[str, Reading] = {}

    def resolve(self, entries: list[SourceTable]) -> None:
        """Decide what to read of each source; those that can't be read are reported and left out.

        Raises UserError for a name that is probably misspelt.
        """
        for entry in entries:
            relation = self.catalog.get((entry.schema, entry.table))
            try:
                if relation is not None:
                    self.readings[entry.name] = resolve_reading(entry, relation)
                elif self.reader.is_missing(entry.schema, entry.table):
                    self._report(entry, self._missing(entry))
                else:
                    raise TableFailed(
                        f"{entry.schema}.{entry.table} can be read, but its columns are not listed",
                        "reload the API's schema cache: notify pgrst, 'reload schema'",
                    )
            except TableFailed as error:
                self._report(entry, failed_result(error))
            if entry.include_secrets:
                secrets = ", ".join(entry.include_secrets)
                self.progress.note(f"{entry.name}: secrets are read, as the plan says: {secrets}")
        self._note_heirs()
        if self.options.sample is not None:
            from stages.extract.sample import sample_readings

            self.readings = sample_readings(self.reader, self.readings, self.options.sample)
            self.progress.note(
                f"a sample: {self.options.sample:,} rows a table, and the rows that they refer to"
            )

    def _note_heirs(self) -> None:
        """Note which tables return the rows of their children too, and which rows come twice."""
        sources: dict[tuple[str, str], list[str]] = {}
        for entry in self.plan.sources.values():
            sources.setdefault((entry.schema, entry.table), []).append(entry.name)
        for name, reading in self.readings.items():
            if not reading.heirs:
                continue
            heirs = ", ".join(".".join(place) for place in reading.heirs)
            note = f"{name}: holds the rows of its children {heirs} too (INHERITS)"
            again = ", ".join(s for place in reading.heirs for s in sources.get(place, ()))
            if again:
                note += (
                    f", which are also read as {again}; to read only its own rows, add only = true "
                    "to "
                    f"[sources.{name}] of the plan"
                )
            self.progress.note(note)

    def show_schemas(self) -> None:
        """Write each table's schema without rows, so that views can be made before the first part
        is closed. A damaged one is written again."""
        for name, reading in self.readings.items():
            folder = self.restart.folder(name)
            manifest = read_whole(ExtractManifest, manifest_file(folder))
            if manifest is None or (manifest.status != "missing" and not is_form(folder)):
                write_zero_rows(folder, arrow_schema(reading.columns))

    def read(self, entries: list[SourceTable], before_parts: Callable[[], None]) -> None:
        """Read all tables; `before_parts` is done before any part is closed.

        Raises Stopped if the source is lost on the way.
        """
        workers = Workers(self.reader, self.readings, self.restart, self.progress, self._report)
        try:
            workers.run(
                [entry for entry in entries if entry.name in self.readings],
                jobs=self.reader.allowed_jobs(self.options.jobs),
                max_snapshot=self.options.max_snapshot,
                before_parts=before_parts,
            )
        except Transient as error:
            raise error.stopped("completed work is kept; run again: stages extract") from None
        finally:
            self._keep_failures()

    def _keep_failures(self) -> None:
        for name, result in self.result.tables.items():
            if result["status"] == "failed":
                reason, hint = result["reason"], result["hint"]
                record_failure(self.workspace, "extract", name, reason, hint)
        read = {n for n, result in self.result.tables.items() if result["status"] != "failed"}
        forget_failures(self.workspace, "extract", read)

    def _missing(self, entry: SourceTable) -> TableResult:
        folder = self.restart.folder(entry.name)
        manifest = read_whole(ExtractManifest, manifest_file(folder), self.progress.note)
        if manifest and manifest.status != "missing":
            record_moved(folder, manifest, (GONE,))
            return {
                "status": "moved",
                "rows": manifest.rows,
                "note": f"{GONE}; the extract is kept",
            }
        refuse_misspelt(self.plan, entry, self.catalog)
        if manifest is None:
            write_manifest(
                folder,
                ExtractManifest(
                    table=f"{entry.schema}.{entry.table}",
                    status="missing",
                    transport=self.reader.transport,
                    snapshots=[self.reader.snapshot()],
                ),
            )
        return {"status": "missing", "rows": 0, "note": "missing: the source has no such table"}

    def _report(self, entry: SourceTable, result: TableResult) -> None:
        self.result.tables[entry.name] = result
        self.progress.done(
            "extract",
            entry.name,
            result.get("error") or result["note"],
            status=result["status"],
            rows=result["rows"],
        )

"""The load stage: every table of the plan, parents first, exactly once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from stages.convex.client import Channel, Deployment
from stages.convex.cost import MOST_DOCUMENTS
from stages.convex.ledger import forget_epoch, require_epoch, require_target
from stages.convex.schema import Schema
from stages.errors import StagesError, TableFailed, Transient, UserError
from stages.load.adopt import adopt
from stages.load.connection import open_load_connection
from stages.load.context import LoadContext, TableContext
from stages.load.existing import Existing, settle_existing
from stages.load.importing.import_state import refuse_imported
from stages.load.pace import MOST_IN_FLIGHT, PRODUCTION_RATE, Pace, Rate
from stages.load.prove import Prover
from stages.load.prune import Confirm, prune
from stages.load.restore_ledger import restore_ledger
from stages.load.table_load import TableLoad
from stages.progress import Progress, note_retry
from stages.project.dependencies import DependencyGroup, dependency_groups, require_order
from stages.project.freshness import stale
from stages.project.plan import Plan, TargetTable
from stages.project.settings import Target
from stages.project.staged_schema import with_references
from stages.state.durable import remove
from stages.state.failures import forget_failures, record_failure
from stages.state.integrity import require_whole
from stages.state.manifests import (
    LoadManifest,
    TransformManifest,
    read_extract,
    read_keys,
    read_transform,
)
from stages.state.workspace import Workspace
from stages.views import refresh

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """Options of a load. `prune` is asked for consent before anything is deleted."""

    tables: tuple[str, ...] = ()
    through: Channel | None = None
    restart: bool = False
    overwrite: bool = False
    existing: Existing = field(default_factory=Existing)
    prune: Confirm | None = None
    rate: Rate = field(default_factory=Rate)
    in_flight: int | None = None


@dataclass
class LoadResult:
    """Manifests by table; `failed`: table → a sentence on why."""

    tables: dict[str, LoadManifest] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def load(
    workspace: Workspace,
    plan: Plan,
    schema: Schema,
    target: Target,
    options: LoadOptions,
    progress: Progress,
) -> LoadResult:
    """Send what the target has not acknowledged yet; a second run sends nothing.

    Raises UserError if the target is not the same as before, Stopped if it can't be reached any
    more. A table that fails is in the result, and its children are held back.
    """
    schema = with_references(schema, plan)
    order = ordered_groups(plan, schema, options.tables)
    tables = [plan.tables[name] for group in order for name in group.tables]
    refuse_imported(workspace, [table.name for table in tables])
    transformed = {table.name: require_transformed(workspace, plan, table) for table in tables}
    require_keys(workspace, plan)
    if target.production:
        refuse_sample(workspace, tables)
    require_target(workspace, target)
    pace = Pace(
        most_in_flight=options.in_flight or MOST_IN_FLIGHT,
        most_documents=MOST_DOCUMENTS,
        rate=_rate(target, options.rate, progress),
    )

    note = note_retry(progress)

    def slow_down(error: Transient, delay: float) -> None:
        if pace.refused(error.retry_after):
            note(error, delay)

    with (
        open_load_connection(workspace, plan) as connection,
        Deployment(target, options.through, on_retry=slow_down) as deployment,
    ):
        try:
            if options.restart:
                _forget(workspace, plan, tables, deployment, connection, progress)
            context = LoadContext(
                workspace=workspace,
                plan=plan,
                schema=schema,
                deployment=deployment,
                connection=connection,
                pace=pace,
                prover=Prover(connection, deployment, plan.module),
                progress=progress,
                epoch=require_epoch(
                    workspace,
                    deployment,
                    plan.module,
                    claim=True,
                    loaded=[n for n, m in transformed.items() if m.status != "missing"],
                    referenced=[name for name in plan.references if name in schema.tables],
                ),
                overwrite=options.overwrite,
            )
            opened = {
                table.name: TableContext.open(context, table, transformed[table.name])
                for table in tables
                if transformed[table.name].status != "missing"
            }
            adopted = settle_existing(context, list(opened.values()), options.existing)
            remove(workspace.handed_over)
            loads = _GroupLoads(context, opened, adopted)
            rows = {n: m.documents for n, m in transformed.items()}
            context.progress.begin("load", {table.name: rows[table.name] for table in tables})
            for group in order:
                loads.send(group)
            if options.prune:
                prune(context, loads.done, loads.result.tables, options.prune)
        except Transient as error:
            raise error.stopped("run again: stages load") from None
        refresh(workspace, plan)
    return loads.result


@dataclass
class _GroupLoads:
    """Loads the groups of tables, one after the other."""

    context: LoadContext
    tables: Mapping[str, TableContext]
    adopted: Mapping[str, str | None]
    result: LoadResult = field(default_factory=LoadResult)
    done: list[TableLoad] = field(default_factory=list)

    def send(self, group: DependencyGroup) -> None:
        """Load one table, or a cycle: there, all documents have ids before the second pass binds
        what refers to them."""
        tables = []
        self._adopt(group)
        for name in group.tables:
            if name not in self.tables:
                self.context.progress.done("load", name, "missing at the source")
                continue
            if name in self.result.failed:
                continue
            deferred = group.deferred.get(name, frozenset())
            table = TableLoad(self.tables[name], deferred)
            tables.append(table)
            if deferred:
                self._attempt(table, self._first)
            else:
                self._attempt(table, self._whole)
        for table in tables:
            if table.deferred and table.name not in self.result.failed:
                self._attempt(table, self._whole)

    def _adopt(self, group: DependencyGroup) -> None:
        """Tables of one group are adopted together or not at all: they refer to one another."""
        tables = [self.tables[name] for name in group.tables if name in self.adopted]
        try:
            adopt(tables, group.deferred, self.adopted)
        except TableFailed as error:
            for name in group.tables:
                if name in self.tables:
                    self._fail(name, error)

    def _attempt(self, table: TableLoad, step: Callable[[TableLoad], None]) -> None:
        try:
            step(table)
        except TableFailed as error:
            self._fail(table.name, error)

    def _fail(self, name: str, error: TableFailed) -> None:
        self.result.failed[name] = str(error)
        record_failure(self.context.workspace, "load", name, error.message, error.hint)
        self.context.progress.done("load", name, f"failed: {error}")

    def _first(self, table: TableLoad) -> None:
        self.context.progress.start("load", table.name)
        self.context.progress.done("load", table.name, table.first_pass())

    def _whole(self, table: TableLoad) -> None:
        self.context.progress.start("load", table.name)
        manifest, sentence = table.bring_up_to_date()
        forget_failures(self.context.workspace, "load", [table.name])
        self.result.tables[table.name] = manifest
        self.done.append(table)
        self.context.progress.done("load", table.name, sentence, **manifest.counts)


def ordered_groups(plan: Plan, schema: Schema, tables: tuple[str, ...]) -> list[DependencyGroup]:
    """The groups of the requested tables, parents first, without any other tables.

    Raises UserError for a cycle that can't be loaded in two passes.
    """
    selected = {table.name for table in plan.select_tables(tables)}
    groups = []
    for group in dependency_groups(schema, plan.tables):
        require_order(schema, group)
        names = tuple(name for name in group.tables if name in selected)
        if names:
            groups.append(replace(group, tables=names))
    return groups


def _rate(target: Target, limit: Rate, progress: Progress) -> Rate:
    if not target.production or limit.bytes:
        return limit
    progress.note(
        f"  at {PRODUCTION_RATE / 2**20:g} MiB/s, half of what a small deployment writes; "
        "change it with --max-rate"
    )
    return replace(limit, bytes=PRODUCTION_RATE)


def _forget(
    workspace: Workspace,
    plan: Plan,
    tables: list[TargetTable],
    deployment: Deployment,
    connection: duckdb.DuckDBPyConnection,
    progress: Progress,
) -> None:
    """`--restart`: trust only the ledger; if it is lost, restore it from the acks first."""
    restore_ledger(workspace, plan, deployment, connection, progress)
    for table in tables:
        remove(workspace.load(table.name))
    # Last: acks that remain, after a kill in between or of other tables, must not meet a new epoch.
    if not any(workspace.load(name).exists() for name in plan.tables):
        forget_epoch(workspace)


def refuse_sample(workspace: Workspace, tables: Iterable[TargetTable]) -> None:
    """Raise UserError if some table is a sample: production gets all rows or none."""
    for table in tables:
        extracted = read_extract(workspace.extract(table.source))
        if extracted and extracted.sample:
            raise UserError(
                f"`{table.source}` is a sample ({extracted.rows:,} rows), and the target is a "
                "production deployment",
                "read all of it with: stages extract --restart",
                tables=[table.source],
            )


def require_transformed(workspace: Workspace, plan: Plan, table: TargetTable) -> TransformManifest:
    manifest = read_transform(workspace.transform(table.name))
    if manifest is None:
        raise StagesError(
            f"`{table.name}` is not transformed yet",
            f"run: stages transform {table.name}",
            tables=[table.name],
        )
    changed = stale(workspace, plan, table, manifest)
    if changed:
        raise StagesError(
            f"{changed} has changed since `{table.name}` was transformed",
            f"run: stages transform {table.name}",
            tables=[table.name],
        )
    require_whole(
        workspace.transform(table.name),
        manifest.parts,
        f"stages transform {table.name} --restart",
    )
    return manifest


def require_keys(workspace: Workspace, plan: Plan) -> None:
    """Require that the ids of reference tables are as transform left them."""
    for name in plan.references:
        keys = read_keys(workspace.keys_manifest(name))
        if keys:
            require_whole(workspace.keys, keys.parts, "stages transform")

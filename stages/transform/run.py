"""The transform stage: models and checks, to documents, rejects and changes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from stages.convex.schema import Schema
from stages.decisions import left_open, listed
from stages.errors import OverLimit, StagesError, TableFailed
from stages.progress import Progress, Silent
from stages.project.dependencies import DependencyGroup, dependency_groups, require_order
from stages.project.plan import Plan, TargetTable
from stages.project.reject_limits import over_limit
from stages.project.staged_schema import require_table, with_references
from stages.state.failures import forget_failures, record_failure
from stages.state.integrity import require_whole
from stages.state.manifests import TransformManifest, read_reference, write_manifest
from stages.state.parts import read_form
from stages.state.workspace import Preview, Workspace
from stages.transform.cycles import Cycle
from stages.transform.keys import run_keys
from stages.transform.models import Inputs, require_extract
from stages.transform.preview import preview
from stages.transform.side_files import check_sides
from stages.transform.staged_files import first_documents
from stages.transform.table_context import TableContext
from stages.transform.table_run import TableRun
from stages.views import connect, refresh

# Refreshing the views of data/stages.duckdb, which is slow with many tables, may take up to one
# part in this many of the time.
VIEWS_SHARE = 50


@dataclass(frozen=True, kw_only=True)
class TransformOptions:
    """Options of a transform. With `limit` or `explain`, nothing is written."""

    tables: tuple[str, ...] = ()
    restart: bool = False
    limit: int | None = None
    explain: bool = False


@dataclass
class TransformResult:
    """Manifests by table; `shown`: table → its preview; `failed`: table → why it stopped."""

    tables: dict[str, TransformManifest] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    shown: dict[str, Any] = field(default_factory=dict)
    over_limit: list[OverLimit] = field(default_factory=list)


def transform(
    workspace: Workspace, plan: Plan, schema: Schema, options: TransformOptions, progress: Progress
) -> TransformResult:
    """Bring the chosen tables, and the parents that they refer to, up to date.

    With `limit` or `explain` this is done in a copy, and only shown. Raises UserError for an
    invalid model or plan, StagesError if an input is missing. The result includes the tables over
    their limit of rejects, and those that have stopped; what these have staged before is kept.
    """
    if options.limit is None and not options.explain:
        return _transform(workspace, plan, schema, options, progress)
    with preview(workspace) as aside:
        return _transform(aside, plan, schema, options, Silent())


def _transform(
    workspace: Workspace, plan: Plan, schema: Schema, options: TransformOptions, progress: Progress
) -> TransformResult:
    selected = {table.name for table in plan.select_tables(options.tables)}
    schema = with_references(schema, plan)
    closure = _closure(selected, schema.references(), plan)
    # A cycle is in the closure as a whole, or not at all.
    groups = [g for g in dependency_groups(schema, plan.tables) if closure & set(g.tables)]
    for group in groups:
        require_order(schema, group)
    order = [plan.tables[name] for group in groups for name in group.tables]
    _require_inputs(workspace, plan, schema, order)
    if decisions := listed(left_open(workspace, plan)):
        progress.note(decisions)
    result = TransformResult()
    refresh_after = 0.0
    connection = connect(workspace, plan, views=False)
    try:
        inputs = Inputs(workspace, plan)
        run_keys(
            connection,
            workspace,
            plan,
            inputs,
            lambda name, words, manifest: progress.done("keys", name, words, **manifest.rules),
        )
        check_sides(
            connection,
            workspace,
            plan,
            inputs,
            lambda name, words, figures: progress.done("side", name, words, **figures),
        )
        contexts = {
            table.name: TableContext(
                connection=connection,
                workspace=workspace,
                plan=plan,
                schema=schema,
                table=table,
                inputs=inputs,
                progress=progress,
            )
            for table in order
        }
        progress.begin("transform", {n: each.source_rows for n, each in contexts.items()})
        for run in _table_runs(contexts, groups):
            name = run.context.table.name
            progress.start("transform", name, run.context.source_rows)
            try:
                _require_targets(run.context, result.failed)
                if options.explain and name in selected:
                    result.shown[name] = run.explain()
                manifest, sentence = run.bring_up_to_date(restart=options.restart)
            except StagesError as error:
                if not isinstance(workspace, Preview):
                    record_failure(workspace, "transform", name, error.message, error.hint)
                if isinstance(workspace, Preview) or not isinstance(error, TableFailed):
                    raise
                result.failed[name] = str(error)
                progress.done("transform", name, f"failed: {error}")
                continue
            if isinstance(workspace, Preview):
                if options.limit is not None and name in selected:
                    result.shown[name] = first_documents(run.context, options.limit)
                continue
            forget_failures(workspace, "transform", [name])
            result.tables[name] = manifest
            if sentence != "fresh" and time.monotonic() > refresh_after:
                began = time.monotonic()
                refresh(workspace, plan)
                refresh_after = time.monotonic() + VIEWS_SHARE * (time.monotonic() - began)
            progress.done("transform", name, sentence, **_figures(manifest))
    finally:
        connection.close()
        if result.tables:
            # Even if all was fresh: an earlier run may have been killed before this.
            refresh(workspace, plan)
    result.over_limit = over_limit(plan, result.tables)
    return result


def _require_targets(context: TableContext, failed: Mapping[str, str]) -> None:
    """Raise TableFailed if a table refers to a failed one: its references can't be checked."""
    # A table that is missing from the source may be missing from the schema too.
    targets = failed.keys() & context.schema.references().get(context.table.name, set())
    if targets:
        raise TableFailed(
            f"{context.table.name} refers to {', '.join(sorted(targets))}, which has failed",
            f"fix that first, then: stages transform {context.table.name}",
        )


def _require_inputs(
    workspace: Workspace, plan: Plan, schema: Schema, tables: Iterable[TargetTable]
) -> None:
    """Raise StagesError unless everything that the models may read is extracted, and whole."""
    for table in tables:
        if require_extract(workspace, table.source).status != "missing":
            require_table(schema, plan, table.name)
    for side in plan.sides.values():
        if side.of:
            require_extract(workspace, side.of)
    for reference in plan.references.values():
        if reference.source:
            require_extract(workspace, reference.source)
        manifest = read_reference(workspace.reference(reference.name))
        if manifest is None:
            raise StagesError(
                f"what Convex has in `{reference.name}` is not read yet for this target",
                "run: stages extract",
            )
        require_whole(workspace.reference(reference.name), manifest.parts, "stages extract")
        read_form(workspace.reference(reference.name), "stages extract")
        if not isinstance(workspace, Preview):
            write_manifest(workspace.reference(reference.name), manifest)


def _table_runs(
    contexts: Mapping[str, TableContext], groups: Iterable[DependencyGroup]
) -> Iterator[TableRun]:
    """One run per table, in dependency order; the tables of a cycle share one Cycle."""
    for group in groups:
        cycle = Cycle({name: contexts[name] for name in group.tables}) if group.cycle else None
        for name in group.tables:
            yield TableRun(contexts[name], cycle)


def _closure(names: set[str], references: Mapping[str, set[str]], plan: Plan) -> set[str]:
    """Some tables, and all tables of the plan that they refer to, and so on."""
    closure: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in closure:
            closure.add(name)
            waiting += [r for r in references.get(name, ()) if r in plan.tables]
    return closure


def _figures(manifest: TransformManifest) -> dict[str, Any]:
    return {
        name: getattr(manifest, name) for name in ("source_rows", "documents", "rejects", "changes")
    }

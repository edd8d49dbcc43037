"""The transform stage: models and checks, to documents, rejects and changes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stages.convex.schema import Schema
from stages.errors import StagesError
from stages.progress import Progress, Silent
from stages.project.dependencies import dependency_groups, require_order
from stages.project.plan import Plan, allowed_rejects
from stages.project.staged_schema import require_table, with_references
from stages.state.integrity import require_whole
from stages.state.manifests import Manifest, read_manifest
from stages.state.workspace import Preview, Workspace
from stages.transform.cycles import Cycle
from stages.transform.keys import run_keys
from stages.transform.models import Inputs, require_extract
from stages.transform.preview import preview
from stages.transform.side_files import check_sides
from stages.transform.table_run import TableRun
from stages.views import connect, refresh

# One part of so many of the time is for the views of data/stages.duckdb: with many tables they
# take long.
VIEWS_SHARE = 50


@dataclass(frozen=True, kw_only=True)
class TransformOptions:
    """What may be asked of a transform. `limit` and `explain` write nothing."""

    tables: tuple[str, ...] = ()
    restart: bool = False
    limit: int | None = None
    explain: bool = False


@dataclass
class TransformResult:
    """Manifests by table, and what was only to be shown."""

    tables: dict[str, Manifest] = field(default_factory=dict)
    shown: dict[str, Any] = field(default_factory=dict)
    over_limit: list[str] = field(default_factory=list)


def transform(
    workspace: Workspace, plan: Plan, schema: Schema, options: TransformOptions, progress: Progress
) -> TransformResult:
    """Bring the chosen tables, and the parents that they refer to, up to date.

    With `limit` or `explain` this is done in a copy, and only shown. Raises UserError for a model
    or plan that can't be meant, StagesError where an input is not there. Tables over their limit
    of rejects are in the result.
    """
    if options.limit is None and not options.explain:
        return _transform(workspace, plan, schema, options, progress)
    with preview(workspace) as aside:
        return _transform(aside, plan, schema, options, Silent())


def _transform(
    workspace: Workspace, plan: Plan, schema: Schema, options: TransformOptions, progress: Progress
) -> TransformResult:
    shown = isinstance(workspace, Preview)
    wanted = {table.name for table in plan.select_tables(options.tables)}
    schema = with_references(schema, plan)
    closure = _closure(wanted, schema.references(), plan)
    # A cycle is in the closure as a whole, or not at all.
    together = [g for g in dependency_groups(schema, plan.tables) if closure & set(g.tables)]
    for group in together:
        require_order(schema, group)
    order = [plan.tables[name] for group in together for name in group.tables]
    for table in order:
        if require_extract(workspace, table.source)["status"] != "missing":
            require_table(schema, plan, table.name)
    for side in plan.sides.values():
        require_extract(workspace, side.of)
    for reference in plan.references.values():
        if reference.source:
            require_extract(workspace, reference.source)
        manifest = read_manifest(workspace.reference(reference.name))
        if manifest is None:
            raise StagesError(
                f"what Convex has in `{reference.name}` is not read yet for this target",
                "run: stages extract",
            )
        require_whole(workspace.reference(reference.name), manifest["parts"], "stages extract")
    result = TransformResult()
    look_again = 0.0
    connection = connect(workspace, plan, views=False)
    try:
        inputs = Inputs(workspace, plan)
        run_keys(
            connection, workspace, plan, inputs,
            lambda name, told, manifest: progress.done("keys", name, told, **manifest["rules"]),
        )  # fmt: skip
        check_sides(
            connection, workspace, plan, inputs,
            lambda name, told, figures: progress.done("side", name, told, **figures),
        )  # fmt: skip
        runs = {t.name: TableRun(connection, workspace, plan, schema, t, inputs) for t in order}
        for group in together:
            if group.cycle:
                cycle = Cycle(connection, {name: runs[name] for name in group.tables})
                for name in group.tables:
                    runs[name].cycle = cycle
        for table in order:
            run = runs[table.name]
            if options.explain and table.name in wanted:
                result.shown[table.name] = run.explain()
            manifest, sentence = run.bring_up_to_date(restart=options.restart)
            if shown:
                if options.limit is not None and table.name in wanted:
                    result.shown[table.name] = run.first_documents(options.limit)
                continue
            result.tables[table.name] = manifest
            if sentence != "fresh" and time.monotonic() > look_again:
                began = time.monotonic()
                refresh(workspace, plan)
                look_again = time.monotonic() + VIEWS_SHARE * (time.monotonic() - began)
            progress.done("transform", table.name, sentence, **_figures(manifest))
    finally:
        connection.close()
        if result.tables:
            # Also when all was fresh: a kill may have come between a table and its view.
            refresh(workspace, plan)
    result.over_limit = over_limit(plan, result.tables)
    return result


def over_limit(plan: Plan, manifests: Mapping[str, Manifest]) -> list[str]:
    """Sentences for the tables, and the whole, that have more rejects than the plan allows."""
    found = []
    total_rows = total_rejects = 0
    for name, manifest in manifests.items():
        # What is dropped on purpose has its reason, and is nothing to be accepted.
        rows, rejects = manifest["source_rows"], manifest["rejects"] - manifest.get("dropped", 0)
        total_rows += rows
        total_rejects += rejects
        limit = plan.tables[name].max_rejects
        if limit is not None and rejects > allowed_rejects(limit, rows):
            found.append(f"{name}: {rejects:,} of {rows:,} rejected, the plan allows {limit}")
    if total_rejects > allowed_rejects(plan.max_rejects, total_rows):
        found.append(
            f"in all: {total_rejects:,} of {total_rows:,} rejected, "
            f"the plan allows {plan.max_rejects}"
        )
    return found


def _closure(wanted: set[str], references: Mapping[str, set[str]], plan: Plan) -> set[str]:
    found: set[str] = set()
    waiting = list(wanted)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [r for r in references.get(name, ()) if r in plan.tables]
    return found


def _figures(manifest: Manifest) -> dict[str, Any]:
    return {name: manifest[name] for name in ("source_rows", "documents", "rejects", "changes")}

"""What fell out at transform and at load, by rule, with examples and the place to edit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from stages.errors import UserError
from stages.project.plan import Plan, TargetTable
from stages.rules import Rule, known_rule
from stages.sql import file_sql, open_duckdb, text_sql
from stages.state.failures import STAGES, Failure, Stage, read_failures
from stages.state.workspace import Workspace
from stages.views import load_rejects_sql

EXAMPLES = 3


@dataclass(frozen=True, kw_only=True)
class RejectGroup:
    """Rejects of one table, stage, field and rule.

    `examples`: {source_id, reason} of the first few; `edit` names where to change what they are.
    A table that failed as a whole is a group of the rule `failed`, without rows or keys.
    """

    table: str
    stage: str
    field: str
    rule: str
    rows: int
    examples: list[dict[str, Any]]
    edit: str


def list_rejects(
    workspace: Workspace, plan: Plan, tables: Iterable[TargetTable], rule: str | None
) -> list[RejectGroup]:
    """What was rejected, by table; tables that failed come first, then the largest groups.

    Raises UserError for a `rule` that nothing is rejected by.
    """
    if rule is not None:
        _require_rule(rule)
    tables = list(tables)
    failed = _failed(workspace, plan, tables) if rule in (None, Rule.FAILED) else []
    return failed + _rejected(workspace, plan, tables, rule)


def _require_rule(name: str) -> None:
    rule = known_rule(name)
    if rule and rule.kind == "change":
        raise UserError(
            f"`{name}` is a rule of changes, and no row is rejected by it",
            f"see the values with: stages sql \"from changes where rule = '{name}'\"",
        )
    if not rule:
        names = sorted(each for each in Rule if each.kind != "change")
        near = get_close_matches(name, names, n=1)
        raise UserError(
            f"there is no rule `{name}`{f'; is it `{near[0]}`?' if near else ''}",
            f"the rules are: {', '.join(names)}",
        )


def _failed(workspace: Workspace, plan: Plan, tables: list[TargetTable]) -> list[RejectGroup]:
    """Tables that a stage could not go on with, and why; of all, also sources only read."""
    failures = {stage: read_failures(workspace, stage) for stage in STAGES}
    failed = [
        (table.name, stage, failure)
        for table in tables
        for stage in STAGES
        if (failure := failures[stage].get(table.source if stage == "extract" else table.name))
    ]
    if len(tables) == len(plan.tables):
        only_read = plan.sources.keys() - {table.source for table in tables}
        sources = failures["extract"].items()
        failed += [(name, "extract", failure) for name, failure in sources if name in only_read]
    return [
        RejectGroup(
            table=name,
            stage=stage,
            field="",
            rule=Rule.FAILED,
            rows=0,
            examples=[{"source_id": "", "reason": failure.reason}],
            edit=_way_on(stage, failure),
        )
        for name, stage, failure in failed
    ]


def _way_on(stage: Stage, failure: Failure) -> str:
    again = f"stages {stage}"
    if not failure.hint:
        return f"fix the cause, then: {again}"
    return failure.hint if again in failure.hint else f"{failure.hint}; then: {again}"


def _rejected(
    workspace: Workspace, plan: Plan, tables: Iterable[TargetTable], rule: str | None
) -> list[RejectGroup]:
    selects = []
    for table in tables:
        transformed = workspace.rejects(table.name)
        loaded = workspace.load_rejects(table.name)
        if transformed.exists():
            selects.append(
                f"SELECT {text_sql(table.name)} AS \"table\", 'transform' AS stage, source_id, "
                f"field, rule, reason FROM read_parquet({file_sql(transformed)})"
            )
        if loaded.exists():
            selects.append(
                f"SELECT {text_sql(table.name)}, 'load', sourceId, '', rule, reason "
                f"FROM {load_rejects_sql(loaded)}"
            )
    if not selects:
        return []
    where = f"WHERE rule = {text_sql(rule)}" if rule else ""
    with open_duckdb() as connection:
        rows = connection.execute(
            'SELECT "table", stage, field, rule, count(*), '
            f"(list({{'source_id': source_id, 'reason': reason}} ORDER BY source_id))[:{EXAMPLES}] "
            f"FROM ({' UNION ALL '.join(selects)}) {where} "
            "GROUP BY ALL ORDER BY 1, 5 DESC, 3, 4"
        ).fetchall()
    return [
        RejectGroup(
            table=table,
            stage=stage,
            field=field,
            rule=name,
            rows=count,
            examples=examples,
            edit=_edit(workspace, plan.tables[table], name),
        )
        for table, stage, field, name, count, examples in rows
    ]


def _edit(workspace: Workspace, table: TargetTable, name: str) -> str:
    """Where a person can change what a rule does."""
    rule = known_rule(name)
    if not rule:  # staged by another version
        return f"{table.model}, or the source"
    return rule.where_to_fix(
        model=table.model, table=table.name, plan=workspace.plan.name, drops=table.drops
    )


def as_text(groups: Iterable[RejectGroup]) -> str:
    """The groups for people."""
    lines = []
    for group in groups:
        if group.rule == Rule.FAILED:
            lines.append(f"{group.table}: {group.stage} failed: {group.examples[0]['reason']}")
            lines.append(f"    → {group.edit}")
            continue
        field = f".{group.field}" if group.field else ""
        lines.append(f"{group.table}{field}: {group.rule}: {group.rows:,} ({group.stage})")
        lines += [f"    {e['source_id']}: {e['reason']}" for e in group.examples]
        lines.append(f"    → {group.edit}")
    return "\n".join(lines) or "no rejects"

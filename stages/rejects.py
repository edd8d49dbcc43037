"""Rows rejected by transform and load, by rule, with examples and the place to edit.

Causes are separated from symptoms: a row that is rejected or held back because the row it refers
to is not in Convex is a symptom, and is attributed to the cause at the end of that chain.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from dataclasses import field as default
from typing import TYPE_CHECKING, Any

from stages.errors import StagesError, UserError
from stages.names import is_it
from stages.project.plan import Plan, TargetTable
from stages.rules import Rule, known_rule
from stages.sql import file_sql, open_duckdb, text_sql
from stages.state.failures import STAGES, Failure, Stage, read_failures
from stages.state.manifests import read_transform
from stages.state.workspace import Workspace
from stages.views import MEMORY, load_rejects_sql

if TYPE_CHECKING:
    import duckdb

EXAMPLES = 3
# Rules for rows that are rejected because of another row.
SYMPTOMS = (Rule.PARENT_REJECTED, Rule.HELD_BACK)
GROUP = ("table", "stage", "field", "rule")
REJECT_COLUMNS = ("table", "stage", "source_id", "field", "rule", "reason")


@dataclass(frozen=True, kw_only=True)
class RejectReason:
    """Rows of a group with the same reason: the count, and the first source keys."""

    reason: str
    rows: int
    source_ids: list[str]


@dataclass(frozen=True, kw_only=True)
class RejectCause:
    """A group of rejects that caused others, and how many it caused."""

    table: str
    stage: str
    field: str
    rule: str
    rows: int


@dataclass(frozen=True, kw_only=True)
class RejectGroup:
    """Rejects of one table, stage, field and rule.

    `examples`: {source_id, reason} of the first few; `edit` says where to fix them. A table that
    failed as a whole is a group of the rule `failed`, without rows or keys. `reasons` are the most
    frequent ones, out of `distinct_reasons`. `because`: table → rows that are rejected or held back
    because of these. `caused_by` are the groups that caused these rejects, if any.
    """

    table: str
    stage: str
    field: str
    rule: str
    rows: int
    examples: list[dict[str, Any]]
    edit: str
    reasons: list[RejectReason] = default(default_factory=list)
    distinct_reasons: int = 0
    because: Mapping[str, int] = default(default_factory=dict)
    caused_by: list[RejectCause] = default(default_factory=list)

    @property
    def is_symptom(self) -> bool:
        """Whether these rows are rejected because of another group's rows."""
        return bool(self.caused_by)

    def to_json(self) -> dict[str, Any]:
        """The group as printed by `stages rejects --json`."""
        return asdict(self)


# What repairs a damaged file of rejects or changes.
AGAIN = "make it again with: stages transform --check-files"


@contextmanager
def readable(complete: Callable[[str], str] = str) -> Iterator[None]:
    """Inside, a staged file that DuckDB can't read, such as a truncated one, raises StagesError;
    `complete` adds global options to the command in its hint."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        # For damaged data, DuckDB has no class of its own.
        if type(error) is not duckdb.Error and not isinstance(
            error, duckdb.InvalidInputException | duckdb.SerializationException
        ):
            raise
        words = str(error).strip().splitlines()[0]
        raise StagesError(
            f"rejects can't be read: {words.partition(' Error: ')[2] or words}",
            complete(AGAIN),
        ) from None


def list_rejects(
    workspace: Workspace,
    plan: Plan,
    tables: Iterable[TargetTable],
    rule: str | None,
    examples: int | None = EXAMPLES,
) -> list[RejectGroup]:
    """List the rejects: failed tables first, then causes, the largest first, then symptoms.

    `examples` is how many examples and how many reasons to give per group; None for all. Raises
    UserError if `rule` does not exist or does not reject rows.
    """
    if rule is not None:
        require_rule(rule)
    tables = list(tables)
    failed = _failed(workspace, plan, tables) if rule in (None, Rule.FAILED) else []
    return failed + _rejected(workspace, plan, tables, rule, examples)


def not_transformed(workspace: Workspace, tables: Iterable[TargetTable]) -> list[str]:
    """The tables with nothing staged, whose rejects are therefore unknown."""
    return [t.name for t in tables if read_transform(workspace.transform(t.name)) is None]


def require_rule(name: str) -> None:
    rule = known_rule(name)
    if rule and rule.kind == "change":
        raise UserError(
            f"`{name}` is a rule of changes, and no row is rejected by it",
            f"see the values with: stages sql \"from changes where rule = '{name}'\"",
        )
    if not rule:
        names = sorted(each for each in Rule if each.kind != "change")
        raise UserError(
            f"there is no rule `{name}`{is_it(name, names)}",
            f"the rules are: {', '.join(names)}",
        )


def _failed(workspace: Workspace, plan: Plan, tables: list[TargetTable]) -> list[RejectGroup]:
    """Tables that failed in a stage, and why; if all tables are chosen, also sources
    that are not the source of any table."""
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


def rejects_sql(
    workspace: Workspace, tables: Iterable[TargetTable], rule: str | None = None
) -> str:
    """SQL of every rejected row, with the columns in REJECT_COLUMNS."""
    columns = ", ".join(f'NULL::VARCHAR AS "{name}"' for name in REJECT_COLUMNS)
    selects = [f"SELECT {columns} WHERE false"]
    for table in tables:
        transformed = workspace.rejects(table.name)
        loaded = workspace.load_rejects(table.name)
        if transformed.exists():
            selects.append(
                f"SELECT {text_sql(table.name)}, 'transform', source_id, field, rule, reason "
                f"FROM read_parquet({file_sql(transformed)})"
            )
        if loaded.exists():
            selects.append(
                f"SELECT {text_sql(table.name)}, 'load', sourceId, '', rule, reason "
                f"FROM {load_rejects_sql(loaded)}"
            )
    where = f" WHERE rule = {text_sql(rule)}" if rule else ""
    return f"FROM ({' UNION ALL '.join(selects)}){where}"


def _rejected(
    workspace: Workspace,
    plan: Plan,
    tables: Iterable[TargetTable],
    rule: str | None,
    examples: int | None,
) -> list[RejectGroup]:
    names = {table.name for table in tables}
    spill = workspace.query_spill(os.getpid())
    with open_duckdb(spill=spill, memory=MEMORY) as connection:
        connection.execute(
            f"CREATE TEMP VIEW rejected AS {rejects_sql(workspace, plan.tables.values())}"
        )
        follows = _follows(connection)
        groups = [
            RejectGroup(
                table=table,
                stage=stage,
                field=field_name,
                rule=name,
                rows=rows,
                examples=listed,
                edit=edit_of_table(workspace, plan.tables[table], name),
                reasons=[RejectReason(**reason) for reason in reasons],
                distinct_reasons=distinct,
                because=_because(follows, (table, stage, field_name, name)),
                caused_by=_caused_by(follows, (table, stage, field_name, name)),
            )
            for table, stage, field_name, name, rows, listed, reasons, distinct in _groups(
                connection, examples
            )
            if table in names and rule in (None, name)
        ]
    return sorted(
        groups,
        key=lambda g: (g.is_symptom, -g.rows - sum(g.because.values()), g.table, g.field, g.rule),
    )


Group = tuple[str, str, str, str]


def _groups(connection: duckdb.DuckDBPyConnection, examples: int | None) -> list[tuple[Any, ...]]:
    """(table, stage, field, rule, rows, examples, reasons, number of reasons) from `rejected`."""
    by = ", ".join(f'"{name}"' for name in GROUP)
    using = f"{by}, reason"
    first = _first("{'source_id': source_id, 'reason': reason}", "source_id", examples)
    # Most frequent first: structs are compared member by member, in order.
    frequent = _first("{'n': n, 'reason': reason}", "{'n': -n, 'reason': reason}", examples)
    keys = _first("source_id", "source_id", examples)
    # One scan for each: a list of all rows of a group could be as long as the table's rejects.
    connection.execute(
        f"CREATE TEMP TABLE frequent AS SELECT {by}, sum(n)::BIGINT AS rows, count(*) AS reasons, "
        f"{frequent} AS listed "
        f"FROM (SELECT {using}, count(*) AS n FROM rejected GROUP BY {using}) GROUP BY {by}"
    )
    return connection.execute(
        f"WITH chosen AS (SELECT {by}, unnest(listed, recursive := true) FROM frequent), "
        f"keyed AS (SELECT {using}, any_value(n) AS n, {keys} AS source_ids FROM chosen "
        f"JOIN rejected USING ({using}) GROUP BY {using}), "
        f"reasons AS (SELECT {by}, list({{'reason': reason, 'rows': n, 'source_ids': source_ids}} "
        f"ORDER BY n DESC, reason) AS listed FROM keyed GROUP BY {by}), "
        f"firsts AS (SELECT {by}, {first} AS examples FROM rejected GROUP BY {by}) "
        f"SELECT {by}, f.rows, firsts.examples, reasons.listed, f.reasons "
        f"FROM frequent f JOIN firsts USING ({by}) JOIN reasons USING ({by})"
    ).fetchall()


def _first(value: str, order: str, examples: int | None) -> str:
    """SQL of the first few values of a group, or all of them, in the given order."""
    if examples is None:
        return f"list({value} ORDER BY {order})"
    return f"min_by({value}, {order}, {examples})"


def _follows(connection: duckdb.DuckDBPyConnection) -> list[tuple[Group, Group, int]]:
    """(cause, symptom, rows): how many rows of a group follow, directly or not, from another group.

    A symptom's reason begins with the reference, such as `orders:7 is rejected: …`. Each row has
    one parent, so each is reached only once.
    """
    symptoms = ", ".join(map(text_sql, SYMPTOMS))
    parent = (
        "regexp_extract(reason, '(?s)^(.*?) (?:is rejected: |has no id: |is not in Convex)', 1)"
    )
    named = (
        "SELECT \"table\" || ':' || source_id AS ref, "
        "{'t': \"table\", 's': stage, 'f': field, 'r': rule} AS of"
    )
    connection.execute(
        f"CREATE TEMP TABLE followers AS {named}, {parent} AS parent FROM rejected "
        f"WHERE rule IN ({symptoms})"
    )
    rows = connection.execute(
        f"WITH RECURSIVE roots AS (FROM ({named} FROM rejected WHERE rule NOT IN ({symptoms})) "
        "SEMI JOIN (SELECT parent AS ref FROM followers) USING (ref)), reached AS ("
        "SELECT ref, of AS cause, of AS last, 0 AS depth FROM roots UNION ALL "
        "SELECT n.ref, r.cause, n.of, 1 FROM reached r JOIN followers n ON n.parent = r.ref) "
        "SELECT cause, last, count(*) FROM reached WHERE depth > 0 GROUP BY ALL"
    ).fetchall()
    return [(tuple(cause.values()), tuple(symptom.values()), n) for cause, symptom, n in rows]


def _because(follows: Iterable[tuple[Group, Group, int]], group: Group) -> dict[str, int]:
    """Table → rows that are rejected because of a group's rows."""
    counts: dict[str, int] = {}
    for cause, (table, *_), rows in follows:
        if cause == group:
            counts[table] = counts.get(table, 0) + rows
    return dict(sorted(counts.items(), key=lambda each: (-each[1], each[0])))


def _caused_by(follows: Iterable[tuple[Group, Group, int]], group: Group) -> list[RejectCause]:
    causes = [
        RejectCause(table=table, stage=stage, field=field_name, rule=rule, rows=rows)
        for (table, stage, field_name, rule), symptom, rows in follows
        if symptom == group
    ]
    return sorted(causes, key=lambda each: (-each.rows, each.table, each.field, each.rule))


def edit_of_table(workspace: Workspace, table: TargetTable, rule: str) -> str:
    """Where the user can fix rejects of a rule in a table."""
    return edit_of(workspace, table.name, table.model, rule, table.drops)


def edit_of(workspace: Workspace, table: str, model: str, rule: str, drops: str = "") -> str:
    """As `edit_of_table`, given the model of the rows, such as the keys of a reference table."""
    known = known_rule(rule)
    if not known:  # staged by another version
        return f"{model}, or the source"
    return known.where_to_fix(model=model, table=table, plan=workspace.plan.name, drops=drops)

"""References: every one must have its target, wherever it is in a document.

A reference column is joined to the known keys. References inside lists and JSON are extracted, as a
set for each row, and those without a target are listed in `orphans of <field>`. Tables that refer
to one another in a cycle are checked together: see `make_known_in_cycle`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from stages.convex.validators.positions import Position
from stages.convex.values import Shape
from stages.errors import UserError
from stages.project.plan import Plan, TargetTable
from stages.project.plan_entries import entry_error
from stages.rules import Rule
from stages.sql import first_row, name_sql, text_sql
from stages.transform.compile import Compiled
from stages.transform.relations import (
    CYCLE_EDGES,
    CYCLE_ROWS,
    FAILING,
    JSON_VALUES,
    KNOWN,
    MODELLED,
    ORPHANS,
    REJECTED_IN_CYCLE,
)

if TYPE_CHECKING:
    import duckdb

# How far a query follows references at once: round a cycle it meets each row again and again.
MOST_STEPS = 512


def rule_of(table: TargetTable, position: Position) -> str:
    """The plan's rule for orphans at a position; reject by default."""
    path = position.path
    return table.orphans.get(path) or table.orphans.get(path.removesuffix("[]")) or "reject"


def refuse_rules(plan: Plan, table: TargetTable, fields: Mapping[str, Shape]) -> None:
    """Raise UserError for a rule for orphans that can't apply to its field."""
    places = {place.path: place for shape in fields.values() for place in shape.positions}
    for name, rule in table.orphans.items():

        def refusal(message: str, hint: str, entry: str = f"orphans.{name}") -> UserError:
            return entry_error(plan.file, f"tables.{table.name}", message, entry, hint)

        entry = f"[tables.{table.name}] orphans"
        place = places.get(name) or places.get(f"{name}[]")
        if place is None:
            references = ", ".join(places) or "none"
            raise refusal(
                f"{entry} names `{name}`, which is no reference",
                f"edit {plan.file}; the references are: {references}",
            )
        shape = fields.get(place.path)
        may_be_null = not shape.required if shape is not None else place.nullable or place.removable
        if rule == "null" and not may_be_null:
            raise refusal(
                f"{entry} turns `{name}` to null, and convex/schema.ts requires it",
                f"use reject{', drop' if place.in_array else ''} or fail in {plan.file}",
            )
        if rule == "drop" and not place.in_array:
            raise refusal(
                f"{entry} drops `{name}`, which is in no array",
                f"use reject, null or fail in {plan.file}",
            )


def known_as(targets: Iterable[str]) -> str:
    """SQL of a relation of all known keys of some tables: ref, rule, reason."""
    names = [KNOWN.of(target) for target in targets]
    if len(names) == 1:
        return names[0]
    return f"({' UNION ALL '.join(f'FROM {name}' for name in names)})"


def listed_refs(compiled: Compiled) -> str | None:
    """SQL over `modelled m` of the references of a field as {p, r}; None for a plain column."""
    shape = compiled.shape
    if not shape.positions or compiled.column is None or shape.kind == "id":
        return None
    if compiled.json:
        return f"{JSON_VALUES.of(shape.name)}.refs"
    texts = f"list_filter({compiled.value}, lambda r: r IS NOT NULL)"
    return f"list_transform({texts}, lambda r: {{'p': 0, 'r': r}})"


def json_join(compiled: Compiled) -> str:
    """SQL that joins a field that goes through JSON to its values; empty for others."""
    if not compiled.json:
        return ""
    name = name_sql(compiled.shape.name)
    joined = JSON_VALUES.of(compiled.shape.name)
    return f"LEFT JOIN {joined} ON {joined}.text = m.{name}"


def make_orphans(
    connection: duckdb.DuckDBPyConnection,
    compiled: Mapping[str, Compiled],
    sources: Mapping[str, str | None],
) -> None:
    """Create `orphans of <field>(_source_id, refs)` for fields with references inside.

    `refs` lists {p, r, rule, reason}: the position, the reference, and why it has no target.
    """
    for field in compiled.values():
        refs = listed_refs(field)
        if refs is None:
            continue
        shape = field.shape
        numbers = list(enumerate(shape.positions))
        elsewhere = " ".join(
            f"WHEN {n} THEN "
            + " OR ".join(f"starts_with(u.r, {text_sql(target + ':')})" for target in place.targets)
            for n, place in numbers
        )
        nowhere = " ".join(
            f"WHEN {n} THEN {text_sql(_names(place.targets, sources))}" for n, place in numbers
        )
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {ORPHANS.of(shape.name)} AS "
            "SELECT _source_id, list({'p': p, 'r': r, 'rule': rule, 'reason': reason} "
            "ORDER BY p, r) AS refs FROM (SELECT DISTINCT u._source_id, u.p, u.r, "
            f"coalesce(k.rule, '{Rule.ORPHAN}') AS rule, "
            f"coalesce(k.reason, u.r || ' is not in ' || CASE u.p {nowhere} END) AS reason "
            f"FROM (SELECT _source_id, unnest(refs, recursive := true) FROM (SELECT m._source_id, "
            f"{refs} AS refs FROM {MODELLED} m {json_join(field)})) u "
            f"LEFT JOIN {known_as(shape.targets)} k ON k.ref = u.r "
            f"WHERE k.ref IS NULL OR k.rule IS NOT NULL OR NOT (CASE u.p {elsewhere} END)) "
            "GROUP BY _source_id"
        )


def _names(targets: Iterable[str], sources: Mapping[str, str | None]) -> str:
    return " or ".join(sources.get(target) or target for target in targets)


# ── cycles ─────────────────────────────────────────────────────────────────────────────────


def edges_sql(table: TargetTable, compiled: Mapping[str, Compiled], targets: Iterable[str]) -> str:
    """SQL of (child, field, parent): the references to `targets` whose orphans reject the row."""
    target_names = set(targets)
    child = f"{text_sql(table.name + ':')} || m._source_id"
    selects = ["SELECT '' AS child, '' AS field, '' AS parent WHERE false"]
    for name, field in compiled.items():
        deadly = [
            (n, place)
            for n, place in enumerate(field.shape.positions)
            if target_names & set(place.targets) and rule_of(table, place) in ("reject", "fail")
        ]
        if not deadly or field.column is None:
            continue
        refs = listed_refs(field)
        join = json_join(field)
        if refs is None:
            selects.append(
                f"SELECT {child}, {text_sql(name)}, {field.value} FROM {MODELLED} m {join} "
                f"WHERE {field.value} IS NOT NULL"
            )
            continue
        paths = " ".join(f"WHEN {n} THEN {text_sql(place.path)}" for n, place in deadly)
        among = ", ".join(str(n) for n, _ in deadly)
        selects.append(
            f"SELECT child, CASE p {paths} END, r FROM (SELECT {child} AS child, "
            f"unnest({refs}, recursive := true) FROM {MODELLED} m {join}) WHERE p IN ({among})"
        )
    inside = " OR ".join(f"starts_with(parent, {text_sql(t + ':')})" for t in sorted(target_names))
    return f"SELECT * FROM ({' UNION ALL '.join(selects)}) WHERE {inside}"


def make_known_in_cycle(
    connection: duckdb.DuckDBPyConnection, sources: Mapping[str, str | None]
) -> None:
    """Create `known <table>` for all the tables of a cycle together; `sources`: table → source.

    `cycle_rows` has every row of these tables, `cycle_edges` their references to one another. A row
    is rejected with its parent, and so are its children in turn: every row that can be reached from
    a parent that is not a document. Of several such parents, the reason names the one with the
    fewest steps to a cause, so that following the reasons leads to the cause, not round the cycle.
    """
    run = connection.execute
    run(
        f"CREATE OR REPLACE TEMP TABLE {REJECTED_IN_CYCLE} AS "
        f"SELECT ref, rule, field, reason, NULL::VARCHAR AS parent FROM {CYCLE_ROWS} "
        "WHERE rule IS NOT NULL"
    )
    names = " ".join(
        f"WHEN starts_with(first.parent, {text_sql(f'{table}:')}) "
        f"THEN {text_sql(_names([table], sources))}"
        for table in sources
    )
    run(
        f"INSERT INTO {REJECTED_IN_CYCLE} SELECT child, '{Rule.ORPHAN}', first.field, "
        f"first.parent || ' is not in ' || CASE {names} END, NULL FROM ("
        "SELECT e.child, min({'field': e.field, 'parent': e.parent}) AS first "
        f"FROM {CYCLE_EDGES} e ANTI JOIN {CYCLE_ROWS} o ON o.ref = e.parent "
        f"ANTI JOIN {REJECTED_IN_CYCLE} r ON r.ref = e.child GROUP BY e.child)"
    )
    steps = 1
    while _reject_children(connection, steps):
        steps = min(4 * steps, MOST_STEPS)
    for table in sources:
        run(
            f"CREATE OR REPLACE TEMP TABLE {KNOWN.of(table)} AS SELECT o.ref, "
            f"CASE WHEN r.ref IS NOT NULL THEN '{Rule.PARENT_REJECTED}' END AS rule, "
            f"{_reason('r')} AS reason FROM {CYCLE_ROWS} o "
            f"LEFT JOIN {REJECTED_IN_CYCLE} r USING (ref) "
            f"WHERE starts_with(o.ref, {text_sql(f'{table}:')})"
        )


def _reject_children(connection: duckdb.DuckDBPyConnection, steps: int) -> int:
    """Add the rows that are at most so many steps below `rejected_in_cycle`; return how many."""
    (added,) = first_row(
        connection,
        f"INSERT INTO {REJECTED_IN_CYCLE} WITH RECURSIVE reached(ref, field, parent, steps) AS ("
        f"SELECT e.child, e.field, e.parent, 1 FROM {CYCLE_EDGES} e "
        f"SEMI JOIN {REJECTED_IN_CYCLE} p ON p.ref = e.parent "
        f"ANTI JOIN {REJECTED_IN_CYCLE} r ON r.ref = e.child "
        "UNION SELECT e.child, e.field, e.parent, c.steps + 1 "
        f"FROM reached c JOIN {CYCLE_EDGES} e ON e.parent = c.ref "
        f"ANTI JOIN {REJECTED_IN_CYCLE} r ON r.ref = e.child WHERE c.steps < {steps}) "
        f"SELECT ref, '{Rule.PARENT_REJECTED}', first.field, NULL, first.parent FROM ("
        "SELECT ref, min({'steps': steps, 'field': field, 'parent': parent}) AS first "
        "FROM reached GROUP BY ref)",
    )
    return int(added)


def _reason(row: str) -> str:
    """SQL of why a reference to a row of `rejected_in_cycle` has no target."""
    return f"{row}.ref || ' is rejected: ' || {row}.rule || ' ' || {row}.field"


def put_cause_first(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    """Begin the failures of each row of a cycle's table with its reason in `rejected_in_cycle`."""
    connection.execute(
        f"UPDATE {FAILING} SET _failures = [{{'field': c.field, 'rule': c.rule, "
        "'reason': c.reason}] || list_filter(_failures, lambda failure: "
        "failure.field <> c.field OR failure.rule <> c.rule) FROM ("
        f"SELECT r.ref, r.field, r.rule, coalesce(r.reason, {_reason('p')}) AS reason "
        f"FROM {REJECTED_IN_CYCLE} r LEFT JOIN {REJECTED_IN_CYCLE} p ON p.ref = r.parent) c "
        f"WHERE c.ref = {text_sql(f'{table}:')} || _source_id"
    )

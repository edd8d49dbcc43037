"""What a rule changed: values that differ between a source row and its document, a row a field.

A field is compared with the source column that `from` in the plan names, or that has its name, or
whose value its expression in the model has, as `to_ms(created_at) AS createdAt` does. Counted are
times cut to milliseconds, lower bounds of arrays, nulls that a default filled, values that became
null, and orphans that the plan turns to null.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from stages.project.plan import TargetTable
from stages.project.plan_entries import entry_error
from stages.rules import Rule
from stages.sql import first_row, name_sql, text_sql
from stages.transform.compile import Compiled
from stages.transform.lineage import carried_columns
from stages.transform.models import source_rows
from stages.transform.relations import CHANGED_VALUES, PASSED
from stages.transform.run_model import CompiledModel
from stages.transform.table_context import TableContext

if TYPE_CHECKING:
    import duckdb

# The microseconds since 1970 of what JavaScript's Date holds.
DATE_US = (-8_640_000_000_000_000_000, 8_640_000_000_000_000_999)


def changes_sql(context: TableContext, compiled: CompiledModel, nulls: Container[str]) -> str:
    """SQL of (source_id, field, rule, old, new) over `passed`, `changed_values` and the extract, in
    the order of source keys; empty where nothing can have changed.

    `nulls` are fields that have a null.
    """
    table = context.table
    selects = []
    if {"null", "drop"} & set(table.orphans.values()):
        selects.append(
            "SELECT _source_id AS source_id, b.field AS field, b.rule AS rule, "
            'b."old" AS "old", NULL::VARCHAR AS "new" '
            f"FROM (SELECT _source_id, unnest(_lost) AS b FROM {CHANGED_VALUES})"
        )
    compared = _compared_sql(context, compiled, nulls)
    if compared:
        selects.append(compared)
    if not selects:
        return ""
    order = f"{context.key_order('source_id')}, field, rule"
    return f"FROM ({' UNION ALL '.join(selects)}) ORDER BY {order}"


def _compared_sql(context: TableContext, compiled: CompiledModel, nulls: Container[str]) -> str:
    """SQL of the differences between documents and source rows; empty where there can be none."""
    key = context.key_sql()
    if key is None:
        return ""
    connection, table = context.connection, context.table
    source = f"({source_rows(context.workspace, table.source)})"
    columns = {row[0]: row[1] for row in connection.execute(f"DESCRIBE FROM {source}").fetchall()}
    for column in table.lineage.values():
        if column not in columns:
            raise entry_error(
                context.plan.file,
                f"tables.{table.name}",
                f"[tables.{table.name}] from names `{column}`, and {table.source} has no such "
                "column",
                "from",
                f"it has: {', '.join(columns)}",
            )
    carried = carried_columns(compiled.parsed, f"extract.{table.source}")
    pairs = _pairs(table, columns, compiled.fields.values(), carried)
    comparisons = _comparisons(connection, source, columns, pairs, table, nulls)
    if not comparisons:
        return ""
    changes = ", ".join(f"CASE WHEN {when} THEN {change} END" for when, change in comparisons)
    return (
        "SELECT _source_id AS source_id, unnest(changes, recursive := true) "
        "FROM (SELECT d._source_id, "
        f"list_filter([{changes}], lambda c: c IS NOT NULL) AS changes "
        f'FROM {PASSED} d JOIN (SELECT {key} AS "source key", * FROM {source}) s '
        'ON s."source key" = d._source_id '
        f"WHERE {' OR '.join(when for when, _ in comparisons)})"
    )


def _pairs(
    table: TargetTable,
    columns: Mapping[str, str],
    fields: Iterable[Compiled],
    carried: Mapping[str, str],
) -> list[tuple[Compiled, str]]:
    """Fields with the columns of the source that they are compared with."""
    known = {column.lower(): column for column in columns}
    pairs = []
    for compiled in fields:
        name = compiled.shape.name
        column = table.lineage.get(name, name)
        if column not in columns:
            column = known.get(carried.get(name.lower(), ""), "")
        if column:
            pairs.append((compiled, column))
    return pairs


def _comparisons(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    columns: Mapping[str, str],
    pairs: Sequence[tuple[Compiled, str]],
    table: TargetTable,
    nulls: Container[str],
) -> list[tuple[str, str]]:
    """(condition, {field, rule, old, new}) over a document `d` and its source row `s`, in SQL."""
    # A column without nulls on the side in question need not be read for a comparison.
    old_nulls = _nulls(connection, source, [column for _, column in pairs])
    comparisons = []
    for compiled, column in pairs:
        name = compiled.shape.name
        for rule, when, change in _compare(compiled, column, columns[column]):
            possible = {
                Rule.NULL_FILLED: column in old_nulls,
                Rule.NULLED_BY_MODEL: name in nulls and table.orphans.get(name) != "null",
            }
            if possible.get(rule, True):
                comparisons.append((when, change))
    return comparisons


def _nulls(
    connection: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[str]
) -> set[str]:
    """Those of the columns that have a null."""
    if not columns:
        return set()
    counts = ", ".join(f"count({name_sql(column)})" for column in columns)
    total, *filled = first_row(connection, f"SELECT count(*), {counts} FROM {relation}")
    return {column for column, n in zip(columns, filled, strict=True) if n < total}


def _compare(compiled: Compiled, column: str, kind: str) -> list[tuple[Rule, str, str]]:
    """(rule, condition, {field, rule, old, new}) of what may have happened to a value."""
    shape = compiled.shape
    new, old = f"d.{name_sql(shape.name)}", f"s.{name_sql(column)}"
    shown = f"encode_float({new})" if shape.kind == "number" else f"{new}::VARCHAR"

    def change(rule: Rule, when: str, new_value: str) -> tuple[Rule, str, str]:
        struct = (
            f"{{'field': {text_sql(shape.name)}, 'rule': {text_sql(rule)}, "
            f"'old': {old}::VARCHAR, 'new': {new_value}}}"
        )
        return rule, when, struct

    comparisons = [
        change(Rule.NULL_FILLED, f"({old} IS NULL AND {new} IS NOT NULL)", shown),
        change(Rule.NULLED_BY_MODEL, f"({old} IS NOT NULL AND {new} IS NULL)", "NULL::VARCHAR"),
    ]
    macro = {"number": "to_ms", "bigint": "to_ms", "string": "to_iso"}.get(shape.kind)
    if kind.startswith("TIMESTAMP") and macro:
        # Of an infinity the macros fail, and to_iso beyond what Date holds.
        cut = (
            f"CASE WHEN epoch_us({old}) BETWEEN {DATE_US[0]} AND {DATE_US[1]} "
            f"THEN epoch_us({old}) % 1000 <> 0 AND {new} = {macro}({old}) ELSE false END"
        )
        comparisons.append(change(Rule.BELOW_MILLISECOND, cut, shown))
    if kind == "VARCHAR" and (shape.item or shape.kind == "json"):
        bound = f"coalesce(regexp_matches({old}, '^(\\[-?\\d+:-?\\d+\\])+=\\{{'), false)"
        comparisons.append(change(Rule.LOWER_BOUND_DROPPED, bound, f"to_json({new})::VARCHAR"))
    return comparisons

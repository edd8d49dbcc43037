"""What a rule bent: values that differ between a source row and its document, a row a field.

A field is compared with the source column that `from` in the plan names, or that has its name, or
whose value its expression in the model has, as `to_ms(created_at) AS createdAt` does. Counted are
times cut to milliseconds, nulls that a default filled, values that became null, and orphans that
the plan turns to null.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.project.plan import TargetTable
from stages.project.plan_entries import entry_error
from stages.sql import first_row, name_sql, text_sql
from stages.transform.compile import Compiled
from stages.transform.lineage import carried_columns

if TYPE_CHECKING:
    import duckdb


def changes_sql(
    connection: duckdb.DuckDBPyConnection,
    plan_file: Path,
    table: TargetTable,
    key: str | None,
    fields: Sequence[Compiled],
    parsed: Any,
    nulls: Container[str],
    by_key: str,
) -> str:
    """SQL of (source_id, field, rule, old, new) over `passed`, `bent` and the extract, in the
    order of `by_key`; empty where nothing can have changed.

    `key` is the SQL of the source's key, None where documents are not source rows (derived).
    `parsed` is what `syntax.parse` made of the model; `nulls` are fields that have a null.
    """
    selects = []
    if {"null", "drop"} & set(table.orphans.values()):
        selects.append(
            "SELECT _source_id AS source_id, b.field AS field, b.rule AS rule, "
            'b."old" AS "old", NULL::VARCHAR AS "new" '
            "FROM (SELECT _source_id, unnest(_bent) AS b FROM bent)"
        )
    if key is not None:
        source = f"extract.{name_sql(table.source)}"
        columns = {
            row[0]: row[1] for row in connection.execute(f"DESCRIBE FROM {source}").fetchall()
        }
        for column in table.lineage.values():
            if column not in columns:
                raise entry_error(
                    plan_file,
                    f"tables.{table.name}",
                    f"[tables.{table.name}] from names `{column}`, and {table.source} has no such "
                    "column",
                    "from",
                    f"it has: {', '.join(columns)}",
                )
        carried = carried_columns(parsed, f"extract.{table.source}")
        pairs = _pairs(table, columns, fields, carried)
        found = _changes(connection, source, columns, pairs, table, nulls)
        if found:
            changes = ", ".join(f"CASE WHEN {when} THEN {change} END" for when, change in found)
            selects.append(
                "SELECT _source_id AS source_id, unnest(changes, recursive := true) "
                "FROM (SELECT d._source_id, "
                f"list_filter([{changes}], lambda c: c IS NOT NULL) AS changes "
                f'FROM passed d JOIN (SELECT {key} AS "source key", * FROM {source}) s '
                'ON s."source key" = d._source_id '
                f"WHERE {' OR '.join(when for when, _ in found)})"
            )
    if not selects:
        return ""
    return f"FROM ({' UNION ALL '.join(selects)}) ORDER BY {by_key}, field, rule"


def _pairs(
    table: TargetTable,
    columns: Mapping[str, str],
    fields: Sequence[Compiled],
    carried: Mapping[str, str],
) -> list[tuple[Compiled, str]]:
    """Fields with the columns of the source that they are compared with."""
    known = {column.lower(): column for column in columns}
    found = []
    for compiled in fields:
        name = compiled.shape.name
        column = table.lineage.get(name, name)
        if column not in columns:
            column = known.get(carried.get(name.lower(), ""), "")
        if column:
            found.append((compiled, column))
    return found


def _changes(
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
    found = []
    for compiled, column in pairs:
        name = compiled.shape.name
        for rule, when, change in _compare(compiled, column, columns[column]):
            possible = {
                "null_filled": column in old_nulls,
                "nulled_by_model": name in nulls and table.orphans.get(name) != "null",
            }
            if possible.get(rule, True):
                found.append((when, change))
    return found


def _nulls(
    connection: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[str]
) -> set[str]:
    """Those of the columns that have a null."""
    if not columns:
        return set()
    counts = ", ".join(f"count({name_sql(column)})" for column in columns)
    total, *filled = first_row(connection, f"SELECT count(*), {counts} FROM {relation}")
    return {column for column, n in zip(columns, filled, strict=True) if n < total}


def _compare(compiled: Compiled, column: str, kind: str) -> list[tuple[str, str, str]]:
    """(rule, condition, {field, rule, old, new}) of what may have happened to a value."""
    shape = compiled.shape
    new, old = f"d.{name_sql(shape.name)}", f"s.{name_sql(column)}"
    shown = f"encode_float({new})" if shape.kind == "number" else f"{new}::VARCHAR"

    def change(rule: str, when: str, new_value: str) -> tuple[str, str, str]:
        struct = (
            f"{{'field': {text_sql(shape.name)}, 'rule': {text_sql(rule)}, "
            f"'old': {old}::VARCHAR, 'new': {new_value}}}"
        )
        return rule, when, struct

    found = [
        change("null_filled", f"({old} IS NULL AND {new} IS NOT NULL)", shown),
        change("nulled_by_model", f"({old} IS NOT NULL AND {new} IS NULL)", "NULL::VARCHAR"),
    ]
    macro = {"number": "to_ms", "bigint": "to_ms", "string": "to_iso"}.get(shape.kind)
    if kind.startswith("TIMESTAMP") and macro:
        cut = f"(epoch_us({old}) % 1000 <> 0 AND {new} = {macro}({old}))"
        found.append(change("below_millisecond", cut, shown))
    return found

"""What a rule bent: values that differ between a source row and its document, a row a field.

A field is compared with the source column of its name, or of the name that `from` in the plan
gives. Counted are times cut to milliseconds, nulls that a default filled, values that became
null, and orphans that the plan turns to null.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stages.convex.values import name_sql, text_sql
from stages.entries import entry_error
from stages.plan import TargetTable
from stages.transform.compile import Compiled

if TYPE_CHECKING:
    import duckdb


def changes_sql(
    connection: duckdb.DuckDBPyConnection,
    plan_file: Path,
    table: TargetTable,
    key: str | None,
    fields: Sequence[Compiled],
) -> str:
    """SQL of (source_id, field, rule, old, new), ordered, over `checked` and the extract.

    `key` is the SQL of the source's key, None where documents are not source rows (derived).
    """
    selects = [
        "SELECT _source_id AS source_id, b.field AS field, b.rule AS rule, "
        'b."old" AS "old", NULL::VARCHAR AS "new" '
        "FROM (SELECT _source_id, unnest(_bent) AS b FROM checked WHERE len(_failures) = 0)"
    ]
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
        joined = (
            f'FROM checked d JOIN (SELECT {key} AS "source key", * FROM {source}) s '
            'ON s."source key" = d._source_id WHERE len(d._failures) = 0'
        )
        for compiled in fields:
            column = table.lineage.get(compiled.shape.name, compiled.shape.name)
            if column in columns:
                selects += _compare(table, compiled, column, columns[column], joined)
    return f"{' UNION ALL '.join(selects)} ORDER BY source_id, field, rule"


def _compare(
    table: TargetTable, compiled: Compiled, column: str, kind: str, joined: str
) -> list[str]:
    shape = compiled.shape
    new, old = f"d.{name_sql(shape.name)}", f"s.{name_sql(column)}"
    shown = f"encode_float({new})" if shape.kind == "number" else f"{new}::VARCHAR"

    def select(rule: str, when: str, new_value: str) -> str:
        return (
            f"SELECT d._source_id, {text_sql(shape.name)}, {text_sql(rule)}, {old}::VARCHAR, "
            f"{new_value} {joined} AND {when}"
        )

    found = [select("null_filled", f"{old} IS NULL AND {new} IS NOT NULL", shown)]
    if table.orphans.get(shape.name) != "null":
        found.append(
            select("nulled_by_model", f"{old} IS NOT NULL AND {new} IS NULL", "NULL::VARCHAR")
        )
    macro = {"number": "to_ms", "bigint": "to_ms", "string": "to_iso"}.get(shape.kind)
    if kind.startswith("TIMESTAMP") and macro:
        found.append(
            select(
                "below_millisecond",
                f"epoch_us({old}) % 1000 <> 0 AND {new} = {macro}({old})",
                shown,
            )
        )
    return found

"""`creation_time` and `order_by` of the plan: two columns at the end of documents.parquet.

`_creation_time` is in milliseconds with its fraction, NULL where Convex takes none; `_order`
counts from 1, ties by source key. Neither is ever sent as a field.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.project.plan import TargetTable
from stages.project.plan_entries import entry_error
from stages.sql import name_sql
from stages.transform.duckdb_types import EXACT_INTEGER, FLOATS, INTEGERS
from stages.transform.table_context import TableContext

if TYPE_CHECKING:
    import pyarrow as pa


def is_ordered(table: TargetTable) -> bool:
    """Whether the plan says anything of it."""
    return bool(table.creation_time or table.order_by)


def ordered_sql(context: TableContext, sql: str) -> str:
    """SQL of `sql` (a row a document) with both columns, in the order of source keys, of a table
    for which the plan says anything of it.

    The columns are the source's, found by its key; of a derived table, fields of the document.
    Raises UserError for a column that is not there, or holds no time.
    """
    table, by_key = context.table, context.key_order("d._source_id")
    names = dict.fromkeys(
        (*table.order_by, *([table.creation_time] if table.creation_time else ()))
    )
    rows = f"FROM ({sql}) d"
    prefix = "d"
    columns = _columns(context, sql)
    for name in names:
        if name not in columns:
            entry = "creation_time" if name == table.creation_time else "order_by"
            raise entry_error(
                context.plan.file,
                f"tables.{table.name}",
                f"[tables.{table.name}] {entry} names `{name}`, and "
                f"{table.source if table.grain == 'row' else table.name} has no such column",
                entry,
                f"it has: {', '.join(columns)}",
            )
    if table.grain == "row":
        picked = ", ".join(f"{name_sql(name)} AS {name_sql('source ' + name)}" for name in names)
        rows += (
            f' JOIN (SELECT {context.key_sql()} AS "source key", {picked} '
            f"FROM extract.{name_sql(table.source)}) s "
            'ON s."source key" = d._source_id'
        )
        prefix = "s"

    def column(name: str) -> str:
        return f"{prefix}.{name_sql('source ' + name if prefix == 's' else name)}"

    created = "NULL::DOUBLE"
    if table.creation_time:
        kind = columns[table.creation_time]
        created = _milliseconds(context, column(table.creation_time), kind)
    order = ", ".join(f"{column(name)} NULLS LAST" for name in table.order_by)
    return (
        f"SELECT d.*, CASE WHEN {created} > 0 AND {created} < {EXACT_INTEGER} THEN {created} END "
        "AS _creation_time, "
        f"row_number() OVER (ORDER BY {order}, {by_key}) AS _order {rows} ORDER BY {by_key}"
    )


def _columns(context: TableContext, documents: str) -> dict[str, str]:
    """Column → DuckDB type of what the plan may name: the source, or a derived document."""
    table = context.table
    rows = f"FROM extract.{name_sql(table.source)}" if table.grain == "row" else documents
    described = context.connection.execute(f"DESCRIBE {rows}").fetchall()
    return {row[0]: row[1] for row in described}


def _milliseconds(context: TableContext, column: str, kind: str) -> str:
    if kind.startswith(("TIMESTAMP", "DATE")):
        return f"(epoch_us({column}) / 1000)"  # NULL for an infinity
    if kind in INTEGERS | FLOATS:
        return f"{column}::DOUBLE"
    table = context.table
    raise entry_error(
        context.plan.file,
        f"tables.{table.name}",
        f"[tables.{table.name}] creation_time names `{table.creation_time}`, which is {kind} and "
        "no time",
        "creation_time",
        "name a timestamp, a date, or a number of milliseconds",
    )


def with_order(table: TargetTable, schema: pa.Schema) -> pa.Schema:
    """The form of documents.parquet with both columns, where the plan asks for them."""
    import pyarrow as pa

    if not is_ordered(table):
        return schema
    return schema.append(pa.field("_creation_time", pa.float64())).append(
        pa.field("_order", pa.int64(), nullable=False)
    )

"""`creation_time` and `order_by` of the plan: two columns at the end of documents.parquet.

`_creation_time` is in milliseconds with a fraction, NULL if Convex would not accept it; `_order`
counts from 1, with ties broken by source key. Neither is ever sent as a field.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from stages.project.plan import TargetTable
from stages.project.plan_entries import entry_error
from stages.sql import name_sql
from stages.transform.beside import beside_sql, selects
from stages.transform.duckdb_types import EXACT_INTEGER, FLOATS, INTEGERS
from stages.transform.run_model import CompiledModel
from stages.transform.sql_ast import parse
from stages.transform.table_context import TableContext

if TYPE_CHECKING:
    import pyarrow as pa


def is_ordered(table: TargetTable) -> bool:
    """Whether the plan sets either of them for a table."""
    return bool(table.creation_time or table.order_by)


def ordered_by(table: TargetTable) -> list[str]:
    """The columns that these two settings name, each once."""
    created = [table.creation_time] if table.creation_time else []
    return list(dict.fromkeys([*table.order_by, *created]))


def own_order(context: TableContext) -> list[str]:
    """Those of `ordered_by` that are columns of the table's own source."""
    names = ordered_by(context.table)
    own = _columns(context, None) if names and context.table.grain == "row" else {}
    return [name for name in names if name in own]


def joined_order_sql(context: TableContext, model_sql: str, *, isolated: bool = False) -> str:
    """SQL of `_source_id` and those of `ordered_by` that belong to sources that the model joins;
    empty if there are none."""
    own = own_order(context)
    names = [name for name in ordered_by(context.table) if "." in name and name not in own]
    if not names:
        return ""
    given = selects(context.connection, parse(context.connection, model_sql))
    return beside_sql(
        context.connection,
        given,
        lambda select: {name: sql for name in names if (sql := select.column_sql(name))},
        isolated=isolated,
    )


def ordered_sql(context: TableContext, compiled: CompiledModel, sql: str) -> str:
    """SQL of `sql` (one row per document) with both columns, in source-key order, for a table that
    `is_ordered`.

    The plan's columns are looked up by key in the source, or in a source that the model joins; for
    a derived table they are fields of the document. Raises UserError for a column that does not
    exist, or holds no time.
    """
    table, by_key = context.table, context.key_order("d._source_id")
    rows = f"FROM ({sql}) d"
    kinds = _columns(context, sql)
    prefix = "s" if table.grain == "row" else "d"
    columns = {name: f"{prefix}.{name_sql(name)}" for name in ordered_by(table) if name in kinds}
    if table.grain == "row" and columns:
        picked = ", ".join(name_sql(name) for name in columns)
        rows += (
            f' JOIN (SELECT {context.key_sql()} AS "source key", {picked} '
            f"FROM extract.{name_sql(table.source)}) s "
            'ON s."source key" = d._source_id'
        )
    joined = joined_order_sql(context, compiled.model.text, isolated=compiled.isolated)
    if joined:
        rows += (
            f" LEFT JOIN (SELECT _source_id, min(COLUMNS(* EXCLUDE (_source_id))) FROM ({joined}) "
            "GROUP BY _source_id) j ON j._source_id::VARCHAR = d._source_id"
        )
        described = context.connection.execute(f"DESCRIBE {joined}").fetchall()
        kinds |= {row[0]: row[1] for row in described}
        columns |= {row[0]: f"j.{name_sql(row[0])}" for row in described}
    _refuse_unknown(context, kinds)
    created = "NULL::DOUBLE"
    if table.creation_time:
        created = _milliseconds(context, columns[table.creation_time], kinds[table.creation_time])
    order = ", ".join(f"{columns[name]} NULLS LAST" for name in table.order_by)
    return (
        f"SELECT d.*, CASE WHEN {created} > 0 AND {created} < {EXACT_INTEGER} THEN {created} END "
        "AS _creation_time, "
        f"row_number() OVER (ORDER BY {order}, {by_key}) AS _order {rows} ORDER BY {by_key}"
    )


def _columns(context: TableContext, documents: str | None) -> dict[str, str]:
    """Column → DuckDB type, of the source or, for a derived table, of the document."""
    table = context.table
    rows = f"FROM extract.{name_sql(table.source)}" if table.grain == "row" else documents
    described = context.connection.execute(f"DESCRIBE {rows}").fetchall()
    return {row[0]: row[1] for row in described}


def _refuse_unknown(context: TableContext, known: Mapping[str, str]) -> None:
    table = context.table
    for name in ordered_by(table):
        if name in known:
            continue
        entry = "creation_time" if name == table.creation_time else "order_by"
        raise entry_error(
            context.plan.file,
            f"tables.{table.name}",
            f"[tables.{table.name}] {entry} names `{name}`, and "
            f"{table.source if table.grain == 'row' else table.name} has no such column",
            entry,
            f"it has: {', '.join(known)}; a column of another source that the model joins is "
            "written source.column",
        )


def _milliseconds(context: TableContext, column: str, kind: str) -> str:
    if kind.startswith(("TIMESTAMP", "DATE")):
        return f"(epoch_us({column}) / 1000)"  # NULL for infinity
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
    """The schema of documents.parquet, with both columns if the plan asks for them."""
    import pyarrow as pa

    if not is_ordered(table):
        return schema
    return schema.append(pa.field("_creation_time", pa.float64())).append(
        pa.field("_order", pa.int64(), nullable=False)
    )

"""Which columns of the sources the models read, so that the report can name the others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from stages.project.models import Model
from stages.project.plan import Plan
from stages.sql import name_sql
from stages.transform.sql_ast import parse, read_columns, tables
from stages.transform.table_context import TableContext

if TYPE_CHECKING:
    import duckdb

# Of a source's rows.
SCHEMAS = ("extract", "as_text")


def columns_read(context: TableContext, model: Model) -> dict[str, list[str]]:
    """Source → columns that a table's model, its drops, its key or the plan's order read."""
    table, drops = context.table, context.drop_model()
    queries = [model.text, *([drops.text] if drops else [])]
    by_models = columns_of(context.connection, context.plan, queries)
    created = [table.creation_time] if table.creation_time else []
    ordered = [*created, *table.order_by] if table.grain == "row" else []
    by_plan = {*context.source.get("key", []), *ordered}
    return {**by_models, table.source: sorted({*by_models.get(table.source, []), *by_plan})}


def columns_of(
    connection: duckdb.DuckDBPyConnection, plan: Plan, queries: Iterable[str]
) -> dict[str, list[str]]:
    """Source → its columns that these queries read; all of all, where that can't be told."""
    columns_by_source: dict[str, set[str]] = {}
    for sql in queries:
        parsed = parse(connection, sql)
        if parsed is None:
            rows = connection.execute(
                "SELECT view_name FROM duckdb_views() WHERE schema_name = 'extract'"
            ).fetchall()
            views = {row[0] for row in rows}
            sources = [source for source in plan.sources if source in views]
        else:
            named = set(tables(parsed))
            sources = [
                source
                for source in plan.sources
                if {f"{schema}.{source}".lower() for schema in SCHEMAS} & named
            ]
        for source in sources:
            view = f"extract.{name_sql(source)}"
            columns = [row[0] for row in connection.execute(f"DESCRIBE FROM {view}").fetchall()]
            names = [f"{schema}.{source}" for schema in SCHEMAS]
            by_name = read_columns(parsed, dict.fromkeys(names, columns))
            read = {column for each in by_name.values() for column in each}
            columns_by_source.setdefault(source, set()).update(
                c for c in columns if c.lower() in read
            )
    return {source: sorted(columns) for source, columns in sorted(columns_by_source.items())}

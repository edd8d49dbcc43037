"""Which columns of the sources the models read, so that the report can name the others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from stages.project.plan import Plan, TargetTable
from stages.sql import name_sql
from stages.state.manifests import read_manifest
from stages.state.workspace import Workspace
from stages.transform.drops import drop_model
from stages.transform.models import Model
from stages.transform.sql_ast import parse, read_columns, tables

if TYPE_CHECKING:
    import duckdb


def columns_read(
    connection: duckdb.DuckDBPyConnection,
    workspace: Workspace,
    plan: Plan,
    table: TargetTable,
    model: Model,
) -> dict[str, list[str]]:
    """Source → columns that a table's model, its drops, its key or the plan's order read."""
    drops = drop_model(workspace, table)
    found = columns_of(connection, plan, [model.text, *([drops.text] if drops else [])])
    manifest = read_manifest(workspace.extract(table.source)) or {}
    created = [table.creation_time] if table.creation_time else []
    ordered = [*created, *table.order_by] if table.grain == "row" else []
    by_plan = {*manifest.get("key", []), *ordered}
    return {**found, table.source: sorted({*found.get(table.source, []), *by_plan})}


def columns_of(
    connection: duckdb.DuckDBPyConnection, plan: Plan, queries: Iterable[str]
) -> dict[str, list[str]]:
    """Source → its columns that these queries read; all of all, where that can't be told."""
    found: dict[str, set[str]] = {}
    for sql in queries:
        parsed = parse(connection, sql)
        if parsed is None:
            there = {row[0] for row in connection.execute(
                "SELECT view_name FROM duckdb_views() WHERE schema_name = 'extract'"
            ).fetchall()}  # fmt: skip
            sources = [source for source in plan.sources if source in there]
        else:
            named = set(tables(parsed))
            sources = [source for source in plan.sources if f"extract.{source}".lower() in named]
        for source in sources:
            view = f"extract.{name_sql(source)}"
            columns = [row[0] for row in connection.execute(f"DESCRIBE FROM {view}").fetchall()]
            lower = read_columns(parsed, {f"extract.{source}": columns})
            read = lower[f"extract.{source}".lower()]
            found.setdefault(source, set()).update(c for c in columns if c.lower() in read)
    return {source: sorted(columns) for source, columns in sorted(found.items())}

"""Which columns of the sources a table's models read, so that the report can name the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.checkpoint import read_manifest
from stages.convex.values import name_sql
from stages.paths import Paths
from stages.plan import TargetTable
from stages.transform.drops import drop_model
from stages.transform.models import Model
from stages.transform.syntax import parse, read_columns, tables

if TYPE_CHECKING:
    import duckdb


def columns_read(
    connection: duckdb.DuckDBPyConnection, paths: Paths, table: TargetTable, model: Model
) -> dict[str, list[str]]:
    """Source → columns that the model, its drops, its key or the plan's order read, by name."""
    found: dict[str, set[str]] = {table.source: set(_by_plan(paths, table))}
    for each in (model, drop_model(paths, table)):
        if each is None:
            continue
        parsed = parse(connection, each.text)
        named = {name.partition(".")[2] for name in tables(parsed) if name.startswith("extract.")}
        known = {
            source: [row[0] for row in connection.execute(
                f"DESCRIBE FROM extract.{name_sql(source)}").fetchall()]
            for source in ({table.source} if parsed is None else named)
        }  # fmt: skip
        lower = read_columns(parsed, {f"extract.{source}": known[source] for source in known})
        for source, columns in known.items():
            read = {c for c in columns if c.lower() in lower[f"extract.{source.lower()}"]}
            found.setdefault(source, set()).update(read)
    return {source: sorted(columns) for source, columns in sorted(found.items())}


def _by_plan(paths: Paths, table: TargetTable) -> list[str]:
    manifest = read_manifest(paths.extract(table.source)) or {}
    created = [table.creation_time] if table.creation_time else []
    ordered = [*created, *table.order_by] if table.grain == "row" else []
    return [*manifest.get("key", []), *ordered]

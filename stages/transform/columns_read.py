"""Which columns of the sources the models read, so that the report can name the others.

DuckDB's planner knows: it leaves columns that a query does not need out of the scan. The plans are
made in a second database, on empty tables with the columns of the staged files.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from stages.project.models import Model
from stages.sql import first_row, name_sql, open_duckdb
from stages.transform.load_order import joined_order_sql, own_order
from stages.transform.sql_ast import parse, tables
from stages.transform.table_context import TableContext
from stages.views import SCHEMAS, macros

if TYPE_CHECKING:
    import duckdb

# The schemas of a source's rows.
OF_SOURCES = ("extract", "as_text")
# The optimizers that prune columns; any other might remove a whole scan, or a filter.
OPTIMIZERS = {"unused_columns", "cte_inlining"}


def columns_read(context: TableContext, model: Model) -> dict[str, list[str]]:
    """Source → the columns that a table's model, its drops, its key or the plan's order read."""
    table, drops = context.table, context.drop_model()
    queries = [model.text, *([drops.text] if drops else [])]
    if joined := joined_order_sql(context, model.text):
        queries.append(joined)
    by_models = columns_of(context.connection, context.plan.sources, queries)
    by_plan = {*(context.extracted.key or ()), *own_order(context)}
    return {**by_models, table.source: sorted({*by_models.get(table.source, []), *by_plan})}


def columns_of(
    connection: duckdb.DuckDBPyConnection, sources: Iterable[str], queries: Iterable[str]
) -> dict[str, list[str]]:
    """Source → the columns that these queries read; all columns if DuckDB can't say."""
    known = {name.lower(): name for name in sources}
    read: dict[str, set[str]] = {}
    for sql in queries:
        for (schema, table), columns in _scans(connection).of(sql).items():
            if schema in OF_SOURCES and table in known:
                read.setdefault(known[table], set()).update(columns)
    return {source: sorted(columns) for source, columns in sorted(read.items())}


@functools.lru_cache(maxsize=1)
def _scans(connection: duckdb.DuckDBPyConnection) -> _Scans:
    return _Scans(connection)


class _Scans:
    """Empty tables with the names and columns of the staged ones, created when needed."""

    def __init__(self, staged: duckdb.DuckDBPyConnection) -> None:
        self._staged = staged
        self._empty = open_duckdb()
        run = self._empty.execute
        run(macros())
        for schema in SCHEMAS:
            run(f"CREATE SCHEMA {schema}")
        optimizers = [row[0] for row in run("FROM duckdb_optimizers()").fetchall()]
        others = ",".join(name for name in optimizers if name not in OPTIMIZERS)
        run(f"SET disabled_optimizers = '{others}'")
        # (schema, table) in lower case → its columns; a table's name in a plan → (schema, table).
        self._columns: dict[tuple[str, str], list[str]] = {}
        self._names: dict[str, tuple[str, str]] = {}

    def of(self, sql: str) -> dict[tuple[str, str], set[str]]:
        """(schema, table), both in lower case → the columns that a query reads."""
        import duckdb

        parsed = parse(self._staged, sql)
        if parsed is None:  # PIVOT, which takes its columns from the rows
            rows = self._staged.execute(
                "SELECT schema_name || '.' || view_name FROM duckdb_views() WHERE NOT internal"
            ).fetchall()
            return {name: set(self._make(*name)) for name in _split(row[0] for row in rows)}
        named = _split(tables(parsed))
        try:
            for name in named:
                self._make(*name)
            return self._planned(sql)
        except duckdb.Error:
            return {name: set(self._columns.get(name, [])) for name in named}

    def _make(self, schema: str, table: str) -> list[str]:
        """Create the empty copy of a staged table, unless it exists; return its columns."""
        if schema not in SCHEMAS or (schema, table) in self._columns:
            return self._columns.get((schema, table), [])
        place = f"{schema}.{name_sql(table)}"
        described = self._staged.execute(f"DESCRIBE FROM {place}").fetchall()
        columns = ", ".join(f"{name_sql(name)} {kind}" for name, kind, *_ in described)
        self._empty.execute(f"CREATE TABLE {place} ({columns})")
        (scan,) = self._explain(f"FROM {place}")
        self._names[scan["Table"]] = (schema, table)
        self._columns[schema, table] = [name for name, *_ in described]
        return self._columns[schema, table]

    def _planned(self, sql: str) -> dict[tuple[str, str], set[str]]:
        read: dict[tuple[str, str], set[str]] = {}
        for scan in self._explain(sql):
            name = self._names[scan["Table"]]
            known = self._columns[name]
            projected = scan["Projections"]
            for each in [projected] if isinstance(projected, str) else projected:
                # `x.v` is a field of a struct; a multi-line name arrives in pieces.
                of = [c for c in known if each == c or each.startswith(f"{c}.")]
                read.setdefault(name, set()).update(of or known if each else ())
        return read

    def _explain(self, sql: str) -> list[dict[str, Any]]:
        """What a query's plan says about each scan of a table."""
        plan = json.loads(first_row(self._empty, f"EXPLAIN (FORMAT json) {sql}")[1])
        scans: list[dict[str, Any]] = []
        waiting = list(plan)
        while waiting:
            node = waiting.pop()
            waiting += node.get("children", [])
            if "Table" in node.get("extra_info", {}):
                scans.append(node["extra_info"])
        return scans


def _split(names: Iterable[str]) -> list[tuple[str, str]]:
    """(schema, table) of `schema.table`."""
    return [(schema, table) for schema, _, table in (n.lower().partition(".") for n in names)]

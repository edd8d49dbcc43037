"""What the source's catalog and statistics say beyond what init reads: sizes, counters, columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from stages.assess.budget import Queries
from stages.init.catalog import Behaviour, Place
from stages.sql import text_sql

# float64 holds every integer up to this one.
EXACT = 2**53
# SQL of a relation's sizes; and the planner's figures, for when measuring takes too long.
SIZES = {
    "heap": "pg_relation_size(p.oid)",
    "bytes": "pg_table_size(p.oid)",
    "index_bytes": "pg_indexes_size(p.oid)",
}
PAGES = {
    "heap": "nullif(p.relpages, 0)::int8 * 8192",
    "bytes": "nullif(p.relpages, 0)::int8 * 8192",
    "index_bytes": "NULL::int8",
}


@dataclass(frozen=True, kw_only=True)
class ColumnStatistics:
    """What the planner knows about a column: the share of nulls, the average bytes, and whether its
    sample has values of some kinds. `items` is the most distinct items that it saw in an array."""

    null_fraction: float
    average: int
    beyond: bool = False
    infinite: bool = False
    before_christ: bool = False
    items: int = 0


@dataclass(frozen=True, kw_only=True)
class TableFacts:
    """A table's sizes in bytes and its counters. `rows` is the planner's; None if it has no figure.

    `heap` is what a scan reads, `bytes` includes large values; None means unknown, also for
    `writes`. `kind` is Postgres's: r, p (partitioned), f (foreign), v and m (views).
    """

    kind: str = "r"
    rows: int | None = None
    heap: int | None = None
    bytes: int | None = None
    index_bytes: int | None = None
    analyzed: bool | None = None
    writes: int | None = None
    readable: bool = True
    columns: Mapping[str, ColumnStatistics] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Structure:
    """Tables by place; what else Postgres does; since when the server counts writes."""

    tables: Mapping[Place, TableFacts]
    behaviour: tuple[Behaviour, ...]
    statistics_since: str | None


def read_structure(queries: Queries, schemas: Iterable[str]) -> Structure:
    """Three queries of the catalog, and one for the age of the statistics."""
    listed = ", ".join(text_sql(name) for name in schemas)
    sql = query("tables.sql")
    tables = queries.rows(sql.format(schemas=listed, **SIZES), "sizes of tables")
    if tables is None:
        tables = queries.rows(sql.format(schemas=listed, **PAGES), "statistics of tables") or []
    statistics = _statistics(
        queries.rows(
            query("statistics.sql").format(schemas=listed, exact=EXACT), "statistics of columns"
        )
        or []
    )
    behaviour = (
        queries.rows(query("structure.sql").format(schemas=listed), "extensions and sequences")
        or []
    )
    since = queries.rows(
        "SELECT to_char(stats_reset AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS since "
        "FROM pg_stat_database WHERE datname = current_database()",
        "the age of statistics",
    )
    return Structure(
        tables={
            (row["table_schema"], row["table_name"]): _facts(
                row, statistics.get((row["table_schema"], row["table_name"]), {})
            )
            for row in tables
        },
        behaviour=tuple(Behaviour(**row) for row in behaviour),
        statistics_since=since[0]["since"] if since else None,
    )


def query(name: str) -> str:
    """The text of one of the queries beside this module."""
    return resources.files("stages.assess").joinpath("sql").joinpath(name).read_text("utf-8")


def _facts(row: Mapping[str, Any], columns: Mapping[str, ColumnStatistics]) -> TableFacts:
    return TableFacts(
        kind=row["kind"],
        rows=None if row["never_counted"] else row["rows"],
        heap=row["heap"],
        bytes=row["bytes"],
        index_bytes=row["index_bytes"],
        analyzed=row["analyzed"] or bool(columns),
        writes=row["writes"] if row["writes"] >= 0 else None,
        readable=row["readable"],
        columns=columns,
    )


def _statistics(rows: Iterable[Mapping[str, Any]]) -> dict[Place, dict[str, ColumnStatistics]]:
    by_table: dict[Place, dict[str, ColumnStatistics]] = {}
    for row in rows:
        columns = by_table.setdefault((row["table_schema"], row["table_name"]), {})
        columns[row["column_name"]] = ColumnStatistics(
            null_fraction=row["null_fraction"],
            average=row["average"],
            beyond=row["beyond"],
            infinite=row["infinite"],
            before_christ=row["before_christ"],
            items=row["items"],
        )
    return by_table

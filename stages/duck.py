"""One small thing that DuckDB's Python API makes easy to get wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb


def first_row(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: list[Any] | None = None
) -> tuple[Any, ...]:
    """The first row of a query that has one; `fetchone` would leave the connection in use."""
    rows = connection.execute(sql, parameters).fetchall()
    row: tuple[Any, ...] = rows[0]
    return row

"""Small things that DuckDB makes easy to get wrong: rows of a query, and quoting."""

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


def name_sql(name: str) -> str:
    """A column's name for SQL text."""
    return '"' + name.replace('"', '""') + '"'


def text_sql(text: str) -> str:
    """A text literal for SQL text."""
    return "'" + text.replace("'", "''") + "'"


def member_sql(name: str) -> str:
    """The path of an object's member, for DuckDB's JSON functions, as SQL text."""
    return text_sql(f'$."{name}"')

"""DuckDB: connections, rows of a query, quoting, and paths."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb


def open_duckdb(
    *, spill: Path | None = None, memory: str | None = None, threads: int | None = None
) -> duckdb.DuckDBPyConnection:
    """An in-memory database; `spill` is the folder for what `memory`, such as `640MB`, can't hold.

    A name that SQL does not know is not looked for among Python's variables.
    """
    import duckdb

    config: dict[str, Any] = {"python_enable_replacements": False}
    if spill is not None:
        config["temp_directory"] = str(spill)
    if memory is not None:
        config["memory_limit"] = memory
    if threads is not None:
        config["threads"] = threads
    return duckdb.connect(config=config)


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


def file_sql(path: Path) -> str:
    """A file's path for read_parquet and its like, which take `[ ] * ?` for patterns."""
    return text_sql(escape_path(path))


def folder_sql(folder: Path, pattern: str) -> str:
    """The same for the files of a folder that match a pattern, such as `*.parquet`."""
    return text_sql(f"{escape_path(folder)}/{pattern}")


def escape_path(path: Path) -> str:
    """A path in which no character is a pattern."""
    return re.sub(r"[\[*?]", r"[\g<0>]", path.as_posix())

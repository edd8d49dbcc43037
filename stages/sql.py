"""DuckDB: connections, rows of a query, quoting, paths, and names of relations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.errors import UserError

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


@contextmanager
def query_errors(hint: str) -> Iterator[None]:
    """What DuckDB says against a user's query, as a UserError; some of it comes with the rows."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        raise UserError(str(error).strip(), hint) from None


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


@dataclass(frozen=True, kw_only=True)
class Relation:
    """A temporary table or view, and what a row of it holds; as a text, its name for SQL.

    A relation of a name such as `known {}` is made once for each subject, a table or a field, that
    its name ends with; the column `…` stands for those of the subject. `writers` are the modules of
    the package that make or fill it, `readers` those that read it, where that is declared.
    """

    name: str
    columns: tuple[str, ...]
    meaning: str
    writers: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name

    def of(self, subject: str) -> str:
        """The name for SQL of the one that belongs to a subject."""
        return name_sql(self.plain_name(subject))

    def plain_name(self, subject: str) -> str:
        """The same as DuckDB's catalog has it."""
        return self.name.format(subject)

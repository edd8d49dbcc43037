"""DuckDB: connections, rows of a query, quoting, paths, and names of relations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
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
    """Open an in-memory database; what exceeds `memory`, such as `640MB`, goes to folder `spill`.

    SQL can't refer to Python variables.
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


def sum_sql(terms: Sequence[str]) -> str:
    """The sum of some terms, halved again and again: DuckDB takes the square of the time for a
    chain, and refuses one of a thousand."""
    if len(terms) == 1:
        return terms[0]
    half = len(terms) // 2
    return f"({sum_sql(terms[:half])} + {sum_sql(terms[half:])})"


@contextmanager
def query_errors(hint: str) -> Iterator[None]:
    """Turn DuckDB's errors in a user's query into UserError; fetching rows may raise some."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        raise UserError(str(error).strip(), hint) from None


def tokens(sql: str) -> Iterator[tuple[int, duckdb.token_type, str]]:
    """Yield (start byte, kind, text) of each token, without comments."""
    import duckdb

    text = sql.encode()
    found = duckdb.tokenize(sql)
    ends = [start for start, _ in found[1:]] + [len(text)]
    for (start, kind), end in zip(found, ends[: len(found)], strict=True):
        if kind != duckdb.token_type.comment:
            yield start, kind, text[start:end].decode().rstrip()


def first_row(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: list[Any] | None = None
) -> tuple[Any, ...]:
    """The first row of a query that has one; `fetchone` would leave the result open."""
    rows = connection.execute(sql, parameters).fetchall()
    row: tuple[Any, ...] = rows[0]
    return row


def name_sql(name: str) -> str:
    """Quote a column name for SQL."""
    return '"' + name.replace('"', '""') + '"'


def short_name_sql(name: str) -> str:
    """Quote a name that follows a dot, only if it needs quotes."""
    return name if name.isidentifier() else name_sql(name)


def text_sql(text: str) -> str:
    """Quote a string literal for SQL."""
    return "'" + text.replace("'", "''") + "'"


def member_sql(name: str) -> str:
    """The path of an object's member as an SQL literal, for DuckDB's JSON functions."""
    return text_sql(f'$."{name}"')


def file_sql(path: Path) -> str:
    """Quote a path for functions such as read_parquet, where `[ ] * ?` are glob patterns."""
    return text_sql(escape_path(path))


def folder_sql(folder: Path, pattern: str) -> str:
    """As `file_sql`, for the files of a folder that match a pattern such as `*.parquet`."""
    return text_sql(f"{escape_path(folder)}/{pattern}")


def escape_path(path: Path) -> str:
    """Escape glob characters in a path."""
    return re.sub(r"[\[*?]", r"[\g<0>]", path.as_posix())


@dataclass(frozen=True, kw_only=True)
class Relation:
    """A temporary table or view, and what its rows hold; str() gives its name for SQL.

    A relation named like `known {}` is created once per subject, a table or field, whose name
    replaces `{}`; the column `…` stands for the subject's columns. `writers` are the package's
    modules that create or fill it, `readers` those that read it, if declared.
    """

    name: str
    columns: tuple[str, ...]
    meaning: str
    writers: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name

    def of(self, subject: str) -> str:
        """The quoted name of the relation for a subject."""
        return name_sql(self.plain_name(subject))

    def plain_name(self, subject: str) -> str:
        """The unquoted name, as in DuckDB's catalog."""
        return self.name.format(subject)

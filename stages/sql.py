"""Small things that DuckDB makes easy to get wrong: rows of a query, quoting, relations' names."""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True, kw_only=True)
class Relation:
    """A temporary table or view, and what a row of it holds; as a text, its name for SQL.

    A relation of a name such as `referred {}` is made once for each subject that its name ends
    with; the column `…` stands for those of the subject.
    """

    name: str
    columns: tuple[str, ...]
    meaning: str

    def __str__(self) -> str:
        return self.name

    def of(self, subject: str) -> str:
        """The name for SQL of the one that belongs to a subject, such as a table."""
        return name_sql(self.name.format(subject))

"""Keep a user's SQL read-only: limit the files it can reach, and its statements and functions.

DuckDB's settings confine a query to folders, but don't stop it from writing there: with COPY, even
inside a WITH or EXPLAIN ANALYZE, or with functions that run a string as SQL. So both are limited.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from stages.errors import UserError
from stages.sql import escape_path, text_sql, tokens

if TYPE_CHECKING:
    import duckdb

# Full names of table functions that only read. Any other one runs SQL, or changes something.
READING_FUNCTIONS = (
    "read_.*|parquet_.*|duckdb_.*|pragma_.*|json_each|json_tree|sniff_csv|glob|summary|unnest|"
    "range|generate_series|repeat|repeat_row|query_table|icu_calendar_names|pg_timezone_names"
)
QUERY_WORDS = {
    "select", "from", "with", "values", "table", "pivot", "unpivot", "describe", "summarize",
    "show",
}  # fmt: skip
CREATE_OPTIONS = {"or", "replace", "temp", "temporary"}
# Only in memory; they end with the connection.
CREATED = {"table", "view", "macro", "function"}
HINT = (
    'print rows with: stages sql --json "from rejects"; to write files, use the duckdb shell: '
    "duckdb -readonly data/stages.duckdb"
)


def confine(
    connection: duckdb.DuckDBPyConnection, folders: Iterable[Path], files: Iterable[Path]
) -> None:
    """Permanently restrict the connection to these folders and files.

    Views name their files as patterns with special characters escaped, and DuckDB compares paths in
    that form; so both spellings are allowed.
    """
    folder_texts = [f"{text}/" for folder in folders for text in _spellings(folder)]
    file_texts = [text for file in files for text in _spellings(file)]
    for setting, texts in (("allowed_directories", folder_texts), ("allowed_paths", file_texts)):
        connection.execute(f"SET {setting} = [{', '.join(map(text_sql, texts))}]")
    connection.execute("SET autoinstall_known_extensions = false")
    connection.execute("SET autoload_known_extensions = false")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _spellings(path: Path) -> list[str]:
    return list(dict.fromkeys((path.as_posix(), escape_path(path))))


def require_reading(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    """Raise UserError if a statement of the query does more than read.

    It may create temporary tables, views and macros: the database is in memory.
    """
    import duckdb

    kinds = duckdb.StatementType
    refused_functions = {
        name
        for (name,) in connection.execute(
            "SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type = 'table' "
            f"AND NOT regexp_full_match(function_name, {text_sql(READING_FUNCTIONS)})"
        ).fetchall()
    }
    for statement in connection.extract_statements(query):
        words = list(_words(statement.query))
        if statement.type == kinds.EXPLAIN:
            explained = _first_explained(words)
            reads = explained in QUERY_WORDS or explained.startswith("(")
        elif statement.type == kinds.CREATE:
            reads = _first_created(words) in CREATED
        else:  # PIVOT is of type MULTI.
            reads = statement.type in (kinds.SELECT, kinds.MULTI)
        if not reads:
            name = statement.type.name.replace("_", " ")
            raise UserError(f"stages sql only reads, and this is a statement of type {name}", HINT)
        if "copy" in words:
            raise UserError(
                "stages sql only reads, and the query holds COPY",
                'write a column of that name as "copy", with its quotes',
            )
        for word, following in pairwise(words):
            name = word.strip('"').lower()
            if following.startswith("(") and name in refused_functions:
                raise UserError(f"stages sql only reads, and the query calls {name}()", HINT)


def _words(query: str) -> Iterator[str]:
    """The tokens of a statement, without comments; in lower case, unless quoted."""
    for _, _, word in tokens(query):
        yield word if word[:1] in ("'", '"') else word.lower()


def _first_explained(words: Sequence[str]) -> str:
    """The first word of the explained statement."""
    rest = list(words[1:])
    if rest and rest[0] == "analyze":
        return rest[1]
    if rest and rest[0].startswith("(") and rest[1] in ("analyze", "format"):
        closed = next(at for at, word in enumerate(rest) if word.startswith(")"))
        return rest[closed + 1]
    return rest[0]


def _first_created(words: Sequence[str]) -> str:
    """The kind of object that CREATE creates."""
    return next((word for word in words[1:] if word not in CREATE_OPTIONS), "")

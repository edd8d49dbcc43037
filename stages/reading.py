"""A user's SQL only reads: what it may reach, and which statements and functions it may hold.

DuckDB's settings keep a query inside of folders, but not from writing there: COPY, also inside of a
WITH or of EXPLAIN ANALYZE, and functions that run a text as SQL. So both are limited.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from stages.errors import UserError
from stages.sql import escape_path, text_sql

if TYPE_CHECKING:
    import duckdb

# Of a table function that reads, by its whole name. Any other runs SQL, or changes something.
READING_FUNCTIONS = (
    "read_.*|parquet_.*|duckdb_.*|pragma_.*|json_each|json_tree|sniff_csv|glob|summary|unnest|"
    "range|generate_series|repeat|repeat_row|query_table|icu_calendar_names|pg_timezone_names"
)
QUERY_WORDS = {
    "select", "from", "with", "values", "table", "pivot", "unpivot", "describe", "summarize",
    "show",
}  # fmt: skip
CREATE_OPTIONS = {"or", "replace", "temp", "temporary"}
# In memory, where they end with the connection.
CREATED = {"table", "view", "macro", "function"}
HINT = (
    'print rows with: stages sql --json "from rejects"; to write files, use the duckdb shell: '
    "duckdb -readonly data/stages.duckdb"
)


def confine(
    connection: duckdb.DuckDBPyConnection, folders: Iterable[Path], files: Iterable[Path]
) -> None:
    """Let the connection reach these folders and files, nothing else, and for good.

    A view names its files by patterns in which other characters are escaped; that is how DuckDB
    compares them.
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
    """Raise UserError where a statement of the query does more than read.

    Temporary tables, views and macros may be made: the database is in memory.
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
        else:  # PIVOT is several statements in one.
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
    """The tokens of a statement without its comments; in lower case, unless quoted."""
    import duckdb

    text = query.encode()
    tokens = duckdb.tokenize(query)
    ends = [start for start, _ in tokens[1:]] + [len(text)]
    for (start, kind), end in zip(tokens, ends, strict=True):
        if kind != duckdb.token_type.comment:
            word = text[start:end].decode().strip()
            yield word if word[:1] in ("'", '"') else word.lower()


def _first_explained(words: Sequence[str]) -> str:
    """The first word of what EXPLAIN explains."""
    rest = list(words[1:])
    if rest and rest[0] == "analyze":
        return rest[1]
    if rest and rest[0].startswith("(") and rest[1] in ("analyze", "format"):
        closed = next(at for at, word in enumerate(rest) if word.startswith(")"))
        return rest[closed + 1]
    return rest[0]


def _first_created(words: Sequence[str]) -> str:
    """What kind of thing CREATE makes."""
    return next((word for word in words[1:] if word not in CREATE_OPTIONS), "")

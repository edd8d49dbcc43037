"""Descriptions of views and macros, as comments in DuckDB's catalog.

`duckdb_views()`, `duckdb_columns()` and `duckdb_functions()` show them in the column `comment`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from stages.sql import name_sql, text_sql

COMMENT = "COMMENT ON "
SOURCE_ID = "the key of the source row as text: one column as it is, several as a JSON array"
CONVEX_ID = "the _id of the document in Convex"

# Schema → description of its view; `{0}` is the name.
VIEWS: Mapping[str, str] = {
    "extract": "rows of the source {0}, as they were extracted",
    "as_text": "rows of extract.{0}, with json as the text that Postgres has",
    "reference": "documents that Convex has in {0}, which stages refers to and never writes",
    "side": "rows of the side file {0}",
    "keys": "which document of {0} a source key stands for, as the key model decided",
    "transform": "documents of {0} as they are staged, with references as table:source_id",
    "bound": "documents of {0} as load sends them, with Convex ids for references",
    "load": "what Convex answered for documents of {0}; twice for each document of a cycle",
}
# Views over all tables.
SHARED: Mapping[str, str] = {
    "rejects": "source rows that transform rejected, of all tables",
    "load_rejects": "documents that Convex refused or load held back, of all tables",
    "changes": "values that a conversion changed, of all tables, with old and new",
}
COLUMNS: Mapping[str, Mapping[str, str]] = {
    "reference": {"_id": f"{CONVEX_ID}; key models give it as convex_id"},
    "keys": {
        "source_id": SOURCE_ID,
        "convex_id": CONVEX_ID,
        "rule": "what the document was found by",
    },
    "transform": {"source_id": f"{SOURCE_ID}; models give it as _source_id"},
    "bound": {
        "source_id": f"{SOURCE_ID}; models give it as _source_id",
        "_unbound": "references that have no Convex id yet, as table:source_id",
        "_incomplete": "whether fields are left out until a second pass",
    },
    "load": {
        "source_id": SOURCE_ID,
        "convex_id": CONVEX_ID,
        "did": "what Convex did with the document, such as inserted",
        "digest": "sha256 of the record that was sent; with pending: before a second pass",
    },
    "rejects": {
        "table": "the Convex table",
        "source_id": SOURCE_ID,
        "field": "the field that is at fault",
        "rule": "why, in a word; docs/reference/rules.md lists them",
        "reason": "why, with the value",
        "row": "the row of the source as JSON",
        "others": "what else is wrong with the row, as JSON",
    },
    "load_rejects": {
        "table": "the Convex table",
        "source_id": SOURCE_ID,
        "rule": "why, in a word; docs/reference/rules.md lists them",
        "reason": "why, with the value",
    },
    "changes": {
        "table": "the Convex table",
        "source_id": SOURCE_ID,
        "field": "the field that was changed",
        "rule": "why, in a word; docs/reference/rules.md lists them",
        "old": "the value at the source",
        "new": "the value that is staged",
    },
}
KEYLESS = "tells rows apart that have no key: their hash, and their number among equals"

VIEW = re.compile(r'CREATE OR REPLACE VIEW (?:(\w+)\.)?("(?:[^"]|"")+"|\w+) AS ')
# With the comment lines above it.
MACRO = re.compile(r"((?:^-- .*\n)+)CREATE OR REPLACE MACRO (\"?\w+\"?)", re.MULTILINE)


def with_comments(statements: Iterable[str]) -> Iterator[str]:
    """Yield the SQL that creates views and macros, followed by the comments on them."""
    comments: list[str] = []
    for statement in statements:
        yield statement
        made = VIEW.match(statement)
        comments += _of_view(statement, *made.groups()) if made else _of_macros(statement)
    yield from comments


def _of_view(statement: str, schema: str | None, name: str) -> Iterator[str]:
    view = f"{schema}.{name}" if schema else name
    words = VIEWS[schema].format(name[1:-1].replace('""', '"')) if schema else SHARED[name]
    yield f"{COMMENT}VIEW {view} IS {text_sql(words)}"
    columns = dict(COLUMNS.get(schema or name, {}))
    if 'AS "_key"' in statement:
        columns["_key"] = KEYLESS
    for column, words in columns.items():
        yield f"{COMMENT}COLUMN {view}.{name_sql(column)} IS {text_sql(words)}"


def _of_macros(statement: str) -> Iterator[str]:
    for above, name in MACRO.findall(statement):
        words = " ".join(line.removeprefix("-- ") for line in above.splitlines())
        yield f"{COMMENT}MACRO {name} IS {text_sql(words)}"

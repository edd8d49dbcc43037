"""The differences of one table, in SQL.

The SQL reads relations that the caller makes: `staged`, `read_back`, `owned` and `local_ids`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from stages.convex.canonical import canonicalise_columns
from stages.convex.values import Shape, references_sql
from stages.sql import first_row, name_sql, text_sql
from stages.verify.relations import (
    CHANGED_DOCUMENTS,
    DIFFERING_STAGED,
    LOCAL_IDS,
    OWNED,
    PAIRED,
    READ_BACK,
    STAGED,
)

if TYPE_CHECKING:
    import duckdb

# (table, SQL of the referenced ids) → relation
Ids = Callable[[str, str], str]


def pair(connection: duckdb.DuckDBPyConnection, fields: Mapping[str, Shape]) -> int:
    """Make `changed_documents`; returns how many documents are as staged.

    Each row is compared with its own partner only, by a 64-bit hash, and field by field if the
    hashes differ: so only differing rows are joined in full.
    """
    run = connection.execute
    hashed = _hash(fields)
    run(
        f"CREATE OR REPLACE TEMP TABLE {PAIRED} AS SELECT o.source_id, o.document_id, "
        f"s.hash = r.hash AS same FROM {OWNED} o "
        f"JOIN (SELECT _source_id, {hashed} AS hash FROM {STAGED}) s ON s._source_id = o.source_id "
        f"JOIN (SELECT _id, {hashed} AS hash FROM {READ_BACK}) r ON r._id = o.document_id"
    )
    run(
        f"CREATE OR REPLACE TEMP TABLE {DIFFERING_STAGED} AS "
        f"SELECT p.source_id, p.document_id, s.* FROM {STAGED} s "
        f"JOIN {PAIRED} p ON p.source_id = s._source_id WHERE NOT p.same"
    )
    # Binding ids inside JSON may have changed the order of keys.
    canonicalise_columns(
        connection, DIFFERING_STAGED, [n for n, s in fields.items() if s.kind == "json"]
    )
    differing = ", ".join(
        f"CASE WHEN s.{name_sql(n)} IS DISTINCT FROM r.{name_sql(n)} THEN {text_sql(n)} END"
        for n in fields
    )
    run(
        f"CREATE OR REPLACE TEMP TABLE {CHANGED_DOCUMENTS} AS SELECT * FROM ("
        "SELECT s.source_id, s.document_id, "
        f"list_filter([{differing}]::VARCHAR[], lambda n: n IS NOT NULL) AS fields "
        f"FROM {DIFFERING_STAGED} s JOIN {READ_BACK} r ON r._id = s.document_id) "
        "WHERE len(fields) > 0"
    )
    run(f"DROP TABLE {DIFFERING_STAGED}")
    (equal,) = first_row(
        connection,
        f"SELECT (SELECT count(*) FROM {PAIRED}) - (SELECT count(*) FROM {CHANGED_DOCUMENTS})",
    )
    return int(equal)


def differences_sql(fields: Mapping[str, Shape], ids: Ids, *, whole: bool) -> str:
    """SQL of (kind, source_id, document_id, fields), to be run after `pair`.

    `ids` returns the relation of a table's `_id`s, at least of those that a field of `read_back`
    refers to. Without `whole` the relations are a sample, which can't show removed, unowned and
    duplicate documents.
    """
    selects = [
        # Staged without a ledger row, and ledger rows without their document.
        "SELECT 'missing' AS kind, s._source_id AS source_id, NULL::VARCHAR AS document_id, "
        f"'' AS fields FROM {STAGED} s ANTI JOIN {OWNED} o ON o.source_id = s._source_id",
        f"SELECT 'missing', o.source_id, o.document_id, '' FROM {OWNED} o "
        f"ANTI JOIN {READ_BACK} r ON r._id = o.document_id",
        "SELECT 'changed', source_id, document_id, array_to_string(fields, ', ') "
        f"FROM {CHANGED_DOCUMENTS}",
        f"SELECT 'mismatched', o.source_id, o.document_id, '' FROM {OWNED} o "
        f"JOIN {LOCAL_IDS} l ON l.source_id = o.source_id WHERE l.document_id <> o.document_id",
        *_dangling(fields, ids),
    ]
    if whole:
        hashed = _hash(fields)
        unowned = f"FROM {READ_BACK} r ANTI JOIN {OWNED} o ON o.document_id = r._id"
        selects += [
            f"SELECT 'removed', o.source_id, o.document_id, '' FROM {OWNED} o "
            f"ANTI JOIN {STAGED} s ON s._source_id = o.source_id "
            f"SEMI JOIN {READ_BACK} r ON r._id = o.document_id",
            f"SELECT 'unowned', NULL, r._id, '' {unowned}",
            f"SELECT 'duplicate', NULL, u._id, '' FROM (SELECT _id, {hashed} AS hash {unowned}) u "
            f"SEMI JOIN (SELECT {hashed} AS hash FROM {READ_BACK} r "
            f"SEMI JOIN {OWNED} o ON o.document_id = r._id) l ON l.hash = u.hash",
        ]
    return " UNION ALL ".join(selects)


def _dangling(fields: Mapping[str, Shape], ids: Ids) -> list[str]:
    selects = []
    for shape in fields.values():
        for number, place in enumerate(shape.positions):
            referred = _referred_sql(shape, number)
            existing = " UNION ALL ".join(
                f"SELECT _id FROM {ids(target, f'SELECT id FROM ({referred})')}"
                for target in place.targets
            )
            selects.append(
                f"SELECT DISTINCT 'dangling', o.source_id, r._id, {text_sql(place.path)} "
                f"FROM ({referred}) r ANTI JOIN ({existing}) e ON e._id = r.id "
                f"LEFT JOIN {OWNED} o ON o.document_id = r._id WHERE r.id IS NOT NULL"
            )
    return selects


def _referred_sql(shape: Shape, number: int) -> str:
    """SQL of (_id, id): what the documents of `read_back` refer to at one position."""
    column = name_sql(shape.name)
    listed = references_sql(shape, number, column, bound=True)
    return f"SELECT _id, unnest({listed}) AS id FROM {READ_BACK} WHERE {column} IS NOT NULL"


def _hash(fields: Mapping[str, Shape]) -> str:
    """SQL of one hash of all fields; equal rows have equal hashes."""
    return f"hash({', '.join(['0', *(name_sql(name) for name in fields)])})"

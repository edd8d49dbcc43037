"""The differences of one table, in SQL.

They are over relations that the caller makes: `staged`, `read_back`, `owned` and `local_ids`.
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

# (table, SQL of the ids that are referred to) → relation
Ids = Callable[[str, str], str]


def pair(connection: duckdb.DuckDBPyConnection, fields: Mapping[str, Shape]) -> int:
    """Make `changed_documents`; returns how many documents are as staged.

    Rows are compared by a hash of 64 bits, each with its own partner only, and those that seem to
    differ field by field: so nothing wide is joined.
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
    # An id inside of JSON may have moved a key when it was bound.
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
    """SQL of (kind, source_id, document_id, fields) after `pair`.

    `ids` gives the relation of the `_id`s of a table, as far as a field of `read_back` refers to
    them. Without `whole` the relations are a sample, which can't tell what is beyond it: removed,
    unowned, duplicate.
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
    """SQL of (_id, id) of `read_back`: what its documents refer to at one position."""
    column = name_sql(shape.name)
    listed = references_sql(shape, number, column, bound=True)
    return f"SELECT _id, unnest({listed}) AS id FROM {READ_BACK} WHERE {column} IS NOT NULL"


def _hash(fields: Mapping[str, Shape]) -> str:
    """SQL of one number for all fields; equal rows have equal ones."""
    return f"hash({', '.join(['0', *(name_sql(name) for name in fields)])})"

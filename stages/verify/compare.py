"""The differences of one table, in SQL.

It is over three relations that the caller makes: `staged` (_source_id and the fields, references
as ids), `found` (_id and the same fields), `owned` (source_id, document_id), the ledger's rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from stages.convex.values import Shape, references_sql
from stages.sql import first_row, name_sql, text_sql
from stages.verify.reading import canonicalise_columns

if TYPE_CHECKING:
    import duckdb

# (table, SQL of the ids that are referred to) → relation
Ids = Callable[[str, str], str]


def pair(connection: duckdb.DuckDBPyConnection, fields: Mapping[str, Shape]) -> int:
    """Make `bent(source_id, document_id, fields)`: documents that are not as staged, and which
    fields differ. Returns how many are as staged.

    Rows are compared by a hash of 64 bits, each with its own partner only, and those that seem to
    differ field by field: so nothing wide is joined.
    """
    run = connection.execute
    hashed = _hash(fields)
    run(
        "CREATE OR REPLACE TEMP TABLE paired AS SELECT o.source_id, o.document_id, "
        "s.hash = f.hash AS same FROM owned o "
        f"JOIN (SELECT _source_id, {hashed} AS hash FROM staged) s ON s._source_id = o.source_id "
        f"JOIN (SELECT _id, {hashed} AS hash FROM found) f ON f._id = o.document_id"
    )
    run(
        "CREATE OR REPLACE TEMP TABLE staged_of AS SELECT p.source_id, p.document_id, s.* "
        "FROM staged s JOIN paired p ON p.source_id = s._source_id WHERE NOT p.same"
    )
    # An id inside of JSON may have moved a key when it was bound.
    canonicalise_columns(
        connection, "staged_of", [n for n, s in fields.items() if s.kind == "json"]
    )
    differing = ", ".join(
        f"CASE WHEN s.{name_sql(n)} IS DISTINCT FROM f.{name_sql(n)} THEN {text_sql(n)} END"
        for n in fields
    )
    run(
        "CREATE OR REPLACE TEMP TABLE bent AS SELECT * FROM (SELECT s.source_id, s.document_id, "
        f"list_filter([{differing}]::VARCHAR[], lambda n: n IS NOT NULL) AS fields "
        "FROM staged_of s JOIN found f ON f._id = s.document_id) WHERE len(fields) > 0"
    )
    run("DROP TABLE staged_of")
    counted = first_row(
        connection, "SELECT (SELECT count(*) FROM paired) - (SELECT count(*) FROM bent)"
    )
    return int(counted[0])


def differences_sql(fields: Mapping[str, Shape], ids: Ids, *, whole: bool) -> str:
    """SQL of (kind, source_id, document_id, fields) after `pair`.

    `ids` gives the relation of the `_id`s of a table, as far as a field of `found` refers to them.
    Without `whole` the relations are a sample, which can't tell what is beyond it: removed,
    unowned, duplicate.
    """
    selects = [
        # Staged without a ledger row, and ledger rows without their document.
        "SELECT 'missing' AS kind, s._source_id AS source_id, NULL::VARCHAR AS document_id, "
        "'' AS fields FROM staged s ANTI JOIN owned o ON o.source_id = s._source_id",
        "SELECT 'missing', o.source_id, o.document_id, '' FROM owned o "
        "ANTI JOIN found f ON f._id = o.document_id",
        "SELECT 'changed', source_id, document_id, array_to_string(fields, ', ') FROM bent",
        *_dangling(fields, ids),
    ]
    if whole:
        hashed = _hash(fields)
        stray = "FROM found f ANTI JOIN owned o ON o.document_id = f._id"
        selects += [
            "SELECT 'removed', o.source_id, o.document_id, '' FROM owned o "
            "ANTI JOIN staged s ON s._source_id = o.source_id "
            "SEMI JOIN found f ON f._id = o.document_id",
            f"SELECT 'unowned', NULL, f._id, '' {stray}",
            f"SELECT 'duplicate', NULL, s._id, '' FROM (SELECT _id, {hashed} AS hash {stray}) s "
            f"SEMI JOIN (SELECT {hashed} AS hash FROM found f "
            "SEMI JOIN owned o ON o.document_id = f._id) l ON l.hash = s.hash",
        ]
    return " UNION ALL ".join(selects)


def _dangling(fields: Mapping[str, Shape], ids: Ids) -> list[str]:
    selects = []
    for shape in fields.values():
        for number, place in enumerate(shape.positions):
            referred = _referred_sql(shape, number)
            there = " UNION ALL ".join(
                f"SELECT _id FROM {ids(target, f'SELECT id FROM ({referred})')}"
                for target in place.targets
            )
            selects.append(
                f"SELECT DISTINCT 'dangling', o.source_id, f._id, {text_sql(place.path)} "
                f"FROM ({referred}) f ANTI JOIN ({there}) t ON t._id = f.id "
                "LEFT JOIN owned o ON o.document_id = f._id WHERE f.id IS NOT NULL"
            )
    return selects


def _referred_sql(shape: Shape, number: int) -> str:
    """SQL of (_id, id) of `found`: what its documents refer to at one position."""
    column = name_sql(shape.name)
    listed = references_sql(shape, number, column, bound=True)
    return f"SELECT _id, unnest({listed}) AS id FROM found WHERE {column} IS NOT NULL"


def _hash(fields: Mapping[str, Shape]) -> str:
    """SQL of one number for all fields; equal rows have equal ones."""
    return f"hash({', '.join(['0', *(name_sql(name) for name in fields)])})"

"""A table's existing and staged documents, as hashes that are equal if the documents are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from stages.convex.canonical import canonicalise_columns
from stages.convex.pages import read_pages
from stages.convex.values import Shape, decode_sql, document_sql
from stages.load.context import TableContext
from stages.load.relations import EXISTING_FIELDS, EXISTING_ROWS, STAGED_FIELDS, STAGED_ROWS
from stages.sql import first_row, member_sql, name_sql, text_sql


def read_existing(table: TableContext, leave: frozenset[str], by: str | None) -> int:
    """Create the temporary table `existing rows <table>` of all documents; return their number.

    `leave` names the fields that the hash `likeness` leaves out, `by` the field whose text goes to
    `by_key`.
    """
    load, relation = table.load, EXISTING_ROWS.of(table.name)
    load.connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {relation} "
        "(_id VARCHAR, likeness VARCHAR, whole VARCHAR, by_key VARCHAR)"
    )
    load.progress.start("adopt", table.name)
    arriving = read_pages(
        load.connection, load.deployment, load.plan.module, table.name, load.progress
    )
    for arrived in arriving:
        load.connection.execute(f"INSERT INTO {relation} {existing_sql(table, arrived, leave, by)}")
    return int(first_row(load.connection, f"SELECT count(*) FROM {relation}")[0])


def existing_sql(
    table: TableContext, arrived: str, leave: frozenset[str], by: str | None = None
) -> str:
    """SQL of (_id, likeness, whole, by_key) of the documents in the relation `arrived`.

    Creates the temporary table `existing_fields`, which the query reads.
    """
    columns = {
        "_id": "document ->> '$._id'",
        "_keys": "list_sort(list_filter(json_keys(document), lambda k: NOT starts_with(k, '_')))",
        "_by": key_text_sql(f"json_extract(document, {member_sql(by)})") if by else "NULL",
    }
    # A value of another type than schema.ts says equals nothing.
    columns |= {n: f"TRY({decode_sql(s, 'document')})" for n, s in table.fields.items()}
    listed = ", ".join(f"{sql} AS {name_sql(name)}" for name, sql in columns.items())
    table.load.connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {EXISTING_FIELDS} AS SELECT {listed} FROM {arrived}"
    )
    as_json = [n for n, s in table.fields.items() if s.kind == "json"]
    canonicalise_columns(table.load.connection, EXISTING_FIELDS, as_json)
    left = f"[{', '.join(text_sql(name) for name in sorted(leave))}]::VARCHAR[]"
    some = f"list_filter(_keys, lambda k: NOT list_contains({left}, k))"
    keep_null = table.table.keep_null
    likeness = _hash(document_sql(without(table.fields, leave), keep_null), some)
    whole = _hash(document_sql(table.fields, keep_null), "_keys")
    return f"SELECT _id, {likeness} AS likeness, {whole} AS whole, _by FROM {EXISTING_FIELDS}"


def read_staged(table: TableContext, leave: frozenset[str]) -> None:
    """Create the temporary table `staged_rows` of the documents whose references have ids, with the
    hash of all fields except those in `leave`."""
    fields, run = without(table.fields, leave), table.load.connection.execute
    names = ", ".join(["_source_id", *(name_sql(name) for name in fields)])
    run(
        f"CREATE OR REPLACE TEMP TABLE {STAGED_FIELDS} AS SELECT {names} "
        f"FROM ({table.binding(leave).bound()}) WHERE len(_unbound) = 0"
    )
    # Binding an id inside JSON may have changed the order of keys.
    moved = [n for n, s in fields.items() if s.kind == "json" and s.positions]
    canonicalise_columns(table.load.connection, STAGED_FIELDS, moved)
    run(
        f"CREATE OR REPLACE TEMP TABLE {STAGED_ROWS} AS SELECT _source_id AS source_id, "
        f"{_hash('document', 'list_sort(json_keys(document))')} AS hash FROM ("
        f"SELECT _source_id, {document_sql(fields, table.table.keep_null)} AS document "
        f"FROM {STAGED_FIELDS})"
    )


def without(fields: Mapping[str, Shape], leave: Iterable[str]) -> dict[str, Shape]:
    return {name: shape for name, shape in fields.items() if name not in leave}


def key_text_sql(value: str) -> str:
    """SQL of a JSON value as a source key would be written: a text, or a whole number."""
    return (
        f"CASE json_type({value}) WHEN 'VARCHAR' THEN ({value} ->> '$') "
        f"WHEN 'OBJECT' THEN TRY(decode_int64({value}))::VARCHAR "
        f"WHEN 'ARRAY' THEN NULL ELSE regexp_replace(({value} ->> '$'), '\\.0$', '') END"
    )


def _hash(document: str, keys: str) -> str:
    """SQL of a hash; the names distinguish an absent field from a null one."""
    return f"sha256({document} || ({keys})::VARCHAR)"

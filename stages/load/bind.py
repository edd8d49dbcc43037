"""Documents with ids → the exact JSON records that are sent, by one join a table in DuckDB."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stages.convex.values import Shape, document_sql
from stages.paths import Paths
from stages.plan import Plan, TargetTable
from stages.views import acks_sql, bound_sql

if TYPE_CHECKING:
    import duckdb

ROWS_AT_ONCE = 10_000


@dataclass(frozen=True)
class Record:
    """One document on its way: `text` is its element of `records`, as JSON."""

    source_id: str
    digest: str
    text: str


def bind(
    connection: duckdb.DuckDBPyConnection,
    paths: Paths,
    plan: Plan,
    table: TargetTable,
    fields: Mapping[str, Shape],
) -> None:
    """Make the temporary tables `records`, `held`, and the view `acked`.

    records(_source_id, digest, text): bound documents; held(_source_id, unbound): those whose
    parent has no id; acked(source_id, document_id, did, digest): the last answer for each key.
    """
    bound = bound_sql(paths, plan, table, fields)
    document = document_sql(fields, table.keep_null)
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE bound_documents AS "
        f"SELECT _source_id, _unbound, {document} AS document FROM ({bound})"
    )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE records AS SELECT _source_id, digest, "
        '\'{"sourceId":\' || to_json(_source_id)::VARCHAR || \',"digest":"\' || digest || '
        "'\",\"document\":' || document || '}' AS text FROM ("
        "SELECT _source_id, sha256(document) AS digest, document FROM bound_documents "
        "WHERE len(_unbound) = 0)"
    )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE held AS SELECT _source_id, _unbound[1] AS unbound "
        "FROM bound_documents WHERE len(_unbound) > 0"
    )
    connection.execute("DROP TABLE bound_documents")
    acks = paths.load(table.name) / "acks.jsonl"
    if acks.exists():
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE acked AS SELECT sourceId AS source_id, "
            "arg_max(documentId, n) AS document_id, arg_max(did, n) AS did, "
            "arg_max(digest, n) AS digest "
            f"FROM (SELECT *, row_number() OVER () AS n FROM {acks_sql(acks)}) GROUP BY sourceId"
        )
    else:
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE acked AS SELECT NULL::VARCHAR AS source_id, "
            "NULL::VARCHAR AS document_id, NULL::VARCHAR AS did, NULL::VARCHAR AS digest "
            "WHERE false"
        )


def pending(connection: duckdb.DuckDBPyConnection, *, overwrite: bool) -> Iterator[Record]:
    """Records that the target has not acknowledged as they are now, in source key order."""
    again = " OR a.did = 'conflict'" if overwrite else ""
    reader = connection.sql(
        "SELECT r._source_id, r.digest, r.text FROM records r "
        "LEFT JOIN acked a ON a.source_id = r._source_id "
        f"WHERE a.digest IS DISTINCT FROM r.digest{again} ORDER BY r._source_id"
    ).to_arrow_reader(ROWS_AT_ONCE)
    for batch in reader:
        columns = [column.to_pylist() for column in batch.columns]
        for source_id, digest, text in zip(*columns, strict=True):
            yield Record(source_id, digest, text)

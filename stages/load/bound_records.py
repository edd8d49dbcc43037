"""From documents with ids to the exact JSON records to send, as one streaming query per table.

A table in a cycle is sent twice. In the first pass, the fields in `leave` are left out. If this
makes a document incomplete, its digest begins with `pending:`, so that the ledger shows this, and
the functions leave alone what may already be complete.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stages.convex.values import Shape, document_sql
from stages.load.batches import stream
from stages.load.relations import ACK_LINES, ACKED, HELD_BACK, REPEATED_KEYS
from stages.project.plan import Plan, TargetTable
from stages.sql import file_sql, first_row, text_sql
from stages.state.journal_lines import Ack, columns_of
from stages.state.workspace import Workspace
from stages.views import acks_sql, bound_sql

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

PENDING = "pending:"
NO_ACKS = ", ".join(f"NULL::{kind} AS {name}" for name, kind in columns_of(Ack).items())


@dataclass(frozen=True)
class Binding:
    """One table's documents with the known ids; `leave` is empty except in a first pass.

    `ids` is SQL of (target, source_id, convex_id); by default, what load has recorded.
    """

    connection: duckdb.DuckDBPyConnection
    workspace: Workspace
    plan: Plan
    table: TargetTable
    fields: Mapping[str, Shape]
    leave: frozenset[str] = frozenset()
    ids: str | None = None

    @property
    def documents(self) -> Path:
        return self.workspace.documents(self.table.name)

    def bound(self) -> str:
        """SQL of the documents with ids, and `_unbound`."""
        return bound_sql(self.workspace, self.plan, self.table, self.fields, self.leave, self.ids)

    def records(self, which: str = "") -> str:
        """SQL of (_source_id, digest, text): every document whose references have ids.

        `which` may join something to the documents `b`, so that no more than needed are hashed.
        """
        mark = f"CASE WHEN _incomplete THEN {text_sql(PENDING)} ELSE '' END"
        return (
            "SELECT _source_id, digest, "
            '\'{"sourceId":\' || to_json(_source_id)::VARCHAR || \',"digest":"\' || digest || '
            "'\",\"document\":' || document || '},' AS text FROM ("
            f"SELECT _source_id, {mark} || sha256(document) AS digest, document FROM ("
            f"SELECT _source_id, _incomplete, "
            f"{document_sql(self.fields, self.table.keep_null)} AS document "
            f"FROM ({self.bound()}) b {which} WHERE len(_unbound) = 0))"
        )

    def new(self) -> str:
        """SQL of the records that the target has not acknowledged in any form."""
        return self.records(f"ANTI JOIN {ACKED} a ON a.source_id = b._source_id")

    def changed(self, *, overwrite: bool) -> str:
        """SQL of the records acknowledged with another digest; with `overwrite`, conflicts too."""
        again = " OR a.did = 'conflict'" if overwrite else ""
        return (
            f"SELECT r.* FROM ({self.records()}) r JOIN {ACKED} a ON a.source_id = r._source_id "
            "WHERE (a.digest <> r.digest AND NOT (a.did = 'inserted' "
            # The complete record is just what the first pass wrote.
            f"AND a.digest = {text_sql(PENDING)} || r.digest)){again}"
        )

    def pending(self, *, overwrite: bool) -> list[str]:
        """SQL of the records to send, in two parts; in a first pass, only those without an id."""
        return [self.new()] if self.leave else [self.new(), self.changed(overwrite=overwrite)]

    def stream(self, *, overwrite: bool) -> Generator[pa.RecordBatch]:
        """The pending records, as they are made: new ones first, each part in source-key order; or
        all in the order of `_order`."""
        parts = self.pending(overwrite=overwrite)
        if self.ordered():
            file = file_sql(self.documents)
            parts = [
                f"SELECT p.* FROM ({' UNION ALL '.join(parts)}) p JOIN (SELECT _source_id, _order "
                f"FROM read_parquet({file})) o USING (_source_id) ORDER BY o._order"
            ]
        return stream(self.connection, parts, self.documents)

    def ordered(self) -> bool:
        """Whether the plan sets the order in which the documents are created."""
        import pyarrow.parquet as pq

        return "_order" in pq.read_schema(self.documents).names

    def hold_back(self) -> int:
        """Create the temporary table `held_back`; return its number of rows."""
        self.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {HELD_BACK} AS "
            f"SELECT _source_id, _unbound[1] AS unbound FROM ({self.bound()}) "
            "WHERE len(_unbound) > 0"
        )
        return int(first_row(self.connection, f"SELECT count(*) FROM {HELD_BACK}")[0])


def read_acks(connection: duckdb.DuckDBPyConnection, file: Path | None) -> int:
    """Create the temporary table `acked` from a file, if it exists; return its number of rows.

    A document that a second pass completed counts as inserted. Pruned documents are left out.
    """
    run = connection.execute
    source = acks_sql(file) if file and file.exists() else f"(SELECT {NO_ACKS} WHERE false)"
    run(
        f"CREATE OR REPLACE TEMP TABLE {ACK_LINES} AS "
        f"SELECT *, row_number() OVER () AS n FROM {source}"
    )
    run(
        f"CREATE OR REPLACE TEMP TABLE {REPEATED_KEYS} AS SELECT sourceId FROM {ACK_LINES} "
        "GROUP BY 1 HAVING count(*) > 1"
    )
    pending = f"starts_with(digest, {text_sql(PENDING)})"
    run(
        f"CREATE OR REPLACE TEMP TABLE {ACKED} AS SELECT * FROM ("
        f"SELECT sourceId AS source_id, documentId AS document_id, did, digest FROM {ACK_LINES} "
        f"ANTI JOIN {REPEATED_KEYS} USING (sourceId) UNION ALL "
        "SELECT sourceId, arg_max(documentId, n), CASE WHEN arg_max(did, n) = 'replaced' "
        f"AND count(*) FILTER (NOT {pending}) = 1 "
        f"AND bool_or(did = 'inserted' AND {pending}) THEN 'inserted' "
        "ELSE arg_max(did, n) END, arg_max(digest, n) "
        f"FROM {ACK_LINES} SEMI JOIN {REPEATED_KEYS} USING (sourceId) GROUP BY 1) "
        "WHERE did <> 'removed'"
    )
    run(f"DROP TABLE {ACK_LINES}; DROP TABLE {REPEATED_KEYS}")
    return int(first_row(connection, f"SELECT count(*) FROM {ACKED}")[0])

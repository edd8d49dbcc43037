"""Prove that ids older than this run belong to documents that still exist, before any document is
bound to them: the application may have deleted some since."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stages.convex.client import Deployment
from stages.convex.pages import IDS_AT_ONCE, find_missing
from stages.load.bound_records import Binding
from stages.load.relations import (
    ABSENT_IDS,
    PENDING_KEYS,
    PROVEN_IDS,
    REFERRED_IDS,
    UNPROVEN_IDS,
)
from stages.retry import Threads
from stages.sql import file_sql, first_row, name_sql, text_sql
from stages.state.durable import remove
from stages.state.parts import write_parquet
from stages.views import ids_sql

if TYPE_CHECKING:
    import duckdb

CALLS_AT_ONCE = 4


@dataclass
class Prover:
    """Asks for each id once per run; `made_here` are tables whose ids are all from this run."""

    connection: duckdb.DuckDBPyConnection
    deployment: Deployment
    module: str
    made_here: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {PROVEN_IDS} "
            "(target VARCHAR, convex_id VARCHAR, present BOOLEAN)"
        )

    def prove(self, binding: Binding, acked: int) -> int:
        """Ask for the ids that the table's pending documents are to be bound to.

        Those without a document go to the table's gone.parquet (target, source_id, convex_id),
        which binding leaves out. Returns their number.
        """
        gone = binding.workspace.gone(binding.table.name)
        remove(gone)
        targets = self._targets(binding)
        if not targets:
            return 0
        run = self.connection.execute
        ids = ids_sql(binding.workspace, binding.plan, targets)
        selects = self._referred(binding, targets, acked)
        run(
            f"CREATE OR REPLACE TEMP TABLE {REFERRED_IDS} AS "
            + " UNION ".join(f"SELECT i.* FROM ({ids}) i {select}" for select in selects)
        )
        for target in sorted(targets):
            self._ask(target)
        run(
            f"CREATE OR REPLACE TEMP TABLE {ABSENT_IDS} AS SELECT r.* FROM {REFERRED_IDS} r "
            f"JOIN {PROVEN_IDS} p USING (target, convex_id) WHERE NOT p.present ORDER BY ALL"
        )
        absent = int(first_row(self.connection, f"SELECT count(*) FROM {ABSENT_IDS}")[0])
        if absent:
            reader = self.connection.sql(f"FROM {ABSENT_IDS}").to_arrow_reader()
            write_parquet(gone, reader.schema, reader)
        return absent

    def _targets(self, binding: Binding) -> set[str]:
        targets: set[str] = set()
        for name, shape in binding.fields.items():
            if name not in binding.leave:
                targets |= set(shape.targets)
        return targets - self.made_here

    def _referred(self, binding: Binding, targets: set[str], acked: int) -> Iterator[str]:
        """SQL that keeps those ids `i` that pending documents refer to, one for each field."""
        documents = f"read_parquet({file_sql(binding.documents)})"
        if acked:
            self.connection.execute(
                f"CREATE OR REPLACE TEMP TABLE {PENDING_KEYS} AS SELECT _source_id FROM "
                f"({' UNION ALL '.join(binding.pending(overwrite=True))})"
            )
            documents = f"(FROM {documents} SEMI JOIN {PENDING_KEYS} USING (_source_id))"
        for name, shape in binding.fields.items():
            aims = set(shape.targets) & targets
            if not aims or name in binding.leave:
                continue
            if shape.sql in ("VARCHAR", "VARCHAR[]"):
                column = name_sql(name) if shape.kind == "id" else f"unnest({name_sql(name)})"
                yield (
                    f"SEMI JOIN (SELECT {column} AS text FROM {documents}) r ON i.target = "
                    "split_part(r.text, ':', 1) "
                    "AND i.source_id = substr(r.text, instr(r.text, ':') + 1)"
                )
            else:
                # Inside JSON: all ids of the table, rather than a walk through each value.
                yield f"WHERE i.target IN ({', '.join(text_sql(aim) for aim in sorted(aims))})"

    def _ask(self, target: str) -> None:
        self.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {UNPROVEN_IDS} AS SELECT DISTINCT convex_id "
            f"FROM {REFERRED_IDS} ANTI JOIN {PROVEN_IDS} p USING (target, convex_id) "
            "WHERE target = ?",
            [target],
        )
        total = int(first_row(self.connection, f"SELECT count(*) FROM {UNPROVEN_IDS}")[0])
        with Threads(CALLS_AT_ONCE) as pool:
            for start in range(0, total, IDS_AT_ONCE * CALLS_AT_ONCE):
                ids = self._slice(start, IDS_AT_ONCE * CALLS_AT_ONCE)
                parts = [ids[n : n + IDS_AT_ONCE] for n in range(0, len(ids), IDS_AT_ONCE)]
                answers = pool.map(
                    lambda part: find_missing(self.deployment, self.module, target, part), parts
                )
                self._record(target, ids, [missing for answer in answers for missing in answer])

    def _slice(self, start: int, most: int) -> list[str]:
        rows = self.connection.execute(
            f"SELECT convex_id FROM {UNPROVEN_IDS} WHERE rowid >= ? AND rowid < ?",
            [start, start + most],
        ).fetchall()
        return [row[0] for row in rows]

    def _record(self, target: str, ids: list[str], missing: list[str]) -> None:
        self.connection.execute(
            f"INSERT INTO {PROVEN_IDS} SELECT $1, id, NOT list_contains($3, id) FROM "
            "(SELECT unnest($2::VARCHAR[]) AS id)",
            [target, ids, missing],
        )

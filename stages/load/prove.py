"""Ids older than this run are proven to be of documents that are still there, before any document
is bound to them: the application may have deleted some since."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stages.convex.client import Deployment, FunctionError
from stages.convex.pages import missing_function
from stages.load.bound_records import Binding
from stages.sql import first_row, name_sql, text_sql
from stages.state.durable import remove
from stages.state.parts import write_parquet
from stages.views import ids_sql

if TYPE_CHECKING:
    import duckdb

IDS_AT_ONCE = 500
AT_ONCE = 4


@dataclass
class Prover:
    """Asks once a run for each id; `made_here` are tables whose ids are all of this run."""

    connection: duckdb.DuckDBPyConnection
    deployment: Deployment
    module: str
    made_here: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.connection.execute(
            "CREATE OR REPLACE TEMP TABLE proven (target VARCHAR, convex_id VARCHAR, there BOOLEAN)"
        )

    def prove(self, binding: Binding, acked: int) -> int:
        """Ask for the ids that the table's pending documents are to be bound with.

        Those of no document go to the table's gone.parquet (target, source_id, convex_id), which
        binding leaves out. Returns their number.
        """
        gone = binding.workspace.load(binding.table.name) / "gone.parquet"
        remove(gone)
        targets = self._targets(binding)
        if not targets:
            return 0
        run = self.connection.execute
        ids = ids_sql(binding.workspace, binding.plan, targets)
        selects = self._referred(binding, targets, acked)
        run(
            "CREATE OR REPLACE TEMP TABLE wanted AS "
            + " UNION ".join(f"SELECT i.* FROM ({ids}) i {select}" for select in selects)
        )
        for target in sorted(targets):
            self._ask(target)
        run(
            "CREATE OR REPLACE TEMP TABLE absent AS SELECT w.* FROM wanted w "
            "JOIN proven p USING (target, convex_id) WHERE NOT p.there ORDER BY ALL"
        )
        found = int(first_row(self.connection, "SELECT count(*) FROM absent")[0])
        if found:
            reader = self.connection.sql("FROM absent").to_arrow_reader()
            write_parquet(gone, reader.schema, reader)
        return found

    def _targets(self, binding: Binding) -> set[str]:
        found: set[str] = set()
        for name, shape in binding.fields.items():
            if name not in binding.leave:
                found |= set(shape.targets)
        return found - self.made_here

    def _referred(self, binding: Binding, targets: set[str], acked: int) -> Iterator[str]:
        """SQL that keeps those ids `i` that pending documents refer to, by field."""
        documents = f"read_parquet({text_sql(str(binding.documents))})"
        if acked:
            self.connection.execute(
                "CREATE OR REPLACE TEMP TABLE todo AS SELECT _source_id FROM "
                f"({' UNION ALL '.join(binding.pending(overwrite=True))})"
            )
            documents = f"(FROM {documents} SEMI JOIN todo USING (_source_id))"
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
                # Inside of JSON: all that the table has, rather than a walk through each value.
                yield f"WHERE i.target IN ({', '.join(text_sql(aim) for aim in sorted(aims))})"

    def _ask(self, target: str) -> None:
        self.connection.execute(
            "CREATE OR REPLACE TEMP TABLE asked AS SELECT DISTINCT convex_id FROM wanted "
            "ANTI JOIN proven p USING (target, convex_id) WHERE target = ?",
            [target],
        )
        total = int(first_row(self.connection, "SELECT count(*) FROM asked")[0])
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for start in range(0, total, IDS_AT_ONCE * AT_ONCE):
                ids = self._slice(start, IDS_AT_ONCE * AT_ONCE)
                parts = [ids[n : n + IDS_AT_ONCE] for n in range(0, len(ids), IDS_AT_ONCE)]
                found = pool.map(lambda part: self._missing(target, part), parts)
                self._write_down(target, ids, [missing for part in found for missing in part])

    def _slice(self, start: int, most: int) -> list[str]:
        rows = self.connection.execute(
            "SELECT convex_id FROM asked WHERE rowid >= ? AND rowid < ?", [start, start + most]
        ).fetchall()
        return [row[0] for row in rows]

    def _write_down(self, target: str, asked: list[str], missing: list[str]) -> None:
        self.connection.execute(
            "INSERT INTO proven SELECT $1, id, NOT list_contains($3, id) FROM "
            "(SELECT unnest($2::VARCHAR[]) AS id)",
            [target, asked, missing],
        )

    def _missing(self, target: str, ids: list[str]) -> list[str]:
        """Those of the ids that are of no document; documents may be large, so it may halve."""
        args = json.dumps({"table": target, "documentIds": ids})
        try:
            answer = self.deployment.call("query", f"{self.module}:findMissing", args)
        except FunctionError as error:
            if len(ids) > 1 and error.over_limit:
                middle = len(ids) // 2
                return self._missing(target, ids[:middle]) + self._missing(target, ids[middle:])
            raise missing_function(error, self.deployment) from None
        found: list[str] = json.loads(answer)["value"]["missing"]
        return found

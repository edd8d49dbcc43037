"""Read Convex back and compare it with what is staged, in DuckDB.

missing: staged and loaded, or in the ledger, but no document. changed: a document that differs
from the staged one. removed: in the ledger, but not staged any more. unowned: a document that the
ledger does not know; duplicate: one of these that equals a loaded one. dangling: a reference to a
document that is not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stages.checkpoint import (
    read_json,
    read_manifest,
    require_whole,
    write_json,
    write_parquet,
)
from stages.convex.client import Deployment
from stages.convex.ledger import require_epoch, require_target
from stages.convex.schema import Schema
from stages.convex.values import Shape, shapes, text_sql
from stages.errors import StagesError, Stopped, Transient
from stages.order import groups
from stages.paths import Paths
from stages.plan import Plan, TargetTable
from stages.progress import Progress
from stages.settings import Target
from stages.verify.compare import differences_sql, pair
from stages.verify.reading import Convex
from stages.views import bound_sql, connect

if TYPE_CHECKING:
    import duckdb

WRONG = ("missing", "changed", "duplicate", "dangling")
KINDS = ("missing", "changed", "removed", "unowned", "duplicate", "dangling")
# Of DuckDB; what does not fit is spilled to data/tmp.
MEMORY = "1GiB"


@dataclass
class VerifyResult:
    """Counts by table: verified documents, and each kind of difference."""

    tables: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def wrong(self) -> list[str]:
        """Sentences for what must not be."""
        return [
            f"{name}: {', '.join(f'{told[k]:,} {k}' for k in WRONG if told[k])}"
            for name, told in self.tables.items()
            if any(told[k] for k in WRONG)
        ]


def verify(
    paths: Paths,
    plan: Plan,
    schema: Schema,
    target: Target,
    tables: tuple[str, ...],
    progress: Progress,
) -> VerifyResult:
    """Compare every loaded table; differences go to `verify/<table>.parquet`.

    Nothing is written to Convex. Raises StagesError where a table is not loaded yet.
    """
    chosen = {table.name for table in plan.select_tables(tables)}
    order = [name for group in groups(schema, plan.tables) for name in group.tables]
    require_target(paths, target)
    result = VerifyResult()
    with Deployment(target) as deployment:
        require_epoch(paths, deployment, plan.module, claim=False)
        connection = connect(paths, plan, views=False)
        try:
            connection.execute(f"SET memory_limit = '{MEMORY}'")
            connection.execute("SET preserve_insertion_order = false")
            run = _Run(connection, paths, plan, schema, deployment, progress)
            for name in order:
                told = run.table(plan.tables[name]) if name in chosen else None
                if told is not None:
                    result.tables[name] = told
        except Transient as error:
            raise Stopped(error.message, "run again: stages verify") from None
        finally:
            connection.close()
    stored = read_json(paths.verified) or {}
    write_json(paths.verified, {**stored, **{n: dict(t) for n, t in result.tables.items()}})
    return result


class _Run:
    """One table after the other, parents first."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        paths: Paths,
        plan: Plan,
        schema: Schema,
        deployment: Deployment,
        progress: Progress,
    ) -> None:
        self.connection = connection
        self.paths = paths
        self.plan = plan
        self.schema = schema
        self.progress = progress
        self.convex = Convex(connection, deployment, plan.module, progress)

    def table(self, table: TargetTable) -> dict[str, int] | None:
        transformed = read_manifest(self.paths.transform(table.name))
        if transformed and transformed["status"] == "missing":
            return None
        loaded = read_manifest(self.paths.load(table.name))
        if not transformed or not loaded:
            raise StagesError(f"`{table.name}` is not loaded yet", f"run: stages load {table.name}")
        again = f"stages transform {table.name}"
        require_whole(self.paths.transform(table.name), transformed["parts"], again)
        require_whole(self.paths.load(table.name), [loaded["ids"]], f"stages load {table.name}")
        self.progress.start("verify", table.name, loaded["documents"])
        fields = shapes(table.name, self.schema.fields(table.name))
        self._relate(table, fields)
        verified = pair(self.connection, fields)
        told = {"verified": verified, **self._differences(table, fields)}
        self.convex.forget_fields(table.name)
        words = [f"{told[kind]:,} {kind}" for kind in KINDS if told[kind]]
        self.progress.done(
            "verify", table.name, f"{told['verified']:,} verified"
            + (f", {', '.join(words)}" if words else ""), **told
        )  # fmt: skip
        return told

    def _relate(self, table: TargetTable, fields: Mapping[str, Shape]) -> None:
        """staged, found, owned: what `compare` works on."""
        run = self.connection.execute
        run(
            "CREATE OR REPLACE TEMP TABLE owned AS SELECT source_id, document_id "
            f'FROM {self.convex.ledger()} WHERE "table" = {text_sql(table.name)}'
        )
        found = self.convex.documents(table.name, fields)
        run(f"CREATE OR REPLACE TEMP VIEW found AS FROM {found}")
        skipped = self.paths.load(table.name) / "rejects.jsonl"
        columns = "{sourceId: 'VARCHAR', rule: 'VARCHAR', reason: 'VARCHAR'}"
        run("CREATE OR REPLACE TEMP TABLE skipped (source_id VARCHAR)")
        # A load that was killed leaves none, or a line that is cut short.
        if skipped.exists():
            run(
                f"INSERT INTO skipped SELECT sourceId FROM read_json({text_sql(str(skipped))}, "
                f"format = 'newline_delimited', ignore_errors = true, columns = {columns})"
            )
        run(
            "CREATE OR REPLACE TEMP VIEW staged AS SELECT * FROM "
            f"({bound_sql(self.paths, self.plan, table, fields)}) s "
            "ANTI JOIN skipped k ON k.source_id = s._source_id"
        )

    def _differences(self, table: TargetTable, fields: Mapping[str, Shape]) -> dict[str, int]:
        """Written to a file, and counted."""
        sql = differences_sql(fields, self.convex.ids, whole=True)
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE differences AS {sql}")
        reader = self.connection.sql("FROM differences ORDER BY ALL").to_arrow_reader()
        write_parquet(self.paths.verify(table.name), reader.schema, reader)
        counted = dict(
            self.connection.execute("SELECT kind, count(*) FROM differences GROUP BY 1").fetchall()
        )
        return {kind: counted.get(kind, 0) for kind in KINDS}

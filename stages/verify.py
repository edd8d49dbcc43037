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
from stages.convex.canonical import canonicalise
from stages.convex.client import Deployment
from stages.convex.ledger import require_epoch, require_target
from stages.convex.pages import read_pages
from stages.convex.schema import Schema
from stages.convex.values import (
    Shape,
    decode_sql,
    name_sql,
    null_is_sent,
    references_sql,
    text_sql,
)
from stages.duck import first_row
from stages.errors import StagesError, Stopped, Transient
from stages.paths import Paths
from stages.plan import Plan, TargetTable
from stages.progress import Progress
from stages.settings import Target
from stages.staging import staged_shapes, with_references
from stages.views import bound_sql, connect

if TYPE_CHECKING:
    import duckdb

WRONG = ("missing", "changed", "duplicate", "dangling")
KINDS = ("missing", "changed", "removed", "unowned", "duplicate", "dangling")


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
    chosen = plan.select_tables(tables)
    schema = with_references(schema, plan)
    require_target(paths, target)
    result = VerifyResult()
    with Deployment(target) as deployment:
        require_epoch(paths, deployment, plan.module, claim=False)
        connection = connect(paths, plan, views=False)
        try:
            run = _Run(connection, paths, plan, schema, deployment, progress)
            for table in chosen:
                told = run.table(table)
                if told is not None:
                    result.tables[table.name] = told
        except Transient as error:
            raise Stopped(error.message, "run again: stages verify") from None
        finally:
            connection.close()
    stored = read_json(paths.verified) or {}
    write_json(paths.verified, {**stored, **{n: dict(t) for n, t in result.tables.items()}})
    return result


class _Run:
    """Tables are read once each, also where several refer to them."""

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
        self.deployment = deployment
        self.progress = progress
        self._read: set[str] = set()

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
        fields = staged_shapes(self.paths, self.schema, table.name)
        self._ledger()
        self._pages(table.name)
        self._prepare(table, fields)
        differences = self._differences(table, fields)
        count = first_row(
            self.connection, "SELECT (SELECT count(*) FROM paired), (SELECT count(*) FROM bent)"
        )
        told = {"verified": count[0] - count[1], **differences}
        words = [f"{told[kind]:,} {kind}" for kind in KINDS if told[kind]]
        self.progress.done(
            "verify", table.name, f"{told['verified']:,} verified"
            + (f", {', '.join(words)}" if words else ""), **told
        )  # fmt: skip
        return told

    def _pages(self, table: str) -> str:
        """The temporary table with all documents of a Convex table."""
        name = name_sql(f"pages {table}")
        if table not in self._read:
            read_pages(
                self.connection, name, self.deployment, self.plan.module, table, self.progress
            )
            self._read.add(table)
        return name

    def _ledger(self) -> None:
        if "migrationLedger" not in self._read:
            pages = self._pages("migrationLedger")
            self.connection.execute(
                "CREATE OR REPLACE TEMP TABLE ledger AS "
                "SELECT document ->> '$.table' AS \"table\", "
                "document ->> '$.sourceId' AS source_id, "
                f"document ->> '$.documentId' AS document_id FROM {pages}"
            )

    def _prepare(self, table: TargetTable, fields: Mapping[str, Shape]) -> None:
        """staged, found, owned: three relations with the same typed columns; paired joins them."""
        run = self.connection.execute
        decoded = [f"{decode_sql(s, 'document')} AS {name_sql(n)}" for n, s in fields.items()]
        run(
            "CREATE OR REPLACE TEMP TABLE found AS SELECT document ->> '$._id' AS _id, "
            f"{', '.join(decoded)} FROM {self._pages(table.name)}"
        )
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
            "CREATE OR REPLACE TEMP TABLE staged AS SELECT * FROM "
            f"({bound_sql(self.paths, self.plan, table, fields)}) s "
            "ANTI JOIN skipped k ON k.source_id = s._source_id"
        )
        self._canonicalise(table, [s for s in fields.values() if s.kind == "json"])
        run(
            "CREATE OR REPLACE TEMP TABLE owned AS SELECT source_id, document_id FROM ledger "
            f'WHERE "table" = {text_sql(table.name)}'
        )
        pairs = [
            f"s.{name_sql(n)} AS {name_sql('staged ' + n)}, f.{name_sql(n)} AS {name_sql(n)}"
            for n in fields
        ]
        run(
            f"CREATE OR REPLACE TEMP TABLE paired AS SELECT o.source_id, o.document_id, "
            f"{', '.join(pairs)} FROM owned o JOIN staged s ON s._source_id = o.source_id "
            "JOIN found f ON f._id = o.document_id"
        )

    def _canonicalise(self, table: TargetTable, shapes: list[Shape]) -> None:
        """JSON is compared in its canonical form, which has one text a value."""
        if not shapes:
            return
        names = [shape.name for shape in shapes]
        for shape in shapes:
            if null_is_sent(shape, table.keep_null):
                column = name_sql(shape.name)
                self.connection.execute(f"UPDATE staged SET {column} = coalesce({column}, 'null')")
        texts = [
            f"SELECT {name_sql(n)}::VARCHAR AS text FROM {relation}"
            for n in names
            for relation in ("found", "staged")
        ]
        canonicalise(self.connection, "canonical", texts)
        for relation in ("found", "staged"):
            for name in names:
                self.connection.execute(
                    f"UPDATE {relation} SET {name_sql(name)} = c.canonical FROM canonical c "
                    f"WHERE c.text = {relation}.{name_sql(name)}::VARCHAR"
                )

    def _dangling(self, shape: Shape, number: int) -> str:
        """SQL of the differences for ids, at one position, whose document is not there."""
        place = shape.positions[number]
        there = " UNION ALL ".join(
            f"SELECT document ->> '$._id' AS _id FROM {self._pages(target)}"
            for target in place.targets
        )
        column = f"f.{name_sql(shape.name)}"
        ids = f"SELECT _id, unnest({references_sql(shape, number, column, bound=True)}) AS id "
        ids += "FROM found f"
        return (
            f"SELECT DISTINCT 'dangling', o.source_id, f._id, {text_sql(place.path)} "
            f"FROM ({ids}) f "
            "LEFT JOIN owned o ON o.document_id = f._id "
            f"ANTI JOIN ({there}) t ON t._id = f.id WHERE f.id IS NOT NULL"
        )

    def _differences(self, table: TargetTable, fields: Mapping[str, Shape]) -> dict[str, int]:
        run = self.connection.execute
        differing = ", ".join(
            f"CASE WHEN {name_sql('staged ' + n)} IS DISTINCT FROM {name_sql(n)} "
            f"THEN {text_sql(n)} END"
            for n in fields
        )
        run(
            "CREATE OR REPLACE TEMP TABLE bent AS SELECT * FROM (SELECT source_id, document_id, "
            f"list_filter([{differing}]::VARCHAR[], lambda n: n IS NOT NULL) AS fields "
            "FROM paired) WHERE len(fields) > 0"
        )
        everything = ", ".join(name_sql(n) for n in fields)
        run(
            "CREATE OR REPLACE TEMP TABLE stray AS SELECT _id, "
            f"to_json(row({everything}))::VARCHAR AS content FROM found "
            "ANTI JOIN owned o ON o.document_id = found._id"
        )
        selects = [
            # Staged without a ledger row, and ledger rows without their document.
            "SELECT 'missing' AS kind, s._source_id AS source_id, NULL::VARCHAR AS document_id, "
            "'' AS fields FROM staged s ANTI JOIN owned o ON o.source_id = s._source_id",
            "SELECT 'missing', o.source_id, o.document_id, '' FROM owned o "
            "ANTI JOIN found f ON f._id = o.document_id",
            "SELECT 'changed', source_id, document_id, array_to_string(fields, ', ') FROM bent",
            "SELECT 'removed', o.source_id, o.document_id, '' FROM owned o "
            "ANTI JOIN staged s ON s._source_id = o.source_id "
            "SEMI JOIN found f ON f._id = o.document_id",
            "SELECT 'unowned', NULL, _id, '' FROM stray",
            "SELECT 'duplicate', NULL, s._id, '' FROM stray s SEMI JOIN (SELECT "
            f"to_json(row({everything}))::VARCHAR AS content FROM found "
            "SEMI JOIN owned o ON o.document_id = found._id) l ON l.content = s.content",
        ]
        for shape in fields.values():
            selects += [self._dangling(shape, n) for n in range(len(shape.positions))]
        run(f"CREATE OR REPLACE TEMP TABLE differences AS {' UNION ALL '.join(selects)}")
        reader = self.connection.sql("FROM differences ORDER BY ALL").to_arrow_reader()
        write_parquet(self.paths.verify(table.name), reader.schema, reader)
        counted = dict(run("SELECT kind, count(*) FROM differences GROUP BY 1").fetchall())
        return {kind: counted.get(kind, 0) for kind in KINDS}

"""From documents to a snapshot ZIP for Convex' import, in one streaming pass.

Each table is `<table>/generated_schema.jsonl`, which says that numbers are typed, and
`<table>/documents.jsonl`. Ids are minted from the table's number and the source key, so that
references need no answer from the deployment, and tables may refer to one another in any way. The
same documents and numbers give the same bytes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZIP_DEFLATED, ZipFile

from stages.convex import export_json, ids
from stages.convex.schema import Field, Schema
from stages.convex.values import Shape, shape
from stages.errors import StagesError
from stages.load.batches import stream
from stages.load.connection import open_load_connection
from stages.prefetch import prefetch
from stages.progress import Progress
from stages.project.plan import Plan, TargetTable
from stages.project.staged_schema import staged_shapes, with_references
from stages.sql import file_sql, first_row, text_sql
from stages.state.durable import make_folder, open_private, publish, remove
from stages.state.fingerprints import hash_file
from stages.state.manifests import Part
from stages.state.parts import write_parquet
from stages.state.workspace import Workspace
from stages.views import bound_sql

if TYPE_CHECKING:
    import duckdb

# DuckDB's memory while the file is written and compressed.
IMPORT_MEMORY = "1GiB"
LEVEL = 1  # deflate: the fast level that saves most per second
CREATION_TIME = "_creation_time"


@dataclass(frozen=True, kw_only=True)
class _MintedPaths(Workspace):
    """The same folders, except for ids of tables that are minted, which are beside the ZIP."""

    minted: frozenset[str]

    def load(self, table: str) -> Path:
        return self.minted_ids / table if table in self.minted else super().load(table)


class Snapshot:
    """The tables of one import. `numbers`: table → its number in the deployment."""

    def __init__(
        self,
        workspace: Workspace,
        plan: Plan,
        schema: Schema,
        tables: Sequence[TargetTable],
        numbers: Mapping[str, int],
    ) -> None:
        self.plan = plan
        self.schema = with_references(schema, plan)
        self.tables = sorted(tables, key=lambda table: table.name)
        self.numbers = {table.name: numbers[table.name] for table in self.tables}
        paths = {each.name: getattr(workspace, each.name) for each in fields(Workspace)}
        self.workspace = _MintedPaths(**paths, minted=frozenset(self.numbers))

    def write(self, file: Path, progress: Progress) -> tuple[Part, dict[str, int]]:
        """Write the ZIP durably; return it as a Part, and the number of documents by table.

        Raises StagesError for two keys that would get one id, and for references without an id.
        """
        make_folder(file.parent)
        temporary = file.with_name(f".{file.name}.tmp")
        counts = {}
        try:
            with self.connect() as connection, open_private(temporary, "wb") as handle:
                self._mint_parents(connection)
                with ZipFile(handle, "w", ZIP_DEFLATED, compresslevel=LEVEL) as archive:
                    for table in self.tables:
                        counts[table.name] = self._add(connection, archive, table, progress)
                handle.flush()
                os.fsync(handle.fileno())
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        remove(self.workspace.minted_ids)
        size, digest = temporary.stat().st_size, hash_file(temporary)
        publish(temporary, file)
        rows = sum(counts.values())
        return Part(file=file.name, rows=rows, bytes=size, sha256=digest), counts

    def connect(self) -> duckdb.DuckDBPyConnection:
        """A connection that can mint and encode, in bounded memory."""
        connection = open_load_connection(self.workspace, self.plan, IMPORT_MEMORY)
        connection.execute(ids.macros())
        connection.execute(export_json.macros())
        return connection

    def ids_sql(self, table: str) -> str:
        """SQL of (source_id, convex_id) of a table, in the order of source keys."""
        file = file_sql(self.workspace.documents(table))
        refs = (
            f"SELECT _source_id AS source_id, {text_sql(table + ':')} || _source_id AS convex_id "
            f"FROM read_parquet({file})"
        )
        return ids.minted_sql(refs, {"convex_id": {table: self.numbers[table]}})

    def write_ids(self, connection: duckdb.DuckDBPyConnection, table: str, file: Path) -> Part:
        """Write the file of a table's ids, as the import gives them."""
        reader = connection.sql(f"{self.ids_sql(table)} ORDER BY source_id").to_arrow_reader()
        return write_parquet(file, reader.schema, reader)

    # ── one table ───────────────────────────────────────────────────────────────────────────

    def _add(
        self,
        connection: duckdb.DuckDBPyConnection,
        archive: ZipFile,
        table: TargetTable,
        progress: Progress,
    ) -> int:
        self._refuse_shared_ids(connection, table)
        sql = self._lines(connection, table)
        file = self.workspace.documents(table.name)
        counted = f"SELECT count(*) FROM read_parquet({file_sql(file)})"
        rows = int(first_row(connection, counted)[0])
        progress.start("import", table.name, rows)
        with archive.open(f"{table.name}/generated_schema.jsonl", "w") as entry:
            entry.write(b'"uniform"\n')
        with archive.open(f"{table.name}/documents.jsonl", "w", force_zip64=True) as entry:
            for lines, text in _texts(connection, sql, file):
                entry.write(text)
                progress.advance(table.name, lines, len(text))
        return rows

    def _shapes(self, table: TargetTable) -> dict[str, Shape]:
        return staged_shapes(self.workspace, self.schema, table.name)

    def _minted_here(self, field: Shape) -> dict[str, int]:
        """Tables and numbers of a reference that needs no look-up; empty for all other fields."""
        if field.kind != "id" or not set(field.targets) <= set(self.numbers):
            return {}
        return {target: self.numbers[target] for target in field.targets}

    def _mint_parents(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Write the ids to look up, of tables that are referred to inside lists and JSON."""
        looked_up = {
            target
            for table in self.tables
            for field in self._shapes(table).values()
            if not self._minted_here(field)
            for target in field.targets
        }
        for table in sorted(looked_up & set(self.numbers)):
            self.write_ids(connection, table, self.workspace.ids(table))

    def _lines(self, connection: duckdb.DuckDBPyConnection, table: TargetTable) -> str:
        """SQL of the lines of a table. Raises StagesError if a reference has no id."""
        shapes = self._shapes(table)
        minted = {name: here for name, s in shapes.items() if (here := self._minted_here(s))}
        passed = {name: _as_text(s) if name in minted else s for name, s in shapes.items()}
        timed = self._has_creation_time(connection, table)
        if timed:
            time = Field(name=CREATION_TIME, validator={"type": "number"}, optional=True)
            passed[CREATION_TIME] = shape(table.name, time)
        bound = bound_sql(self.workspace, self.plan, table, passed)
        if len(minted) < sum(bool(field.targets) for field in shapes.values()):
            self._refuse_unbound(connection, table, bound)
        documents = f"SELECT *, {text_sql(table.name + ':')} || _source_id AS _id FROM ({bound})"
        own = {"_id": {table.name: self.numbers[table.name]}}
        time_column = CREATION_TIME if timed else None
        line = export_json.line_sql(shapes, table.keep_null, "_id", time_column)
        return f"SELECT {line} AS line FROM ({ids.minted_sql(documents, {**own, **minted})})"

    def _has_creation_time(self, connection: duckdb.DuckDBPyConnection, table: TargetTable) -> bool:
        file = file_sql(self.workspace.documents(table.name))
        described = connection.execute(f"DESCRIBE FROM read_parquet({file})").fetchall()
        return CREATION_TIME in {row[0] for row in described}

    def _refuse_unbound(
        self, connection: duckdb.DuckDBPyConnection, table: TargetTable, bound: str
    ) -> None:
        row = first_row(
            connection,
            f"SELECT count(*), min(_unbound[1]) FROM ({bound}) WHERE len(_unbound) > 0",
        )
        if row[0]:
            raise StagesError(
                f"{row[0]:,} documents of `{table.name}` refer to rows without an id, such as "
                f"{row[1]}",
                "import the tables that refer to one another together, or load their parents first",
            )

    def _refuse_shared_ids(self, connection: duckdb.DuckDBPyConnection, table: TargetTable) -> None:
        """Raise StagesError if two source keys would get one id. Two UUIDs can't, nor can two
        hashes; but a UUID may have been chosen to be the hash of another key."""
        file = file_sql(self.workspace.documents(table.name))
        keys = (
            "SELECT key, try_cast(key AS UUID) AS uuid FROM "
            f"(SELECT _source_id AS key FROM read_parquet({file}))"
        )
        row = first_row(
            connection, f"SELECT count(*), count(*) FILTER (uuid::VARCHAR = key) FROM ({keys})"
        )
        if row[1] in (0, row[0]):
            return
        internal = f"internal_id({text_sql(table.name + ':')} || key, key, uuid)"
        counted = f"SELECT count(*), count(DISTINCT {internal}) FROM ({keys})"
        rows, distinct = first_row(connection, counted)
        if rows != distinct:
            twins = connection.execute(
                f"SELECT list(key ORDER BY key)[:2] FROM ({keys}) GROUP BY {internal} "
                "HAVING count(*) > 1 LIMIT 1"
            ).fetchall()[0][0]
            raise StagesError(
                f"`{table.name}`: the source keys {' and '.join(twins)} would get the same id",
                "give one of them another _source_id, or load the table through the functions",
            )


def _as_text(field: Shape) -> Shape:
    """A reference left as it is staged, for its id to be minted from."""
    return replace(field, kind="string", positions=())


def _texts(
    connection: duckdb.DuckDBPyConnection, sql: str, documents: Path
) -> Iterator[tuple[int, memoryview]]:
    """(number of lines, their bytes) as they are made: a column's buffer, used as a whole."""
    with closing(prefetch(stream(connection, [sql], documents))) as batches:
        for batch in batches:
            column = batch.column(0)
            ends = memoryview(column.buffers()[1]).cast("i")
            start, end = ends[column.offset], ends[column.offset + len(column)]
            yield len(column), memoryview(column.buffers()[2])[start:end]

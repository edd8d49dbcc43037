"""Convex's tables, each read once into DuckDB, which spills what does not fit its memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from stages.convex.canonical import canonicalise_columns
from stages.convex.client import Deployment
from stages.convex.ledger_ops import LEDGER
from stages.convex.pages import read_documents, read_pages
from stages.convex.values import Shape, decode_sql
from stages.progress import Progress
from stages.sql import Relation, name_sql
from stages.verify.relations import DECODED, READ_BACK_TABLE, REFERRED_DOCUMENTS

if TYPE_CHECKING:
    import duckdb


class Convex:
    """Tables of a deployment as temporary tables of DuckDB.

    A whole table is read once, even if several refer to it; documents by id are read each time they
    are requested.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        deployment: Deployment,
        module: str,
        progress: Progress,
    ) -> None:
        self.connection = connection
        self.deployment = deployment
        self.module = module
        self.progress = progress
        self._columns: dict[str, set[str]] = {}
        self._referred = 0

    def ledger(self) -> str:
        """`(table, source_id, document_id)`, including the row of the epoch."""
        columns = {
            "table": "document ->> '$.table'",
            "source_id": "document ->> '$.sourceId'",
            "document_id": "document ->> '$.documentId'",
        }
        return self._whole(LEDGER, columns, [])

    def documents(self, table: str, fields: Mapping[str, Shape], only: str | None = None) -> str:
        """`(_id, …)`: one column per field, JSON in canonical form. `only` is SQL of the ids."""
        columns = {"_id": "document ->> '$._id'"}
        columns |= {name: decode_sql(shape, "document") for name, shape in fields.items()}
        as_json = [name for name, shape in fields.items() if shape.kind == "json"]
        if only is None:
            return self._whole(table, columns, as_json)
        documents = self._by_id(table, only)
        return self._fill(READ_BACK_TABLE, table, columns, as_json, documents)

    def ids(self, table: str, only: str | None = None) -> str:
        """`(_id, …)` of a referenced table. `only` is SQL of the ids."""
        columns = {"_id": "document ->> '$._id'"}
        if only is None:
            return self._whole(table, columns, [])
        self._referred += 1
        number = str(self._referred)
        return self._fill(REFERRED_DOCUMENTS, number, columns, [], self._by_id(table, only))

    def forget_fields(self, table: str) -> None:
        """Keep only the ids, since other tables may refer to them."""
        ids = f"SELECT _id FROM {READ_BACK_TABLE.of(table)}"
        self.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {READ_BACK_TABLE.of(table)} AS {ids}"
        )
        self._columns[table] = {"_id"}

    def _whole(self, table: str, columns: dict[str, str], as_json: list[str]) -> str:
        if columns.keys() <= self._columns.get(table, set()):
            return READ_BACK_TABLE.of(table)
        pages = read_pages(self.connection, self.deployment, self.module, table, self.progress)
        name = self._fill(READ_BACK_TABLE, table, columns, as_json, pages)
        self._columns[table] = set(columns)
        return name

    def _by_id(self, table: str, ids: str) -> Iterator[str]:
        return read_documents(
            self.connection, self.deployment, self.module, table, ids, self.progress
        )

    def _fill(
        self,
        relation: Relation,
        subject: str,
        columns: dict[str, str],
        as_json: list[str],
        arriving: Iterator[str],
    ) -> str:
        name = relation.of(subject)
        selected = ", ".join(f"{sql} AS {name_sql(column)}" for column, sql in columns.items())
        run = self.connection.execute
        run(
            f"CREATE OR REPLACE TEMP TABLE {relation.of(subject)} AS SELECT {selected} "
            "FROM (SELECT NULL::JSON AS document) LIMIT 0"
        )
        for arrived in arriving:
            run(f"CREATE OR REPLACE TEMP TABLE {DECODED} AS SELECT {selected} FROM {arrived}")
            canonicalise_columns(self.connection, DECODED, as_json)
            run(f"INSERT INTO {name} FROM {DECODED}")
        return name

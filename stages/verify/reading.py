"""What Convex holds, read once a table into DuckDB, which spills what does not fit its memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from stages.convex.canonical import canonicalise
from stages.convex.client import Deployment
from stages.convex.ledger_ops import LEDGER
from stages.convex.pages import read_documents, read_pages
from stages.convex.values import Shape, decode_sql
from stages.progress import Progress
from stages.sql import name_sql

if TYPE_CHECKING:
    import duckdb


class Convex:
    """Tables of a deployment as temporary tables of DuckDB.

    A whole table is read once, also where several refer to it; documents by id are read whenever
    they are asked for.
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
        """`(table, source_id, document_id)`, its epoch too."""
        columns = {
            "table": "document ->> '$.table'",
            "source_id": "document ->> '$.sourceId'",
            "document_id": "document ->> '$.documentId'",
        }
        return self._whole(LEDGER, columns, [])

    def documents(self, table: str, fields: Mapping[str, Shape], only: str | None = None) -> str:
        """`(_id, …)`: a column a field, JSON in its canonical form. `only` is SQL of the ids."""
        columns = {"_id": "document ->> '$._id'"}
        columns |= {name: decode_sql(shape, "document") for name, shape in fields.items()}
        as_json = [name for name, shape in fields.items() if shape.kind == "json"]
        if only is None:
            return self._whole(table, columns, as_json)
        return self._fill(f"found {table}", columns, as_json, self._by_id(table, only))

    def ids(self, table: str, only: str | None = None) -> str:
        """`(_id, …)` of a table that is referred to. `only` is SQL of the ids."""
        columns = {"_id": "document ->> '$._id'"}
        if only is None:
            return self._whole(table, columns, [])
        self._referred += 1
        name = f"referred {self._referred}"
        return self._fill(name, columns, [], self._by_id(table, only))

    def forget_fields(self, table: str) -> None:
        """Keep the ids only, which other tables may refer to."""
        name = name_sql(f"found {table}")
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT _id FROM {name}")
        self._columns[table] = {"_id"}

    def _whole(self, table: str, columns: dict[str, str], as_json: list[str]) -> str:
        if columns.keys() <= self._columns.get(table, set()):
            return name_sql(f"found {table}")
        pages = read_pages(self.connection, self.deployment, self.module, table, self.progress)
        name = self._fill(f"found {table}", columns, as_json, pages)
        self._columns[table] = set(columns)
        return name

    def _by_id(self, table: str, ids: str) -> Iterator[str]:
        return read_documents(
            self.connection, self.deployment, self.module, table, ids, self.progress
        )

    def _fill(
        self, table: str, columns: dict[str, str], as_json: list[str], arriving: Iterator[str]
    ) -> str:
        name = name_sql(table)
        selected = ", ".join(f"{sql} AS {name_sql(column)}" for column, sql in columns.items())
        run = self.connection.execute
        run(
            f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT {selected} "
            "FROM (SELECT NULL::JSON AS document) LIMIT 0"
        )
        for arrived in arriving:
            run(f"CREATE OR REPLACE TEMP TABLE decoded AS SELECT {selected} FROM {arrived}")
            canonicalise_columns(self.connection, "decoded", as_json)
            run(f"INSERT INTO {name} FROM decoded")
        return name


def canonicalise_columns(
    connection: duckdb.DuckDBPyConnection, relation: str, columns: list[str]
) -> None:
    """Give JSON columns of a temporary table their canonical form, which is one text a value."""
    if not columns:
        return
    texts = [f"SELECT {name_sql(c)}::VARCHAR AS text FROM {relation}" for c in columns]
    canonicalise(connection, "canonical", texts)
    for column in columns:
        connection.execute(
            f"UPDATE {relation} SET {name_sql(column)} = c.canonical FROM canonical c "
            f"WHERE c.text = {relation}.{name_sql(column)}::VARCHAR"
        )

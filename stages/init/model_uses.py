"""What the user's models do at present: which columns each reads, and which fields it outputs.

DuckDB answers this, over empty tables with the current and the former columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stages.convex.ids import source_uuid_macro
from stages.init.catalog import CatalogTable, Place
from stages.init.project_files import text_of
from stages.project.plan import Plan
from stages.sql import name_sql, open_duckdb
from stages.state.workspace import Workspace
from stages.transform.columns_read import columns_of
from stages.transform.sql_ast import column_lines, parse
from stages.views import KEYLESS, SCHEMAS, macros, values

if TYPE_CHECKING:
    import duckdb

TYPES = {
    "int32": "INTEGER", "int64": "BIGINT", "double": "DOUBLE", "bool": "BOOLEAN",
    "string": "VARCHAR", "binary": "BLOB", "uuid": "UUID", "date32": "DATE",
    "timestamp": "TIMESTAMP", "timestamptz": "TIMESTAMPTZ", "json": "JSON", "json_text": "JSON",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Use:
    """One model. `reads`: source → staged columns that the text names, or all if it has a star;
    `gives` are its output columns in lower case. `text` is None if the file is missing."""

    file: str
    text: str | None
    reads: Mapping[str, frozenset[str]] = field(default_factory=dict)
    gives: frozenset[str] = frozenset()

    def line_of(self, name: str, before: str | None = None) -> str:
        """`models/posts.sql:7`: the first line that has a name outside of a comment. If `before` is
        given, the number is that of the line in this text."""
        lines = (self.text or "").splitlines()
        of_before = lines if before is None else before.splitlines()
        for line in lines:
            if _names(line.partition("--")[0], name) and line in of_before:
                return f"{self.file}:{of_before.index(line) + 1}"
        return self.file


class Uses:
    """The models of a plan, by Convex table; `connection` parses their SQL."""

    def __init__(
        self, workspace: Workspace, plan: Plan, pictures: Iterable[Mapping[Place, CatalogTable]]
    ) -> None:
        self.connection = open_duckdb()
        self._plan = plan
        self._make_tables(list(pictures))
        files = {n: table.model for n, table in plan.tables.items()}
        files |= {n: each.keys for n, each in plan.references.items() if each.keys}
        self.of = {
            target: self.use(name, text_of(workspace.model(name))) for target, name in files.items()
        }

    def parses(self, sql: str) -> bool:
        """Whether DuckDB can parse it."""
        return parse(self.connection, sql) is not None

    def readers(self, place: Place, column: str) -> list[Use]:
        """The models that read a column of a source table."""
        names = [n for n, s in self._plan.sources.items() if (s.schema, s.table) == place]
        return [
            use
            for use in self.of.values()
            if any(column in use.reads.get(name, ()) for name in names)
        ]

    def use(self, file: str, text: str | None) -> Use:
        """What the text of a model does; `text` is None if there is no file."""
        import duckdb

        if text is None:
            return Use(file=file, text=None)
        sql = text.strip().rstrip(";")
        parsed = parse(self.connection, sql)
        try:
            described = self.connection.execute(f"DESCRIBE {sql}").fetchall()
            gives = {str(row[0]).lower() for row in described}
        except duckdb.Error:
            gives = {*column_lines(sql, parsed)}
        star = "*" in re.sub(r"'(?:[^']|'')*'|--[^\n]*", "", sql)
        bare = re.sub(r"--[^\n]*", "", sql)
        reads = {
            source: frozenset(each for each in columns if star or _names(bare, each))
            for source, columns in columns_of(self.connection, self._plan.sources, [sql]).items()
        }
        return Use(file=file, text=text, reads=reads, gives=frozenset(gives))

    def _make_tables(self, pictures: list[Mapping[Place, CatalogTable]]) -> None:
        run = self.connection.execute
        run("SET TimeZone = 'UTC'")
        run(values())
        run(macros())
        run(source_uuid_macro())
        for schema in SCHEMAS:
            run(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        for name, source in self._plan.sources.items():
            tables = [p[source.schema, source.table] for p in pictures
                      if (source.schema, source.table) in p]  # fmt: skip
            columns = {
                name_sql(column.staged): TYPES.get(column.arrow, "VARCHAR")
                for table in tables
                for column in table.columns.values()
            }
            if tables and not tables[0].row_key:
                columns[KEYLESS] = "VARCHAR"
            _make(self.connection, f"extract.{name_sql(name)}", columns)
            texts = {n: "VARCHAR" if kind == "JSON" else kind for n, kind in columns.items()}
            _make(self.connection, f"as_text.{name_sql(name)}", texts)
        for name in self._plan.references:
            columns = dict.fromkeys(("source_id", "convex_id", "rule"), "VARCHAR")
            _make(self.connection, f"keys.{name_sql(name)}", columns)


def _make(connection: duckdb.DuckDBPyConnection, name: str, columns: Mapping[str, str]) -> None:
    if columns:
        listed = ", ".join(f"{column} {kind}" for column, kind in columns.items())
        connection.execute(f"CREATE TABLE IF NOT EXISTS {name} ({listed})")


def _names(text: str, name: str) -> bool:
    return bool(re.search(rf"(?<![\w$]){re.escape(name)}(?![\w$])", text, re.IGNORECASE))

"""Which row is meant: by the name of its table, and by its source key or its Convex id."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stages.errors import UserError
from stages.load.bound_records import read_acks
from stages.load.relations import ACKED
from stages.names import nearest
from stages.project.plan import Plan, ReferenceTable, SourceTable, TargetTable
from stages.sql import file_sql, name_sql, short_name_sql
from stages.state.workspace import Workspace, form_file
from stages.transform.models import key_sql, source_rows

if TYPE_CHECKING:
    import duckdb

Subject = TargetTable | ReferenceTable | SourceTable


@dataclass(frozen=True, kw_only=True)
class Staged:
    """The staged files of one project, with the views over them."""

    connection: duckdb.DuckDBPyConnection
    workspace: Workspace
    plan: Plan
    # Tables whose acks have been read, each into a relation of its own.
    _acked: set[str] = field(default_factory=set)

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = self.connection.execute(sql, list(values)).fetchall()
        return rows

    def has_extract(self, source: str | None) -> bool:
        """Whether a source has been extracted, if only its columns."""
        return bool(source) and form_file(self.workspace.extract(str(source))).exists()

    def source_key(self, source: str) -> str:
        return key_sql(self.workspace, source)

    def source_rows(self, source: str) -> str:
        """SQL of a relation of a source's rows, whatever their JSON holds."""
        return f"({source_rows(self.workspace, source)})"

    def ids(self, table: str) -> str:
        """SQL of (source_id, convex_id, did): what Convex has of a table, as far as files show."""
        selects = [
            "SELECT NULL::VARCHAR AS source_id, NULL::VARCHAR AS convex_id, NULL::VARCHAR AS did "
            "WHERE false"
        ]
        acks, ids, keys = (
            self.workspace.acks(table),
            self.workspace.ids(table),
            self.workspace.known_keys(table),
        )
        if table in self.plan.references:
            if keys.exists():
                selects.append(
                    f"SELECT source_id, convex_id, rule FROM read_parquet({file_sql(keys)})"
                )
        elif acks.exists():
            selects.append(f"SELECT source_id, document_id, did FROM {self._last_acks(table)}")
        elif ids.exists():
            selects.append(f"SELECT source_id, convex_id, NULL FROM read_parquet({file_sql(ids)})")
        return f"({' UNION ALL '.join(selects)})"

    def _last_acks(self, table: str) -> str:
        name = name_sql(f"acked of {table}")
        if table not in self._acked:
            read_acks(self.connection, self.workspace.acks(table))
            self.connection.execute(f"CREATE TEMP TABLE {name} AS FROM {ACKED}")
            self._acked.add(table)
        return name

    def keys(self, table: str) -> str:
        """SQL of (source_id): each key of a table or source in documents, rejects, rows and ids."""
        selects = ["SELECT NULL::VARCHAR AS source_id WHERE false"]
        files = [
            (self.workspace.documents(table), "_source_id"),
            (self.workspace.rejects(table), "source_id"),
            (self.workspace.unknown_keys(table), "source_id"),
        ]
        selects += [
            f"SELECT {column} FROM read_parquet({file_sql(file)})"
            for file, column in files
            if file.exists()
        ]
        source = source_of(self.plan, table)
        derived = table in self.plan.tables and self.plan.tables[table].grain == "derived"
        if source and self.has_extract(source) and not derived:
            selects.append(f"SELECT {self.source_key(source)} FROM {self.source_rows(source)}")
        selects.append(f"SELECT source_id FROM {self.ids(table)}")
        return f"({' UNION ALL '.join(selects)})"


def source_of(plan: Plan, table: str) -> str | None:
    """The source of a target or reference table; a source's own name; else None."""
    if table in plan.tables:
        return plan.tables[table].source
    if table in plan.references:
        return plan.references[table].source
    return table if table in plan.sources else None


def find_subject(plan: Plan, name: str) -> Subject:
    """The one table that a name means, among the plan's targets, reference tables and sources.

    Raises UserError if there is none, or more than one.
    """
    references = {r.name: r for r in plan.references.values()}
    references |= {r.source: r for r in plan.references.values() if r.source}
    fed = {table.source for table in plan.tables.values()}
    if name not in plan.tables and name not in fed:
        if name in references:
            return references[name]
        if name in plan.sources:
            return plan.sources[name]
    chosen = plan.select_tables([name])
    if len(chosen) != 1:
        raise UserError(
            f"`{name}` means {len(chosen)} tables, and a row is of one",
            f"name one of: {', '.join(table.name for table in chosen)}",
        )
    return chosen[0]


def find_row(staged: Staged, table: str, key: str) -> str:
    """The source key of the row with this source key or Convex id.

    Raises UserError if there is none; the error names another table that has such a row, if any.
    """
    found = _find(staged, table, key)
    if found is not None:
        return found
    plan = staged.plan
    for other in [*plan.tables, *plan.references]:
        if other != table and _find(staged, other, key) is not None:
            raise UserError(
                f"{table} has no row with the key or Convex id `{key}`; {other} has one",
                f"show it with: stages show {shlex.join([other, key])}",
                tables=[table],
            )
    source = source_of(plan, table)
    if not staged.rows(f"SELECT 1 FROM {staged.keys(table)} LIMIT 1"):
        raise UserError(
            f"nothing of {table} is staged yet",
            f"run: stages extract {source or ''}".rstrip(),
            tables=[table],
        )
    near = nearest(key, [row[0] for row in _similar(staged, table, key)])
    example = f"is it `{near}`? " if near else ""
    raise UserError(
        f"{table} has no row with the key or Convex id `{key}`",
        f"{example}see its keys with: stages sql {_keys_query(staged, table)}",
        tables=[table],
    )


def _find(staged: Staged, table: str, key: str) -> str | None:
    for text in dict.fromkeys((key, key.lower())):
        keys = staged.keys(table)
        rows = staged.rows(f"SELECT source_id FROM {keys} WHERE source_id = ? LIMIT 1", text)
        ids = staged.ids(table)
        rows += staged.rows(f"SELECT source_id FROM {ids} WHERE convex_id = ? LIMIT 1", text)
        if rows:
            return str(rows[0][0])
    return None


def _similar(staged: Staged, table: str, key: str) -> list[tuple[Any, ...]]:
    """A few keys that differ only slightly from a text, as by a typo."""
    return staged.rows(
        f"SELECT source_id FROM (SELECT DISTINCT source_id FROM {staged.keys(table)} "
        "WHERE abs(len(source_id) - len($1)) <= 2) WHERE levenshtein(source_id, $1) <= 2 "
        "ORDER BY levenshtein(source_id, $1), source_id LIMIT 5",
        key,
    )


def _keys_query(staged: Staged, table: str) -> str:
    if staged.workspace.documents(table).exists():
        return f'"select source_id from transform.{_in_shell(table)}"'
    source = source_of(staged.plan, table) or table
    return f'"from extract.{_in_shell(source)}"'


def _in_shell(name: str) -> str:
    """A name for SQL inside double quotes in a shell."""
    return short_name_sql(name).replace('"', '\\"')

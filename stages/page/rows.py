"""Rejected rows and changed values: the first of each group, or a page of those that match.

DuckDB counts and sorts them, so that even ten million are no problem.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stages.page.model import ROWS_OF_GROUP, ChangeRow, RejectRow
from stages.project.plan import Plan, TargetTable
from stages.rejects import rejects_sql
from stages.sql import file_sql, open_duckdb, text_sql
from stages.state.workspace import Workspace
from stages.views import MEMORY

if TYPE_CHECKING:
    import duckdb

# Characters of a value that the page shows; `show` prints all of it.
LONGEST = 400
REJECT_GROUP = ("table", "stage", "field", "rule")
CHANGE_GROUP = ("table", "field", "rule")
MOST_ROWS = 1000


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which rows are wanted: those equal in these columns, with the search text in their key or
    values; `limit` of them from `offset` on, which counts from 0."""

    equal: Mapping[str, str]
    search: str = ""
    offset: int = 0
    limit: int = 50


def first_rejects(
    workspace: Workspace, plan: Plan, *, values: bool, most: int = ROWS_OF_GROUP
) -> list[RejectRow]:
    """The first rows of each table, stage, field and rule, by source key."""
    sql = rejects_sql(workspace, plan.tables.values())
    rows = _first(workspace, sql, REJECT_GROUP, ("reason",) if values else (), most)
    return [RejectRow(**row) for row in rows]


def first_changes(
    workspace: Workspace, plan: Plan, *, values: bool, most: int = ROWS_OF_GROUP
) -> list[ChangeRow]:
    """The same for changes, by table, field and rule."""
    sql = changes_sql(workspace, plan.tables.values())
    rows = _first(workspace, sql, CHANGE_GROUP, ("old", "new") if values else (), most)
    return [ChangeRow(**row) for row in rows]


def reject_page(workspace: Workspace, plan: Plan, wanted: Wanted) -> tuple[int, list[RejectRow]]:
    """(how many rejects match, the wanted ones of them), with their reasons."""
    sql = rejects_sql(workspace, plan.tables.values())
    total, rows = _page(workspace, sql, (*REJECT_GROUP, "source_id"), ("reason",), wanted)
    return total, [RejectRow(**row) for row in rows]


def change_page(workspace: Workspace, plan: Plan, wanted: Wanted) -> tuple[int, list[ChangeRow]]:
    """The same for changes, with the old and new values."""
    sql = changes_sql(workspace, plan.tables.values())
    total, rows = _page(workspace, sql, (*CHANGE_GROUP, "source_id"), ("old", "new"), wanted)
    return total, [ChangeRow(**row) for row in rows]


def changes_sql(workspace: Workspace, tables: Iterable[TargetTable]) -> str:
    """SQL of every value that was changed: table, source_id, field, rule, old, new."""
    columns = ("table", "source_id", "field", "rule", "old", "new")
    nothing = ", ".join(f'NULL::VARCHAR AS "{name}"' for name in columns)
    selects = [f"SELECT {nothing} WHERE false"]
    selects += [
        f'SELECT {text_sql(table.name)}, source_id, field, rule, "old", "new" '
        f"FROM read_parquet({file_sql(file)})"
        for table in tables
        if (file := workspace.changes(table.name)).exists()
    ]
    return f"FROM ({' UNION ALL '.join(selects)})"


def _first(
    workspace: Workspace, sql: str, group: tuple[str, ...], texts: tuple[str, ...], most: int
) -> list[dict[str, Any]]:
    by = ", ".join(f'"{name}"' for name in group)
    values = "".join(f", '{name}': {_shortened(name)}" for name in texts)
    picked = f"min_by({{'source_id': source_id{values}}}, source_id, {most})"
    with _open(workspace) as connection:
        return _dicts(
            connection.sql(
                f"SELECT {by}, unnest(rows, recursive := true) FROM "
                f"(SELECT {by}, {picked} AS rows FROM ({sql}) GROUP BY {by} ORDER BY {by})"
            )
        )


def _page(
    workspace: Workspace, sql: str, columns: tuple[str, ...], texts: tuple[str, ...], wanted: Wanted
) -> tuple[int, list[dict[str, Any]]]:
    conditions = [f'"{name}" = ?' for name in wanted.equal]
    parameters = list(wanted.equal.values())
    if wanted.search:
        searched = " OR ".join(
            f"contains(lower({each}), lower(?))" for each in ("source_id", *texts)
        )
        conditions.append(f"({searched})")
        parameters += [wanted.search] * (1 + len(texts))
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    named = ", ".join(f'"{name}"' for name in columns)
    values = ", ".join(f"{_shortened(name)} AS {name}" for name in texts)
    with _open(workspace) as connection:
        counted = connection.execute(f"SELECT count(*) FROM ({sql}) {where}", parameters).fetchall()
        rows = _dicts(
            connection.sql(
                f"SELECT {named}, {values} FROM ({sql}) {where} ORDER BY {named} "
                f"LIMIT {wanted.limit:d} OFFSET {wanted.offset:d}",
                params=parameters,
            )
        )
    return counted[0][0], rows


def shortened(text: str) -> str:
    """A value as the page shows it: cut if it is long."""
    return f"{text[:LONGEST]}…" if len(text) > LONGEST else text


def _shortened(name: str) -> str:
    """The same for a column, as SQL."""
    cut = f"left(\"{name}\", {LONGEST}) || '…'"
    return f'CASE WHEN length("{name}") > {LONGEST} THEN {cut} ELSE "{name}" END'


def _open(workspace: Workspace) -> duckdb.DuckDBPyConnection:
    return open_duckdb(spill=workspace.query_spill(os.getpid()), memory=MEMORY)


def _dicts(relation: duckdb.DuckDBPyRelation) -> list[dict[str, Any]]:
    return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]

"""Uniqueness that the plan asks for: `unique = [["email"], ["workspace_id", "slug"]]`.

All rows that collide are rejected, even the first: no rule can say which one is right. A NULL
collides with nothing, as in Postgres, and neither does a row that is rejected for another reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.project.plan import TargetTable
from stages.rules import Rule
from stages.sql import first_row, name_sql, text_sql
from stages.transform.relations import CHANGED_VALUES, COLLISIONS, FAILING, PASSED

if TYPE_CHECKING:
    import duckdb


def find_collisions(connection: duckdb.DuckDBPyConnection, table: TargetTable) -> None:
    """Create `collisions of <table>(_source_id, failures)` from the rows of `passed`."""
    selects = [_collisions(group) for group in table.unique]
    if selects:
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {COLLISIONS.of(table.name)} AS SELECT _source_id, "
            "list({'field': field, 'rule': rule, 'reason': reason} ORDER BY field) AS failures "
            f"FROM ({' UNION ALL '.join(selects)}) GROUP BY _source_id"
        )


def reject_collisions(connection: duckdb.DuckDBPyConnection, table: TargetTable) -> int:
    """Add the rows of `passed` that collide to `failing`; return how many there are.

    In a cycle they were found when its tables were checked together, and that still holds.
    """
    if not table.unique:
        return 0
    (rows,) = first_row(
        connection,
        f"INSERT INTO {FAILING} SELECT _source_id, failures FROM {COLLISIONS.of(table.name)} "
        f"SEMI JOIN {PASSED} USING (_source_id)",
    )
    connection.execute(
        f"DELETE FROM {CHANGED_VALUES} WHERE _source_id IN (SELECT _source_id FROM {FAILING})"
    )
    return int(rows)


def _collisions(group: tuple[str, ...]) -> str:
    columns = ", ".join(name_sql(name) for name in group)
    filled = " AND ".join(f"{name_sql(name)} IS NOT NULL" for name in group)
    words = text_sql(f" rows have the same {' and '.join(group)}, the first is ")
    return (
        f"SELECT unnest(ids) AS _source_id, {text_sql(', '.join(group))} AS field, "
        f"{text_sql(Rule.NOT_UNIQUE)} AS rule, len(ids) || {words} || ids[1] AS reason "
        "FROM (SELECT list(_source_id ORDER BY _source_id) AS ids "
        f"FROM {PASSED} "
        f"WHERE {filled} GROUP BY {columns} HAVING count(*) > 1)"
    )

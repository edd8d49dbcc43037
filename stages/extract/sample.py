"""`--sample N`: the first rows of each table, and all rows that these refer to.

Each table's share is one SQL condition, so that a sample is read like everything else. References
from a table to itself, or in a cycle, are followed once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from stages.errors import UserError
from stages.extract.catalog import ForeignKeyEdge, Reading
from stages.extract.postgres import PostgresReader
from stages.extract.reader import Reader
from stages.sql import name_sql


def sample_readings(
    reader: Reader, readings: Mapping[str, Reading], rows: int
) -> dict[str, Reading]:
    """The readings, each with a condition that makes them a sample closed under foreign keys.

    Raises UserError over REST, which does not report foreign keys exactly and can't filter by them.
    """
    if not isinstance(reader, PostgresReader):
        raise UserError(
            "a sample needs Postgres: over REST, the rows that it refers to can't be added",
            "set SUPABASE_DB_URL, or make a view with a filter and name it as `table`",
        )
    keys = reader.foreign_keys()
    by_place = {reading.place: reading for reading in readings.values()}
    return {
        name: replace(
            reading, where=_condition(reading, by_place, keys, rows, frozenset()), sample=rows
        )
        for name, reading in readings.items()
    }


def _condition(
    reading: Reading,
    readings: Mapping[tuple[str, str], Reading],
    keys: list[ForeignKeyEdge],
    rows: int,
    visited: frozenset[tuple[str, str]],
) -> str:
    key_columns = ", ".join(name_sql(name) for name in reading.key) or "ctid"
    filtered = f"WHERE ({reading.where}) " if reading.where else ""
    sampled = (
        f"SELECT {key_columns} FROM {reading.from_sql} {filtered}"
        f"ORDER BY {key_columns} LIMIT {rows}"
    )
    conditions = [f"({key_columns}) IN ({sampled})"]
    for key in keys:
        child = readings.get(key.child)
        if key.parent != reading.place or child is None or key.child in visited:
            continue
        condition = _condition(child, readings, keys, rows, visited | {reading.place})
        parents = ", ".join(name_sql(name) for name in key.parent_columns)
        children = ", ".join(name_sql(name) for name in key.child_columns)
        referring = f"SELECT {children} FROM {child.from_sql} WHERE {condition}"
        conditions.append(f"({parents}) IN ({referring})")
    either = f"({' OR '.join(conditions)})"
    return f"({reading.where}) AND {either}" if reading.where else either

"""One table of a few rows, its model and its fields."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from tests.support.tiny_project import (
    Small,
)

INFINITY = 2**63 - 1


def table(**columns: Any) -> pa.Table:
    rows = len(next(iter(columns.values())))
    return pa.table({"id": pa.array(range(1, rows + 1), pa.int64()), **columns})


def things(small: Small, rows: pa.Table, fields: dict[str, Any], sql: str, plan: str = "") -> Small:
    """One table `things`, its model `SELECT key(id) AS _source_id, <sql> FROM extract.things`."""
    small.extract("things", rows, ["id"])
    small.schema("things", fields)
    small.write("plan.toml", f"max_rejects = 100\n[sources.others]\n[tables.things]\n{plan}\n")
    small.model("things", f"SELECT\n    key(id) AS _source_id,\n    {sql}\nFROM extract.things")
    return small

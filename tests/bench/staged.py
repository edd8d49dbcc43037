"""Projects whose extract is staged already, as `stages extract` leaves it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from stages.checkpoint import (
    make_folder,
    part_entry,
    write_manifest,
    write_parquet,
    write_zero_rows,
)
from stages.paths import Paths

from .setting import HERE, ROOT

PART_ROWS = 250_000
ACCOUNTS = 20_011
WORKSPACES = 307
SMALL = 300
MODEL = """\
SELECT
    key(id) AS _source_id,
    uid::VARCHAR AS uid,
    to_ms(created_at) AS created_at,
    to_ms(updated_at) AS updated_at,
    to_ms(started_at) AS started_at,
    to_ms(ended_at) AS ended_at,
    code,
    body,
    payload,
    amount::DOUBLE AS amount,
    quantity,
    score,
    active,
    pg_array(tags) AS tags,
    ref('accounts', account_id) AS account_id,
    ref('workspaces', workspace_id) AS workspace_id
FROM extract.events
"""
SCHEMA = """\
import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

export default defineSchema({
  accounts: defineTable({ name: v.string() }),
  workspaces: defineTable({ name: v.string() }),
  events: defineTable({
    uid: v.string(),
    created_at: v.number(),
    updated_at: v.optional(v.number()),
    started_at: v.number(),
    ended_at: v.optional(v.number()),
    code: v.string(),
    body: v.optional(v.string()),
    payload: v.any(),
    amount: v.number(),
    quantity: v.number(),
    score: v.number(),
    active: v.boolean(),
    tags: v.array(v.string()),
    account_id: v.id("accounts"),
    workspace_id: v.id("workspaces"),
  }),
});
"""


@contextmanager
def folder() -> Iterator[Path]:
    """A folder on a disk; gone at the end."""
    base = "/var/tmp" if Path("/var/tmp").is_dir() else None
    made = Path(tempfile.mkdtemp(prefix="stages-bench-", dir=base))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def events(project: Path, rows: int) -> Paths:
    """The 12 columns, two references and two more times; one account in 20,011 is not there."""
    paths = _project(project, SCHEMA, {
        "accounts": "SELECT key(id) AS _source_id, name FROM extract.accounts",
        "workspaces": "SELECT key(id) AS _source_id, name FROM extract.workspaces",
        "events": MODEL,
    })  # fmt: skip
    for table, count in (("account", ACCOUNTS - 1), ("workspace", WORKSPACES)):
        query = f"SELECT md5('{table}' || i)::UUID AS id, '{table} ' || i AS name "
        _stage(paths, f"{table}s", query + f"FROM range({count}) t (i) ORDER BY id", count)
    _stage(paths, "events", (HERE / "transform.sql").read_text("utf-8"), rows)
    return paths


def models(project: Path) -> Paths:
    """300 tables of a hundred rows; each but the first refers to the one before."""
    tables = [f"small_{number}" for number in range(SMALL)]
    fields = {
        name: "name: v.string(), made: v.number(), payload: v.any()"
        + (f', before: v.id("{tables[number - 1]}")' if number else "")
        for number, name in enumerate(tables)
    }
    schema = SCHEMA[: SCHEMA.index("  accounts")]
    schema += "".join(f"  {name}: defineTable({{ {of} }}),\n" for name, of in fields.items())
    paths = _project(project, schema + "});\n", {
        name: "SELECT key(id) AS _source_id, name, to_ms(made) AS made, payload"
        + (f", ref('{tables[number - 1]}', id) AS before" if number else "")
        + f" FROM extract.{name}"
        for number, name in enumerate(tables)
    })  # fmt: skip
    query = (
        "SELECT i AS id, md5(i::VARCHAR) AS name, TIMESTAMPTZ '2024-01-01 00:00:00+00' + "
        "to_seconds(i) AS made, ('{\"n\": ' || i || '}')::JSON AS payload FROM range(100) t (i)"
    )
    for name in tables:
        _stage(paths, name, query, 100)
    return paths


def _project(project: Path, schema: str, queries: dict[str, str]) -> Paths:
    """The user's files: plan, models, schema.ts."""
    paths = Paths(project=project, data=project / "data", target="bench")
    make_folder(paths.migrations / "models")
    make_folder(paths.convex)
    (paths.convex / "schema.ts").write_text(schema)
    (project / "node_modules").symlink_to(ROOT / "node_modules")
    plan = ['max_rejects = "1%"\n']
    for name, query in queries.items():
        plan.append(f'[tables.{name}]\nsource = "{name}"\n')
        paths.model(f"models/{name}.sql").write_text(query)
    paths.plan.write_text("".join(plan))
    return paths


def _stage(paths: Paths, name: str, query: str, rows: int) -> None:
    """Write the query's rows as closed parts and a manifest, streaming."""
    place = paths.extract(name)
    parts = []
    with duckdb.connect() as connection:
        # UUIDs and JSON are to be that in Parquet too.
        connection.execute("SET TimeZone = 'UTC'; SET arrow_lossless_conversion = true")
        for number, first in enumerate(range(1, rows + 1, PART_ROWS)):
            last = min(rows, first + PART_ROWS - 1)
            given = query.replace("$first", str(first)).replace("$last", str(last))
            reader = connection.sql(given).to_arrow_reader()
            file = place / f"part-{number:05}.parquet"
            schema = _as_extracted(reader.schema)
            parts.append(part_entry(write_parquet(file, schema, reader)))
            if "$first" not in query:
                break
        write_zero_rows(place, schema)
    write_manifest(place, {
        "source": name, "status": "complete", "key": ["id"], "rows": rows,
        "finished": "2026-01-01T00:00:00+00:00",
        "snapshots": [{"kind": "exported", "snapshot": "1", "at": "2026-01-01T00:00:00+00:00"}],
        "parts": parts,
    })  # fmt: skip


def _as_extracted(schema: pa.Schema) -> pa.Schema:
    """The same with plain booleans: what is lossless in DuckDB's eyes has a byte for each."""
    return pa.schema(
        [pa.field(f.name, pa.bool_() if f.type == pa.bool8() else f.type) for f in schema]
    )

"""Projects whose extract is staged already, as `stages extract` leaves it."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
from msgspec import structs

from stages.state.durable import make_folder
from stages.state.manifests import ExtractManifest, ExtractPart, Snapshot, write_manifest
from stages.state.parts import write_parquet, write_zero_rows
from stages.state.workspace import Workspace

from .setting import HERE, ROOT

PART_ROWS = 250_000
ACCOUNTS = 20_011
WORKSPACES = 307
SMALL = 300
# Column of the extract → its expression in the model, and its validator. The last three, a numeric,
# a jsonb and a text[], are what the wide table has more than the plain one.
COLUMNS = {
    "id": ("key(id) AS _source_id", None),
    "uid": ("uid::VARCHAR AS uid", "v.string()"),
    "created_at": ("to_ms(created_at) AS created_at", "v.number()"),
    "updated_at": ("to_ms(updated_at) AS updated_at", "v.optional(v.number())"),
    "started_at": ("to_ms(started_at) AS started_at", "v.number()"),
    "ended_at": ("to_ms(ended_at) AS ended_at", "v.optional(v.number())"),
    "code": ("code", "v.string()"),
    "body": ("body", "v.optional(v.string())"),
    "quantity": ("quantity", "v.number()"),
    "score": ("score", "v.number()"),
    "account_id": ("ref('accounts', account_id) AS account_id", 'v.id("accounts")'),
    "workspace_id": ("ref('workspaces', workspace_id) AS workspace_id", 'v.id("workspaces")'),
    "active": ("active", "v.boolean()"),
    "amount": ("amount::DOUBLE AS amount", "v.number()"),
    "payload": ("payload", "v.any()"),
    "tags": ("pg_array(tags) AS tags", "v.array(v.string())"),
}
PLAIN = 12
SCHEMA = """\
import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

export default defineSchema({
"""


def events(project: Path, rows: int, *, wide: bool = False) -> Workspace:
    """12 columns, of them two references and four times; one account in 20,011 is not there.

    `wide` has 16: a flag, a numeric, a jsonb for v.any() and an array of texts more.
    """
    columns = dict(list(COLUMNS.items())[: None if wide else PLAIN])
    picked = ", ".join(columns)
    fields = ", ".join(f"{name}: {kind}" for name, (_, kind) in columns.items() if kind)
    schema = (
        SCHEMA + "  accounts: defineTable({ name: v.string() }),\n"
        "  workspaces: defineTable({ name: v.string() }),\n"
        f"  events: defineTable({{ {fields} }}),\n}});\n"
    )
    expressions = ",\n    ".join(expression for expression, _ in columns.values())
    workspace = _project(project, schema, {
        "accounts": "SELECT key(id) AS _source_id, name FROM extract.accounts",
        "workspaces": "SELECT key(id) AS _source_id, name FROM extract.workspaces",
        "events": f"SELECT\n    {expressions}\nFROM extract.events\n",
    })  # fmt: skip
    for table, count in (("account", ACCOUNTS - 1), ("workspace", WORKSPACES)):
        query = f"SELECT md5('{table}' || i)::UUID AS id, '{table} ' || i AS name "
        _stage(workspace, f"{table}s", query + f"FROM range({count}) t (i) ORDER BY id", count)
    query = (HERE / "transform.sql").read_text("utf-8")
    _stage(workspace, "events", f"SELECT {picked} FROM ({query})", rows)
    return workspace


def disorder(workspace: Workspace) -> None:
    """Let the model of `events` give its rows in an order that is not that of their keys."""
    model = workspace.model("models/events.sql")
    model.write_text(model.read_text() + "ORDER BY code\n")


def models(project: Path) -> Workspace:
    """300 tables of a hundred rows; each but the first refers to the one before."""
    tables = [f"small_{number}" for number in range(SMALL)]
    fields = {
        name: "name: v.string(), made: v.number(), payload: v.any()"
        + (f', before: v.id("{tables[number - 1]}")' if number else "")
        for number, name in enumerate(tables)
    }
    schema = SCHEMA + "".join(
        f"  {name}: defineTable({{ {of} }}),\n" for name, of in fields.items()
    )
    workspace = _project(project, schema + "});\n", {
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
        _stage(workspace, name, query, 100)
    return workspace


def _project(project: Path, schema: str, queries: dict[str, str]) -> Workspace:
    """The user's files: plan, models, schema.ts."""
    workspace = Workspace(project=project, data=project / "data", target="bench")
    make_folder(workspace.migrations / "models")
    make_folder(workspace.convex)
    (workspace.convex / "schema.ts").write_text(schema)
    (project / "node_modules").symlink_to(ROOT / "node_modules")
    plan = ['max_rejects = "1%"\n']
    for name, query in queries.items():
        plan.append(f'[tables.{name}]\nsource = "{name}"\n')
        workspace.model(f"models/{name}.sql").write_text(query)
    workspace.plan.write_text("".join(plan))
    return workspace


def _stage(workspace: Workspace, name: str, query: str, rows: int) -> None:
    """Write the query's rows as closed parts and a manifest, streaming."""
    place = workspace.extract(name)
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
            part = write_parquet(file, schema, reader)
            parts.append(ExtractPart(**structs.asdict(part), span=number, number=0))
            if "$first" not in query:
                break
        write_zero_rows(place, schema)
    at = "2026-01-01T00:00:00+00:00"
    write_manifest(place, ExtractManifest(
        table=name, status="complete", transport="postgres", key=["id"], rows=rows, finished=at,
        snapshots=[Snapshot(kind="exported", snapshot="1", at=at)], parts=parts,
    ))  # fmt: skip


def _as_extracted(schema: pa.Schema) -> pa.Schema:
    """The same with plain booleans: what is lossless in DuckDB's eyes has a byte for each."""
    return pa.schema(
        [pa.field(f.name, pa.bool_() if f.type == pa.bool8() else f.type) for f in schema]
    )

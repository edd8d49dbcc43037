"""Verify against a sink that has its pages ready: documents a second, and the memory it takes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
from msgspec import structs

from stages.convex.schema import load_schema
from stages.project.freshness import staged_inputs
from stages.project.plan_reader import load_plan
from stages.state.fingerprints import hash_file
from stages.state.identity import TargetIdentity
from stages.state.manifests import (
    ExtractManifest,
    ExtractPart,
    LoadManifest,
    Part,
    Snapshot,
    TransformManifest,
    write_manifest,
)
from stages.state.records import write_record
from stages.state.workspace import Workspace
from tests.support.sandboxes import open_folder

from .measure import Contestant, judge, peak, race, seconds, show
from .setting import ROOT

PAGE = 4096
PLAN = '[reference.workspaces]\n[tables.items]\nsource = "items"\n'
SCHEMA = """\
import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";
export default defineSchema({
  workspaces: defineTable({ slug: v.string() }),
  items: defineTable({
    workspace_id: v.id("workspaces"), slug: v.string(), title: v.string(), body: v.string(),
    quantity: v.number(), created_at: v.number(), active: v.boolean(),
  }),
});
"""
MODEL = (
    "SELECT id AS _source_id, ref('workspaces', workspace_id) AS workspace_id FROM extract.items"
)
# One row of the source; a document of it has about 400 bytes.
ROW = """
    printf('%08d', i) AS source_id, 'w' || i % 100 AS workspace, md5(i::VARCHAR) AS _id,
    'slug-' || i AS slug, 'The title of ' || i AS title, repeat(md5((i + 1)::VARCHAR), 6) AS body,
    (i % 977)::DOUBLE AS quantity, 1.7e12 + i AS created_at, i % 3 = 0 AS active
"""
FIELDS = "slug, title, body, quantity, created_at, active"


def bench(rows: int, repeat: int) -> None:
    """One table of so many documents, its ledger, and a hundred workspaces."""
    with open_folder("bench") as folder:
        _make(folder, rows)
        with subprocess.Popen(
            [sys.executable, "-m", "tests.bench.page_sink", str(folder / "pages")],
            cwd=ROOT, stdout=subprocess.PIPE, text=True,
        ) as sink:  # fmt: skip
            try:
                assert sink.stdout
                _race(folder, int(sink.stdout.readline()), rows, repeat)
            finally:
                sink.kill()


def _race(folder: Path, port: int, rows: int, repeat: int) -> None:
    each = Contestant(
        name=f"verify, {rows:,} documents",
        command=[
            sys.executable, "-m", "stages", "--project", str(folder / "project"),
            "--data", str(folder / "data"), "verify",
        ],
        environment={
            "SUPABASE_DB_URL": "postgresql://nobody@127.0.0.1/none",
            "CONVEX_URL": f"http://127.0.0.1:{port}",
            "CONVEX_DEPLOY_KEY": "dev:bench|0",
        },
    )  # fmt: skip
    runs = race([each], repeat)
    show(f"verify against a sink that has its pages ready, medians of {repeat}", runs)
    counts = json.loads((folder / "data/targets/default/verify/manifest.json").read_text())["items"]
    if counts["verified"] != rows or sum(counts.values()) != rows:
        raise click.ClickException(f"verify has found {counts}")
    (took,) = runs.values()
    judge("documents a second", rows / seconds(took), least=20_000)
    judge("peak, MiB", peak(took), most=2048)


def _make(folder: Path, rows: int) -> None:
    """A project whose table is loaded, as its files say; and the sink's pages."""
    import duckdb

    workspace = Workspace(project=folder / "project", data=folder / "data", target="default")
    for file, text in (
        (workspace.plan, PLAN),
        (workspace.convex / "schema.ts", SCHEMA),
        (workspace.model("models/items.sql"), MODEL),
    ):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (workspace.project / "node_modules").symlink_to(ROOT / "node_modules")
    with duckdb.connect(str(folder / "made.duckdb")) as connection:
        connection.execute(f"CREATE TABLE made AS SELECT i, {ROW} FROM range({rows}) r(i)")
        _stage(connection, workspace, rows)
        _pages(connection, folder / "pages", rows)
    (folder / "made.duckdb").unlink()


def _stage(connection: Any, workspace: Workspace, rows: int) -> None:
    def part(file: Path, sql: str) -> Part:
        file.parent.mkdir(parents=True, exist_ok=True)
        connection.execute(f"COPY ({sql}) TO '{file}' (FORMAT parquet, COMPRESSION zstd)")
        return Part(file=file.name, rows=rows, bytes=file.stat().st_size, sha256=hash_file(file))

    plan = load_plan(workspace.plan)
    load_schema(workspace)
    extract, transform = workspace.extract("items"), workspace.transform("items")
    source = f"SELECT source_id AS id, workspace AS workspace_id, {FIELDS} FROM made ORDER BY i"
    read = part(extract / "part-00000.parquet", source)
    part(extract / "schema.parquet", f"{source} LIMIT 0")
    write_manifest(extract, ExtractManifest(
        table="items", status="complete", transport="postgres", rows=rows,
        snapshots=[Snapshot(kind="exported", snapshot="1", at="2026-01-01T00:00:00+00:00")],
        parts=[ExtractPart(**structs.asdict(read), span=0, number=0)],
    ))  # fmt: skip
    nothing = "SELECT '' AS source_id, '' AS field, '' AS rule WHERE false"
    parts = [
        part(
            transform / "documents.parquet",
            "SELECT source_id AS _source_id, 'workspaces:' || workspace AS workspace_id, "
            f"{FIELDS} FROM made ORDER BY i",
        ),
        part(transform / "rejects.parquet", nothing),
        part(transform / "changes.parquet", nothing),
    ]
    inputs = staged_inputs(workspace, plan, plan.tables["items"])
    write_manifest(transform, TransformManifest(
        table="items", source="items", status="complete", made_from="", source_rows=rows,
        documents=rows, rejects=0, changes=0, parts=parts, inputs=inputs,
    ))  # fmt: skip
    ids = part(
        workspace.load("items") / "ids.parquet",
        "SELECT source_id, _id AS convex_id FROM made ORDER BY i",
    )
    write_manifest(workspace.load("items"), LoadManifest(
        table="items", source="items", status="complete", made_from="", channel="functions",
        documents=rows, counts={"removed": 0}, ids=ids, content=parts[0].sha256,
    ))  # fmt: skip
    part(
        workspace.keys / "workspaces.parquet",
        "SELECT 'w' || w AS source_id, md5('w' || w) AS convex_id FROM range(100) r(w)",
    )
    write_record(workspace.identity, TargetIdentity(deployment="bench", epoch="bench"))


def _pages(connection: Any, folder: Path, rows: int) -> None:
    document = (
        "json_object('_creationTime', created_at, '_id', _id, 'active', active, 'body', body, "
        "'created_at', created_at, 'quantity', quantity, 'slug', slug, 'title', title, "
        "'workspace_id', md5(workspace))"
    )
    ledger = (
        "json_object('_creationTime', created_at, '_id', md5(_id), 'digest', sha256(slug), "
        "'documentId', _id, 'sourceId', source_id, 'stored', sha256(title), 'table', 'items')"
    )
    workspaces = "(SELECT w AS i, json_object('_id', md5('w' || w), 'slug', 's') AS document "
    workspaces += "FROM range(100) r(w))"
    for table, relation, number in (
        ("items", f"(SELECT i, {document} AS document FROM made)", rows),
        ("migrationLedger", f"(SELECT i, {ledger} AS document FROM made)", rows),
        ("workspaces", workspaces, 100),
    ):
        (folder / table).mkdir(parents=True)
        for first in range(0, number, PAGE):
            page = connection.execute(
                "SELECT string_agg(document::VARCHAR, ',' ORDER BY i) "
                f"FROM {relation} WHERE i >= {first} AND i < {first + PAGE}"
            ).fetchall()[0][0]
            following = first + PAGE
            (folder / table / f"{first}.json").write_text(
                f'{{"status":"success","value":{{"page":[{page}],"isDone":'
                f'{json.dumps(following >= number)},"continueCursor":"{following}"}}}}'
            )

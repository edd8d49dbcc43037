"""`load --through import --to FILE`: minting, encoding and packing, without a deployment."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

import click
import duckdb

from stages.convex.schema import Schema
from stages.convex.snapshots import assigned_numbers
from stages.load.importing.snapshot_file import Snapshot
from stages.progress import Silent
from stages.project.plan import Plan, TargetTable
from stages.state.durable import make_folder
from stages.state.parts import write_parquet
from stages.state.workspace import Workspace
from tests.support.sandboxes import open_folder

from .measure import judge

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LARGER = 4
FIELDS = {
    "workspace": {"type": "id", "tableName": "workspaces"},
    "author": {"type": "id", "tableName": "authors"},
    "title": {"type": "string"}, "body": {"type": "string"}, "rank": {"type": "number"},
    "open": {"type": "boolean"}, "created_at": {"type": "number"},
    "updated_at": {"type": "number"},
}  # fmt: skip
# 400 bytes of JSON a line, system fields and two references included; keys are uuids or numbers.
DOCUMENTS = """
    SELECT {key} AS _source_id,
        'workspaces:' || md5((i % 100)::VARCHAR)::UUID AS workspace,
        'authors:' || md5((i % 10000)::VARCHAR)::UUID AS author,
        'Document ' || i AS title, left(repeat(md5(i::VARCHAR) || ' ', 4), 114) AS body,
        (i % 1000)::DOUBLE AS rank, i % 3 = 0 AS open, 1700000000000 + i::DOUBLE AS created_at,
        1700000000001 + i::DOUBLE AS updated_at, 1700000000000 + i / 8 AS _creation_time
    FROM range({rows}) t(i) ORDER BY _source_id
"""
KEYS = {"uuid keys": "md5('key ' || i)::UUID::VARCHAR", "bigint keys": "i::VARCHAR"}


def bench(rows: int, repeat: int) -> None:
    """Some rows with keys of both kinds, several times; then more of them, for the memory."""
    peaks = []
    for keys in KEYS:
        figures = _run(rows, keys, repeat)
        seconds, peak, line, packed = figures
        click.echo(
            f"\n--to FILE, {rows:,} documents, {keys}: median {seconds:.2f} s, {peak:.0f} MiB, "
            f"{line:.0f} bytes a line, {packed:.0f} packed"
        )
        judge("documents a second", rows / seconds, least=150_000)
        peaks.append(peak)
    larger = _run(rows * LARGER, "uuid keys", 1)
    click.echo(f"\n{rows * LARGER:,} documents: {larger[0]:.2f} s, {larger[1]:.0f} MiB")
    judge("memory beside that of fewer rows, MiB", larger[1] - peaks[0], most=64)


def _run(rows: int, keys: str, repeat: int) -> tuple[float, float, float, float]:
    """Median seconds of the writing, the greatest peak in MiB, bytes a line and as packed."""
    with open_folder("bench") as folder:
        file = _paths(folder).transform("documents") / "documents.parquet"
        with duckdb.connect() as connection:
            connection.execute("SET memory_limit = '4GiB'")
            connection.execute(f"SET temp_directory = '{folder / 'spill'}'")
            relation = connection.sql(DOCUMENTS.format(rows=rows, key=KEYS[keys]))
            reader = relation.to_arrow_reader(100_000)
            make_folder(file.parent)
            write_parquet(file, reader.schema, reader)
        runs = [_child(folder) for _ in range(repeat)]
    return (
        median(each["seconds"] for each in runs),
        max(each["peak"] for each in runs) / 1024,
        runs[0]["text"] / rows,
        runs[0]["packed"] / rows,
    )


def _child(folder: Path) -> dict[str, float]:
    ran = subprocess.run(
        [sys.executable, "-I", "-S", str(HERE / "spawn.py"),
         sys.executable, "-m", "tests.bench.bench_import", str(folder)],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    spawned = json.loads(ran.stdout)
    if spawned["code"]:
        raise click.ClickException("the snapshot could not be written")
    figures: dict[str, float] = json.loads((folder / "told.json").read_text())
    return {**figures, "peak": spawned["peak"]}


# ── the child ───────────────────────────────────────────────────────────────────────────────


def _paths(folder: Path) -> Workspace:
    return Workspace(project=folder, data=folder / "data", target="bench")


def _write(folder: Path) -> None:
    import time
    from zipfile import ZipFile

    fields = {name: {"fieldType": kind, "optional": False} for name, kind in FIELDS.items()}
    exported: list[dict[str, Any]] = [
        {"tableName": "documents", "documentType": {"type": "object", "value": fields}},
        *({"tableName": name, "documentType": {"type": "object", "value": {}}}
          for name in ("workspaces", "authors")),
    ]  # fmt: skip
    names = [table["tableName"] for table in exported]
    tables = {
        name: TargetTable(name=name, source=name, model="", function="") for name in names
    }  # fmt: skip
    plan = Plan(
        file=folder / "plan.toml", name="", module="migrate", sources={}, references={},
        tables=tables, targets={}, report_json="", report_summary="", sides={},
    )  # fmt: skip
    schema = Schema({"tables": exported})
    workspace = _paths(folder)
    documents = workspace.transform("documents") / "documents.parquet"
    with duckdb.connect() as connection:
        for parent in ("workspace", "author"):
            rows = connection.sql(
                f"SELECT DISTINCT substr({parent}, {len(parent) + 3}) AS _source_id FROM "
                f"read_parquet('{documents}') ORDER BY 1"
            ).to_arrow_table()
            file = workspace.transform(f"{parent}s") / "documents.parquet"
            write_parquet(file, rows.schema, rows.to_batches())
    snapshot = Snapshot(workspace, plan, schema, list(tables.values()), assigned_numbers(schema))
    file = folder / "snapshot.zip"
    began = time.monotonic()
    part, _ = snapshot.write(file, Silent())
    seconds = time.monotonic() - began
    with ZipFile(file) as archive:
        text = archive.getinfo("documents/documents.jsonl").file_size
    figures = {"seconds": seconds, "text": text, "packed": part.bytes}
    (folder / "told.json").write_text(json.dumps(figures))


if __name__ == "__main__":
    _write(Path(sys.argv[1]))

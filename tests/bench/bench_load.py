"""Load against a sink: a stand-in that speaks the HTTP API, keeps nothing, and answers at once.

What is measured is what load itself can do, on a machine that it shares with the sink; a real
deployment writes 4 MiB/s, some 8,000 such documents, on its smallest class.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.request import urlopen

import click
import duckdb
import pyarrow as pa

from stages.convex.schema import SchemaCache
from stages.project.freshness import staged_inputs
from stages.project.plan_reader import load_plan
from stages.state.manifests import TransformManifest, write_manifest
from stages.state.parts import write_parquet
from stages.state.records import write_record
from stages.transform.staged_files import REJECT_COLUMNS
from tests.support.sandboxes import open_folder

from .children_load import paths_of
from .measure import judge

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SLOTS = 16
LATENCY = 80
# Of the run with latency: 16 slots of 80 ms are 200 batches a second.
SMALL_BATCH = 100
TABLE = "documents"
FIELDS = {"title": "string", "body": "string", "rank": "number", "open": "boolean",
          "created_at": "number"}  # fmt: skip
# A document of 400 bytes of JSON, with a random uuid as its source key.
DOCUMENTS = """
    SELECT uuid()::VARCHAR AS _source_id, 'Document ' || i AS title,
        left(repeat(md5(i::VARCHAR) || ' ', 12), 304) AS body, (i % 1000)::DOUBLE AS rank,
        i % 3 = 0 AS open, 1700000000000 + i::DOUBLE AS created_at
    FROM range({rows}) t(i) ORDER BY _source_id
"""


@dataclass(frozen=True, kw_only=True)
class Found:
    """Seconds of the work, up to the first request, and from there to the last answer; CPU and MiB
    of the process."""

    seconds: float
    first: float
    sending: float
    cpu: float
    peak: float
    requests: int
    most: int


def bench(rows: int, repeat: int) -> None:
    """As fast as can be, with latency, without checkpoint, and resumed."""
    with staged_documents(rows) as folder:
        quick, bare = [], []
        for _ in range(repeat):
            bare.append(load_once(folder, checkpoint=False))
            quick.append(load_once(folder))
        _halve(folder)
        resumed = load_once(folder, keep=True)
        _show(f"load, {rows:,} documents of 400 bytes, a sink that answers at once", rows, quick)
        _show("the same, and no answer is written down", rows, bare)
        judge("documents a second", rows / _seconds(quick), least=20_000)
        judge("what acks and fsync add to the time of sending, %",
              100 * (_sending(quick) / _sending(bare) - 1), most=10)  # fmt: skip
        judge("resumed with half acknowledged: seconds to the first request",
              resumed.first, most=3)  # fmt: skip
    few = min(rows, 200_000)
    with staged_documents(few) as folder:
        late = [
            load_once(folder, latency=LATENCY, batch=SMALL_BATCH) for _ in range(min(repeat, 3))
        ]
        _show(
            f"load, {few:,} documents, {SMALL_BATCH} a batch, {LATENCY} ms and {SLOTS} slots",
            few, late,
        )  # fmt: skip
        allowed = SLOTS / LATENCY * 1000
        rate = median(each.requests / each.sending for each in late)
        judge("share of the batches that slots and latency allow, %", 100 * rate / allowed,
              least=90)  # fmt: skip


def bench_larger(rows: int) -> None:
    """Whether memory depends on the number of documents."""
    runs = {}
    for each in (rows, 10 * rows):
        with staged_documents(each) as folder:
            runs[each] = load_once(folder)
            _show(f"load, {each:,} documents", each, [runs[each]])
    judge("memory of ten times as many documents, as a ratio",
          runs[10 * rows].peak / runs[rows].peak, most=1.25)  # fmt: skip


@contextmanager
def staged_documents(rows: int) -> Iterator[Path]:
    """A project and a data folder with one table that is transformed, and nothing loaded."""
    with open_folder("bench") as folder:
        workspace = paths_of(folder)
        workspace.plan.parent.mkdir(parents=True)
        workspace.plan.write_text(f"[sources.{TABLE}]\n[tables.{TABLE}]\nsource = '{TABLE}'\n")
        document = {
            "type": "object",
            "value": {
                name: {"fieldType": {"type": kind}, "optional": False}
                for name, kind in FIELDS.items()
            },
        }
        exported = {"tables": [{"tableName": TABLE, "documentType": document, "indexes": []}]}
        write_record(workspace.schema, SchemaCache(made_from="", inputs=[], exported=exported))
        with duckdb.connect(config={"temp_directory": str(folder / "spill")}) as connection:
            connection.execute("SET memory_limit = '4GiB'")
            reader = connection.sql(DOCUMENTS.format(rows=rows)).to_arrow_reader()
            part = write_parquet(
                workspace.transform(TABLE) / "documents.parquet", reader.schema, reader
            )
        texts = pa.schema([(name, pa.string()) for name in REJECT_COLUMNS])
        rejects = write_parquet(workspace.rejects(TABLE), texts, [])
        plan = load_plan(workspace.plan)
        write_manifest(
            workspace.transform(TABLE),
            TransformManifest(
                table=TABLE, source=TABLE, status="complete", made_from="", documents=rows,
                rejects=0, changes=0, source_rows=rows, parts=[part, rejects],
                inputs=staged_inputs(workspace, plan, plan.tables[TABLE]),
            ),
        )  # fmt: skip
        yield folder


def _halve(folder: Path) -> None:
    """The journal as a kill in the middle of a load would have left it."""
    place = paths_of(folder).load(TABLE)
    (place / "manifest.json").unlink()
    acks = place / "acks.jsonl"
    content = acks.read_bytes()
    acks.write_bytes(content[: content.index(b"\n", len(content) // 2) + 1])


def load_once(
    folder: Path, *, latency: int = 0, batch: int = 0, checkpoint: bool = True, keep: bool = False
) -> Found:
    """One load; of everything unless the acks that are there are to be kept."""
    workspace = paths_of(folder)
    if not keep:
        shutil.rmtree(workspace.target_folder / "load", ignore_errors=True)
        workspace.identity.unlink(missing_ok=True)
    config = folder / "config.json"
    with _sink(folder, latency) as url:
        config.write_text(
            json.dumps(
                {"folder": str(folder), "url": url, "checkpoint": checkpoint, "batch": batch}
            )
        )
        child = subprocess.run(
            [
                sys.executable, "-I", "-S", str(HERE / "spawn.py"),
                sys.executable, "-m", "tests.bench.children_load", str(config),
            ],
            cwd=ROOT, capture_output=True, text=True, check=True, env=os.environ,
        )  # fmt: skip
        report = json.loads(child.stdout)
        ended = time.time()
        if report["code"]:
            raise click.ClickException(child.stderr[-2000:])
        with urlopen(f"{url}/seen") as answer:
            seen = json.loads(answer.read())
    began = float(config.with_suffix(".began").read_text())
    return Found(
        seconds=ended - began,
        first=seen["first"] / 1000 - began,
        sending=(seen["last"] - seen["first"]) / 1000,
        cpu=report["cpu"],
        peak=report["peak"] / 1024,
        requests=seen["requests"],
        most=seen["most"],
    )


@contextmanager
def _sink(folder: Path, latency: int) -> Iterator[str]:
    ready = folder / "sink.ready"
    ready.unlink(missing_ok=True)
    config = json.dumps({"ready": str(ready), "table": TABLE, "latency": latency, "slots": SLOTS})
    node = shutil.which("node")
    assert node, "node is not on the PATH"
    process = subprocess.Popen([node, "--import", "tsx", str(HERE / "sink.ts"), config], cwd=ROOT)
    try:
        while not ready.exists():
            if process.poll() is not None:
                raise click.ClickException("the sink did not start")
            time.sleep(0.02)
        yield f"http://127.0.0.1:{ready.read_text()}"
    finally:
        process.kill()
        process.wait()


def _seconds(runs: list[Found]) -> float:
    return median(each.seconds for each in runs)


def _sending(runs: list[Found]) -> float:
    return median(each.sending for each in runs)


def _show(title: str, rows: int, runs: list[Found]) -> None:
    click.echo(f"\n{title}")
    click.echo(
        f"  {_seconds(runs):.2f} s, {rows / _seconds(runs):,.0f} documents/s, "
        f"CPU {median(each.cpu for each in runs):.2f} s, "
        f"peak {max(each.peak for each in runs):.0f} MiB, "
        f"first request after {median(each.first for each in runs):.2f} s, "
        f"{_sending(runs):.2f} s from there to the last answer, "
        f"{runs[0].requests:,} requests, {max(each.most for each in runs)} at once at most; "
        f"all runs: {' '.join(f'{each.seconds:.2f}' for each in runs)}"
    )

"""The sandbox's Convex host: documents with one reference written and read back, over HTTP.

What is measured is the host: batches as `load` sends them, one after the other, then the pages that
`verify` reads, of documents and of ledger rows.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import click

from stages.convex import client
from tests.faults.support import host

from .measure import judge

BATCH = 500
PAGE = 4096
TABLE = "articles"
SEED = (
    '{"table": "workspaces", "key": "1", "document": {"name": "Acme", "slug": "acme", '
    '"owner_id": "user_1", "created_at": 1, "updated_at": 2}}'
)


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Seconds of a load, of reading all of it back, of a load that changes nothing, and of a start
    of the host with all of it."""

    load: float
    read: float
    again: float
    start: float


def bench(rows: int) -> None:
    """A tenth of the documents, half of them, and all: time is to grow as they do."""
    rates = {}
    for each in (rows // 10, rows // 2, rows):
        found = _run(each)
        rates[each] = each / found.load
        click.echo(
            f"\nConvex host, {each:,} documents with a reference: load {found.load:.1f} s, "
            f"{each / found.load:,.0f} documents/s; the same again {found.again:.1f} s; documents "
            f"and ledger read back {found.read:.1f} s, {each / found.read:,.0f} documents/s; "
            f"started again with them {found.start:.1f} s"
        )
    judge("documents a second of all, as a ratio to those of a tenth",
          rates[rows] / rates[rows // 10], least=0.6)  # fmt: skip
    judge("seconds for 100,000 documents", 100_000 / rates[rows], most=180)


def _run(rows: int) -> Figures:
    with tempfile.TemporaryDirectory(prefix="stages-bench-") as name:
        folder = Path(name)
        seed, documents = folder / "seed.jsonl", folder / "documents.jsonl"
        seed.write_text(SEED)
        with host(folder / "host", None, seed=seed, documents=documents) as running:
            with client.Deployment(running.target()) as deployment:
                (acme,) = _pages(deployment, "workspaces")
                workspace = str(acme["_id"])
                times = [time.monotonic()]
                _load(deployment, rows, workspace)
                times.append(time.monotonic())
                assert len(_pages(deployment, TABLE)) == rows
                assert len(_pages(deployment, "migrationLedger", ledgerOf=TABLE)) == rows
                times.append(time.monotonic())
                _load(deployment, rows, workspace)
                times.append(time.monotonic())
            running.stop()
            running.start()
            times.append(time.monotonic())
    load, read, again, start = (after - before for before, after in pairwise(times))
    return Figures(load=load, read=read, again=again, start=start)


def _load(deployment: client.Deployment, rows: int, workspace: str) -> None:
    for first in range(0, rows, BATCH):
        records = [_record(i, workspace) for i in range(first, min(rows, first + BATCH))]
        deployment.mutation("migrate:bulkInsertArticles", {"records": records})


def _record(i: int, workspace: str) -> dict[str, object]:
    # Keys come in no order.
    digest = hashlib.sha256(str(i).encode()).hexdigest()
    return {
        "sourceId": str(UUID(digest[:32])),
        "digest": digest,
        "document": {
            "workspace_id": workspace, "title": f"Document {i}", "slug": f"document-{i}",
            "content": digest * 4, "status": "draft", "created_at": 1.7e12 + i,
            "updated_at": 1.7e12 + i,
        },
    }  # fmt: skip


def _pages(deployment: client.Deployment, table: str, **more: str) -> list[dict[str, object]]:
    documents: list[dict[str, object]] = []
    cursor: str | None = None
    while True:
        args = {"table": table, "cursor": cursor, "numItems": PAGE, **more}
        page = deployment.query("migrate:readPage", args)
        documents += page["page"]
        if page["isDone"]:
            return documents
        cursor = page["continueCursor"]

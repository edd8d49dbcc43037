"""A separate Convex deployment for a test, and its content in a comparable form."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.convex import client
from stages.project.plan_reader import load_plan
from stages.project.settings import Secret, Target
from stages.sandbox import SandboxSource, State
from stages.sandbox.service import environment
from tests.support import forked_python
from tests.support.command_line import ROOT, Stages

NAME = "faults"
KEY = f"{NAME}|{'5c' * 32}"
SECRET = "7b" * 24
LEDGER = "migrationLedger"
START_SECONDS = 30.0

PLAN = load_plan(ROOT / ".planning" / "migrations" / "plan.toml")
TABLES = [name for name in PLAN.tables if name != "formTemplates"]
KILLED = -9

Documents = dict[str, dict[str, dict[str, Any]]]


@dataclass
class Host:
    """A Convex host in its own process. Every start is a fresh deployment with the same name, so
    that data staged for one can be loaded into the next, unless it keeps `documents`."""

    folder: Path
    state: State | None
    convex: Path = ROOT / "convex"
    secret: str | None = SECRET
    # The first documents; by default those with which the sandbox seeded its own deployment.
    seed: Path | None = None
    # The file that keeps its documents, so that the next start is the same deployment.
    documents: Path | None = None
    process: subprocess.Popen[bytes] | None = None
    url: str = ""
    site_url: str = ""

    def start(self) -> None:
        seed = self.seed or (self.state and self.state.root / "convex-sandbox.seed.jsonl")
        ready = self.folder / "host.ready.json"
        ready.unlink(missing_ok=True)
        config = self.folder / "host.json"
        config.write_text(
            json.dumps(
                {
                    "name": NAME,
                    "convex": str(self.convex),
                    "modules": ["migrate", "stages"],
                    "adminKey": KEY,
                    "env": {"MIGRATION_SECRET": self.secret} if self.secret else {},
                    "seed": seed and str(seed),
                    "documents": self.documents and str(self.documents),
                    "ready": str(ready),
                }
            )
        )
        node = shutil.which("node")
        assert node, "node is not on the PATH"
        main = ROOT / "stages" / "sandbox" / "host" / "main.ts"
        with (self.folder / "host.log").open("wb") as log:
            self.process = subprocess.Popen(
                [node, "--import", "tsx", str(main), str(config)],
                cwd=ROOT, env=environment(), stdout=log, stderr=log,
            )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while not ready.exists():
            alive = self.process.poll() is None and time.monotonic() < deadline
            assert alive, self.log
            time.sleep(0.01)
        self.url, self.site_url = self.addresses["url"], self.addresses["siteUrl"]

    @property
    def addresses(self) -> dict[str, Any]:
        """The addresses that it wrote when it began to serve."""
        written: dict[str, Any] = json.loads((self.folder / "host.ready.json").read_text("utf-8"))
        return written

    @property
    def log(self) -> str:
        return (self.folder / "host.log").read_text("utf-8")

    @property
    def source(self) -> SandboxSource:
        """Where the rows of this project come from."""
        assert self.state, "this deployment has no source"
        return self.state.source

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def settings(self, *, convex: str = "", site: str = "", supabase: str = "") -> dict[str, str]:
        """The environment of a user of this deployment; a proxy may replace an address."""
        source = self.source
        return {
            "SUPABASE_URL": supabase or source.url,
            "SUPABASE_SERVICE_ROLE_KEY": source.service_role_key,
            "SUPABASE_DB_URL": source.db_url,
            "CONVEX_URL": convex or self.url,
            "CONVEX_SITE_URL": site or self.site_url,
            "CONVEX_DEPLOY_KEY": KEY,
            "MIGRATION_SECRET": SECRET,
        }

    def target(self, address: str = "", key: str = KEY) -> Target:
        """The deployment as a Target; a proxy may replace its address."""
        return Target(
            name="default", deployment=NAME, url=address or self.url, site_url=None,
            admin_key=Secret(key), secret=None,
        )  # fmt: skip

    def pages(self, table: str) -> list[dict[str, Any]]:
        """Every document of a table, oldest first."""
        documents: list[dict[str, Any]] = []
        with client.Deployment(self.target()) as deployment:
            cursor: str | None = None
            while True:
                args = {"table": table, "cursor": cursor, "numItems": 500}
                page = deployment.query("migrate:readPage", args)
                documents += page["page"]
                if page["isDone"]:
                    return documents
                cursor = page["continueCursor"]


@contextmanager
def host(
    folder: Path,
    state: State | None,
    convex: Path = ROOT / "convex",
    secret: str | None = SECRET,
    seed: Path | None = None,
    documents: Path | None = None,
) -> Iterator[Host]:
    """A new deployment with only the seed's documents, stopped at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    convex_host = Host(folder, state, convex, secret, seed, documents)
    try:
        convex_host.start()
        yield convex_host
    finally:
        convex_host.stop()


def ledger(deployment: Host) -> list[dict[str, Any]]:
    """The ledger's rows without its epoch."""
    return [row for row in deployment.pages(LEDGER) if row["table"]]


def documents(deployment: Host) -> Documents:
    """Table → source key → document, with ids replaced by the keys of what they refer to.

    Asserts that documents and ledger rows correspond one to one, in every table.
    """
    rows = ledger(deployment)
    twice = [key for key, n in Counter((r["table"], r["sourceId"]) for r in rows).items() if n > 1]
    assert not twice, f"the ledger has two rows for {twice}"
    pages = {table: deployment.pages(table) for table in TABLES}
    names: dict[str, str] = {}
    for table in PLAN.references:
        for number, document in enumerate(deployment.pages(table)):
            names[document["_id"]] = f"{table}#{number}"
    for table, contents in pages.items():
        owned = Counter(row["documentId"] for row in rows if row["table"] == table)
        assert owned == Counter(document["_id"] for document in contents), table
    names |= {row["documentId"]: f"{row['table']}:{row['sourceId']}" for row in rows}
    return {
        table: {
            names[document["_id"]]: {
                name: names.get(value, value) if isinstance(value, str) else value
                for name, value in document.items()
                if name not in ("_id", "_creationTime")
            }
            for document in contents
        }
        for table, contents in pages.items()
    }


def require_green(stages: Stages) -> None:
    """Assert that verify finds no differences in any table."""
    stages.run("verify")
    manifest = stages.manifest("verify")
    assert set(manifest) == set(TABLES)
    for table, counts in manifest.items():
        wrong = {kind: n for kind, n in counts.items() if kind != "verified" and n}
        assert not wrong, f"{table}: {wrong}"
        assert counts["verified"] == stages.manifest("transform", table)["documents"]


@dataclass(frozen=True)
class Drive:
    """The result of a command run by killed.py: its exit code, steps and messages."""

    code: int
    steps: list[str]
    messages: str


def drive(stages: Stages, fatal: int | str, *command: str) -> Drive:
    """Run a command with small parts and batches, and kill it at the step `fatal`: its number or a
    prefix of its name; 0 for never."""
    log = stages.project / "steps.log"
    watched = os.pathsep.join(str(f) for f in (stages.data, stages.project / ".planning"))
    ran = forked_python.run(
        [
            str(Path(__file__).with_name("killed.py")), str(fatal), str(log),
            "--", *stages.command(*command)[3:],
        ],
        cwd=ROOT, env={**stages.env(), "STAGES_WATCHED": watched}, timeout=120,
    )  # fmt: skip
    messages = stages.plain(ran.stderr)
    return Drive(ran.returncode, log.read_text("utf-8").splitlines(), messages)

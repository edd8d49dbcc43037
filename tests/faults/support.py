"""A Convex deployment of the test's own, and its content in a form that can be compared."""

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
    """A Convex host in a process of its own. Every start is an empty deployment of one name, so
    that what was staged for one can be loaded to the next."""

    folder: Path
    state: State | None
    convex: Path = ROOT / "convex"
    secret: str | None = SECRET
    # Documents to begin with; by default what the sandbox has put into its own deployment.
    seed: Path | None = None
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
                    "adminKey": KEY,
                    "env": {"MIGRATION_SECRET": self.secret} if self.secret else {},
                    "seed": seed and str(seed),
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
            assert alive, (self.folder / "host.log").read_text()
            time.sleep(0.01)
        addresses = json.loads(ready.read_text())
        self.url, self.site_url = addresses["url"], addresses["siteUrl"]

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
        """The environment of a user with this deployment; a proxy may stand in for an address."""
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

    def pages(self, table: str) -> list[dict[str, Any]]:
        """Every document of a table, oldest first."""
        target = Target(
            name="default", deployment=NAME, url=self.url, site_url=None,
            admin_key=Secret(KEY), secret=None,
        )  # fmt: skip
        documents: list[dict[str, Any]] = []
        with client.Deployment(target) as deployment:
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
) -> Iterator[Host]:
    """A new deployment, empty but for a seed's documents, gone at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    convex_host = Host(folder, state, convex, secret, seed)
    try:
        convex_host.start()
        yield convex_host
    finally:
        convex_host.stop()


def ledger(deployment: Host) -> list[dict[str, Any]]:
    """The ledger's rows without its epoch."""
    return [row for row in deployment.pages(LEDGER) if row["table"]]


def documents(deployment: Host) -> Documents:
    """table → source key → document, with the keys of what it refers to in place of ids.

    Asserts that documents and ledger rows belong together one to one, in every table.
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
    """Verify finds nothing at all to say, in any table."""
    stages.run("verify")
    manifest = stages.manifest("verify")
    assert set(manifest) == set(TABLES)
    for table, counts in manifest.items():
        wrong = {kind: n for kind, n in counts.items() if kind != "verified" and n}
        assert not wrong, f"{table}: {wrong}"
        assert counts["verified"] == stages.manifest("transform", table)["documents"]


@dataclass(frozen=True)
class Drive:
    """What came of a command that was run by killed.py: its exit code, and the steps it took."""

    code: int
    steps: list[str]
    messages: str


def drive(stages: Stages, fatal: int | str, *command: str) -> Drive:
    """Run a command in small parts and batches, and kill it at the step `fatal`: its number or
    how its name begins; 0 for never."""
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

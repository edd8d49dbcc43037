"""Makes staged.zip: a migration that these stages have left half-way, for later ones to go on with.

    python -m tests.state.make_staged

Everything is extracted and transformed; people are loaded and verified, and of pets one batch. The
ZIP holds `data/`, and `convex.jsonl`, which puts the documents into an empty deployment under the
ids that they had. Run it only to keep what another version leaves, under another name.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import pytest

from stages import sandbox
from stages.convex.schema import load_schema
from stages.init.typescript import loading_functions
from stages.load import run
from stages.load.run import LoadOptions
from stages.progress import Silent
from stages.project.plan_reader import load_plan
from stages.state.workspace import Workspace
from tests.extract.support import database
from tests.faults.support import KEY, Host, host
from tests.load.test_cycles import Killed, kill_at_answer
from tests.support.command_line import ROOT, Stages
from tests.support.sandboxes import open_folder, own_sandbox

STAGED = Path(__file__).resolve().parent / "staged"
TABLES = ("teams", "people", "pets", "migrationLedger")
# Made again by any command, and full of this machine's paths.
LEFT_OUT = ("stages.duckdb", "stages.sql", ".lock", "tmp")
BATCH = 3
TEAMS = [{"table": "teams", "key": f"{n}", "document": {"name": f"Team {n}"}} for n in (1, 2)]


def make_project(folder: Path) -> Path:
    """The project: its plan, and convex/ with the functions of these stages."""
    shutil.copytree(STAGED / "plan", folder / ".planning" / "migrations")
    convex = folder / "convex"
    shutil.copytree(ROOT / "convex", convex)
    (convex / "http.ts").unlink()
    shutil.copy(STAGED / "schema.ts", convex)
    (convex / "migrate.ts").write_text(loading_functions(("people", "pets"), ("teams",)), "utf-8")
    (folder / "node_modules").symlink_to(ROOT / "node_modules")
    return convex


def settings(deployment: Host) -> dict[str, str]:
    """The environment of a user of this deployment."""
    return {"CONVEX_URL": deployment.url, "CONVEX_DEPLOY_KEY": KEY}


def stage(folder: Path, stages: Stages, deployment: Host) -> None:
    """Take the project as far as it is to be kept."""
    stages.run("extract")
    stages.run("transform")
    stages.run("load", "people")
    stages.run("verify", "people")
    workspace = Workspace(project=folder, data=stages.data, target="default")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "MOST_DOCUMENTS", BATCH)
        kill_at_answer(patch, 2)
        options = LoadOptions(tables=("pets",), in_flight=1)
        with pytest.raises(Killed):
            run.load(
                workspace,
                load_plan(workspace.plan),
                load_schema(workspace),
                deployment.target(),
                options,
                Silent(),
            )


def seed_lines(deployment: Host) -> str:
    """The documents in the order of their ids, which an empty deployment gives them again."""
    lines = []
    for table in TABLES:
        for document in deployment.pages(table):
            values = {k: v for k, v in document.items() if not k.startswith("_")}
            line = {"table": table, "key": document["_id"], "document": values}
            lines.append((document["_creationTime"], document["_id"], json.dumps(line)))
    return "".join(f"{line}\n" for _, _, line in sorted(lines))


def pack(data: Path, documents: str, file: Path) -> None:
    """The folder and the documents as one ZIP."""
    with ZipFile(file, "w", ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(data.rglob("*")):
            name = path.relative_to(data)
            if path.is_file() and name.parts[0] not in LEFT_OUT:
                archive.writestr(
                    ZipInfo(f"data/{name.as_posix()}"), path.read_bytes(), ZIP_DEFLATED
                )
        archive.writestr(ZipInfo("convex.jsonl"), documents, ZIP_DEFLATED)


def main() -> None:
    with open_folder("staged") as base, own_sandbox(base / "box"):
        supabase = sandbox.up(ROOT, [])
        folder = base / "project"
        convex = make_project(folder)
        teams = base / "teams.jsonl"
        teams.write_text("".join(f"{json.dumps(team)}\n" for team in TEAMS), "utf-8")
        with (
            database(supabase) as source,
            host(base / "host", None, convex, seed=teams) as deployment,
        ):
            source.sql((STAGED / "source.sql").read_text("utf-8"))
            assert source.source.db_url is not None
            environment = {
                **settings(deployment), "SUPABASE_DB_URL": source.source.db_url.reveal(),
            }  # fmt: skip
            stages = Stages(base / "data", "default", folder, environment)
            stage(folder, stages, deployment)
            pack(stages.data, seed_lines(deployment), STAGED / "staged.zip")


if __name__ == "__main__":
    main()

"""Clean: staged files, the ledger, or both; and what is left for a person to do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from stages import sandbox
from tests.faults.support import host
from tests.support.command_line import Stages
from tests.verify.conftest import Moved


@pytest.fixture
def emptied(deployed: Moved, supabase: sandbox.State, tmp_path: Path) -> Iterator[Moved]:
    """Two tables loaded to a deployment of the test's own, whose ledger may go."""
    import shutil

    shutil.copytree(deployed.stages.data, tmp_path / "data")
    shutil.rmtree(tmp_path / "data" / "targets" / "default" / "load", ignore_errors=True)
    shutil.copytree(deployed.stages.project, tmp_path / "project", symlinks=True)
    with host(tmp_path / "host", supabase) as running:
        stages = Stages(tmp_path / "data", "default", tmp_path / "project", running.settings())
        identity = stages.target_folder / "target.json"
        stored = json.loads(identity.read_text("utf-8"))
        stored.pop("epoch", None)
        identity.write_text(json.dumps(stored), "utf-8")
        stages.run("load", "articles", "webinars")
        yield Moved(stages, running)


def test_the_ledger_goes_and_the_documents_stay(emptied: Moved) -> None:
    stages = emptied.stages
    documents = emptied.host.pages("articles")
    done = stages.run("clean", "--ledger", "--yes")
    assert "56 rows deleted; the documents stay" in done.stderr, "34, 21, and the mark"
    assert emptied.host.pages("migrationLedger") == []
    assert emptied.host.pages("articles") == documents
    for step in (
        "npx convex env remove MIGRATION_SECRET",
        "convex/migrate.ts",
        "migrationLedger",
        "npx convex deploy",
        "stages verify --final",
        "deploy key",
    ):
        assert step in done.stdout
    assert (stages.target_folder / "load" / "articles").exists()
    # A load would insert everything a second time, with or without acks.
    for command in (["load"], ["load", "--restart"], ["verify"], ["rollback", "--yes"]):
        refused = stages.run(*command, code=2)
        assert "was emptied by stages clean --ledger" in refused.stderr
    assert emptied.host.pages("articles") == documents
    assert emptied.next().startswith("stages verify --final")
    assert "0 rows deleted" in stages.run("clean", "--ledger", "--yes").stderr


def test_all_of_it(emptied: Moved) -> None:
    stages = emptied.stages
    stages.run("clean", "--all", "--yes")
    assert emptied.host.pages("migrationLedger") == []
    assert len(emptied.host.pages("articles")) == 34
    left = [file for file in stages.data.rglob("*") if file.is_file()]
    assert [file.name for file in left] == [".lock"]
    assert emptied.next() == "stages extract"


def test_another_ledger_is_not_emptied(emptied: Moved) -> None:
    """The deployment was reset or restored: these rows are not of this migration."""
    identity = emptied.stages.target_folder / "target.json"
    stored = json.loads(identity.read_text("utf-8"))
    identity.write_text(json.dumps({**stored, "epoch": "0" * 32}), "utf-8")
    before = emptied.host.pages("migrationLedger")
    done = emptied.stages.run("clean", "--ledger", "--yes", code=2)
    assert "0" * 32 in done.stderr
    assert emptied.host.pages("migrationLedger") == before

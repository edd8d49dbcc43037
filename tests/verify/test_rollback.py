"""Rollback: what the ledger lists goes, children first; what the app has changed stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stages import sandbox
from stages.convex.client import Deployment
from tests.faults.support import KEY, host
from tests.support.command_line import Stages
from tests.support.project_copies import copy_project
from tests.verify.conftest import Moved

FAMILY = ("webinars", "webinarRegistrations")


def test_a_family_goes_and_comes_back(moved: Moved) -> None:
    staged = {name: moved.documents_staged(name) for name in FAMILY}
    before = moved.ledger()
    done = moved.stages.run("rollback", *FAMILY, "--yes")
    lines = [line.split()[1] for line in done.stderr.splitlines() if "removed" in line]
    assert lines == ["webinarRegistrations", "webinars"], "children first"
    assert moved.ledger() == {k: n for k, n in before.items() if k not in FAMILY}
    assert not any(moved.host.pages(name) for name in FAMILY)
    assert not any((moved.stages.target_folder / "load" / name).exists() for name in FAMILY)
    assert not set(FAMILY) & set(moved.stages.manifest("verify"))
    assert moved.next() == "stages load"
    report = moved.stages.json("report")["tables"]["webinars"]
    assert (report["status"], report["migrated"]) == ("not loaded", 0)
    assert report["not_loaded"] == staged["webinars"]
    assert moved.stages.run("rollback", *FAMILY, "--yes").stderr.count("nothing is loaded") == 1

    moved.stages.run("load")
    assert moved.ledger() == before
    assert moved.next() == "stages verify"
    moved.stages.run("verify")
    for name in FAMILY:
        assert moved.counts(name) == {"verified": staged[name]}


def test_a_parent_does_not_go_without_its_children(moved: Moved) -> None:
    before = moved.ledger()
    done = moved.stages.run("rollback", "webinars", "--yes", code=2)
    assert "would refer to deleted ones: `webinarRegistrations` (259 documents)" in done.stderr
    assert "stages rollback webinarRegistrations webinars" in done.stderr
    assert moved.ledger() == before
    assert moved.next().startswith("nothing")
    # A child alone may.
    moved.stages.run("rollback", "webinarRegistrations", "--yes")
    moved.stages.run("rollback", "webinars", "--yes")
    assert not any(moved.host.pages(name) for name in FAMILY)


def test_what_the_app_has_changed_is_kept_and_named(moved: Moved) -> None:
    articles = moved.documents("articles")
    kept, gone = sorted(articles)[3], sorted(articles)[5]
    moved.edit(articles[kept], title="by the app")
    moved.drop(articles[gone]["_id"])
    done = moved.stages.run("rollback", "articles", "--yes", code=1)
    assert "32 removed, 1 gone already, 1 kept" in done.stderr and f"({kept})" in done.stderr
    assert "documents that the app has changed are kept: 1 of articles" in done.stderr
    assert [d["title"] for d in moved.host.pages("articles")] == ["by the app"]
    assert moved.ledger()["articles"] == 1
    # Loaded again, it is known: not a second document.
    moved.stages.run("load", "articles")
    assert len(moved.host.pages("articles")) == 34
    assert moved.documents("articles")[kept]["title"] == "by the app"

    moved.stages.run("rollback", "articles", "--force", "--yes")
    assert not moved.host.pages("articles")
    assert "articles" not in moved.ledger()


def test_it_asks_and_names_what_would_go(moved: Moved) -> None:
    before = moved.ledger()
    done = moved.stages.raw("rollback", *FAMILY, typed="n\n")
    assert done.returncode == 3
    assert "delete from Convex faults: 259 of webinarRegistrations, 21 of webinars?" in done.stderr
    assert moved.ledger() == before
    assert moved.next().startswith("nothing"), "nothing local was touched"
    # A table after --yes would be taken for a name, and everything would go.
    done = moved.stages.run("rollback", "--yes", "articles", code=2)
    assert "its deployment is `faults`, not `articles`" in done.stderr
    assert moved.ledger() == before
    assert moved.stages.raw("rollback", *FAMILY, typed="y\n").returncode == 0
    assert "webinars" not in moved.ledger()


@pytest.mark.parametrize("command", ["rollback articles", "clean --ledger"])
def test_production_wants_its_name(moved: Moved, command: str) -> None:
    production = Stages(
        moved.stages.data,
        "default",
        moved.stages.project,
        {**moved.stages.environment, "CONVEX_DEPLOY_KEY": f"prod:{KEY}"},
    )
    before = moved.ledger()
    for yes in ([], ["--yes"]):
        done = production.run(*command.split(), *yes, code=2)
        assert "production deployment" in done.stderr and "--yes faults" in done.stderr
    assert moved.ledger() == before
    if command == "rollback articles":
        production.run(*command.split(), "--yes", "faults")
        assert "articles" not in moved.ledger()


def test_large_documents_go_in_smaller_batches(supabase: sandbox.State, tmp_path: Path) -> None:
    """A transaction reads 16 MiB at most: no batch of 100 articles of 900 kB can go at once."""
    with host(tmp_path / "host", supabase) as running:
        stages = Stages(
            tmp_path / "data", "default", copy_project(tmp_path / "project"), running.settings()
        )
        workspace = running.pages("workspaces")[0]["_id"]
        article: dict[str, Any] = {
            "workspace_id": workspace,
            "title": "t",
            "status": "draft",
            "content": "x" * 900_000,
            "created_at": 1.0,
            "updated_at": 1.0,
        }
        with Deployment(running.target()) as deployment:
            for number in range(40):
                record = {
                    "sourceId": str(number),
                    "digest": "d",
                    "document": {**article, "slug": str(number)},
                }
                deployment.mutation("migrate:bulkInsertArticles", {"records": [record]})
        done = stages.run("rollback", "--yes")
        assert "rollback  articles                 40 removed" in done.stderr
        assert running.pages("articles") == [] == running.pages("migrationLedger")

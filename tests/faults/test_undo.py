"""`kill -9` of verify, rollback and clean at any step, then the same command again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.support import KILLED, LEDGER, TABLES, Host, drive, ledger, require_green
from tests.support.command_line import Stages


@pytest.fixture
def full(ready: Stages) -> Iterator[Stages]:
    ready.run("load")
    yield ready


def left(deployment: Host) -> int:
    return sum(len(deployment.pages(table)) for table in TABLES)


def test_a_rollback_is_taken_to_its_end(full: Stages, deployment: Host) -> None:
    """Killed before anything, while local files are removed, and before responses are read."""
    target = full.target_folder
    documents = left(deployment)
    seen = []
    for fatal in (
        f"os.rename {target}/.rollback.json.tmp",
        "os.rmdir",
        "answered migrate:remove",
        60,
        "answered migrate:remove",
        f"os.remove {target}/rollback.json",
    ):
        killed = drive(full, fatal, "rollback", "--yes")
        assert killed.code == KILLED, f"{fatal}: {killed.messages}"
        seen.append(left(deployment))
        # Documents that are gone must not count as loaded.
        begun = "stages rollback" in full.json("status")["next"]
        assert begun == (len(seen) > 1), fatal
        rows = ledger(deployment)
        assert len(rows) == left(deployment), "a document goes with its ledger row"
    assert seen[:2] == [documents, documents]
    assert documents > seen[2] > seen[3] > seen[4] > seen[5] == 0
    full.run("rollback", "--yes")
    assert [row["table"] for row in deployment.pages(LEDGER)] == [""]
    assert not any((target / "load" / table).exists() for table in TABLES)
    assert full.json("status")["next"] == "stages load"
    full.run("load")
    require_green(full)


def test_a_load_may_follow_on_a_rollback_that_was_killed(full: Stages, deployment: Host) -> None:
    documents = left(deployment)
    assert drive(full, "answered migrate:remove", "rollback", "--yes").code == KILLED
    assert 0 < left(deployment) < documents
    full.run("load")
    assert left(deployment) == documents
    require_green(full)
    assert full.json("status")["next"].startswith("nothing")


def test_a_ledger_is_emptied_to_its_end(full: Stages, deployment: Host) -> None:
    """After the first response, no load is allowed: it would insert everything again."""
    documents = left(deployment)
    before = len(deployment.pages(LEDGER))
    for _ in range(2):
        assert drive(full, "answered migrate:clearLedger", "clean", "--ledger", "--yes").code == (
            KILLED
        )
        rows = deployment.pages(LEDGER)
        assert 0 < len(rows) < before and not any(row["table"] == "" for row in rows)
        before = len(rows)
        full.run("load", code=2)
    full.run("clean", "--ledger", "--yes")
    assert deployment.pages(LEDGER) == []
    assert left(deployment) == documents


def test_a_verify_that_was_killed_leaves_nothing_behind(full: Stages) -> None:
    folder = full.target_folder / "verify"
    for fatal in (
        f"open {folder}/.webinars.parquet.tmp",
        f"os.rename {folder}/.ariPayments.parquet.tmp",
        f"os.rename {folder}/.manifest.json.tmp",
        f"os.rename {folder}/.ariFlowStages.json.tmp",
    ):
        assert drive(full, fatal, "verify").code == KILLED
        assert full.json("status")["next"] == "stages verify"
    require_green(full)
    leftovers = [f for f in full.target_folder.rglob("*") if f.name.startswith(".")]
    assert not leftovers

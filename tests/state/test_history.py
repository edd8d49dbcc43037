"""data/history.jsonl: a line for each command that has ended, and none for one that did nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from stages import Migration, UserError
from stages.errors import Shortfall, TableFailed, Transient
from stages.events import Event
from stages.progress import Silent
from stages.stage_run import Tally, recorded
from stages.state.history import HistoryRun, append_run, read_history
from stages.state.lock import data_lock
from stages.state.manifests import ReferenceManifest, write_manifest
from stages.state.records import write_record
from stages.state.running import Running
from stages.state.workspace import Workspace
from tests.support.project_copies import copy_data, copy_project, edit_plan

ONE = HistoryRun(
    command="load", target="dev", started="2026-01-02T03:04:05+00:00", seconds=1.5, outcome="done"
)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(project=tmp_path, data=tmp_path / "data", target="dev")


def write_something(workspace: Workspace, stage: str) -> None:
    manifest = ReferenceManifest(table="t", status="complete", rows=0, parts=[])
    write_manifest(workspace.target_folder / stage / "t", manifest)


def test_a_torn_line_is_left_out_and_then_dropped(workspace: Workspace) -> None:
    append_run(workspace, ONE)
    with workspace.history.open("ab") as file:
        file.write(b'{"command":"load","targ')
    assert read_history(workspace) == [ONE]
    append_run(workspace, ONE)
    assert read_history(workspace) == [ONE, ONE]
    assert [json.loads(line) for line in workspace.history.read_text("utf-8").splitlines()]
    assert workspace.history.stat().st_mode & 0o777 == 0o600


def test_a_killed_run_is_added_by_the_next_one(workspace: Workspace) -> None:
    """Once, and not if it had added itself."""
    append_run(workspace, ONE)
    killed = Running(command="load", pid=1, since="2026-01-02T03:05:00+00:00", target="dev")
    for _ in range(2):
        write_record(workspace.running, killed)
        with data_lock(workspace, "verify"):
            pass
    assert not workspace.running.exists()
    expected = HistoryRun(
        command="load", target="dev", started=killed.since, seconds=None, outcome="killed"
    )
    assert read_history(workspace) == [ONE, expected]
    write_record(workspace.running, msgspec.structs.replace(killed, command="check"))
    with data_lock(workspace, "verify"):
        pass
    assert read_history(workspace) == [ONE, expected]


def test_a_damaged_line_hides_no_other(workspace: Workspace) -> None:
    append_run(workspace, ONE)
    with workspace.history.open("ab") as file:
        file.write(b"\xff\xfe\n[]\n")
    append_run(workspace, ONE)
    assert read_history(workspace) == [ONE, ONE]


@pytest.mark.parametrize(
    "error,outcome,message",
    [
        (UserError("a key is wrong: it is 'geheim'"), "refused", "a key is wrong"),
        (TableFailed("no: 'geheim'"), "stopped", "no"),
        (Shortfall("the source has no table"), "fell short", "the source has no table"),
        (Transient("the line was lost", "again"), "stopped", "the line was lost"),
        (KeyboardInterrupt(), "stopped", "interrupted"),
        (OSError(28, "No space left on device", "/geheim"), "stopped", "No space left on device"),
        (ValueError("geheim"), "stopped", "ValueError"),
    ],
)
def test_how_it_ended_without_what_it_quotes(
    workspace: Workspace, error: BaseException, outcome: str, message: str
) -> None:
    with pytest.raises(type(error)), recorded(workspace, "load", Tally(), Silent()):
        raise error
    (run,) = read_history(workspace)
    assert (run.command, run.outcome, run.message) == ("load", outcome, message)
    assert "geheim" not in workspace.history.read_text("utf-8")


def test_a_run_that_writes_nothing_leaves_no_line(workspace: Workspace) -> None:
    with recorded(workspace, "load", Tally(), Silent()):
        pass
    assert not workspace.history.exists()
    with recorded(workspace, "load", Tally(), Silent()):
        write_something(workspace, "load")
    assert [run.outcome for run in read_history(workspace)] == ["done"]


def test_a_history_that_cannot_be_written_stops_nothing(workspace: Workspace) -> None:
    workspace.history.mkdir(parents=True)
    notes: list[str] = []

    class Noting(Silent):
        def note(self, text: str) -> None:
            notes.append(text)

    with recorded(workspace, "load", Tally(), Noting()):
        write_something(workspace, "load")
    assert notes == [f"{workspace.history} could not be written: Is a directory"]


def test_rows_of_this_run_by_table() -> None:
    tally = Tally()
    events: list[dict[str, Any]] = [
        {"kind": "start", "stage": "load", "table": "a", "total": 10, "kept": 4},
        {"kind": "advance", "table": "a", "rows": 6, "bytes": 100},
        {"kind": "done", "stage": "load", "table": "a"},
        # The second pass of a cycle sends rows again; what is read for others is no table's.
        {"kind": "start", "stage": "load", "table": "a"},
        {"kind": "advance", "table": "a", "rows": 3, "bytes": 50},
        {"kind": "start", "stage": "reference", "table": "b"},
        {"kind": "advance", "table": "b", "rows": 9, "bytes": 9},
        {"kind": "advance", "table": "migrationLedger", "rows": 7, "bytes": 7},
    ]
    for event in events:
        tally.add(Event(**event))
    assert tally.rows == {"a": 6}
    assert tally.bytes == 150


def test_the_stages_write_it(extracted: Path, tmp_path: Path) -> None:
    """Extract and transform have each left a line; a second transform leaves none, one that is over
    its limit says so, and clean takes the history with it."""
    project = copy_project(tmp_path / "project")
    data = copy_data(extracted, tmp_path / "data")
    migration = Migration(project, data=data, target="sandbox", environment={})
    extract, transform = read_history(migration.workspace)
    assert (extract.command, extract.outcome) == ("extract", "done")
    assert extract.rows["articles"] == 40 and extract.bytes > 0
    assert (transform.command, transform.target) == ("transform", "sandbox")
    assert transform.rows["articles"] == 40
    migration.transform()  # the files of a copy are read once, and their manifests written
    before = migration.workspace.history.read_bytes()
    migration.transform()
    assert migration.workspace.history.read_bytes() == before
    edit_plan(project, 'max_rejects = "15%"', "max_rejects = 0")
    over = Migration(project, data=data, target="sandbox", environment={})
    over.transform(restart=True)
    assert read_history(over.workspace)[-1].outcome == "fell short"
    assert read_history(over.workspace)[-1].message.startswith("more rejects than the plan allows")
    over.clean(consent=True)
    assert not over.workspace.history.exists()

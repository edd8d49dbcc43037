"""A report is written over by the data folder that wrote it, and by one that holds as much."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from stages.report.build import write_report
from stages.report.files import report_files
from stages.report.fuller import KeptReport
from stages.state.durable import read_json
from tests.support.command_line import ROOT, Stages
from tests.support.project_copies import copy_data, copy_project, loaded_once
from tests.support.tiny_project import STRING, Small


@pytest.fixture
def shop(tmp_path: Path) -> Small:
    """All is transformed."""
    small = Small(tmp_path)
    small.extract("users", pa.table({"id": [1, 2], "name": ["a", "b"]}), ["id"])
    small.schema("users", {"name": STRING})
    small.write("plan.toml", "[tables.users]\n")
    small.model("users", "SELECT key(id) AS _source_id, name FROM extract.users")
    small.transform()
    return small


def write(shop: Small, data: str = "data", *, by_request: bool = False) -> KeptReport | None:
    workspace = replace(shop.workspace, data=shop.workspace.project / data)
    seconds = 1.0 if data == "copy" else 0.0  # no two folders write the same bytes
    return write_report(workspace, shop.plan, None, seconds, replace=by_request)


def reported(shop: Small) -> str:
    file, summary = report_files(shop.workspace, shop.plan)
    found = str((read_json(file) or {})["tables"]["users"]["status"])
    assert f"| {found} |" in summary.read_text("utf-8")
    return found


def test_an_emptier_folder_keeps_a_fuller_report(shop: Small) -> None:
    assert write(shop) is None and reported(shop) == "not loaded"
    before = [file.read_bytes() for file in report_files(shop.workspace, shop.plan)]
    kept = write(shop, "empty")
    assert kept and "`not loaded` there, `not extracted` here" in kept.message
    assert kept.hint.endswith("stages report --replace")
    assert [file.read_bytes() for file in report_files(shop.workspace, shop.plan)] == before


def test_it_is_replaced_by_request_and_by_a_fuller_one(shop: Small) -> None:
    write(shop)
    assert write(shop, "empty", by_request=True) is None and reported(shop) == "not extracted"
    assert write(shop) is None and reported(shop) == "not loaded"


def test_the_folder_that_wrote_it_writes_also_that_there_is_less(shop: Small) -> None:
    """Such as after a rollback."""
    write(shop)
    shutil.rmtree(shop.workspace.transforms)
    assert write(shop) is None and reported(shop) == "not transformed"


def test_a_kill_before_its_hash_is_kept_is_made_good(shop: Small) -> None:
    write(shop)
    shop.workspace.reported.unlink()
    write(shop)
    shutil.rmtree(shop.workspace.transforms)
    assert write(shop) is None and reported(shop) == "not transformed"


def test_a_copy_that_went_on_by_itself_is_another_folder(shop: Small) -> None:
    """The report is that of the copy by now."""
    write(shop)
    shutil.copytree(shop.workspace.data, shop.workspace.project / "copy")
    shutil.rmtree(shop.workspace.transforms)
    report_files(shop.workspace, shop.plan)[0].unlink()
    assert write(shop, "copy") is None
    kept = write(shop)
    assert kept and kept.here == "not transformed"


def test_every_stage_writes_it_in_one_way() -> None:
    """None goes past the check."""
    users = {
        file.name
        for file in (ROOT / "stages").rglob("*.py")
        if "write_report(" in file.read_text("utf-8").replace("_write_report(", "")
    }
    assert users == {"build.py", "inspection.py", "opened.py"}


def test_a_load_from_a_fresh_folder_keeps_a_fuller_report(extracted: Path, tmp_path: Path) -> None:
    loaded = loaded_once(extracted)
    project = copy_project(tmp_path / "project")
    full = replace(loaded, project=project)
    full.run("report")
    before = full.report()
    assert before["tables"]["webinars"]["status"] == "complete"
    fresh = Stages(copy_data(loaded.data, tmp_path / "data"), loaded.target, project)
    for what in ("load", "verify"):
        shutil.rmtree(fresh.target_folder / what)
    (fresh.target_folder / "report.json").unlink()
    done = fresh.run("load", "articles")
    assert "the existing report is kept: " in done.stderr
    assert "`complete` there, `not loaded` here" in done.stderr
    assert "or: stages report --replace\n" in done.stderr
    assert full.report() == before
    assert "reports more than" in fresh.run("report", code=2).stderr
    fresh.run("report", "--replace")
    statuses = {name: entry["status"] for name, entry in fresh.report()["tables"].items()}
    assert (statuses["articles"], statuses["webinars"]) == ("complete", "not loaded")

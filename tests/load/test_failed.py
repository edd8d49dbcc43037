"""A table that failed says so in status, report and rejects until it is loaded."""

from __future__ import annotations

import json

import pytest

from stages.convex.client import Deployment, FunctionError, Kind
from stages.reject_lines import as_text as rejects_as_text
from stages.rejects import list_rejects
from stages.report.build import write_report
from stages.standing import Status
from stages.state.manifests import ExtractManifest, Snapshot, write_manifest
from stages.status import status
from stages.status_lines import as_text
from tests.load.project import Project
from tests.load.test_once import PETS, stage_all

BUG = "Uncaught TypeError: 'Rex' is not a function"

EXTRACTED = ExtractManifest(
    table="",
    status="complete",
    transport="postgres",
    snapshots=[Snapshot(kind="exported", snapshot="1", at="2026-01-01T00:00:00+00:00")],
    finished="2026-01-01T00:00:00+00:00",
)


def standing(project: Project) -> Status:
    return status(project.workspace, project.plan, lambda text: text)


@pytest.fixture
def failed(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """All is loaded; then another load of the pets fails."""
    for table in project.plan.tables:
        write_manifest(project.workspace.extract(table), EXTRACTED)
    stage_all(project).load()
    project.stage("pets", {**PETS, "c999": {"owner": "p01", "kind": "cat"}})
    call_once = Deployment.call_once

    def answered(self: Deployment, what: Kind, function: str, args: str | bytes) -> bytes:
        if function == "migrate:bulkInsertPets" and b'"sourceId"' in bytes(args):  # type: ignore[arg-type]
            raise FunctionError(function, BUG, None)
        return call_once(self, what, function, args)

    with monkeypatch.context() as patched:
        patched.setattr(Deployment, "call_once", answered)
        assert "pets" in project.load().failed
    return project


def test_status_is_not_complete_until_the_table_is_loaded(failed: Project) -> None:
    pets = standing(failed).tables["pets"]
    assert pets.load and pets.load.status == "failed"
    assert BUG in pets.failures["load"].reason
    assert standing(failed).next == "stages load"
    text = as_text(standing(failed))
    assert "FAILED load of pets" in text and BUG in text
    failed.load()
    assert standing(failed).tables["pets"].failures == {}
    assert standing(failed).next == "stages verify"


def test_rejects_show_why_it_failed(failed: Project) -> None:
    def text() -> str:
        tables = failed.plan.tables.values()
        return rejects_as_text(list_rejects(failed.workspace, failed.plan, tables, None))

    assert "pets: load failed: " in text() and BUG in text()
    failed.load()
    assert text() == "no rejects"


def test_the_report_names_the_failure_and_no_value(failed: Project) -> None:
    """The words of Convex may quote a value, and stay with the data."""
    write_report(failed.workspace, failed.plan, failed.target, 1.0)
    text = (failed.workspace.project / failed.plan.report_json).read_text("utf-8")
    summary = (failed.workspace.project / failed.plan.report_summary).read_text("utf-8")
    report = json.loads(text)
    pets = report["tables"]["pets"]
    assert pets["status"] == "failed"
    assert pets["errors"] == [
        "load failed: migrate:bulkInsertPets failed for the document c999; "
        "see why with: stages rejects pets"
    ]
    assert report["verdict"] == "load failed for pets"
    assert "load failed: migrate:bulkInsertPets failed" in summary
    assert "Rex" not in text + summary
    failed.load()
    write_report(failed.workspace, failed.plan, failed.target, 1.0)
    report = json.loads((failed.workspace.project / failed.plan.report_json).read_text("utf-8"))
    assert (report["tables"]["pets"]["status"], report["tables"]["pets"]["errors"]) == (
        "complete", [],
    )  # fmt: skip

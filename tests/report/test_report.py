"""The report and the summary account for every row of every table of the plan."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stages.project.plan import load_plan
from tests.support.command_line import ROOT, Stages
from tests.support.project_copies import copy_data, copy_project, loaded_once

PLAN = load_plan(ROOT / ".planning" / "migrations" / "plan.toml")


@pytest.fixture
def loaded(extracted: Path) -> Stages:
    """Everything done already."""
    return loaded_once(extracted)


@pytest.fixture
def fresh(extracted: Path, tmp_path: Path) -> Stages:
    """What is transformed for the default deployment, which nothing is loaded to."""
    return Stages(
        copy_data(extracted, tmp_path / "data"), project=copy_project(tmp_path / "project")
    )


def documents(stages: Stages, table: str) -> int:
    return int(stages.manifest("transform", table)["documents"])


def report_of(stages: Stages) -> dict[str, Any]:
    file = stages.project / ".planning" / "migrations" / "data-migration-report.json"
    report: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return report


def test_report_accounts_for_every_row_of_every_table(loaded: Stages) -> None:
    loaded.run("load")
    loaded.run("verify")
    report = report_of(loaded)
    assert {"timestamp", "duration_seconds", "tables"} <= set(report)
    assert isinstance(report["duration_seconds"], float)
    assert list(report["tables"]) == [table.source for table in PLAN.tables.values()]
    rows = loaded.sql(
        "select "
        + ", ".join(
            f"(select count(*) from extract.{table.source}) AS {table.source}"
            for table in PLAN.tables.values()
            if table.name != "formTemplates"
        )
    )[0]
    for table in PLAN.tables.values():
        entry = report["tables"][table.source]
        assert {"source", "migrated", "skipped", "errors"} <= set(entry)
        assert entry["source"] == entry["migrated"] + entry["skipped"]
        assert sum(entry["reasons"].values()) == entry["skipped"]
        if table.name != "formTemplates":
            assert entry["source"] == rows[table.source]
            assert entry["migrated"] == documents(loaded, table.name)
            assert sum(entry["loaded"].values()) == entry["migrated"]
            assert (entry["status"], entry["errors"]) == ("complete", [])
            assert entry["verified"]["verified"] == entry["migrated"]
    missing = report["tables"]["form_templates"]
    assert (missing["status"], missing["source"], missing["migrated"], missing["skipped"]) == (
        "missing", 0, 0, 0,
    )  # fmt: skip
    assert missing["errors"] == ["the source has no such table"]
    empty = report["tables"]["ari_scoring_config"]
    assert (empty["status"], empty["source"]) == ("complete", 0)
    totals = {k: sum(t[k] for t in report["tables"].values()) for k in ("source", "migrated")}
    assert totals == {"source": 848, "migrated": 770}


def test_a_second_run_reports_the_same(loaded: Stages) -> None:
    loaded.run("load")
    loaded.run("verify")
    before = report_of(loaded)
    totals = {name: {k: t[k] for k in ("source", "migrated", "skipped", "reasons", "errors")}
              for name, t in before["tables"].items()}  # fmt: skip
    for command in ("load", "verify", "report"):
        loaded.run(command)
    assert report_of(loaded) == before, "also its time: nothing has happened"
    loaded.run("load", "--restart", "articles")
    assert totals == {
        name: {k: t[k] for k in ("source", "migrated", "skipped", "reasons", "errors")}
        for name, t in report_of(loaded)["tables"].items()
    }


def test_report_before_the_load_promises_nothing(fresh: Stages) -> None:
    fresh.run("report")
    for name, entry in report_of(fresh)["tables"].items():
        assert entry["migrated"] == 0
        assert entry["source"] == entry["skipped"] == sum(entry["reasons"].values()), name
    articles = report_of(fresh)["tables"]["articles"]
    assert articles["reasons"]["not loaded yet"] == 34
    assert articles["status"] == "not loaded"


def test_summary_is_the_report_for_people(loaded: Stages) -> None:
    summary = loaded.run("report").stdout
    report = report_of(loaded)
    for name, entry in report["tables"].items():
        assert (
            f"| {name} | {entry['target']} | {entry['status']} | {entry['source']:,} |" in summary
        )
    assert "| **all** | | | 848 | 770 | 78 | |" in summary
    assert "- articles: workspace_id: witnesses_disagree: 1" in summary

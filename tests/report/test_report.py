"""The report and the summary account for every row of every table of the plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from stages.project.plan_reader import load_plan
from stages.rules import known_rule
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


def test_report_accounts_for_every_row_of_every_table(loaded: Stages) -> None:
    loaded.run("load")
    loaded.run("verify")
    report = loaded.report()
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
        assert entry["not_loaded"] == 0
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
    before = loaded.report()
    totals = {name: {k: t[k] for k in ("source", "migrated", "skipped", "reasons", "errors")}
              for name, t in before["tables"].items()}  # fmt: skip
    for command in ("load", "verify", "report"):
        loaded.run(command)
    assert loaded.report() == before, "also its time: nothing has happened"
    loaded.run("load", "--restart", "articles")
    assert totals == {
        name: {k: t[k] for k in ("source", "migrated", "skipped", "reasons", "errors")}
        for name, t in loaded.report()["tables"].items()
    }


def test_report_before_the_load_promises_nothing(fresh: Stages) -> None:
    fresh.run("report")
    for name, entry in fresh.report()["tables"].items():
        assert entry["migrated"] == 0
        assert entry["source"] == entry["skipped"] + entry["not_loaded"], name
        assert entry["skipped"] == sum(entry["reasons"].values()), name
    articles = fresh.report()["tables"]["articles"]
    assert articles["not_loaded"] == 34
    assert articles["status"] == "not loaded"


def test_summary_is_the_report_for_people(loaded: Stages) -> None:
    summary = loaded.run("report").stdout
    report = loaded.report()
    for name, entry in report["tables"].items():
        assert (
            f"| {name} | {entry['target']} | {entry['status']} | {entry['source']:,} |" in summary
        )
    assert "| **all** | | | 848 | 770 | 78 | 0 | |" in summary
    assert "- articles: workspace_id: witnesses_disagree: 1" in summary
    occurring = {row["rule"] for row in loaded.sql("select rule from rejects")}
    occurring |= {row["rule"] for row in loaded.sql("select rule from changes")}
    rules = {name: known_rule(name) for name in sorted(occurring)}
    assert report["rules"] == {name: rule and rule.meaning for name, rule in rules.items()}
    assert all(rules.values())
    assert len(occurring) > 10 and {"orphan", "below_millisecond"} <= occurring
    for name, meaning in report["rules"].items():
        assert f"- `{name}`: {meaning}\n" in summary


def test_the_report_begins_with_a_verdict_and_names_what_was_done(loaded: Stages) -> None:
    summary, report = loaded.run("report").stdout.splitlines(), loaded.report()
    assert report["verdict"] == loaded.json("status")["verdict"]
    assert summary[2].startswith(f"**{report['verdict'].capitalize()}.** Next: ")
    assert report["source"] == loaded.json("status")["source"]
    assert report["target"] == loaded.json("status")["target"]
    assert report["snapshot"] in ("exported", "per-table")
    assert report["version"] and report["version"] in "\n".join(summary)
    assert list(report["stages"]) == ["extract", "transform", "load", "verify"]
    for times in report["stages"].values():
        assert times["started"] <= times["ended"]


def test_each_target_has_a_report_of_its_own(fresh: Stages) -> None:
    """In a project with settings of its own, the plan's path is the default target's."""
    fresh.run("report")
    planning = fresh.project / ".planning"
    assert (planning / "migrations" / "data-migration-report.sandbox.json").exists()
    assert list(planning.rglob("05-02-SUMMARY*")) == [
        planning / "phases" / "05-data-migration" / "05-02-SUMMARY.sandbox.md"
    ]
    assert not (planning / "migrations" / "data-migration-report.json").exists()
    other = Stages(fresh.data, "sandbox-other", fresh.project)
    other.run("report")
    assert fresh.report()["tables"]["articles"]["status"] == "not loaded"
    assert other.report()["tables"]["articles"]["status"] == "not transformed"


def test_an_empty_folder_does_not_overwrite_a_fuller_report(fresh: Stages, tmp_path: Path) -> None:
    fresh.run("report")
    before = fresh.report()
    empty = Stages(tmp_path / "empty", project=fresh.project)
    refused = empty.run("report", code=2)
    assert "reports more than" in refused.stderr and "--data DIR" in refused.stderr
    assert fresh.report() == before

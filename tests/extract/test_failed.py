"""A source that could not be read says so in status, rejects and the report until it is read."""

from __future__ import annotations

import pytest

from stages.errors import TableFailed
from stages.extract.catalog import Reading
from stages.extract.postgres import PostgresSession
from tests.extract.support import Database, Project
from tests.support.failures import shown


def test_it_stays_until_the_table_is_read(
    database: Database, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.sql(
        "CREATE TABLE other.hard (id int PRIMARY KEY); INSERT INTO other.hard VALUES (1); "
        "CREATE TABLE other.easy (id int PRIMARY KEY)"
    )
    plan = project.plan(hard={"table": "other.hard"}, easy={"table": "other.easy"})
    count = PostgresSession.count

    def failing(session: PostgresSession, reading: Reading, *, filtered: bool = True) -> int:
        if reading.name == "hard":
            raise TableFailed("nobody can count", "teach somebody to")
        return count(session, reading, filtered=filtered)

    with monkeypatch.context() as patched:
        patched.setattr(PostgresSession, "count", failing)
        assert project.extract().failed == ["hard"]
        seen = shown(project.workspace, plan, "hard")
        # Another table's success is not this one's, and the same reason keeps its time.
        assert project.extract(tables=("easy",)).failed == []
        assert project.extract().failed == ["hard"]
    assert shown(project.workspace, plan, "hard").failures == seen.failures
    failure = seen.failures["extract"]
    assert (failure.reason, failure.hint) == ("nobody can count", "teach somebody to")
    extracted = seen.status.tables["hard"].extract
    assert extracted is None or extracted.status == "failed"
    assert seen.status.verdict == "extract failed for hard" and not seen.status.finished
    assert seen.status.next == "stages extract"
    assert f"FAILED extract of hard, {failure.at}: nobody can count\n  → teach" in seen.text
    assert "hard: extract failed: nobody can count\n    → teach somebody to; then: " in seen.rejects
    assert seen.rejects.endswith("then: stages extract")
    assert seen.entry["status"] == "failed"
    assert seen.entry["errors"] == [
        "extract failed: nobody can count; see why with: stages rejects hard"
    ]
    assert "- hard: extract failed: nobody can count; see why" in seen.summary

    assert project.extract().failed == []
    seen = shown(project.workspace, plan, "hard")
    assert (seen.failures, seen.rejects, seen.entry["errors"]) == ({}, "no rejects", [])
    assert seen.entry["status"] == "not transformed" and "FAILED" not in seen.text

"""What `stages check` finds at the source: tables that are missing, and what can't be read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from stages.check.source import check_source
from stages.extract.catalog import Reading
from stages.extract.transport import Via
from stages.project.settings import Secret, Source
from stages.results import CheckResult
from tests.extract.support import TRANSPORTS, Database, Project

TABLES = {
    "open": {"table": "other.open"},
    "shut": {"table": "other.shut"},
    "part": {"table": "other.part"},
    "over": {"table": "other.over"},
    "broken": {"table": "other.broken"},
}


@pytest.fixture
def reader(database: Database) -> Source:
    """A role that sees every row of the tables that it may read, which are not all."""
    database.sql(
        """
        DROP VIEW IF EXISTS other.over, other.broken;
        DROP TABLE IF EXISTS other.open, other.shut, other.part;
        CREATE TABLE other.open (id int PRIMARY KEY);
        CREATE TABLE other.shut (id int PRIMARY KEY);
        CREATE TABLE other.part (id int PRIMARY KEY, secret text);
        CREATE VIEW other.over WITH (security_invoker = true) AS SELECT * FROM other.shut;
        CREATE VIEW other.broken AS SELECT 1 / (id - id) AS id FROM other.open;
        INSERT INTO other.open VALUES (1);
        REVOKE ALL ON other.shut, other.part FROM service_role;
        GRANT SELECT (id) ON other.part TO service_role;
        GRANT SELECT ON other.open, other.over, other.broken TO service_role
        """
    )
    database.admin.execute(
        """
        DO $$ BEGIN CREATE ROLE looker LOGIN BYPASSRLS PASSWORD 'pw' IN ROLE service_role;
        EXCEPTION WHEN duplicate_object THEN NULL; END $$
        """
    )
    return replace(database.source, db_url=Secret(database.url("looker", "pw")))


def look(
    project: Project, source: Source, via: Via, sources: dict[str, dict[str, Any]]
) -> tuple[dict[str, CheckResult], dict[str, Reading]]:
    source = replace(
        source,
        url=project.source.url if via == "rest" else None,
        db_url=source.db_url if via == "postgres" else None,
    )
    readings: dict[str, Reading] = {}
    results = list(check_source(project.plan(**sources), source, readings))
    return {result.name: result for result in results}, readings


@pytest.mark.parametrize("via", TRANSPORTS)
def test_what_can_not_be_read_is_named(project: Project, reader: Source, via: Via) -> None:
    results, readings = look(project, reader, via, TABLES)
    wrong = {name for name, result in results.items() if name.startswith("source ")}
    assert wrong == {f"source {name}" for name in ("shut", "part", "over", "broken")}
    assert not any(results[name].ok for name in wrong)
    assert list(readings) == ["open"]
    assert "division by zero" in results["source broken"].detail
    # A column that is left out needs no right.
    part = {"part": {"table": "other.part", "exclude": ["secret"]}}
    results, readings = look(project, reader, via, part)
    assert list(readings) == ["part"]


@pytest.mark.parametrize("via", TRANSPORTS)
def test_sources_that_are_missing(project: Project, reader: Source, via: Via) -> None:
    """Some may be, where the plan says so; where all are, the address is of another project."""
    name = {"postgres": "Postgres tables", "rest": "REST tables"}[via]
    gone = {"gone": {"table": "other.gone"}}
    results, _ = look(project, reader, via, {"open": TABLES["open"], **gone})
    assert results[name].ok
    beside = "not in the plan: {} tables (other.broken, other.over, other.part{})"
    others = beside.format(*((4, ", other.shut") if via == "postgres" else (3, "")))
    assert results[name].detail == f"1 of 2 sources exist; missing: gone; {others}"
    results, readings = look(project, reader, via, gone)
    assert not results[name].ok and not readings
    assert results[name].detail.startswith("0 of 1 sources exist; missing: gone; not in the plan")

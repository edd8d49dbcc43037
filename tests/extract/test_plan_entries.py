"""What the plan says of a source: which are meant, which rows and columns, what is missing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from stages.cli.extract import print_forecast
from stages.errors import Shortfall, UserError
from stages.extract.forecast import Forecast, forecast
from stages.extract.run import ExtractOptions
from stages.extract.transport import Via
from stages.progress import Silent
from tests.extract.support import PLAIN_TABLES, TRANSPORTS, Database, Project


@pytest.fixture(scope="module")
def plain(database: Database) -> Iterator[Database]:
    """Tables in the schemas names and other."""
    database.sql(PLAIN_TABLES)
    yield database
    database.sql("DROP SCHEMA names CASCADE; DROP TABLE other.keyed; CREATE SCHEMA names")


def test_globs_and_exclude(plain: Database, project: Project) -> None:
    project.plan(
        keyed={"table": "names.keyed"},
        keyed_other={"table": "other.keyed"},
        single={"table": "names.single"},
    )
    result = project.extract(tables=("keyed*",), exclude=("keyed_o*",))
    assert list(result.tables) == ["keyed"]
    assert not project.workspace.extract("single").exists()
    with pytest.raises(UserError, match="neither a source nor a target"):
        project.extract(tables=("nothing*",))


def test_where_is_counted(plain: Database, project: Project, small: None) -> None:
    entry = {"table": "names.keyed", "where": "id % 3 = 0 OR name = 'n1'"}
    project.plan(keyed=entry)
    project.extract("postgres")
    assert project.column("keyed", "id") == [1, *range(3, 201, 3)]
    assert project.manifest("keyed")["counted"]["filtered"] == 133
    assert "133 left out by where" in project.heard.text
    error = project.extract("rest", restart=True).tables["keyed"]["error"]
    assert "`where`" in error
    assert "SUPABASE_DB_URL" in error
    # What was there before the restart is there still.
    assert project.manifest("keyed")["rows"] == 67


@pytest.mark.parametrize("via", TRANSPORTS)
def test_excluded_columns_never_reach_the_disk(plain: Database, project: Project, via: Via) -> None:
    project.plan(keyed={"table": "names.keyed", "exclude": ["hidden", "twice"]})
    project.extract(via)
    assert project.table("keyed").column_names == ["id", "name"]
    assert project.describe("keyed") == [("id", "INTEGER"), ("name", "VARCHAR")]
    for file in project.workspace.data.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert b"hidden" not in content, file
            assert b"do-not-read" not in content, file


def test_unknown_column_in_the_plan(plain: Database, project: Project) -> None:
    project.plan(keyed={"table": "names.keyed", "exclude": ["hiden"]})
    error = project.extract().tables["keyed"]["error"]
    assert "names.keyed has no column `hiden`" in error
    assert "[sources.keyed]" in error


@pytest.mark.parametrize("via", TRANSPORTS)
def test_missing_table(plain: Database, project: Project, via: Via) -> None:
    project.plan(
        gone={"table": "names.gone"},
        single={"table": "names.single"},
        strict={"table": "names.gone", "on_missing": "fail"},
    )
    with pytest.raises(Shortfall, match="no table for strict") as raised:
        project.extract(via)
    assert "on_missing" in str(raised.value)
    assert project.manifest("gone")["status"] == "missing"
    assert project.column("single", "v") == ["only"]


@pytest.mark.parametrize("via", TRANSPORTS)
def test_a_misspelt_table_is_an_error_and_not_missing(
    plain: Database, project: Project, via: Via
) -> None:
    project.plan(single={"table": "names.singel"}, keyed={"table": "names.keyed"})
    with pytest.raises(UserError) as raised:
        project.extract(via)
    assert "plan.toml, line" in raised.value.message
    assert "the source has no table names.singel; is it `single`?" in raised.value.message
    assert 'on_missing = "report"' in str(raised.value.hint)
    assert not project.workspace.extract("keyed").exists(), "nothing was read"
    # Of the same name elsewhere; or known to be missing.
    project.plan(single={"table": "other.single"})
    if via == "postgres":  # REST lists the schemas of the plan only
        with pytest.raises(UserError, match=r"is it `names\.single`"):
            project.extract(via)
    project.plan(single={"table": "names.singel", "on_missing": "report"})
    assert project.extract(via).tables["single"]["status"] == "missing"


@pytest.mark.parametrize("via", TRANSPORTS)
def test_columns_that_come_and_go_are_told(plain: Database, project: Project, via: Via) -> None:
    plain.sql("CREATE TABLE other.drifting (id int PRIMARY KEY, old text)")
    plain.sql("INSERT INTO other.drifting VALUES (1, 'old')")
    project.plan(drifting={"table": "other.drifting"})
    project.extract(via)
    plain.sql("ALTER TABLE other.drifting DROP COLUMN old, ADD COLUMN new int DEFAULT 5")
    result = project.extract(via)
    assert "drifting: new columns new; columns gone: old; reading it again" in project.heard.text
    assert result.tables["drifting"]["status"] == "complete"
    assert project.table("drifting").to_pylist() == [{"id": 1, "new": 5}]

    plain.sql("DROP TABLE other.drifting")
    result = project.extract(via)
    assert result.tables["drifting"]["status"] == "moved"
    assert "no longer has this table; the extract is kept" in project.heard.text
    assert project.column("drifting", "new") == [5]


def test_source_that_has_moved_is_told(plain: Database, project: Project) -> None:
    plain.sql("CREATE TABLE other.moved (id int PRIMARY KEY, v int)")
    plain.sql("INSERT INTO other.moved VALUES (1, 1), (2, 2)")
    project.plan(moved={"table": "other.moved"})
    project.extract()
    kept = project.files("moved")
    for change, words in (
        ("UPDATE other.moved SET v = 3 WHERE id = 1", "1 rows written since"),
        ("UPDATE other.moved SET id = 7 WHERE id = 2", "another greatest key"),
        ("DELETE FROM other.moved WHERE id = 1", "1 rows instead of 2"),
    ):
        plain.sql(change)
        assert project.extract().tables["moved"]["status"] == "moved"
        assert words in project.heard.text
        assert "--restart" in project.heard.text
        assert project.files("moved") == kept


@pytest.mark.parametrize("via", TRANSPORTS)
def test_dry_run(plain: Database, project: Project, via: Via) -> None:
    plan = project.plan(
        keyed={"table": "names.keyed"},
        gone={"table": "names.gone"},
        single={"table": "names.single"},
    )
    options = ExtractOptions(via=via, exclude=("single",))
    (expected,) = forecast(plan, project.source, project.workspace, options, Silent())
    assert (expected.table, expected.rows) == ("keyed", 200)
    assert expected.seconds > 0
    assert (expected.bytes is not None and expected.bytes > 0) == (via == "postgres")
    assert (expected.bytes is None) == (via == "rest")
    assert not project.workspace.data.exists()


def test_dry_run_says_what_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    known = Forecast(table="known", rows=3, bytes=1 << 20, seconds=0.1)
    unknown = Forecast(table="unknown", rows=4, bytes=None, seconds=0.1)
    for forecasts, size, total in (
        ([known], "1.0 MiB", "3 rows, 1.0 MiB at the source"),
        ([unknown], "? MiB", "4 rows, ? MiB at the source"),
        ([known, unknown], "? MiB", "7 rows, 1.0 MiB and more at the source"),
    ):
        print_forecast(forecasts, Path(), as_json=False)
        *lines, last = capsys.readouterr().out.splitlines()
        assert size in lines[-1]
        assert last.startswith(total)
    print_forecast([unknown], Path(), as_json=True)
    assert json.loads(capsys.readouterr().out)["tables"][0]["bytes"] is None

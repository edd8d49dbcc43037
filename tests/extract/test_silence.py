"""A connection that goes silent is found, and left; one whose server works is waited for."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from stages.errors import Stopped
from stages.extract import line
from tests.extract.silent import silent_proxy
from tests.extract.support import Database, Project, make_rows

ROWS = 60_000
MAX_SILENCE = 2.0

pytestmark = pytest.mark.usefixtures("cut_small")


@pytest.fixture
def rows(database: Database) -> Iterator[Database]:
    make_rows(database, ROWS, width=99)
    database.sql(
        f"CREATE VIEW big.slow AS SELECT 1 AS id, pg_sleep({MAX_SILENCE * 2}) IS NULL AS slept"
    )
    yield database
    database.sql("DROP VIEW big.slow; DROP TABLE big.rows")


@pytest.mark.parametrize("only_old", [False, True], ids=["all are silent", "a second one answers"])
def test_a_silent_connection_ends_the_run_and_the_next_goes_on(
    rows: Database, project: Project, only_old: bool
) -> None:
    project.plan(rows={"table": "big.rows"})
    source = project.source
    with silent_proxy(source, MAX_SILENCE) as (project.source, proxy):
        proxy.after, proxy.only_old = 6_000_000, only_old
        began = time.monotonic()
        with pytest.raises(Stopped, match=r"nothing was received for 2 s") as stopped:
            project.extract("postgres")
        assert time.monotonic() - began < 30
    assert stopped.value.exit_code == 3
    assert stopped.value.hint == "completed work is kept; run again: stages extract"
    assert project.manifest("rows")["status"] == "reading"
    kept = project.files("rows")
    assert kept
    project.source = source
    project.extract()
    assert project.column("rows", "id") == list(range(1, ROWS + 1))
    assert kept.items() <= project.files("rows").items()


def test_a_proxy_that_is_silent_from_the_start_is_left(
    rows: Database, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "CONNECT_WITHIN", MAX_SILENCE)
    project.plan(rows={"table": "big.rows"})
    with silent_proxy(project.source, MAX_SILENCE) as (project.source, proxy):
        proxy.silent.set()
        with pytest.raises(Stopped, match="nothing was received"):
            project.extract("postgres")


def test_a_server_that_works_for_long_is_waited_for(rows: Database, project: Project) -> None:
    project.plan(slow={"table": "big.slow"})
    with silent_proxy(project.source, MAX_SILENCE) as (project.source, _):
        assert project.extract("postgres").failed == []
    assert project.column("slow", "id") == [1]

"""Kind to a live source: few connections, short locks, no old snapshots, and no hidden rows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from types import SimpleNamespace

import psycopg
import pyarrow as pa
import pytest

from stages.errors import Stopped, TableFailed
from stages.extract import deadline, table_extract
from stages.extract.catalog import Reading
from stages.extract.postgres import PostgresReader, PostgresSession
from stages.extract.reader import Span
from stages.project.settings import Secret
from tests.extract.support import Database, Project, make_rows

ROWS = 6000
KEPT_PARTS = 2

pytestmark = pytest.mark.usefixtures("cut_small")


@pytest.fixture
def rows(database: Database) -> Iterator[Database]:
    make_rows(database, ROWS, width=9)
    yield database
    database.sql("DROP TABLE big.rows")


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Once some parts are closed, reading hardly goes on; the event says that this is so."""
    monkeypatch.setattr(deadline, "LOOK_EVERY", 0.05)
    closed, reached = iter(range(10**6)), threading.Event()
    close, read = table_extract.TableExtract._close_part, PostgresSession.read

    def closing(*args: object) -> None:
        close(*args)  # type: ignore[arg-type]
        if next(closed) + 1 >= KEPT_PARTS:
            reached.set()

    def reading(session: PostgresSession, reading: Reading, span: Span) -> Iterator[pa.Table]:
        for table in read(session, reading, span):
            yield table
            if reached.is_set():
                time.sleep(0.3)

    monkeypatch.setattr(table_extract.TableExtract, "_close_part", closing)
    monkeypatch.setattr(PostgresSession, "read", reading)
    return reached


def meanwhile(event: threading.Event, do: Callable[[], None]) -> threading.Thread:
    """Do it in a thread once the event has come."""

    def wait() -> None:
        assert event.wait(30)
        do()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def assert_goes_on(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was done is kept, and the next run ends it."""
    half = project.manifest("rows")
    assert half["status"] == "reading"
    assert len(half["parts"]) >= KEPT_PARTS
    kept = project.files("rows")
    assert not list(project.workspace.extract("rows").glob(".*.tmp"))
    monkeypatch.undo()
    project.extract()
    assert project.column("rows", "id") == list(range(1, ROWS + 1))
    assert {name: facts for name, facts in project.files("rows").items() if name in kept} == kept
    assert len(project.manifest("rows")["snapshots"]) == 2


# ── connections ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("free", [60, 19, 11, 6])
def test_never_more_than_a_quarter_of_the_free_connections(
    rows: Database, project: Project, monkeypatch: pytest.MonkeyPatch, free: int
) -> None:
    connections = []
    read = PostgresSession.read

    def counting(session: PostgresSession, reading: Reading, span: Span) -> Iterator[pa.Table]:
        connections.append(ours())
        yield from read(session, reading, span)

    def ours() -> int:
        query = "SELECT count(*) FROM pg_stat_activity WHERE usename = %s"
        role = f"postgres.{project.source.ref}"
        row = rows.admin.execute(query, [role]).fetchone()
        assert row is not None
        return int(row[0])

    monkeypatch.setattr(PostgresSession, "read", counting)
    project.plan(rows={"table": "big.rows"})
    unused = rows.one(
        "SELECT current_setting('max_connections')::int - count(*)::int FROM pg_stat_activity"
    )
    with ExitStack() as others:
        for _ in range(unused - free):
            others.enter_context(psycopg.connect(rows.admin.info.dsn, password=_password(rows)))
        assert ours() == 0
        project.extract("postgres", jobs=16)
    # The least that reading needs: a connection that holds the snapshot, and one that reads.
    assert 2 <= max(connections) <= max(2, free // 4)
    assert max(connections) <= 5


def _password(rows: Database) -> str:
    return rows.admin.info.password


def test_default_is_at_most_four_connections(rows: Database, project: Project) -> None:
    reader = PostgresReader(project.source)
    try:
        assert reader.allowed_jobs(None) + 1 <= 4
    finally:
        reader.close()


# ── snapshots and locks ─────────────────────────────────────────────────────────────────────


def test_snapshot_that_is_too_old_ends_the_run(
    rows: Database,
    project: Project,
    slow: threading.Event,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project.plan(rows={"table": "big.rows"})
    # It ages when the first parts are written.
    now = time.monotonic
    aged = SimpleNamespace(monotonic=lambda: now() + (3600 if slow.is_set() else 0))
    monkeypatch.setattr(deadline, "time", aged)
    with pytest.raises(Stopped) as stopped:
        project.extract("postgres", max_snapshot=1800.0)
    assert stopped.value.exit_code == 3
    assert "--max-snapshot" in stopped.value.message
    assert stopped.value.hint == "completed work is kept; run again: stages extract"
    assert_goes_on(project, monkeypatch)


def test_lock_that_waits_behind_us_is_let_through(
    rows: Database,
    project: Project,
    slow: threading.Event,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project.plan(rows={"table": "big.rows"})
    alter = meanwhile(slow, lambda: rows.sql("ALTER TABLE big.rows ALTER COLUMN t SET NOT NULL"))
    began = time.monotonic()
    with pytest.raises(
        Stopped, match=r"waits for big\.rows, which our snapshot holds: releasing"
    ) as stopped:
        project.extract("postgres")
    assert stopped.value.exit_code == 3
    alter.join(10)
    assert not alter.is_alive(), "the lock was not let go of"
    assert time.monotonic() - began < 30
    column = "attrelid = 'big.rows'::regclass AND attname = 't'"
    assert rows.one(f"SELECT attnotnull FROM pg_attribute WHERE {column}")
    assert_goes_on(project, monkeypatch)


def test_lost_connection_ends_the_run(
    rows: Database,
    project: Project,
    slow: threading.Event,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project.plan(rows={"table": "big.rows"})
    query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'postgres.%'"

    def kill() -> None:
        rows.admin.execute(query.encode())

    killer = meanwhile(slow, kill)
    # One that reads has lost it; one that was about to open gets none.
    with pytest.raises(Stopped, match="connection to Postgres") as stopped:
        project.extract("postgres")
    killer.join()
    assert stopped.value.exit_code == 3
    assert_goes_on(project, monkeypatch)


def test_timeout_of_the_role_is_lifted(rows: Database, project: Project) -> None:
    role = f'"postgres.{project.source.ref}"'
    rows.sql(
        "CREATE VIEW big.sleepy AS SELECT i, pg_sleep(2.5) IS NULL AS slept "
        "FROM generate_series(1, 1) i"
    )
    rows.admin.execute(f"ALTER ROLE {role} SET statement_timeout = '2s'".encode())
    try:
        assert project.source.db_url is not None
        with (
            psycopg.connect(project.source.db_url.reveal()) as limited,
            pytest.raises(psycopg.errors.QueryCanceled),
        ):
            limited.execute("SELECT * FROM big.sleepy")
        project.plan(sleepy={"table": "big.sleepy"})
        assert project.extract("postgres").failed == []
        assert project.column("sleepy", "i") == [1]
    finally:
        rows.admin.execute(f"ALTER ROLE {role} RESET statement_timeout".encode())
        rows.sql("DROP VIEW big.sleepy")


# ── rights ──────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def reader(rows: Database, project: Project) -> Iterator[Project]:
    """A project whose role may read, is bound by row security, and lacks a grant."""
    rows.admin.execute("CREATE ROLE extract_reader LOGIN PASSWORD 'reading' NOBYPASSRLS")
    rows.sql(
        """
        GRANT USAGE ON SCHEMA big TO extract_reader;
        GRANT SELECT ON big.rows TO extract_reader;
        CREATE TABLE big.secured (id int PRIMARY KEY, owner text);
        INSERT INTO big.secured SELECT i, 'extract_reader' FROM generate_series(1, 9) i;
        ALTER TABLE big.secured ENABLE ROW LEVEL SECURITY;
        CREATE POLICY own ON big.secured USING (id < 5);
        GRANT SELECT ON big.secured TO extract_reader;
        CREATE TABLE big.ungranted (id int PRIMARY KEY)
        """
    )
    url = rows.url("extract_reader", "reading")
    project.source = replace(project.source, url=None, db_url=Secret(url))
    yield project
    rows.sql(
        "DROP TABLE big.secured, big.ungranted; REVOKE ALL ON SCHEMA big FROM extract_reader;"
        "REVOKE ALL ON big.rows FROM extract_reader"
    )
    rows.admin.execute("DROP ROLE extract_reader")


def test_row_security_is_an_error_and_no_short_read(rows: Database, reader: Project) -> None:
    reader.plan(
        secured={"table": "big.secured"},
        rows={"table": "big.rows"},
        ungranted={"table": "big.ungranted"},
    )
    result = reader.extract()
    assert sorted(result.failed) == ["secured", "ungranted"]
    error = result.tables["secured"]["error"]
    assert "row security would hide rows" in error
    assert "BYPASSRLS" in error
    error = result.tables["ungranted"]["error"]
    assert "no right to read" in error
    assert "ungranted" in error
    assert "grant SELECT" in error
    for name in ("secured", "ungranted"):
        assert not reader.files(name)
    assert reader.column("rows", "id") == list(range(1, ROWS + 1))
    # Who may see all, sees all.
    reader.source = rows.source
    assert reader.extract().failed == []
    assert reader.column("secured", "id") == list(range(1, 10))


# ── the count that proves a table ───────────────────────────────────────────────────────────


def test_a_table_whose_count_fails_is_told_once_and_the_others_go_on(
    rows: Database, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows.sql("CREATE TABLE big.others (id int PRIMARY KEY); INSERT INTO big.others VALUES (1), (2)")
    count = PostgresSession.count

    def failing(session: PostgresSession, reading: Reading, *, filtered: bool = True) -> int:
        if reading.name == "rows":
            raise TableFailed("nobody can count")
        return count(session, reading, filtered=filtered)

    monkeypatch.setattr(PostgresSession, "count", failing)
    project.plan(rows={"table": "big.rows"}, others={"table": "big.others"})
    try:
        result = project.extract()
    finally:
        rows.sql("DROP TABLE big.others")
    assert result.failed == ["rows"]
    assert project.heard.text.count("nobody can count") == 1
    assert project.manifest("rows")["status"] == "reading"
    assert project.manifest("others")["rows"] == 2
    kept = project.files("rows")
    monkeypatch.undo()
    assert project.extract().failed == []
    assert project.column("rows", "id") == list(range(1, ROWS + 1))
    assert kept.items() <= project.files("rows").items()


def test_in_a_snapshot_rows_are_counted_while_others_still_read(
    rows: Database, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The count waits for nobody: the last span is not read before it is made."""
    counted = threading.Event()
    count, read, last = PostgresSession.count, PostgresSession.read, []

    def counting(session: PostgresSession, reading: Reading, *, filtered: bool = True) -> int:
        number = count(session, reading, filtered=filtered)
        counted.set()
        return number

    def reading(session: PostgresSession, reading: Reading, span: Span) -> Iterator[pa.Table]:
        if span.until is None:
            last.append(counted.wait(30))
        yield from read(session, reading, span)

    monkeypatch.setattr(PostgresSession, "count", counting)
    monkeypatch.setattr(PostgresSession, "read", reading)
    project.plan(rows={"table": "big.rows"})
    assert project.extract().failed == []
    assert len(project.manifest("rows")["spans"]) > 1
    assert last == [True]

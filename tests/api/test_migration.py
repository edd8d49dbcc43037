"""`Migration`: each call is complete, typed and quiet, and leaves the process as it was."""

from __future__ import annotations

import logging
import os
import shlex
import signal
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from stages import (
    CheckResult,
    Consent,
    Declined,
    Event,
    Migration,
    Question,
    Shortfall,
    Stopped,
    UserError,
    log_events,
    sandbox,
)
from stages.errors import Transient
from stages.hints import Invocation
from stages.report.files import report_files
from stages.state.durable import read_json
from stages.state.lock import data_lock
from stages.views import connect
from tests.api.support import PRODUCTION, SETTINGS
from tests.support.project_copies import edit_plan


def in_hint(migration: Migration, command: str) -> str:
    """The command with the options that open this migration."""
    workspace = migration.workspace
    options = f"--project {shlex.quote(str(workspace.project))} --data {workspace.data}"
    return f"stages {options} --target {migration.target} {command}"


# ── one whole migration ─────────────────────────────────────────────────────────────────────


def process_state() -> dict[str, Any]:
    umask = os.umask(0o022)
    os.umask(umask)
    settings = "SELECT name, value FROM duckdb_settings() WHERE name <> 'temp_directory'"
    return {
        "umask": umask,
        "signals": {number: signal.getsignal(number) for number in signal.valid_signals()},
        "environment": dict(os.environ),
        "folder": Path.cwd(),
        "DuckDB": duckdb.execute(settings).fetchall(),
        "logging": list(logging.getLogger().handlers),
    }


def in_thread(call: Callable[[], None]) -> None:
    """Run it in a thread of its own, where no signal handler can be set."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:
            errors.append(error)
            raise

    thread = Thread(target=run)
    thread.start()
    thread.join()
    assert errors == []


def test_a_whole_migration(
    supabase: sandbox.State,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """In a thread, with the widest umask and no stdin: complete, typed, and without a trace."""
    monkeypatch.setattr("sys.stdin", None)
    before = os.umask(0)
    events: list[Event] = []
    migration = Migration(project, target="sandbox-api", environment={}, on_event=events.append)
    try:
        state = process_state()
        in_thread(lambda: move(migration))
        assert process_state() == state
    finally:
        os.umask(before)
    assert capfd.readouterr() == ("", "")
    stages_seen = {event.stage for event in events if event.kind == "done"}
    assert stages_seen >= {"extract", "reference", "transform", "load", "verify"}
    first = next(event for event in events if event.kind == "note")
    assert "(target sandbox-api)" in first.text
    assert ("start", "sandbox", "Convex") in {(e.kind, e.stage, e.table) for e in events}


def move(migration: Migration) -> None:
    workspace = migration.workspace
    extracted = migration.extract()
    extracted.raise_if_wrong()
    assert extracted.transport == "postgres"
    assert extracted.tables["articles"].rows == 40
    assert extracted.tables["form_templates"].status == "missing"
    assert (workspace.reference("workspaces") / "manifest.json").exists()
    assert workspace.database.exists()
    assert migration.status().next == in_hint_without_data(migration, "transform")

    transformed = migration.transform()
    transformed.raise_if_wrong()
    assert transformed.tables["articles"].documents == 34
    assert transformed.tables["articles"].rejects == 6
    assert sum(g.rows for g in migration.rejects(["articles"]) if g.stage == "transform") == 6

    loaded = migration.load()
    loaded.raise_if_wrong()
    assert loaded.tables["articles"].inserted == 34
    assert (loaded.failed, loaded.partial) == ({}, [])
    file, _ = report_files(migration.workspace, migration.plan)
    report = read_json(file)
    assert report and report["tables"]["articles"]["migrated"] == 34

    verified = migration.verify()
    verified.raise_if_wrong()
    assert (verified.tables["articles"].verified, verified.tables["articles"].missing) == (34, 0)
    assert migration.report().figures["tables"]["articles"]["source"] == 40

    assert migration.load().tables["articles"].inserted == 34  # of all loads so far
    removed = migration.rollback(["ariScoringConfig", "webinarRegistrations"], consent=True)
    assert removed.tables["webinarRegistrations"].removed == 259


def in_hint_without_data(migration: Migration, command: str) -> str:
    return f"stages --project {migration.project} --target {migration.target} {command}"


def test_a_text_is_one_name(transformed: Migration) -> None:
    assert set(transformed.transform("articles").tables) == {"articles"}
    assert {group.table for group in transformed.rejects("articles")} == {"articles"}


# ── the lock ────────────────────────────────────────────────────────────────────────────────

WRITERS: list[Callable[[Migration], Any]] = [
    lambda m: m.extract(),
    lambda m: m.transform(),
    lambda m: m.preview_transform(limit=1),
    lambda m: m.load(),
    lambda m: m.forecast_load(),
    lambda m: m.verify(),
    lambda m: m.rollback(consent=True),
    lambda m: m.clean(consent=True),
]


@pytest.mark.parametrize("write", WRITERS)
def test_a_second_writer_is_stopped(transformed: Migration, write: Callable[..., Any]) -> None:
    with data_lock(transformed.workspace), pytest.raises(Stopped) as stopped:
        write(transformed)
    assert "another stages command is writing to" in stopped.value.message
    assert in_hint(transformed, "status") in (stopped.value.hint or "")


def test_a_call_holds_the_lock_while_it_works(transformed: Migration) -> None:
    refused: list[Stopped] = []

    def write(event: Event) -> None:
        try:
            transformed.transform()
        except Stopped as stopped:
            refused.append(stopped)

    Migration(
        transformed.project,
        data=transformed.workspace.data,
        target="sandbox",
        environment={},
        on_event=write,
    ).transform(["articles"])
    assert refused
    transformed.transform(["articles"])


def test_reading_does_not_wait_for_a_writer(transformed: Migration) -> None:
    with data_lock(transformed.workspace):
        assert transformed.status().tables["articles"].transform
        assert transformed.rejects()
        assert transformed.sql("SELECT count(*) FROM extract.articles")


# ── the gates of a load ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("consent", [None, False, True, "happy-otter-124"])
def test_production_is_not_written_to_without_its_name(
    production: Migration, consent: Consent
) -> None:
    with pytest.raises(UserError) as error:
        production.load(consent=consent)
    assert PRODUCTION in error.value.message
    assert in_hint(production, f"load --yes {PRODUCTION}") in (error.value.hint or "")


def test_a_function_is_asked_once(production: Migration) -> None:
    questions: list[Question] = []

    def refuse(question: Question) -> bool:
        questions.append(question)
        return False

    with pytest.raises(Declined):
        production.load(consent=refuse)
    (question,) = questions
    assert question.deployment == PRODUCTION and question.by_name
    assert question.action == f"`{PRODUCTION}` is a production deployment"


@pytest.mark.parametrize("consent", [PRODUCTION, lambda question: True])
def test_the_next_gate_is_the_limit_of_rejects(production: Migration, consent: Consent) -> None:
    edit_plan(production.project, 'max_rejects = "15%"', "max_rejects = 0")
    with pytest.raises(Shortfall, match="more rejects than the plan allows") as error:
        production.load(consent=consent)
    assert in_hint(production, "rejects") in (error.value.hint or "")


def test_a_transform_above_the_limit_returns_and_falls_short_when_asked(
    transformed: Migration,
) -> None:
    edit_plan(transformed.project, 'max_rejects = "15%"', "max_rejects = 0")
    result = transformed.transform()
    assert result.over_limit and result.tables["articles"].rejects == 6
    with pytest.raises(Shortfall) as error:
        result.raise_if_wrong()
    assert in_hint(transformed, "rejects") in (error.value.hint or "")


def test_options_of_another_channel_are_refused(transformed: Migration) -> None:
    with pytest.raises(UserError, match="--mode is for --through import"):
        transformed.load(mode="append")


# ── errors ──────────────────────────────────────────────────────────────────────────────────


def test_an_unknown_target_makes_no_folder(project: Path) -> None:
    migration = Migration(project, data=project.parent / "fresh", target="staging", environment={})
    with pytest.raises(UserError, match=r"no \[targets.staging\]"):
        migration.extract()
    assert not (project.parent / "fresh").exists()


def test_a_project_without_a_plan(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        Migration(tmp_path, environment={}).status()
    assert "plan.toml" in error.value.message and error.value.hint


@pytest.mark.parametrize(
    "cause", [Transient("lost", "run again: stages load"), OSError(28, "No space left on device")]
)
def test_what_a_retry_continues_is_stopped(transformed: Migration, cause: Exception) -> None:
    with pytest.raises(Stopped) as stopped, transformed._errors():
        raise cause
    assert stopped.value.exit_code == 3
    assert stopped.value.__cause__ is cause
    assert "stages load" not in (stopped.value.hint or "")  # whole: with its options


def test_a_check_gives_what_to_run_as_a_whole(
    production: Migration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its results, in its events, and in the error."""
    looked = [
        CheckResult("plan", True, "12 tables"),
        CheckResult("Convex", False, "no", "stages load"),
    ]
    monkeypatch.setattr("stages.check.run.check", lambda *_: looked)
    events: list[Event] = []
    migration = Migration(
        production.project,
        data=production.workspace.data,
        target="default",
        environment=SETTINGS,
        on_event=events.append,
    )
    checked = migration.check()
    assert checked.wrong == ["Convex"]
    assert checked.results[1].hint == events[1].facts["hint"] == in_hint(production, "load")
    assert [event.table for event in events] == ["plan", "Convex"]
    with pytest.raises(Shortfall) as error:
        checked.raise_if_wrong()
    assert error.value.hint == "fix what is WRONG, as the arrows say"


# ── looking ─────────────────────────────────────────────────────────────────────────────────


def test_sql_joins_what_is_handed_in_and_nothing_else(transformed: Migration) -> None:
    wanted = pa.table({"table": ["articles", "webinars"], "limit": [3, 100]})
    relation = transformed.sql(
        'SELECT "table", count(*) > "limit" FROM rejects JOIN wanted USING ("table") '
        'GROUP BY "table", "limit" ORDER BY 1',
        tables={"wanted": wanted},
    )
    assert relation.fetchall() == [("articles", True), ("webinars", False)]
    with pytest.raises(UserError, match="wanted") as error:
        transformed.sql("SELECT * FROM wanted")  # a variable of the caller
    assert in_hint(transformed, 'sql "show all tables"') in (error.value.hint or "")
    with pytest.raises(UserError):
        transformed.sql("SELECT 1", tables={"wanted": object()})


def test_a_large_query_spills_into_the_data_folder(
    transformed: Migration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which is private, unlike the current folder; and it leaves nothing."""
    workspace, plan = transformed.workspace, transformed.plan
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    with connect(workspace, plan, locked=False) as connection:
        connection.execute("SET memory_limit = '100MB'")
        connection.execute(
            "CREATE TEMP TABLE large AS SELECT md5(i::VARCHAR) AS text FROM range(4_000_000) t(i) "
            "ORDER BY text"
        )
        assert workspace.query_spills() == [workspace.query_spill(os.getpid())]
    assert workspace.query_spills() == []
    assert not list(here.iterdir())


def test_a_query_that_is_none(transformed: Migration) -> None:
    with pytest.raises(UserError, match="no statement"):
        transformed.sql("-- a comment")


# ── events ──────────────────────────────────────────────────────────────────────────────────


def test_events_go_to_logging(transformed: Migration, caplog: pytest.LogCaptureFixture) -> None:
    log = log_events(logging.getLogger("shop"))
    migration = Migration(
        transformed.project,
        data=transformed.workspace.data,
        target="sandbox",
        environment={},
        on_event=log,
    )
    with caplog.at_level(logging.DEBUG, "shop"):
        migration.transform(["articles"], restart=True)
        log(Event(kind="start", stage="load", table="articles", total=34))
        log(Event(kind="advance", table="articles", rows=34))
    lines = {(record.levelname, record.getMessage()) for record in caplog.records}
    assert any(level == "INFO" and "(target sandbox)" in text for level, text in lines)
    assert any(level == "INFO" and text.startswith("transform articles") for level, text in lines)
    assert ("DEBUG", "load articles begins (34 rows)") in lines
    assert ("DEBUG", "articles: 34 rows more") in lines


# ── nothing reaches further than it was asked to ────────────────────────────────────────────


@pytest.mark.parametrize(
    "call",
    [
        lambda m: m.clean("Ledger", consent=True),
        lambda m: m.load(through="imports"),
        lambda m: m.load(through="import", mode="Replace"),
        lambda m: m.extract(via="REST"),
    ],
)
def test_a_word_that_nobody_knows_is_refused(
    transformed: Migration, call: Callable[[Migration], Any]
) -> None:
    before = sorted(transformed.workspace.data.rglob("*"))
    with pytest.raises(UserError, match="can't be"):
        call(transformed)
    assert sorted(transformed.workspace.data.rglob("*")) == before


@pytest.mark.parametrize("update", [False, True])
def test_init_reads_no_source_for_a_target_that_nobody_knows(project: Path, update: bool) -> None:
    migration = Migration(
        project, target="typo", environment={"SUPABASE_DB_URL": "postgresql://u:p@127.0.0.1:9/x"}
    )
    with pytest.raises(UserError, match=r"the plan has no \[targets\.typo\]"):
        migration.init(update=update)


def test_a_hint_has_the_tables_and_options_of_the_call(production: Migration) -> None:
    with pytest.raises(UserError) as error:
        production.load(["articles", "webinars"], prune=True)
    assert f"load articles webinars --prune --yes {PRODUCTION}" in (error.value.hint or "")


def test_a_broken_pipe_is_not_the_disk(transformed: Migration, project: Path) -> None:
    def on_event(event: Event) -> None:
        raise BrokenPipeError

    migration = Migration(
        project, data=transformed.workspace.data, target="sandbox-api", environment={},
        on_event=on_event,
    )  # fmt: skip
    with pytest.raises(BrokenPipeError):
        migration.transform()


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        ("run: stages load", "run: stages --data /d --target t load"),
        ("try: stages --target sandbox check", "try: stages --data /d --target sandbox check"),
        ("stages init --update, then stages sql", "stages --data /d --target t init --update, "
         "then stages --data /d --target t sql"),
        ("the stages of a migration", "the stages of a migration"),
    ],
)  # fmt: skip
def test_hints_are_completed_once(text: str, complete: str) -> None:
    invocation = Invocation(data=Path("/d"), target="t")
    assert invocation.complete(text) == complete
    assert invocation.complete(complete) == complete

"""The prompt of `stages sql`, on a terminal."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import shutil
import signal
from pathlib import Path

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from stages import Migration
from stages.cli.sql_completion import SqlCompleter
from stages.cli.sql_help import answer, useful_queries, views_of
from stages.cli.sql_prompt import is_complete, is_no_interrupt
from stages.errors import UserError
from stages.layout import plain
from stages.sql_session import SqlSession
from tests.support.command_line import Stages
from tests.support.project_copies import copy_data, loaded_once
from tests.support.typed import Terminal

PROMPT = "stages>"
ENDLESS = "select count(*) from range(1000000000000) t(i) where sin(i) > 2;"
ARROW_UP = "\x1b[A"


@pytest.fixture(scope="module")
def stages(extracted: Path, tmp_path_factory: pytest.TempPathFactory) -> Stages:
    loaded = loaded_once(extracted)
    folder = tmp_path_factory.mktemp("prompt") / "data"
    return dataclasses.replace(loaded, data=copy_data(loaded.data, folder))


@pytest.fixture(scope="module")
def session(extracted: Path) -> SqlSession:
    loaded = loaded_once(extracted)
    return Migration(loaded.project, data=loaded.data, target=loaded.target).sql_session()


def prompt(stages: Stages, *options: str) -> Terminal:
    terminal = Terminal(stages.command("sql", *options), stages.env())
    terminal.expect(PROMPT)
    return terminal


def test_statements_errors_and_the_end(stages: Stages) -> None:
    with prompt(stages) as terminal:
        terminal.type("select 1 as a,\r")
        terminal.expect("...>")
        terminal.type("';' as b; select 'c' as c;\r")
        assert "│ ;" in terminal.expect("│ c  ")
        for wrong, words in {
            "selec 1;\r": "Parser Error",
            "from nothing;\r": "see the views with: .tables",
            "select error('late') from extract.articles;\r": "late",
            "copy (select 1) to 'x';\r": "stages sql only reads",
            ".tabels\r": "is it `.tables`?",
        }.items():
            terminal.type(wrong)
            terminal.expect(words)
        terminal.type("create temp table t as select 77 as n;\r")
        terminal.type("from t;\r")
        terminal.expect("│    77 │")
        terminal.type(".exit\r")
        assert terminal.end() == 0
        assert b"Traceback" not in terminal.printed


def test_control_c_ends_a_statement_and_control_d_the_prompt(stages: Stages) -> None:
    with prompt(stages) as terminal:
        terminal.type("select half")
        terminal.expect("half")
        terminal.type("\x03")
        terminal.expect(PROMPT)
        for _ in range(3):  # a second one ends other commands
            terminal.type(f"select 'begun' as b; {ENDLESS}\r")
            terminal.expect("│ begun")
            terminal.type_ahead("\x03")
            terminal.expect("interrupted")
        terminal.type("select 5 as five;\r")
        terminal.expect("│     5 │")
        terminal.type("\x04")
        assert terminal.end() == 0


def test_a_signal_to_end_ends_it_with_3(stages: Stages) -> None:
    with prompt(stages) as terminal:
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.end() == 3
        assert "stopped" in terminal.screen and b"Traceback" not in terminal.printed


def test_a_signal_while_the_history_is_loaded_is_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    logger = logging.getLogger("prompt_toolkit.buffer")
    logger.addFilter(is_no_interrupt)
    try:
        for error in (KeyboardInterrupt(), ValueError("a real one")):
            try:
                raise error
            except BaseException:
                logger.exception("Loading history failed")
    finally:
        logger.removeFilter(is_no_interrupt)
    assert len(caplog.records) == 1
    assert "a real one" in caplog.text and "KeyboardInterrupt" not in caplog.text


def test_the_history_is_private_and_goes_with_clean(stages: Stages, tmp_path: Path) -> None:
    stages = dataclasses.replace(stages, data=copy_data(stages.data, tmp_path / "data"))
    history = stages.data / "sql-history"
    umask = os.umask(0)
    try:
        with prompt(stages) as terminal:
            terminal.type("select 'kept' as first;\r")
            terminal.expect("│ kept")
            terminal.type("\x04")
            assert terminal.end() == 0
    finally:
        os.umask(umask)
    assert history.stat().st_mode & 0o777 == 0o600
    with prompt(stages) as terminal:
        terminal.type(ARROW_UP)
        terminal.expect("select 'kept' as first;")
        terminal.type("\r")
        terminal.expect("│ kept")
    stages.run("clean", "--yes")
    assert not history.exists()


def test_where_no_history_can_be_kept_the_prompt_says_so(tmp_path: Path) -> None:
    stages = Stages(tmp_path / "data")
    (stages.data / "sql-history").mkdir(parents=True)
    with Terminal(stages.command("sql"), stages.env()) as terminal:
        terminal.expect("the history is not kept: Is a directory: ")
        terminal.type("select 5 as five;\r")
        terminal.expect("│     5 │")


def test_tab_completes(stages: Stages) -> None:
    with prompt(stages) as terminal:
        terminal.type("select 'ok' as done from load.webinarR\t")
        terminal.expect("egistrations")
        terminal.type(" limit 1;\r")
        terminal.expect("│ ok")


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("from load.webinarR", ["load.webinarRegistrations"]),
        ("FROM LOAD.WEBINARR", ["load.webinarRegistrations"]),
        ("from webinarR", ["bound.webinarRegistrations", "load.webinarRegistrations",
                           "transform.webinarRegistrations"]),
        ("from load.articles where conv", ["convex_id"]),
        ("from rejects r where r.reas", ["r.reason"]),
        ('select "table" from rejects where ta', ['"table"', "table", "tablesample"]),
        ("select * from rejects group by quali", ["qualify"]),
        ("select pg_array_", ["pg_array_2d("]),
        (".mac", [".macros"]),
        (".tables extract.webinar_r", ["extract.webinar_registrations"]),
    ],
)  # fmt: skip
def test_what_is_completed(session: SqlSession, typed: str, completed: list[str]) -> None:
    completions = SqlCompleter(session).get_completions(Document(typed), CompleteEvent())
    assert [each.text for each in completions] == completed


def test_without_a_terminal_on_one_side_there_is_no_prompt(stages: Stages) -> None:
    done = stages.raw("sql", "--json", typed="select 1 as one")
    assert json.loads(done.stdout) == [{"one": 1}]


def test_other_forms_and_what_is_staged_meanwhile(stages: Stages) -> None:
    view = stages.target_folder / "transform" / "articles"
    aside = view.with_name("aside")
    view.rename(aside)
    with prompt(stages, "--format", "jsonl") as terminal:
        terminal.type("from transform.articles;\r")
        terminal.expect("does not exist")
        terminal.expect(PROMPT)
        aside.rename(view)
        terminal.type("select count(*) as n from transform.articles;\r")
        terminal.expect('{"n": 34}')


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        ("select 1;", True), ("select 1; -- done;", True), ("", True), (".tables", True),
        ("select 1", False), ("select ';", False), ("select 'é', $$;", False),
        ("select 'é' ;\n", True), ("select 1 -- ;", False), ("select 1 /* ;", False),
    ],
)  # fmt: skip
def test_what_ends_a_statement(text: str, complete: bool) -> None:
    assert is_complete(text) == complete


def test_every_query_of_the_help_runs(session: SqlSession) -> None:
    queries = useful_queries(session)
    assert len(queries) == 9
    for query in queries:
        assert query.sql in plain(answer(session, ".help"))
        for relation in session.results(query.sql):
            relation.fetchall()


def test_the_answers_of_commands(session: SqlSession) -> None:
    text = plain(answer(session, ".tables"))
    assert "load.articles" in text and "rows of the source articles, as they were" in text
    assert len(text.splitlines()) == len(views_of(session)) == 62
    columns = plain(answer(session, ".tables LOAD.articles;"))
    assert [each.split()[0] for each in columns.splitlines()] == [
        "source_id", "convex_id", "did", "digest",
    ]  # fmt: skip
    assert "to_ms(moment)" in plain(answer(session, ".macros"))
    with pytest.raises(UserError, match=r"is it `load.articles`\?"):
        answer(session, ".tables load.article")


def test_help_where_nothing_is_staged(tmp_path: Path) -> None:
    stages = Stages(tmp_path / "data")
    assert "Nothing is staged yet" in stages.run("sql", ".help").stdout


def test_a_side_file_that_comes_while_the_prompt_is_open_stops_nothing(
    extracted: Path, tmp_path: Path
) -> None:
    """It can be read by the next session: this one is confined to the files of its start."""
    loaded = loaded_once(extracted)
    project = tmp_path / "project"
    shutil.copytree(loaded.project, project, symlinks=True)
    session = Migration(project, data=loaded.data, target=loaded.target).sql_session()
    (project / ".planning" / "migrations" / "late.csv").write_text("a\n1\n", "utf-8")
    session.renew()
    assert session.relation("select 5 as five").fetchall() == [(5,)]
    assert session.relation("select count(*) from transform.articles").fetchall() == [(34,)]

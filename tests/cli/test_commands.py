"""The commands as a user meets them: exit codes, stdout and stderr, the lock, help."""

from __future__ import annotations

import fcntl
import io
import json
import os
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.shell_completion import ShellComplete

from stages.cli import cli
from stages.progress import Lines
from stages.sandbox import State
from stages.state.fingerprints import hash_file
from tests.docs.commands_page import PAGE, commands, page
from tests.support.command_line import ROOT, Stages
from tests.support.project_copies import copy_data, copy_project, edit_plan, loaded_once
from tests.support.typed import Terminal

TABLES = 13


def files(folder: Path) -> dict[str, tuple[int, str]]:
    """Every file with its time and content; but for the scratch folder, which a writer empties."""
    return {
        str(file.relative_to(folder)): (file.stat().st_mtime_ns, hash_file(file))
        for file in sorted(folder.rglob("*"))
        if file.is_file() and "tmp" not in file.relative_to(folder).parts
    }


def json_lines(text: str) -> list[dict[str, Any]]:
    """stdout as JSON lines; fails for any line that is something else."""
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def loaded(extracted: Path) -> Stages:
    """Everything done already, to be looked at."""
    return loaded_once(extracted)


@pytest.fixture
def transformed(extracted: Path, tmp_path: Path) -> Stages:
    """A copy of what is transformed, in a project to edit."""
    return Stages(
        copy_data(extracted, tmp_path / "data"), project=copy_project(tmp_path / "project")
    )


# ── exit codes ──────────────────────────────────────────────────────────────────────────────


def test_falls_short_is_1(transformed: Stages) -> None:
    edit_plan(transformed.project, 'max_rejects = "15%"', "max_rejects = 0")
    done = transformed.run("transform", code=1)
    assert "more rejects than the plan allows" in done.stderr
    assert "→ " in done.stderr, "the way on"


def test_wrong_usage_is_2(stages: Stages) -> None:
    for wrong in (
        ["extrakt"], ["extract", "--vai", "rest"], ["extract", "--via", "ftp"],
        ["extract", "--jobs", "0"], ["transform", "--limit", "0"], ["load", "--through", "post"],
        ["status", "surplus"], ["sql", "a", "b"], ["sandbox"], ["sandbox", "sideways"],
        ["rejects", "--format", "csv", "--json"], ["sql", "select 1", "--format", "csv", "--json"],
        ["assess", "--markdown", "--json"], ["status", "--watch", "--json"],
    ):  # fmt: skip
        done = stages.run(*wrong, code=2)
        assert done.stdout == "", wrong
        assert "Usage: " in done.stderr, wrong
    assert "see the tables with" in stages.run("sql", "selec 1", code=2).stderr
    # Some errors come only with the rows.
    for query in ("SELECT 'a'::INTEGER", "SELECT x::INTEGER FROM (VALUES ('1'), ('b')) t(x)"):
        assert "see the tables with" in stages.run("sql", query, code=2).stderr
    done = stages.run("verify", "articles", "--final", code=2)
    assert "stages verify --final" in done.stderr
    assert "is not a sandbox" in Stages(stages.data, "default").run("sandbox", "up", code=2).stderr


def test_sooner_than_its_turn_is_1_and_says_what_comes_first(stages: Stages) -> None:
    for command, hint in {
        "transform": "run: stages extract",
        "load": "run: stages transform",
        "verify": "run: stages load",
    }.items():
        assert hint in stages.run(command, code=1).stderr


def test_stopped_is_3(loaded: Stages) -> None:
    """Nobody answers at the source's address: what is there is kept, and it can go on."""
    before = files(loaded.data / "extract")
    nobody = Stages(loaded.data, "default", loaded.project)
    nobody.environment = {
        "SUPABASE_DB_URL": "postgresql://u:p@127.0.0.1:9/postgres",
        "CONVEX_URL": "http://127.0.0.1:9",
        "CONVEX_DEPLOY_KEY": "dev|s",
    }
    nobody.data = loaded.data.with_name("nobody")
    done = nobody.run("extract", "--via", "postgres", code=3)
    assert "no connection to Postgres" in done.stderr
    assert files(loaded.data / "extract") == before


# ── stdout and stderr ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("stage", ["extract", "transform", "load", "verify"])
def test_progress_is_on_stderr(loaded: Stages, stage: str) -> None:
    done = loaded.run(stage)
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    state = json.loads((loaded.data / "source.json").read_text())
    identity = json.loads((loaded.target_folder / "target.json").read_text())
    assert lines[0] == (
        f"Supabase {state['ref']} → Convex {identity['deployment']} (target {loaded.target})"
    )
    assert len([line for line in lines if line.startswith(f"  {stage} ")]) >= TABLES - 1


def test_a_line_is_written_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that those of several threads do not mix."""
    written: list[str] = []

    class Told(io.StringIO):
        def write(self, text: str) -> int:
            written.append(text)
            return len(text)

    monkeypatch.setattr(sys, "stderr", Told())
    Lines().done("extract", "orders", "5 rows")
    assert written == [f"  extract   {'orders':<24} 5 rows\n"]


@pytest.mark.parametrize("stage", ["extract", "transform", "load", "verify"])
def test_a_stage_tells_json_lines(loaded: Stages, stage: str) -> None:
    done = loaded.run(stage, "--json")
    assert done.stderr == ""
    events = json_lines(done.stdout)
    assert events[0]["event"] == "note"
    assert " → Convex " in events[0]["text"]
    ended = {e["table"] for e in events if e["event"] == "done" and e["stage"] == stage}
    assert len(ended) >= TABLES - 1


@pytest.mark.parametrize("command", ["status", "rejects", "report", "check"])
def test_a_look_is_one_json_value(loaded: Stages, command: str) -> None:
    done = loaded.run(command, "--json")
    assert done.stderr == ""
    assert json.loads(done.stdout)


def test_errors_leave_stdout_to_json(transformed: Stages) -> None:
    edit_plan(transformed.project, 'max_rejects = "15%"', "max_rejects = 0")
    done = transformed.run("transform", "--json", code=1)
    assert json_lines(done.stdout)
    assert "more rejects than the plan allows" in done.stderr


def test_shown_documents_and_sql_are_json_too(loaded: Stages) -> None:
    limited = json_lines(loaded.run("transform", "webinars", "--limit", "2", "--json").stdout)
    documents = [line for line in limited if "event" not in line]
    assert len(documents) == 2
    assert set(documents[0]) >= {"_source_id", "title", "workspace_id"}
    explained = json_lines(loaded.run("transform", "webinars", "--explain", "--json").stdout)
    (sql,) = [line for line in explained if "event" not in line]
    assert sql["table"] == "webinars" and "FROM modelled" in sql["sql"]


def test_status_and_rejects_for_people(loaded: Stages) -> None:
    text = loaded.run("status").stdout
    assert "next: nothing: everything is loaded and verified" in text
    assert "formTemplates" in text and "missing" in text
    shown = loaded.run("rejects", "webinars", "--rule", "ambiguous").stdout
    assert shown.splitlines()[2] == (
        "webinars.workspace_id: ambiguous: 1 (transform); 1 more is rejected because of it: "
        "1 webinarRegistrations"
    )
    assert "required_null" not in shown
    assert loaded.run("rejects", "webinars", "--rule", "too_large").stdout.endswith("no rejects\n")
    refused = loaded.run("rejects", "--rule", "ambigous", code=2)
    assert "there is no rule `ambigous`; is it `ambiguous`?" in refused.stderr
    assert "the rules are: ambiguous, array_dimensions, " in refused.stderr


def test_without_a_command_it_says_what_comes_next(loaded: Stages, tmp_path: Path) -> None:
    assert loaded.run().stdout.splitlines() == [
        "everything is loaded and verified",
        "next: nothing: everything is loaded and verified; see stages report",
        "see each table with: stages status",
    ]
    empty = Stages(tmp_path / "data", project=tmp_path).run().stdout
    assert "Usage: " in empty and "There is no plan here. Write one with: stages init DIR" in empty


@pytest.mark.parametrize(
    ("words", "begun", "expected"),
    [
        (["rejects"], "webinar_", ["webinar_registrations"]),
        (["show"], "ariPay", ["ariPayments"]),
        (["show"], "workspac", ["workspaces"]),
        (["--target"], "sand", ["sandbox"]),
        ([], "rej", ["rejects"]),
    ],
)
def test_a_shell_completes_tables_and_targets(
    words: list[str], begun: str, expected: list[str]
) -> None:
    completion = ShellComplete(cli, {}, "stages", "_STAGES_COMPLETE")
    found = completion.get_completions(["--project", str(ROOT), *words], begun)
    assert [each.value for each in found] == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_what_a_shell_asks_and_reads(shell: str) -> None:
    asked = {"COMP_WORDS": f"stages --project {ROOT} rejects ariPay", "COMP_CWORD": "4"}
    if shell == "fish":  # it names the word that is begun
        asked["COMP_CWORD"] = "ariPay"
    done = subprocess.run(
        [Path(sysconfig.get_path("scripts")) / "stages"],
        env={**os.environ, **asked, "_STAGES_COMPLETE": f"{shell}_complete"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "ariPayments" in done.stdout and done.stderr == ""


# ── what writes nothing ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "look",
    [
        ["transform", "--explain"], ["transform", "--limit", "3"],
        ["transform", "webinars", "--limit", "1", "--json"], ["status"], ["rejects"],
        ["sql", "select 1"], ["check"], ["transform", "--help"], ["report"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_look_writes_nothing(loaded: Stages, look: list[str]) -> None:
    before = files(loaded.data), files(loaded.project / ".planning")
    assert loaded.run(*look).stdout
    assert (files(loaded.data), files(loaded.project / ".planning")) == before


def test_a_look_at_an_edited_model_writes_nothing(transformed: Stages) -> None:
    """It is shown as it would be, and what is staged stays as it was."""
    model = transformed.project / ".planning" / "migrations" / "models" / "webinars.sql"
    model.write_text(model.read_text().replace("    title,", "    upper(title) AS title,"))
    before = files(transformed.data)
    done = transformed.run("transform", "webinars", "--limit", "30")
    titles = [line["title"] for line in json_lines(done.stdout)]
    assert titles and all(title == title.upper() for title in titles)
    assert files(transformed.data) == before


# ── the lock ────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def held(loaded: Stages) -> Iterator[None]:
    """Another writer's lock; that a stage really takes it is tested below."""
    with (loaded.data / ".lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


@pytest.mark.parametrize(
    "writer", ["extract", "transform", "load", "verify", "clean --yes", "sandbox up --renew"]
)
def test_a_second_writer_is_refused(held: None, loaded: Stages, writer: str) -> None:
    before = files(loaded.data)
    done = loaded.run(*writer.split(), code=3)
    assert "another stages command is writing to" in done.stderr
    assert "watch it with: stages status --watch" in done.stderr
    assert files(loaded.data) == before


def test_readers_go_on_while_another_writes(held: None, loaded: Stages) -> None:
    for command in ("status", "rejects"):
        assert loaded.run(command).stdout
    assert loaded.sql("select count(*) AS n from transform.articles") == [{"n": 34}]


def test_a_running_stage_holds_the_lock(transformed: Stages) -> None:
    """The second writer comes while the first one runs."""
    model = transformed.project / ".planning" / "migrations" / "models" / "articles.sql"
    slow = "(SELECT count(*) FROM range(20000000) a(i) WHERE sin(i) > 2) = 0"
    model.write_text(f"{model.read_text().rstrip()}\nWHERE {slow}\n")
    first = subprocess.Popen(
        transformed.command("transform"), cwd=ROOT, env=transformed.env(),
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert first.stderr is not None
        assert "Supabase" in first.stderr.readline()
        first.send_signal(signal.SIGSTOP)  # it holds its lock for as long as we look
        done = transformed.run("transform", code=3)
        assert "another stages command is writing to" in done.stderr
        looked = transformed.json("status")
        assert looked["running"]["command"] == "transform"
        assert looked["running"]["pid"] == first.pid
        assert looked["next"] == (
            f"nothing now: transform is running (pid {first.pid}); watch it with: "
            "stages status --watch"
        )
        assert f"running: transform, pid {first.pid}, for " in transformed.run("status").stdout
        first.send_signal(signal.SIGCONT)
        assert first.wait(60) == 0
    finally:
        first.kill()
        first.communicate()
    assert transformed.json("status")["running"] is None
    transformed.run("transform")


def test_a_command_that_was_killed_is_not_running(transformed: Stages) -> None:
    """What it left in the scratch folder names a process that is gone."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    running = {"format": 1, "command": "load", "pid": gone.pid, "since": "2026-01-01T00:00:00Z"}
    (transformed.data / "tmp" / "running.json").write_text(json.dumps(running))
    assert transformed.json("status")["running"] is None


# ── status --watch ──────────────────────────────────────────────────────────────────────────


def test_watching_ends_with_ctrl_c(loaded: Stages) -> None:
    """In a pipe the whole is printed whenever it is another one."""
    watching = subprocess.Popen(
        loaded.command("status", "--watch"), cwd=ROOT, env=loaded.env(),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert watching.stdout is not None
        while not (line := watching.stdout.readline()).startswith("next: "):
            assert line, "it ended"
        watching.send_signal(signal.SIGINT)
        _, words = watching.communicate(timeout=60)
    finally:
        watching.kill()
    assert (watching.returncode, words) == (0, "")


def test_watching_on_a_terminal(loaded: Stages) -> None:
    """It is drawn in place: the second time after moving up."""
    command = loaded.command("status", "--watch")
    with Terminal(command, loaded.env(), columns=140) as terminal:
        terminal.expect("next: nothing: everything is loaded and verified")
        terminal.expect_bytes(b"\x1b[1A")
        terminal.type_ahead("\x03")
        assert terminal.end() == 0
        assert b"\x1b[32m" in terminal.printed, "colours"


def test_colours_are_for_terminals_and_not_under_no_color(loaded: Stages) -> None:
    assert "\x1b" not in loaded.run("status").stdout
    with Terminal(loaded.command("status"), {**loaded.env(), "NO_COLOR": "1"}) as terminal:
        assert terminal.end() == 0
        assert b"articles" in terminal.printed and b"\x1b" not in terminal.printed


# ── help ────────────────────────────────────────────────────────────────────────────────────


ALL = dict(commands())


def test_the_page_has_the_help_of_today() -> None:
    assert page() == PAGE.read_text("utf-8")


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_everything_has_help(path: tuple[str, ...]) -> None:
    command = ALL[path]
    assert command.help, path
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, (path, parameter.name)


def test_help_answers_at_once() -> None:
    """No heavy library is imported before a command needs it."""
    program = (
        "import sys; from stages.cli import cli; cli(['extract', '--help'], "
        "standalone_mode=False); print(*sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    heavy = {"duckdb", "pyarrow", "httpx", "supabase", "rich", "psycopg", "adbc_driver_postgresql"}
    assert not heavy & set(ran.stdout.split())


def test_no_option_takes_a_secret() -> None:
    """A command line is seen by everybody on the machine."""
    for path, command in ALL.items():
        for parameter in command.params:
            words = set(str(parameter.name).split("_"))
            assert not words & {"key", "secret", "password", "token", "url"}, path


# ── the data folder ─────────────────────────────────────────────────────────────────────────


def test_a_folder_that_cannot_be_written(supabase: State, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    stages = Stages(tmp_path / "file" / "data")
    done = stages.run("extract", code=2)
    assert "can't be written" in done.stderr
    assert "--data DIR" in done.stderr


def test_what_came_from_a_sandbox_that_is_gone_makes_room(transformed: Stages) -> None:
    """As after `stages sandbox reset`, whose next sandbox is another source."""
    file = transformed.data / "source.json"
    read = json.loads(file.read_text())
    transformed.run("sandbox", "up", "--renew")
    assert json.loads(file.read_text()) == read
    file.write_text(json.dumps({**read, "sandbox": None, "ref": "a" * 20}))
    transformed.run("sandbox", "up", "--renew")
    assert "belongs to the source" in transformed.run("extract", code=2).stderr
    file.write_text(json.dumps({**read, "ref": "a" * 20}))
    transformed.run("sandbox", "up", "--renew")
    assert not file.exists() and not (transformed.data / "extract").exists()
    assert transformed.target_folder.exists()
    transformed.run("extract")
    assert json.loads(file.read_text()) == read
    file = transformed.target_folder / "target.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "deployment": "sandbox-gone"}))
    transformed.run("sandbox", "up", "--renew")
    assert not transformed.target_folder.exists() and (transformed.data / "extract").exists()


def test_clean_asks_first(transformed: Stages) -> None:
    before = files(transformed.data)
    ran = transformed.raw("clean", typed="n\n")
    assert ran.returncode == 3
    assert ran.stdout == ""
    assert files(transformed.data) == before
    transformed.run("clean", "--target-folder", "--yes")
    assert not transformed.target_folder.exists()
    assert (transformed.data / "extract" / "articles" / "manifest.json").exists()
    transformed.run("clean", "--yes")
    left = {f.name for f in transformed.data.rglob("*") if f.is_file()}
    assert left <= {".lock"}


# ── where the data is ───────────────────────────────────────────────────────────────────────


def test_a_data_folder_that_looks_like_a_pattern(extracted: Path, tmp_path: Path) -> None:
    """Beside the folder that it would match: no command reads a row of that one."""
    copy_data(extracted, tmp_path / "g1")
    stages = Stages(tmp_path / "g[1]", "sandbox-brackets", copy_project(tmp_path / "project"))
    count = "SELECT count(*) AS n FROM extract.articles"
    stages.run("extract", "articles", "--sample", "3")
    assert stages.sql(count)[0]["n"] == 3
    stages.run("extract", "--restart")
    for command in ("transform", "load", "verify"):
        stages.run(command)
    assert stages.sql(count)[0]["n"] == 40
    assert stages.json("status")["next"].startswith("nothing")

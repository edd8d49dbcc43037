"""No command sends a terminal what steers it: from keys, names, data, files and servers' words."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.cli import cli
from stages.terminal import STEERING, printable
from tests.support.command_line import Stages
from tests.support.project_copies import copy_data, copy_project, edit_model
from tests.support.serving import LocalServer, QuietHandler, served
from tests.support.typed import Terminal

# Clears the screen, sets the title, rings, goes back to the line's start, turns text around; the
# last three as single characters of C1.
HOSTILE = "\x1b[2J\x1b]0;owned\x07\r\x08\x7f\u202e\u2066\x9b31m\x9d\x90"
ESCAPED = r"\u001b[2J\u001b]0;owned\u0007\u000d\u0008\u007f\u202e\u2066\u009b31m\u009d\u0090"


def test_what_is_escaped() -> None:
    assert printable(HOSTILE) == ESCAPED
    assert printable("é → ü\t\n✓ עברית 🎓") == "é → ü\t\n✓ עברית 🎓"
    assert printable("\ud800") == r"\ud800"
    text = json.dumps({HOSTILE: HOSTILE}, ensure_ascii=False)
    assert json.loads(printable(text)) == {HOSTILE: HOSTILE}


def require_printable(done: subprocess.CompletedProcess[str]) -> str:
    """All that a command printed; what steers is there, and escaped."""
    printed = done.stdout + done.stderr
    assert STEERING.findall(printed) == []
    assert r"\u001b[2J" in printed and r"\u202e" in printed and r"\u009b" in printed, printed
    return printed


@pytest.mark.parametrize("command", sorted(set(cli.commands) - {"sandbox"}))
def test_every_command_in_a_hostile_folder(command: str, tmp_path: Path) -> None:
    """Its name is in the error of a command that needs a plan, or in what another one prints."""
    project = tmp_path / HOSTILE
    (project / "convex").mkdir(parents=True)
    # Two need no plan; click prints what is no choice as Python would.
    more = {
        "assess": ["--via", HOSTILE],
        "init": ["--via", HOSTILE],
        "show": ["articles", "1"],
        "sql": ["select 1"],
    }
    stages = Stages(project / "data", project=project)
    done = stages.run(command, *more.get(command, []), code=2)
    assert STEERING.findall(done.stdout + done.stderr) == []
    assert "[2J" in done.stderr and r"\u202e" in done.stderr


@pytest.mark.parametrize("command", ["extract", "transform", "load", "verify", "rejects"])
def test_a_table_that_nobody_has(command: str, tmp_path: Path) -> None:
    project = copy_project(tmp_path / "project")
    require_printable(Stages(tmp_path / "data", project=project).run(command, HOSTILE, code=None))


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_rows_of_a_query(options: list[str], tmp_path: Path) -> None:
    project = copy_project(tmp_path / "project")
    query = f"SELECT '{HOSTILE}' AS \"{HOSTILE}\", ['{HOSTILE}'] AS l, {{'{HOSTILE}': 1}} AS s"
    done = Stages(tmp_path / "data", project=project).run("sql", query, *options)
    assert STEERING.findall(done.stdout) == [] and "2J" in done.stdout
    if options:
        (row,) = json.loads(done.stdout)
        assert row == {HOSTILE: HOSTILE, "l": [HOSTILE], "s": {HOSTILE: 1}}


def test_rejects_and_documents(extracted: Path, tmp_path: Path) -> None:
    """Hostile keys, reasons and rows of rejects; documents of a preview, and its SQL."""
    data = copy_data(extracted, tmp_path / "data")
    stages = Stages(data, project=copy_project(tmp_path / "project"))
    folder = stages.target_folder / "transform" / "articles"
    rejects = pq.read_table(folder / "rejects.parquet")
    texts = pa.array([HOSTILE] * len(rejects))
    for name in ("source_id", "field", "reason"):
        at = rejects.schema.get_field_index(name)
        rejects = rejects.set_column(at, rejects.schema.field(at), [texts.cast(pa.string())])
    pq.write_table(rejects, folder / "rejects.parquet")
    require_printable(stages.run("rejects", "articles"))
    done = stages.run("rejects", "articles", "--json")
    assert STEERING.findall(done.stdout) == [] and json.loads(done.stdout)
    edit_model(stages.project, "articles", "slug,", f"slug || '{HOSTILE}' AS slug,")
    require_printable(stages.run("transform", "articles", "--limit", "1"))
    explained = stages.run("transform", "articles", "--explain")
    assert STEERING.findall(explained.stdout) == []


@contextmanager
def hostile_server() -> Iterator[str]:
    """Answers every request with an error in the form of all APIs, and hostile words."""

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            names = ("message", "code", "hint", "details", "error", "msg")
            body = json.dumps(dict.fromkeys(names, HOSTILE)).encode()
            self.reply(400, body, [("Content-Type", "application/json")])

        do_POST = do_HEAD = do_GET

    with served(LocalServer(Handler)) as server:
        yield server.url


def test_words_of_servers(extracted: Path, tmp_path: Path) -> None:
    with hostile_server() as url:
        stages = Stages(
            copy_data(extracted, tmp_path / "data"), "default",
            copy_project(tmp_path / "project"),
            {
                "SUPABASE_URL": url, "SUPABASE_SERVICE_ROLE_KEY": "sb_secret_" + "x" * 30,
                "CONVEX_URL": url, "CONVEX_DEPLOY_KEY": "dev:hostile-1|" + "y" * 30,
            },
        )  # fmt: skip
        for file in (stages.data / "source.json", stages.target_folder / "target.json"):
            file.unlink(missing_ok=True)
        for command in (["check"], ["check", "--json"], ["verify", "--final"]):
            require_printable(stages.run(*command, code=None))


def test_bars_on_a_terminal(tmp_path: Path) -> None:
    """Where bars are drawn, only they steer: what comes from elsewhere is escaped."""
    script = (
        "import sys\n"
        "from stages.progress import Bars\n"
        "from stages.terminal import print_safely\n"
        "print_safely()\n"
        "hostile = sys.argv[1]\n"
        "with Bars() as bars:\n"
        "    bars.start('extract', hostile, 3)\n"
        "    bars.note(hostile)\n"
        "    print(hostile, file=sys.stderr)\n"
        "    bars.done('extract', hostile, hostile)\n"
    )
    with Terminal([sys.executable, "-c", script, HOSTILE]) as terminal:
        assert terminal.end() == 0, terminal.printed
    text = terminal.printed.decode()
    assert text.count(ESCAPED) >= 4
    for piece in ("\x1b[2J", "\x1b]0", "\x07", "\u202e", "\x9b"):
        assert piece not in text

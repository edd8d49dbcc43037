"""A machine short of some resource: the error is clear, and the next run continues."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

from tests.faults.support import TABLES, Host, documents, require_green
from tests.support.command_line import ROOT, Stages

AGAIN = "rerun the command"
# Root may write to any file, unless it drops that capability.
AS_ANYBODY = ("setpriv", "--bounding-set=-all", "--inh-caps=-all") if os.geteuid() == 0 else ()


def run(
    stages: Stages, *command: str, before: tuple[str, ...] = (), stdin: str = ""
) -> tuple[int, str]:
    """The exit code and stderr of a command; `before` is a command prefix."""
    ran = subprocess.run(
        [*before, *stages.command(*command)], cwd=ROOT, env=stages.env(), input=stdin,
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert "Traceback" not in ran.stderr, ran.stderr
    return ran.returncode, stages.plain(ran.stderr)


def limited(kind: str, most: int) -> tuple[str, ...]:
    """A prefix that runs a command under a shell limit."""
    return ("bash", "-c", f'ulimit -{kind} {most}; exec "$@"', "bash")


def writable(folder: Path, whether: bool) -> None:
    """Make a folder and everything in it writable or read-only."""
    for path in (folder, *folder.rglob("*")):
        path.chmod((0o700 if path.is_dir() else 0o600) & (0o777 if whether else 0o555))


def test_little_memory_and_few_files(again: Stages) -> None:
    """Whether Python, DuckDB, Arrow or the dynamic loader runs out first."""
    for mebibytes in (150, 300, 500):
        for command in (["transform", "--restart"], ["load", "--restart"]):
            code, messages = run(again, *command, before=limited("v", mebibytes << 10))
            assert code == 3, messages
            assert AGAIN in messages and "ulimit -v" in messages
    for command in (["transform", "--restart"], ["load", "--restart"], ["verify"]):
        # How many are open at the same time depends on how fast responses arrive.
        code, messages = run(again, *command, before=limited("n", 24))
        assert code == 0 or (code == 3 and "ulimit -n" in messages), messages
        code, messages = run(again, *command, before=limited("v", 2 << 20))
        assert code == 0, messages
    require_green(again)


def test_a_folder_that_may_not_be_written_is_named(again: Stages) -> None:
    """The whole data folder, and a folder inside it."""
    writable(again.data, False)
    code, messages = run(again, "load", "--restart", before=AS_ANYBODY)
    assert (code, f"{again.data} can't be written" in messages) == (2, True), messages
    assert run(again, "status", before=AS_ANYBODY)[0] == 0
    writable(again.data, True)
    folder = again.target_folder / "load" / "webinars"
    folder.chmod(0o500)
    code, messages = run(again, "load", "--restart", before=AS_ANYBODY)
    assert code == 3 and AGAIN in messages
    assert f"Permission denied: {folder}/" in messages
    folder.chmod(0o700)
    again.run("load")
    require_green(again)


def test_a_clock_that_was_set_back(again: Stages) -> None:
    """All staged files seem to come from the future."""
    future = time.time() + 1e9
    for manifest in (again.data / "extract").glob("*/manifest.json"):
        content = json.loads(manifest.read_bytes())
        if "finished" in content:
            manifest.write_text(json.dumps({**content, "finished": "2099-01-01T00:00:00+00:00"}))
    for file in again.data.rglob("*"):
        os.utime(file, (future, future))
    assert "(0 s)" in again.run("status").stdout
    for command in ("extract", "transform", "load"):
        messages = again.run(command).stderr
        assert "-" not in next(line for line in messages.splitlines() if " old, " in line)
        assert "sent" not in messages
    require_green(again)


def test_a_no_and_no_answer(again: Stages, loaded: tuple[Stages, Host]) -> None:
    """In neither case is anything done; with a pipe, the message says how to consent."""
    before = documents(loaded[1])
    for answer, code, words in (
        ("n\n", 3, "the answer was no: nothing was done"),
        ("", 2, "confirm with: stages rollback --yes"),
    ):
        ended, messages = run(again, "rollback", stdin=answer)
        assert ended == code and words in messages, messages
        asked = next(line for line in messages.splitlines() if line.startswith("delete from"))
        named = [part.split(" of ")[1].split("?")[0] for part in asked.split(", ")]
        assert sorted(named) == sorted(TABLES)
        # Always in the same order: the plan's, children first.
        assert named.index("webinarRegistrations") < named.index("webinars")
    assert documents(loaded[1]) == before

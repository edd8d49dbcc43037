"""Ctrl-C, SIGTERM, and output that nobody reads."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command_line import ROOT, Stages
from tests.support.typed import Terminal

STOPPED = "stages: stopped; rerun the command to continue"
# A command that is deaf to its first signal, as in a call of C that does not end.
DEAF = """
import sys, time
from stages.cli.signals import end_at_signals
end_at_signals()
while True:
    try:
        print("ready", flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        pass
"""


def start(stages: Stages, *args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        stages.command(*args), cwd=ROOT, env=stages.env(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_stage_with_3_and_the_next_run_goes_on(
    stages: Stages, extracted: Path, number: signal.Signals
) -> None:
    shutil.copytree(extracted, stages.data)
    process = start(stages, "transform", "--restart")
    assert process.stderr
    while "transform" not in (line := process.stderr.readline()):
        assert line, "it ended before its first table"
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err.strip().splitlines()[-1]) == (3, STOPPED)
    assert "Traceback" not in err
    stages.run("transform")


def deaf_while(shown: str) -> str:
    """DEAF, while something shows that a table is loaded."""
    imports = (
        "from stages.cli.signals import drawn_by\n"
        "from stages.progress import Bars, JsonLines, Lines\n"
    )
    drawn = f"shown = {shown}\nshown.start('load', 'a', 3)\ndrawing = drawn_by(shown)\n"
    return imports + DEAF.replace("while True:", f"{drawn}drawing.__enter__()\nwhile True:", 1)


def started(program: str) -> subprocess.Popen[str]:
    """The program, once it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout
    while (line := process.stdout.readline()) != "ready\n":
        assert line, "it ended before it was ready"
    return process


def signalled_twice(process: subprocess.Popen[str], first: signal.Signals) -> str:
    """What a process says of a first signal; then it gets a second one."""
    assert process.stderr
    process.send_signal(first)
    said = process.stderr.readline()
    process.send_signal(signal.SIGINT)
    return said


def test_a_second_signal_ends_what_is_deaf() -> None:
    process = started(DEAF)
    said = signalled_twice(process, signal.SIGTERM)
    assert said.startswith("stages: stopping: waiting for what is under way")
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (
        3,
        "stages: ended at the second signal; rerun the command to continue\n",
    )


def test_what_has_printed_its_last_line_says_no_more() -> None:
    process = started(
        "import time\nfrom stages.cli.signals import end_at_signals, report_no_more\n"
        "end_at_signals()\ntry:\n    print('ready', flush=True)\n    time.sleep(60)\n"
        "except KeyboardInterrupt:\n    report_no_more()\n    time.sleep(1)\n"
    )
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")


def test_signals_while_bars_are_drawn() -> None:
    """What is said stands beside them, and at the end they are gone and the cursor is back."""
    program = deaf_while("Bars().__enter__()")
    with Terminal([sys.executable, "-c", program], columns=80) as terminal:
        terminal.expect("ready")
        terminal.type_ahead("\x03")
        terminal.expect("stages: stopping: waiting for load a; press Ctrl-C again")
        terminal.type_ahead("\x03")
        assert terminal.end() == 3
        assert terminal.screen.endswith(
            "stages: ended at the second signal; rerun the command to continue\r\n"
        )
        hidden, shown = (terminal.printed.rfind(each) for each in (b"\x1b[?25l", b"\x1b[?25h"))
        assert hidden < shown


@pytest.mark.parametrize("shown", ["Lines", "JsonLines"])
def test_a_second_signal_ends_what_waits_for_its_terminal(shown: str) -> None:
    """A thread that draws holds the lock of what is drawn."""
    program = deaf_while(f"{shown}()")
    process = started(program.replace("while True:", "shown._lock.acquire()\nwhile True:"))
    said = signalled_twice(process, signal.SIGINT)
    assert said.startswith("stages: stopping: waiting for load a; press")
    assert process.wait(timeout=30) == 3


def test_a_second_signal_ends_also_what_nobody_listens_to() -> None:
    """Its stderr is a full pipe."""
    fill = "import os\nos.set_blocking(2, False)\ntry:\n    while os.write(2, b'x' * 4096): pass\n"
    fill += "except BlockingIOError: os.set_blocking(2, True)\n"
    process = started(fill + DEAF)
    process.send_signal(signal.SIGTERM)
    assert process.stdout and process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 3


def test_nobody_has_to_read_what_is_printed(stages: Stages, extracted: Path) -> None:
    shutil.copytree(extracted, stages.data)
    shell = ["bash", "-c", '"$@" 2>&1 | head -1; exit ${PIPESTATUS[0]}', "bash"]
    closed = ["bash", "-c", '"$@" >&- 2>&-', "bash"]
    for around, command in (
        (shell, ["transform", "--restart"]),
        (shell, ["sql", "FROM range(100000)"]),
        (closed, ["transform"]),
        (closed, ["status"]),
    ):
        done = subprocess.run(
            [*around, *stages.command(*command)], cwd=ROOT, env=stages.env(),
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, ""), command
    assert stages.manifest("transform", "articles")["status"] == "complete"

"""Ctrl-C, SIGTERM, and output that nobody reads."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command_line import ROOT, Stages

STOPPED = "stages: stopped; run the same command again to go on"
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


def test_a_second_signal_ends_what_is_deaf() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", DEAF], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout and process.stderr
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.stderr.readline().startswith("stages: stopping: waiting for what is under way")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (
        3,
        "stages: ended at the second signal; run the same command again to go on\n",
    )


def test_a_second_signal_ends_also_what_nobody_listens_to() -> None:
    """Its stderr is a full pipe."""
    fill = "import os\nos.set_blocking(2, False)\ntry:\n    while os.write(2, b'x' * 4096): pass\n"
    fill += "except BlockingIOError: os.set_blocking(2, True)\n"
    process = subprocess.Popen(
        [sys.executable, "-c", fill + DEAF], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == "ready\n"
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

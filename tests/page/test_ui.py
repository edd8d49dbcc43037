"""`stages ui` and `stages report --html` as processes: what they print, and how they end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stages import Migration
from tests.page.support import REJECTED
from tests.support.command_line import ROOT
from tests.support.tiny_project import Small

# The console script, with stand-ins for the built page.
COMMAND = (
    "import sys; from pathlib import Path; from stages.page import html; "
    "folder = Path(sys.argv.pop(1)); html.assets_folder = lambda: folder; "
    "from stages.cli import main; main()"
)


@pytest.fixture
def command(assets: Path, small_page: Migration) -> Callable[..., list[str]]:
    project = ("--project", str(small_page.project), "--target", small_page.target)

    def words(*arguments: str) -> list[str]:
        return [sys.executable, "-c", COMMAND, str(assets), *project, *arguments]

    return words


@contextmanager
def started(words: list[str], **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        words,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_its_address_and_ends_in_good_order(
    command: Callable[..., list[str]], number: int
) -> None:
    with started(command("ui")) as process:
        assert process.stdout
        address = process.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{43}", address)
        token = address.partition("=")[2]
        request = urllib.request.Request(
            address.partition("?")[0] + "api/rejects", headers={"Authorization": f"Bearer {token}"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert REJECTED in answer.read().decode()
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "", "the page has ended\n")


def test_a_browser_is_led_there_without_the_token_on_a_command_line(
    command: Callable[..., list[str]], small: Small, tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {seen}.part && mv {seen}.part {seen}\n')
    browser.chmod(0o755)
    with started(command("ui", "--open"), BROWSER=f"{browser} %s") as process:
        assert process.stdout
        address = process.stdout.readline().strip()
        while not seen.exists():
            assert process.poll() is None
        given = seen.read_text("utf-8")
        assert address.partition("=")[2] not in given
        file = small.workspace.opening
        assert given == file.as_uri()
        assert address in file.read_text("utf-8")
        assert file.stat().st_mode & 0o777 == 0o600
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 0 and not file.exists()


def test_a_project_that_cannot_be_opened(command: Callable[..., list[str]], small: Small) -> None:
    small.workspace.plan.write_text("[[[", "utf-8")
    done = subprocess.run(command("ui"), cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "plan.toml" in done.stderr and "Traceback" not in done.stderr


def test_the_file_and_its_size(command: Callable[..., list[str]], tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    done = subprocess.run(
        command("report", "--html", str(file)), cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{file}: 0.0 MB, with source keys, and no values of rows\n"
    assert REJECTED not in file.read_text("utf-8")
    shown = subprocess.run(
        command("report", "--html", str(file), "--with-values", "--json"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert '"values": true' in shown.stdout
    missing = subprocess.run(
        command("report", "--html", str(tmp_path / "no" / "page.html")),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert missing.returncode == 2 and "mkdir -p" in missing.stderr

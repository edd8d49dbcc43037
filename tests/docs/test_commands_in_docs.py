"""Commands in the docs exist and accept the options shown; messages there match the code."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from stages.cli import cli
from tests.docs.commands_page import commands
from tests.docs.test_links import PAGES
from tests.support.command_line import ROOT

FENCE = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)
INLINE = re.compile(r"`(stages [^`]+)`")
SHELLS = ("", "console", "sh", "bash")
# A placeholder or a choice: the command is a pattern.
OPEN = re.compile(r"…|\.\.\.|[<>\[\]]|\bNAME=|\|")
MESSAGES = ROOT / "docs" / "reference" / "messages.md"


def commands_of(page: Path) -> Iterator[str]:
    """Each `stages …` command of a page, without comments."""
    text = page.read_text("utf-8")
    for language, block in FENCE.findall(text):
        if language in SHELLS:
            for line in block.splitlines():
                command = line.removeprefix("$ ")
                if command.startswith("stages ") and (language == "" or line != command):
                    yield command.partition("  #")[0].partition(" | ")[0].strip()
    yield from (" ".join(each.split()) for each in INLINE.findall(FENCE.sub("", text)))


@pytest.fixture(autouse=True)
def only_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    for _, command in commands():
        if not isinstance(command, click.Group):
            monkeypatch.setattr(command, "callback", lambda **_: None)


def wrong_with(command: str) -> str:
    """The parser's error for a command, if any; the command itself is not run."""
    result = CliRunner().invoke(cli, shlex.split(command)[1:])
    return result.output if result.exit_code else ""


def written() -> list[str]:
    """All complete commands: those with `…` or a choice are only patterns."""
    found = {command for page in PAGES for command in commands_of(page)}
    return sorted(command for command in found if not OPEN.search(command))


def test_commands_are_found() -> None:
    assert len(written()) > 80


@pytest.mark.parametrize("command", written())
def test_it_is_a_command(command: str) -> None:
    wrong = wrong_with(command)
    # In a sentence, a command may be mentioned without its arguments.
    assert not wrong or "Missing argument" in wrong


def test_a_wrong_one_is_found() -> None:
    assert "No such option" in wrong_with("stages load --nonsense")
    assert "No such command" in wrong_with("stages unload")


def texts() -> str:
    """All string literals of the package; f-strings with `…` for their expressions."""
    pieces = []
    for file in (ROOT / "stages").rglob("*.py"):
        nodes = list(ast.walk(ast.parse(file.read_text("utf-8"))))
        docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        for node in nodes:
            if id(node) in docstrings:
                continue
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                pieces.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                values = (v.value if isinstance(v, ast.Constant) else "…" for v in node.values)
                pieces.append("".join(str(value) for value in values))
    return "\n".join(pieces)


def test_messages_are_those_of_the_code() -> None:
    headings = re.findall(r"^## (.*)$", MESSAGES.read_text("utf-8"), re.MULTILINE)
    known = texts()
    assert len(headings) > 10
    assert [heading for heading in headings if heading not in known] == []


def test_every_setting_is_on_its_page() -> None:
    page = (ROOT / "docs" / "reference" / "settings.md").read_text("utf-8")
    named = {text for text in texts().split("\n") if re.fullmatch(r"STAGES_[A-Z_]+", text)}
    named -= {"STAGES_PROBE_OF_NOTHING"}  # a variable that a probe looks up and nobody sets
    assert len(named) >= 3
    assert {name for name in named if f"`{name}`" not in page} == set()

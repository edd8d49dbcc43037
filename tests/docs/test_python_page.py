"""docs/reference/python.md: its script and notebook print what it shows; it lists the API."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import stages
from stages import sandbox
from tests.docs.python_reference import PAGE, filled
from tests.support.project_copies import copy_project

TEXT = PAGE.read_text("utf-8")
BLOCK = re.compile(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```\n)?", re.DOTALL)


def blocks(heading: str) -> list[tuple[str, str]]:
    """The code blocks of a section, each with the output shown below it."""
    section = TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [(match[1], match[2] or "") for match in BLOCK.finditer(section)]


@pytest.fixture(scope="module")
def project(supabase: sandbox.State, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This repository's project, with its own data folder."""
    return copy_project(tmp_path_factory.mktemp("python") / "project")


@pytest.fixture(scope="module")
def scripted(project: Path) -> Path:
    """The project after the script has run, whichever test is first."""
    run_script(project)
    return project


def test_the_script(scripted: Path) -> None:
    assert (scripted / "data" / "targets" / "sandbox" / "target.json").exists()


def run_script(project: Path) -> None:
    ((code, output),) = blocks("A script")
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == output
    assert "(target sandbox)" in ran.stderr.splitlines()[0]
    assert "transform articles: 34 documents" in ran.stderr


def test_the_notebook(scripted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs after the script, in one session; a cell shows its last expression."""
    monkeypatch.chdir(scripted)
    names: dict[str, Any] = {}
    shown = [run_cell(code, names) for code, _ in blocks("A notebook")]
    assert shown == [output for _, output in blocks("A notebook")]
    assert Path.cwd() == scripted and "STAGES_SANDBOX" in os.environ


def run_cell(code: str, names: dict[str, Any]) -> str:
    tree = ast.parse(code)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    if not isinstance(last, ast.Expr):
        return ""
    return f"{eval(compile(ast.Expression(last.value), 'cell', 'eval'), names)!r}\n"


def test_every_block_is_python_and_imports_public_names() -> None:
    for match in BLOCK.finditer(TEXT):
        for node in ast.walk(ast.parse(match[1])):
            if isinstance(node, ast.ImportFrom) and node.module == "stages":
                assert {alias.name for alias in node.names} <= set(stages.__all__)


def test_the_list_is_what_is_public() -> None:
    """`make docs` writes it."""
    assert filled(TEXT) == TEXT
    assert [f"### {name}\n" in TEXT for name in stages.__all__] == [True] * len(stages.__all__)

"""docs/how-to/drift.md: what its commands print in the project of blog/ stands below them.

Its blocks are done one after the other: commands, statements of SQL, and edits of files. `make
docs` writes it anew; a test compares.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import psycopg

from stages import sandbox
from tests.init.support import HERE, blog_project, blog_tables, source_settings
from tests.support.command_line import ROOT
from tests.support.project_copies import edit
from tests.support.sandboxes import open_folder, own_source

PAGE = ROOT / "docs" / "how-to" / "drift.md"
BLOCK = re.compile(r"```(console|sql|diff)\n(.*?)```", re.DOTALL)


def filled(state: sandbox.State, folder: Path) -> str:
    """The page as its commands make it in a project in this folder."""
    project = blog_project(folder)
    with blog_tables(state) as connection:
        return BLOCK.sub(
            lambda block: _done(block, project, state, connection), PAGE.read_text("utf-8")
        )


def _done(
    block: re.Match[str], project: Path, state: sandbox.State, connection: psycopg.Connection
) -> str:
    kind, text = block.groups()
    if kind == "sql":
        for statement in text.split(";\n"):
            connection.execute(statement.encode())
    elif kind == "diff":
        name, *lines = text.splitlines()
        old, new = ("".join(f"{line[1:]}\n" for line in lines if line[0] == sign) for sign in "-+")
        edit(project / name, old, new)
    else:
        commands = re.findall(r"^\$ stages (.*)$", text, re.MULTILINE)
        shown = [f"$ stages {command}\n{_run(command, project, state)}" for command in commands]
        return f"```console\n{''.join(shown)}```"
    return block[0]


def _run(command: str, project: Path, state: sandbox.State) -> str:
    ran = subprocess.run(
        [sys.executable, "-m", "stages", *shlex.split(command)],
        cwd=project,
        capture_output=True,
        text=True,
        check=True,
        env=source_settings(state),
    )
    return ran.stdout


if __name__ == "__main__":
    with (
        open_folder("drift-page") as folder,
        own_source(folder / "sandbox", HERE / "torture") as source,
    ):
        PAGE.write_text(filled(source, folder / "blog"), "utf-8")

"""docs/tutorial.md and docs/how-to/assess.md: their commands run on the shop, and the pages contain
their output.

`make docs` rewrites it; a test compares.
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from stages import sandbox
from stages.project.plan import SETTING_NAMES
from tests.init.support import spread_ledger
from tests.migrations.support import copy_project, finish
from tests.support import forked_python
from tests.support.command_line import ROOT
from tests.support.sandboxes import open_folder, own_sandbox

PAGE = ROOT / "docs" / "tutorial.md"
ASSESS_PAGE = ROOT / "docs" / "how-to" / "assess.md"
BLOCK = re.compile(r"```(console|diff)\n(.*?)```", re.DOTALL)
# Output that differs between runs, and its replacement.
CHANCE = (
    # On a slow machine, a line for a table that takes longer than a few seconds.
    (r"(?m)^  \w+ +\S+ +(?:\S.*, )?\d+ (?:s|min)(?: left)?\n", ""),
    (r"(?<=Supabase )[a-z]{20}|(?<=source )[a-z]{20}", "abcdefghijklmnopqrst"),
    (r"(sandbox|rehearsal)-[0-9a-f]{6}", r"\1-1a2b3c"),
    (r"\d+ (s|min) old", "1 s old"),
    (r"(?m)in \d+ (s|min)(?=;|$)", "in 1 s"),
    (r"\d+ (s|min) ago", "1 s ago"),
)
READ = re.compile(r"(?:  extract .*\n|\S+: .*; reading it again\n)+")
AGE = re.compile(r" +(\d+) \(\d+ (?:s|min)\)")


def page(project: Path, file: Path = PAGE) -> str:
    """A page with the current output of its commands, and the diff of the edits if it has one."""

    return BLOCK.sub(lambda block: fill(block, project), file.read_text("utf-8"))


def fill(block: re.Match[str], project: Path, name: str = "shop") -> str:
    """A block with the output of its commands in a copy of a project, or with the user's edits."""
    if block[1] == "diff":
        spread_ledger(project)
        return f"```diff\n{finish(name, project)}```"
    commands = [line[2:] for line in block[2].splitlines() if line.startswith("$ ")]
    return f"```console\n{''.join(_run(command, project, name) for command in commands)}```"


def _run(command: str, project: Path, name: str) -> str:
    ran = forked_python.run(
        ["-m", *shlex.split(command)], cwd=project, timeout=300, together=True,
        env={k: v for k, v in os.environ.items() if k not in SETTING_NAMES},
    )  # fmt: skip
    text = ran.stdout.replace(str(project), f"/home/you/{name}")
    for pattern, stands in CHANCE:
        text = re.sub(pattern, stands, text)
    # Keep the width of the column with ages.
    text = AGE.sub(lambda age: f"{age[1]} (1 s)".rjust(len(age[0])), text)
    # Tables are read in parallel, and reported in the order in which they finish: notes first here.
    text = READ.sub(
        lambda lines: "".join(sorted(lines[0].splitlines(True), key=_notes_first)), text
    )
    return f"$ {command}\n{text}"


def _notes_first(line: str) -> tuple[bool, str]:
    return line.startswith("  extract "), line


def main() -> None:
    from tests.migrations import decisions, rehearsal

    with open_folder("docs") as folder, own_sandbox(folder / "box"):
        (folder / "node_modules").symlink_to(ROOT / "node_modules")
        project = copy_project("shop", folder / "shop")
        for file in (ASSESS_PAGE, PAGE):
            file.write_text(page(project, file), "utf-8")
        source = sandbox.up(project).source
        rehearsal.PAGE.write_text(rehearsal.page(project, source.db_url), "utf-8")
    decisions.main()


if __name__ == "__main__":
    main()

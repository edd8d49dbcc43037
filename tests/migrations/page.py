"""docs/another-project.md: its commands are run over the shop, and what they print stands in it.

`make docs` writes it anew; a test compares.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import tempfile
from pathlib import Path

from stages import sandbox
from stages.project.plan import SETTING_NAMES
from tests.init.support import sandbox_at, spread_ledger
from tests.migrations.support import copy_project, finish
from tests.support import forked_python
from tests.support.command_line import ROOT

PAGE = ROOT / "docs" / "another-project.md"
BLOCK = re.compile(r"```(console|diff)\n(.*?)```", re.DOTALL)
# What differs from run to run, and what stands for it.
CHANCE = (
    (r"(?<=Supabase )[a-z]{20}|(?<=source )[a-z]{20}", "abcdefghijklmnopqrst"),
    (r"sandbox-[0-9a-f]{6}", "sandbox-1a2b3c"),
    (r"\d+ (s|min) old", "1 s old"),
)
AGE = re.compile(r" +(\d+) \(\d+ (?:s|min)\)")


def page(project: Path) -> str:
    """The page with what its commands print now, and the diff of the edits where it stands."""

    def fill(block: re.Match[str]) -> str:
        if block[1] == "diff":
            spread_ledger(project)
            return f"```diff\n{finish('shop', project)}```"
        commands = [line[2:] for line in block[2].splitlines() if line.startswith("$ ")]
        return f"```console\n{''.join(_run(command, project) for command in commands)}```"

    return BLOCK.sub(fill, PAGE.read_text("utf-8"))


def _run(command: str, project: Path) -> str:
    ran = forked_python.run(
        ["-m", *shlex.split(command)], cwd=project, timeout=300, together=True,
        env={k: v for k, v in os.environ.items() if k not in SETTING_NAMES},
    )  # fmt: skip
    text = ran.stdout.replace(str(project), "/home/you/shop")
    for pattern, stands in CHANCE:
        text = re.sub(pattern, stands, text)
    # Where ages are, the column ends where it did.
    text = AGE.sub(lambda age: f"{age[1]} (1 s)".rjust(len(age[0])), text)
    # Tables are read side by side, and told as they are done.
    text = re.sub(
        r"(  extract .*\n)+", lambda lines: "".join(sorted(lines[0].splitlines(True))), text
    )
    return f"$ {command}\n{text}"


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="stages-docs-", dir="/var/tmp"))
    folder.chmod(0o755)
    (folder / "node_modules").symlink_to(ROOT / "node_modules")
    project = copy_project("shop", folder / "shop")
    with sandbox_at(folder / "box"):
        try:
            PAGE.write_text(page(project), "utf-8")
        finally:
            sandbox.reset(project)
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()

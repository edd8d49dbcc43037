"""docs/how-to/decide.md: its commands run on the club, whose init leaves a decision of each kind.

`make docs` rewrites their output; a test compares. A block that begins with a file name contains
that file as it is at this point.
"""

from __future__ import annotations

import re
from pathlib import Path

from tests.init.support import MIGRATIONS
from tests.migrations.page import BLOCK, fill
from tests.migrations.support import copy_project
from tests.support.command_line import ROOT
from tests.support.sandboxes import open_folder, own_sandbox

PAGE = ROOT / "docs" / "how-to" / "decide.md"
BLOCKS = re.compile(rf"{BLOCK.pattern}|```(?:sql|toml)\n(?:--|#) (?P<file>\S+)\n.*?```", re.DOTALL)


def page(project: Path) -> str:
    """The page with the current output of its commands, and its files."""

    def filled(block: re.Match[str]) -> str:
        if block["file"] is None:
            return fill(block, project, "club")
        first = "".join(block[0].splitlines(keepends=True)[:2])
        return f"{first}{(project / MIGRATIONS / block['file']).read_text('utf-8')}```"

    return BLOCKS.sub(filled, PAGE.read_text("utf-8"))


def main() -> None:
    with open_folder("docs") as folder, own_sandbox(folder / "box"):
        (folder / "node_modules").symlink_to(ROOT / "node_modules")
        project = copy_project("club", folder / "club")
        PAGE.write_text(page(project), "utf-8")


if __name__ == "__main__":
    main()

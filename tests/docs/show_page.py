"""docs/how-to/show.md: contains the output of its commands on the sandbox.

`make docs` rewrites it; a test compares, except for ids, which depend on the deployment.
"""

from __future__ import annotations

import re
import shlex
import tempfile
from pathlib import Path

from stages import sandbox
from tests.support.command_line import ROOT, Stages

PAGE = ROOT / "docs" / "how-to" / "show.md"
BLOCK = re.compile(r"```console\n\$ stages (.*)\n(?:.*\n)*?```", re.MULTILINE)
IDS = re.compile(r"\b0+\d+[A-Za-z]+\b")


def filled(stages: Stages) -> str:
    """The page with the output of each of its commands, for a loaded project."""

    def printed(block: re.Match[str]) -> str:
        output = stages.run(*shlex.split(block[1])).stdout
        return f"```console\n$ stages {block[1]}\n{output}```"

    return BLOCK.sub(printed, PAGE.read_text("utf-8"))


def without_ids(text: str) -> str:
    """The text without Convex ids, and without the spacing that depends on their lengths."""
    # Whether documents are inserted or unchanged depends on earlier loads into the deployment.
    text = text.replace("loaded (unchanged)", "loaded (inserted)")
    return re.sub(r" +", " ", IDS.sub("<id>", text))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        sandbox.up(ROOT, ["sandbox-page"])
        stages = Stages(Path(folder) / "data", "sandbox-page")
        for stage in ("extract", "transform", "load"):
            stages.run(stage)
        PAGE.write_text(filled(stages), "utf-8")

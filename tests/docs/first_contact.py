"""docs/how-to/first-contact.md: contains the output of `check --probe` on the sandbox.

`make docs` rewrites it; a test compares, except for figures that depend on the machine.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from stages import sandbox
from tests.support.command_line import ROOT, Stages

PAGE = ROOT / "docs" / "how-to" / "first-contact.md"
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
FIGURES = re.compile(r"\d[\d,.]*(?= (?:ms|s|MiB|KiB|a second|free)\b)")


def output(data: Path) -> str:
    """The output of a probe after a transform in this data folder."""
    printed = Stages(data).run("check", "--probe").stdout
    return f"$ stages --target sandbox check --probe\n{printed}"


def filled(text: str) -> str:
    """The page with this output in its block."""
    return BLOCK.sub(lambda _: f"```console\n{text}```", PAGE.read_text("utf-8"))


def without_figures(text: str) -> str:
    return FIGURES.sub("0", text)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        sandbox.up(ROOT, ["sandbox"])
        stages = Stages(Path(folder) / "data")
        stages.run("extract")
        stages.run("transform")
        PAGE.write_text(filled(output(stages.data)), "utf-8")

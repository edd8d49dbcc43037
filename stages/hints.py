"""Commands that can be pasted: hints include the --project, --data and --target of this run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

COMMANDS = (
    "assess", "check", "clean", "extract", "init", "load", "rejects", "report", "rollback",
    "sandbox", "show", "sql", "status", "transform", "ui", "verify",
)  # fmt: skip
# `stages load`, but not `stages` alone, nor a command that already has its options. A target named
# in the hint itself stays.
COMMAND = re.compile(rf"\bstages (--target \S+ )?(?=(?:{'|'.join(COMMANDS)})\b)")


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """How a project was opened; None for what the command line would choose by default."""

    project: Path | None = None
    data: Path | None = None
    target: str | None = None

    def complete(self, text: str) -> str:
        """Return the text with this run's global options in each `stages COMMAND`."""
        places = _options({"--project": self.project, "--data": self.data})
        target = _options({"--target": self.target})
        return COMMAND.sub(lambda match: f"stages {places}{match[1] or target}", text)


def _options(values: Mapping[str, object]) -> str:
    return "".join(f"{name} {shlex.quote(str(value))} " for name, value in values.items() if value)

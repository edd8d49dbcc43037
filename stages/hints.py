"""Commands that can be pasted: hints carry the --project, --data and --target of this run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

COMMANDS = (
    "check", "clean", "extract", "init", "load", "rejects", "report", "rollback", "sandbox", "sql",
    "status", "transform", "verify",
)  # fmt: skip
# `stages load`, but not the name alone, nor a command that has its options already. A target that
# the hint itself names stays.
COMMAND = re.compile(rf"\bstages (--target \S+ )?(?=(?:{'|'.join(COMMANDS)})\b)")


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """How a project was opened; None for what the command line chooses by itself."""

    project: Path | None = None
    data: Path | None = None
    target: str | None = None

    def complete(self, text: str) -> str:
        """The text with this run's global options in each `stages COMMAND`."""
        places = _options({"--project": self.project, "--data": self.data})
        target = _options({"--target": self.target})
        return COMMAND.sub(lambda match: f"stages {places}{match[1] or target}", text)


def _options(values: Mapping[str, object]) -> str:
    return "".join(f"{name} {shlex.quote(str(value))} " for name, value in values.items() if value)

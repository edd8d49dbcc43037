"""Commands that can be pasted: hints carry the --project, --data and --target of this run."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

COMMANDS = (
    "check", "clean", "extract", "init", "load", "rejects", "report", "rollback", "sandbox", "sql",
    "status", "transform", "verify",
)  # fmt: skip
# `stages load`, but not the name alone, nor a command that has its options already.
COMMAND = re.compile(rf"\bstages (?=(?:{'|'.join(COMMANDS)})\b)")


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """How a project was opened; None for what the command line chooses by itself."""

    project: Path | None = None
    data: Path | None = None
    target: str | None = None

    def complete(self, text: str) -> str:
        """The text with this run's global options in each `stages COMMAND`."""
        given = {"--project": self.project, "--data": self.data, "--target": self.target}
        options = "".join(
            f"{name} {shlex.quote(str(value))} " for name, value in given.items() if value
        )
        return COMMAND.sub(lambda match: match[0] + options, text) if options else text

"""Options of a call: refused where they mean nothing, and as the command that gives them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from stages.errors import UserError
from stages.inspection import Tables, table_names


def command_of(command: str, tables: Tables, **options: str | bool | None) -> str:
    """A command as it was asked for, so that a hint never reaches further."""
    words = [command, *table_names(tables)]
    for name, value in options.items():
        if value:
            words += [f"--{name}"] if value is True else [f"--{name}", value]
    return shlex.join(words)


def require_choice(name: str, value: str | None, choices: Sequence[str]) -> None:
    """Types are not checked while a script runs, and an unknown word must not mean a known one."""
    if value is not None and value not in choices:
        raise UserError(f"{name} can't be {value!r}", f"one of: {', '.join(choices)}")


def refuse_mixed(through: str | None, **options: Any) -> None:
    """Options of one channel are not silently left out on the other."""
    of_import = through == "import"
    for name in ("overwrite", "prune", "max_rate") if of_import else ("mode", "to"):
        if options.get(name):
            option = f"--{name.replace('_', '-')}"
            raise UserError(
                f"{option} is {'not ' if of_import else ''}for --through import",
                f"leave {option} out" if of_import else "add: --through import",
            )

"""Options of a call: refused where they mean nothing, and as the command that gives them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from stages.errors import UserError
from stages.inspection import Tables, table_names

# Options of a load that an import has not.
OF_FUNCTIONS = ("overwrite", "prune", "max_rate", "adopt", "beside_existing")


def command_of(command: str, tables: Tables, **options: str | bool | None) -> str:
    """A command as it was asked for, so that a hint never reaches further."""
    words = [command, *table_names(tables)]
    for name, value in options.items():
        if value:
            option = f"--{name.replace('_', '-')}"
            words += [option] if value is True else [option, value]
    return shlex.join(words)


def require_choice(name: str, value: str | None, choices: Sequence[str]) -> None:
    """Types are not checked while a script runs, and an unknown word must not mean a known one."""
    if value is not None and value not in choices:
        raise UserError(f"{name} can't be {value!r}", f"one of: {', '.join(choices)}")


def refuse_mixed(through: str | None, **options: Any) -> None:
    """Options of one channel are not silently left out on the other."""
    of_import = through == "import"
    for name in OF_FUNCTIONS if of_import else ("mode", "to"):
        if options.get(name):
            option = f"--{name.replace('_', '-')}"
            raise UserError(
                f"{option} is {'not ' if of_import else ''}for --through import",
                f"leave {option} out" if of_import else "add: --through import",
            )


def refuse_unclear(adopt: bool, adopt_by: str | None, beside_existing: bool) -> None:
    """Existing documents are the same rows or others, not both."""
    if adopt and beside_existing:
        raise UserError(
            "--adopt and --beside-existing exclude each other: existing documents are these rows, "
            "or others",
            "name some tables with one, then others with the other",
        )
    if adopt_by is not None and not adopt:
        raise UserError("--adopt-by is for --adopt", "add: --adopt")
    if adopt_by is not None and (not adopt_by or adopt_by.startswith("_")):
        raise UserError(
            f"--adopt-by can't be {adopt_by!r}", "name a field of the documents, such as legacyId"
        )

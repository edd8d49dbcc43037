"""Options of a call: refuse those that don't apply, and rebuild the command line from them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from stages.errors import UserError

Tables = Sequence[str]
# Options of a load that an import does not have.
OF_FUNCTIONS = ("overwrite", "prune", "max_rate", "adopt", "beside_existing")


def table_names(tables: Tables) -> tuple[str, ...]:
    """Return the table names as a tuple; a string is one name, not its characters."""
    return (tables,) if isinstance(tables, str) else tuple(tables)


def command_of(command: str, tables: Tables, **options: str | bool | None) -> str:
    """Rebuild the command as it was requested, so that a hint never goes beyond it."""
    words = [command, *table_names(tables)]
    for name, value in options.items():
        if value:
            option = f"--{name.replace('_', '-')}"
            words += [option] if value is True else [option, value]
    return shlex.join(words)


def require_choice(name: str, value: str | None, choices: Sequence[str]) -> None:
    """Refuse an unknown value: types are not checked at run time, and it must not pass as another
    one."""
    if value is not None and value not in choices:
        raise UserError(f"{name} can't be {value!r}", f"one of: {', '.join(choices)}")


def refuse_mixed(through: str | None, **options: Any) -> None:
    """Refuse options of one channel on the other, rather than silently ignore them."""
    of_import = through == "import"
    for name in OF_FUNCTIONS if of_import else ("mode", "to"):
        if options.get(name):
            option = f"--{name.replace('_', '-')}"
            raise UserError(
                f"{option} is {'not ' if of_import else ''}for --through import",
                f"leave {option} out" if of_import else "add: --through import",
            )


def refuse_unclear(adopt: bool, adopt_by: str | None, beside_existing: bool) -> None:
    """Refuse contradictory options: existing documents are the same rows or others, not both."""
    if adopt and beside_existing:
        raise UserError(
            "--adopt and --beside-existing exclude each other: existing documents are these rows, "
            "or others",
            "use one for some tables, then the other for the rest",
        )
    if adopt_by is not None and not adopt:
        raise UserError("--adopt-by is for --adopt", "add: --adopt")
    if adopt_by is not None and (not adopt_by or adopt_by.startswith("_")):
        raise UserError(
            f"--adopt-by can't be {adopt_by!r}", "name a field of the documents, such as legacyId"
        )

"""Decisions that `stages init` leaves to the user: comments in models and plan, read back later.

    -- TODO decide: …   a required value with no known source: rows are rejected until it is decided
    -- TODO check: …    matched, but not certain
    -- note: …          an optional field without a source, a column without a field
    --   or: …          an alternative, in SQL or words

A decision is open as long as its comment is there; in plan.toml comments start with `#`.
"""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from stages.errors import FileError
from stages.layout import counted
from stages.project.text_files import read_text_file

if TYPE_CHECKING:
    from stages.project.plan import Plan
    from stages.state.workspace import Workspace

TodoKind = Literal["decide", "check", "note"]
MARKS: dict[TodoKind, str] = {
    "decide": "TODO decide: ",
    "check": "TODO check: ",
    "note": "note: ",
}
WIDTH = 92
# How many open decisions are listed one by one.
NAMED = 20
_MARK = re.compile(r"(?P<sign>--|#) (?:TODO (?P<todo>decide|check)|(?P<note>note)): (?P<what>.*)")


@dataclass(frozen=True, kw_only=True)
class Todo:
    """Something left for the user to decide or check; `line` counts from 1, in `file`.

    `kind`: decide (required, without a known source), check (matched, but not certain), or note.
    """

    file: str
    line: int
    what: str
    choices: tuple[str, ...] = ()
    kind: TodoKind = "decide"


def comment(kind: TodoKind, what: str, *choices: str, sign: str = "--") -> list[str]:
    """Return the comment lines of one Todo."""
    mark = MARKS[kind]
    wrapped = textwrap.wrap(what, WIDTH - len(mark) - 4, break_long_words=False)
    return [
        f"{sign} {mark}{wrapped[0]}",
        *(f"{sign}   {line}" for line in wrapped[1:]),
        *(f"{sign}   or: {' '.join(choice.split())}" for choice in choices),
    ]


def todos(file: str, text: str) -> list[Todo]:
    """Find the open Todos in a text, with their line numbers."""
    left: list[Todo] = []
    lines = [line.strip() for line in text.splitlines()]
    for number, line in enumerate(lines, 1):
        match = _MARK.match(line)
        if match is None:
            continue
        sign, what, choices = match["sign"], [match["what"]], list[str]()
        for line_after in lines[number:]:
            if line_after.startswith(f"{sign}   or: "):
                choices.append(line_after.removeprefix(f"{sign}   or: "))
            elif line_after.startswith(f"{sign}   ") and not choices:
                what.append(line_after.removeprefix(sign).strip())
            else:
                break
        kind: TodoKind = (
            "note" if match["note"] else "check" if match["todo"] == "check" else "decide"
        )
        left.append(
            Todo(file=file, line=number, what=" ".join(what), choices=tuple(choices), kind=kind)
        )
    return left


def left_open(workspace: Workspace, plan: Plan) -> list[Todo]:
    """Find what is open in the plan, its models and key models; files are named as in init."""
    names = dict.fromkeys(
        [
            *(reference.keys for reference in plan.references.values() if reference.keys),
            *(table.model for table in plan.tables.values()),
        ]
    )
    left = []
    for file in (plan.file, *(workspace.model(name) for name in names)):
        try:
            text = read_text_file(file)
        except (FileNotFoundError, FileError):
            continue  # the code that needs the file reports it
        left += todos(os.path.relpath(file, workspace.project), text)
    return left


def listed(left: Iterable[Todo]) -> str:
    """Return `2 decisions are open, …` and a line for each with its place; "" if there are none."""
    decisions = [todo for todo in left if todo.kind == "decide"]
    if not decisions:
        return ""
    count = len(decisions)
    lines = [f"{counted(count, 'decision is', 'decisions are')} open, and such rows rejected:"]
    lines += [f"  {todo.file}:{todo.line}: {todo.what}" for todo in decisions[:NAMED]]
    if count > NAMED:
        lines.append(f"  and {count - NAMED:,} more: grep -rn 'TODO decide' .planning/migrations")
    return "\n".join(lines)

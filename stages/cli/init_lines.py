"""What `stages init` prints, line by line."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from stages.layout import counted

if TYPE_CHECKING:
    from stages.decisions import Todo
    from stages.init.drift import Change
    from stages.init.result import InitResult

HEADINGS = {"decide": "to decide", "check": "to check"}
STATES = {
    "handled": "done",
    "apply": "--apply writes it",
    "applied": "written",
    "by hand": "by hand",
    "nothing": "nothing to do",
}


def addition_lines(result: InitResult) -> Iterator[str]:
    """Lines to add to the user's own files."""
    for addition in result.add:
        yield f"\nAdd to {addition.file}:\n"
        yield from (f"    {line}" for line in addition.lines)


def todo_lines(todos: Sequence[Todo]) -> Iterator[str]:
    """What the user must decide and check, with its place and choices."""
    for kind, heading in HEADINGS.items():
        of_kind = [todo for todo in todos if todo.kind == kind]
        if of_kind:
            yield f"\n{len(of_kind)} {heading}:\n"
        for todo in of_kind:
            yield f"{todo.file}:{todo.line}: {todo.what}"
            yield from (f"    or: {choice}" for choice in todo.choices)


def update_lines(
    result: InitResult, hint: Callable[[str], str], given: Sequence[str] = ()
) -> Iterator[str]:
    """What has changed, how each change is handled, and what is left to do; `given` are the
    options that this depends on."""
    yield from result.notes
    for name in result.written:
        yield f"written  {name}"
    for name, copy in result.copies.items():
        yield f"kept     {copy}, the previous text of {name}"
    if result.changes:
        yield from _change_lines(result.changes)
    elif not (result.notes or result.written or result.pending or result.by_hand):
        yield "no change in the source or in schema.ts since the last init"
    if result.by_hand:
        yield "\nTo merge by hand, because you have edited these lines:"
    for hand in result.by_hand:
        yield f"\n{hand.file}:{hand.line}"
        yield from (f"  - {line}" for line in hand.old)
        yield from (f"  + {line}" for line in hand.new)
    yield from todo_lines(result.todos)
    yield from addition_lines(result)
    if result.pending:
        yield "\n--apply writes, without changing any line of yours:\n"
        for name, lines in result.pending.items():
            yield f"  {name}: {counted(lines, 'line')}"
        command = shlex.join(["stages", "init", "--update", "--apply", *given])
        yield hint(f"\nto write them: {command}")
    left = [c for c in result.changes if c.state == "by hand"]
    if left:
        table = next((t for t in _tables(left)), "")
        done = shlex.join(["stages", "init", "--done", table])
        yield hint(f"\nonce the rest of a table is handled: {done}")


def _tables(changes: Iterable[Change]) -> Iterator[str]:
    """Table names, those of schema.ts first: `--done` accepts either."""
    yield from (c.table for c in sorted(changes, key=lambda c: c.side != "schema"))


def _change_lines(changes: Sequence[Change]) -> Iterator[str]:
    yield f"{counted(len(changes), 'change')} since the last init:"
    for (side, table), of_table in groupby(changes, key=lambda c: (c.side, c.table)):
        yield f"\n{table}, in {'the source' if side == 'source' else 'schema.ts'}"
        for change in of_table:
            why = f": {change.why}" if change.why else ""
            yield f"  {_words(change)}\n      {STATES[change.state]}{why}"


def _words(change: Change) -> str:
    name = change.name or "the table"
    if change.kind == "added":
        return f"+ {name}: {change.now}"
    if change.kind == "dropped":
        return f"- {name}: {change.was}"
    if change.kind == "renamed":
        return f"~ {name}: renamed from {change.was} ({change.evidence})"
    if change.kind == "values" and not change.was:
        return f"+ {name}: new value {change.now}"
    if change.kind == "values" and not change.now:
        return f"- {name}: no longer {change.was}"
    if change.kind == "foreign key" and not (change.was and change.now):
        sign, key = ("+", change.now) if change.now else ("-", change.was)
        return f"{sign} {name}: foreign key to {key}"
    what = "primary key " if change.kind == "primary key" else ""
    return f"~ {what}{name}: {change.was} → {change.now}"

"""What init has done, and what it leaves to the user."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from stages.decisions import MARKS, Todo, todos
from stages.init.drift import Change


@dataclass(frozen=True, kw_only=True)
class Addition:
    """Lines for the user to add to one of their own files."""

    file: str
    lines: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ByHand:
    """Lines that could not be merged into a file: at `line` (from 1), `old` should become `new`, as
    far as it is still there."""

    file: str
    line: int
    old: tuple[str, ...]
    new: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class InitResult:
    """What was written (paths relative to the project), and what the user has to add, decide and
    check; decisions come first.

    After an update: `changes` since the last init; `pending`: file → how many lines --apply would
    write or remove; `by_hand`: what could not be merged; `copies`: file → the copy of its previous
    text; `notes`: sentences on what could not be known or was left alone.
    """

    written: tuple[str, ...]
    add: tuple[Addition, ...]
    todos: tuple[Todo, ...]
    without_source: tuple[str, ...]
    without_target: tuple[str, ...]
    changes: tuple[Change, ...] = ()
    pending: Mapping[str, int] = field(default_factory=dict)
    by_hand: tuple[ByHand, ...] = ()
    copies: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def listed_todos(texts: Mapping[str, str]) -> tuple[Todo, ...]:
    """What the texts of plan and models leave to the user, decisions first."""
    left: Iterable[Todo] = (
        todo
        for name, text in texts.items()
        if name.endswith((".sql", ".toml"))
        for todo in todos(name, text)
    )
    return tuple(sorted(left, key=lambda todo: list(MARKS).index(todo.kind)))

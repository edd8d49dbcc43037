"""What init wrote, piece by piece: a model by fields, a plan by entries.

An update then changes only the pieces that are affected. What init would write today may differ in
others too, because it reads other rows or is another version.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from stages.init.merge import line_name

# The pieces of a model that are not fields.
LOOSE, FROM = "", "FROM"


@dataclass(frozen=True)
class Model:
    """Fields, each with its comments and its one line of SQL, without the comma; `loose` are the
    comments after them, `tail` is what follows."""

    fields: dict[str, tuple[str, ...]]
    loose: tuple[str, ...]
    tail: tuple[str, ...]

    def piece(self, name: str) -> tuple[str, ...] | None:
        return {LOOSE: self.loose, FROM: self.tail}.get(name, self.fields.get(name))


def read_model(text: str) -> Model | None:
    """Parse a model that init wrote; None for one of another form."""
    lines = text.splitlines()
    if not lines or lines[0] != "SELECT":
        return None
    fields: dict[str, tuple[str, ...]] = {}
    waiting: list[str] = []
    for number, line in enumerate(lines[1:], 1):
        if line.startswith("FROM "):
            return Model(fields, tuple(waiting), tuple(lines[number:]))
        waiting.append(line)
        if line.lstrip().startswith("--"):
            continue
        waiting[-1] = line.removesuffix(",")
        name = line_name(line)
        if name is None:
            return None
        fields[name] = tuple(waiting)
        waiting = []
    return None


def changed_pieces(then: str, now: str) -> set[str]:
    """The fields whose piece differs, LOOSE and FROM included; all of them if either text has
    another form and they differ."""
    one, two = read_model(then), read_model(now)
    if one is None or two is None:
        return set() if then == now else {LOOSE, FROM, *(one or two or Model({}, (), ())).fields}
    names = {LOOSE, FROM, *one.fields, *two.fields}
    return {name for name in names if one.piece(name) != two.piece(name)}


def changes_in_order(then: str, now: str, renamed: Mapping[str, str]) -> list[frozenset[str]]:
    """The pieces that differ, one by one; only a renamed field goes together with its old name.
    `renamed` is old → new."""
    changed = changed_pieces(then, now)
    model = read_model(now)
    order = [*(model.fields if model else ()), *sorted(changed)]
    old = {new: name for name, new in renamed.items()}
    steps = [frozenset({name, old.get(name, name)} & changed) for name in order]
    taken = {name for name, new in renamed.items() if new in changed}
    return [step for step in dict.fromkeys(steps) if step and not step <= taken]


def with_changes(
    written: str, then: str, now: str, only: Collection[str], *, early: bool = False
) -> str:
    """What init once wrote, with those pieces of `only` that changed between `then` and `now`.

    `early`: a new field goes before the last one that init wrote, so that the last line stays
    unchanged, without a comma.
    """
    changed = changed_pieces(then, now) & {*only}
    model, wanted = read_model(written), read_model(now)
    if not changed or model is None or wanted is None:
        return now if changed else written
    fields = {name: piece for name, piece in model.fields.items() if name in wanted.fields or
              name not in changed}  # fmt: skip
    last = next(reversed(fields), None)
    before: str | None = None
    for name, piece in wanted.fields.items():
        if name in changed and name in fields:
            fields[name] = piece
        elif name in changed:
            fields = _inserted(fields, name, piece, before, last if early else None)
        before = name if name in fields else before
    loose = wanted.loose if LOOSE in changed else model.loose
    tail = wanted.tail if FROM in changed else model.tail
    lines = ["SELECT"]
    for number, piece in enumerate(fields.values()):
        lines += [*piece[:-1], piece[-1] + ("," if number < len(fields) - 1 else "")]
    return "\n".join([*lines, *loose, *tail]) + "\n"


def _inserted(
    fields: dict[str, tuple[str, ...]],
    name: str,
    piece: tuple[str, ...],
    after: str | None,
    not_after: str | None,
) -> dict[str, tuple[str, ...]]:
    """The fields with one more, after the field `after`, but before the field `not_after`."""
    names = list(fields)
    place = names.index(after) + 1 if after in fields else len(names)
    if not_after in fields:
        place = min(place, names.index(not_after))
    names.insert(place, name)
    return {each: fields.get(each, piece) for each in names}


# ── the plan ────────────────────────────────────────────────────────────────────────────────


def read_plan(text: str) -> dict[str, str]:
    """Header (or first line, if there is none) → text of an entry, in a plan that init wrote."""
    paragraphs = [part.strip("\n") for part in re.split(r"\n{2,}", text) if part.strip()]
    # What a comment rests on may change: it is the same one as long as it begins alike.
    return {part.splitlines()[0].partition(" (")[0]: part for part in paragraphs}


def plan_with_changes(written: str, then: str, now: str) -> tuple[str, dict[str, str]]:
    """The plan that init once wrote, with what has changed in its entries; and the new entries."""
    one, two = read_plan(then), read_plan(now)
    entries = read_plan(written)
    for header in list(entries):
        if header in one and header not in two:
            del entries[header]
        elif header in two and one.get(header) != two[header]:
            entries[header] = two[header]
    added = {h: entry for h, entry in two.items() if h not in one and h not in entries}
    return plan_of(entries.values()), added


def plan_of(entries: Iterable[str]) -> str:
    return "\n\n".join(entries) + "\n"

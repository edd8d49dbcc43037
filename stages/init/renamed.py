"""What was renamed between two pictures; inferred, since neither Postgres nor a file records it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from difflib import SequenceMatcher
from typing import TypeVar

from stages.convex.validators.alternatives import describe
from stages.init.catalog import CatalogColumn, table_name
from stages.init.likeness import meaning
from stages.init.picture import Export, Moves, Picture

Name = TypeVar("Name")
# The share of columns that two tables must have in common for one to be the other renamed.
SAME_COLUMNS = 0.75
LIKE_LETTERS = 0.6
# A column keeps its number when it is renamed.
PROVEN = "same column number in Postgres"


def find_moves(then: Picture, now: Picture) -> tuple[Moves, dict[tuple[str, str], str]]:
    """Old name → new name, and (current table, current column or field) → the evidence."""
    tables = _tables(
        {p: {(c.name, c.type) for c in t.columns.values()} for p, t in then.tables.items()},
        {p: {(c.name, c.type) for c in t.columns.values()} for p, t in now.tables.items()},
    )
    convex = _tables(*({n: _shape(e) for n, e in each.convex.items()} for each in (then, now)))
    columns, fields, evidence = {}, {}, dict[tuple[str, str], str]()
    for place, before in then.tables.items():
        table = now.tables.get(tables.get(place, place))
        if table is not None:
            by_name = _columns(before.columns, table.columns)
            columns[place] = {old: new for old, (new, _) in by_name.items()}
            evidence |= {(table_name(table.place), new): why for new, why in by_name.values()}
    for name, export in then.convex.items():
        other = now.convex.get(convex.get(name, name))
        if other is not None:
            by_name = _names(_validators(export), _validators(other), "validator")
            fields[name] = {old: new for old, (new, _) in by_name.items()}
            evidence |= {(other["tableName"], new): why for new, why in by_name.values()}
    moves = Moves(
        tables=tables,
        columns={place: each for place, each in columns.items() if each},
        convex=convex,
        fields={name: each for name, each in fields.items() if each},
    )
    return moves, evidence


def is_plain(export: Export) -> bool:
    """Whether a single v.object() describes a table's documents."""
    return bool(export["documentType"]["type"] == "object")


def fields_of(export: Export) -> Mapping[str, Export]:
    """Field → its export; empty if documents may have several forms, or any form."""
    fields: Mapping[str, Export] = export["documentType"]["value"] if is_plain(export) else {}
    return fields


def _shape(export: Export) -> set[tuple[str, str]]:
    return {(name, describe(each["fieldType"])) for name, each in fields_of(export).items()}


def _validators(export: Export) -> dict[str, Export]:
    return {name: each["fieldType"] for name, each in fields_of(export).items()}


def _columns(
    then: Mapping[str, CatalogColumn], now: Mapping[str, CatalogColumn]
) -> dict[str, tuple[str, str]]:
    """Renamed columns: by Postgres's column numbers if it is the same table, else as for fields."""
    kept = [name for name in then if name in now]
    if kept and all(then[n].number is not None and then[n].number == now[n].number for n in kept):
        by_number = {column.number: name for name, column in now.items() if name not in then}
        return {
            old: (by_number[column.number], PROVEN)
            for old, column in then.items()
            if old not in now
            and column.number in by_number
            # A table that was dropped and recreated has the same numbers for other columns.
            and now[by_number[column.number]].declared == column.declared
        }
    return _names(
        {name: column.declared for name, column in then.items()},
        {name: column.declared for name, column in now.items()},
        "type",
    )


def _names(
    then: Mapping[str, object], now: Mapping[str, object], what: str
) -> dict[str, tuple[str, str]]:
    """Old name → (new name, evidence): the same type, and a similar name or the same place.

    At the end of the list the place is no evidence: a new name there may be unrelated to the one
    that is gone.
    """
    old, new = list(then), list(now)
    kept = {name for name in old if name in now}
    pairs = [
        (gone, come)
        for gone in old if gone not in now
        for come in new if come not in then and now[come] == then[gone]
    ]  # fmt: skip
    placed = {pair for pair in pairs if _around(pair[0], old, kept) == _around(pair[1], new, kept)}
    inside = {pair for pair in placed if _around(pair[1], new, kept)[1] is not None}
    named = {pair for pair in pairs if _alike(*pair)}
    renamed: dict[str, tuple[str, str]] = {}
    for likely, why in (
        (placed & named, f"same place and {what}, similar name"),
        (named, f"same {what}, similar name"),
        (inside, f"same place and {what}"),
    ):
        taken = {come for come, _ in renamed.values()}
        free = [pair for pair in likely if pair[0] not in renamed and pair[1] not in taken]
        for gone, come in free:
            if not any((gone == g) != (come == c) for g, c in free):
                renamed[gone] = (come, why)
    return renamed


def _around(name: str, names: Sequence[str], kept: Collection[str]) -> tuple[str | None, ...]:
    """The nearest names before and after it that exist in both lists."""
    place = list(names).index(name)
    before = [other for other in names[:place] if other in kept]
    after = [other for other in names[place:] if other in kept]
    return (before[-1] if before else None, after[0] if after else None)


def _alike(one: str, other: str) -> bool:
    """Whether two names mean the same, or have most of their letters in common."""
    (ours, _), (theirs, _) = meaning(one), meaning(other)
    letters = SequenceMatcher(None, one.lower(), other.lower()).ratio()
    return bool(ours & theirs) or letters >= LIKE_LETTERS


def _tables(
    then: Mapping[Name, set[tuple[str, str]]], now: Mapping[Name, set[tuple[str, str]]]
) -> dict[Name, Name]:
    """Old name → new name, of tables whose columns or fields are nearly the same."""

    def likeness(gone: Name, come: Name) -> float:
        return len(now[come] & then[gone]) / max(1, len(now[come] | then[gone]))

    likely = [
        (gone, come)
        for gone in then if gone not in now
        for come in now if come not in then and likeness(gone, come) >= SAME_COLUMNS
    ]  # fmt: skip
    return {
        gone: come
        for gone, come in likely
        if not any((gone == g) != (come == c) for g, c in likely)
    }

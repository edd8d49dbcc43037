"""Finds columns for fields by foreign keys, meaning, types and values, where no name matches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from stages.convex.schema import Field
from stages.init.catalog import CatalogColumn, CatalogTable, ForeignKey, Place
from stages.init.conversion import family, member_kind, union_members
from stages.init.evidence import NOTHING, Evidence, Rows
from stages.init.implied_keys import implied_key
from stages.init.likeness import Likeness, fits, likeness, unit
from stages.init.names import (
    is_change,
    is_creation,
    is_plain_time,
    looks_like_time,
    singular,
    words,
)
from stages.init.pairs import Pair
from stages.init.polymorphic import type_column
from stages.init.secrets import is_sealed, is_secret, secret_columns

# A text column with more values than this does not hold labels.
MOST_CHOICES = 24
PROPOSED = 3


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known of all tables while the columns of one are paired: the source's tables, their
    first rows, and Convex table → source table (`places`)."""

    tables: Mapping[Place, CatalogTable]
    rows: Evidence
    places: Mapping[str, Place]


@dataclass(frozen=True, kw_only=True)
class _FreeKey:
    """A foreign key that no field takes yet; `why`: what makes an undeclared one likely."""

    key: ForeignKey
    why: str | None = None

    @property
    def column(self) -> str:
        return self.key.columns[0]


def by_foreign_key(
    pairs: dict[str, Pair], table: CatalogTable, target: str, known: Known, taken: set[str]
) -> dict[str, Pair]:
    """Pair references with the foreign keys to their tables: first by similar names, then the one
    that is left. If several fields may take a key, none does.

    A column without a foreign key counts as one if its values are those of such a table's column.
    """
    completed = dict(pairs)
    owners = (target, table.name)

    def parents(each: Pair) -> set[Place]:
        places = (known.places.get(name) for name in each.field.references())
        return {place for place in places if place is not None}

    wanted = {place for each in completed.values() if not each.columns for place in parents(each)}
    free = _free_keys(table, known, taken, sorted(wanted))

    ranked = sorted(
        (
            (
                _as_key(each.field, table.columns[each_key.column], each_key.key, owners, known),
                name,
                n,
            )
            for name, each in completed.items()
            if not each.columns
            for n, each_key in enumerate(free)
            if each_key.key.parent in parents(each)
        ),
        key=lambda rank: (-rank[0], rank[2]),
    )
    used: set[int] = set()

    def take(name: str, number: int, sure: bool) -> None:
        key = free[number].key
        column = table.columns[key.columns[0]]
        why = free[number].why or f"by the foreign key to {key.parent[1]}; the names differ"
        completed[name] = replace(
            completed[name],
            columns=(column,),
            foreign_key=None if free[number].why else key,
            why=None if sure else why,
        )
        taken.add(column.name)
        used.update(n for n, each in enumerate(free) if each.column == column.name)

    for score, name, number in ranked:
        if completed[name].columns or number in used or not score:
            continue
        same = [r for r in ranked if r[0] == score and (r[1] == name) != (r[2] == number)]
        if any(not completed[r[1]].columns and r[2] not in used for r in same):
            continue
        alone = sum(r[1] == name or r[2] == number for r in ranked) == 1
        take(name, number, (alone and not free[number].why) or score == 1)
    # What is left on both sides: one of each is a pair; if there are more, the user must decide.
    for number, each_key in enumerate(free):
        if number in used:
            continue
        parent = each_key.key.parent
        names = [n for n, each in completed.items() if not each.columns and parent in parents(each)]
        others = [
            other
            for index, other in enumerate(free)
            if index != number and index not in used and other.key.parent == parent
        ]
        if len(names) == 1 and not others:
            take(names[0], number, False)
        else:
            for name in names:
                rivals = [n for n in names if n != name]
                columns = (*completed[name].close, each_key.column)
                completed[name] = replace(
                    completed[name], rivals=tuple(rivals) or (name,), close=columns
                )
    return completed


def _free_keys(
    table: CatalogTable, known: Known, taken: set[str], wanted: Iterable[Place]
) -> list[_FreeKey]:
    """The single-column foreign keys that no field has taken, then those that values imply."""
    free = [
        _FreeKey(key=key)
        for key in table.foreign_keys
        if len(key.columns) == 1 and key.columns[0] not in taken
    ]
    declared = {name for key in table.foreign_keys for name in key.columns}
    secrets = secret_columns(table)
    for column in table.columns.values():
        if column.name in taken | declared or column.name in secrets or column.item is not None:
            continue
        for place in wanted:
            parent = known.tables[place]
            implied = implied_key(
                column, known.rows.get(table.place), parent, known.rows.get(place)
            )
            if implied is not None and implied.certain:
                why = f"its values are in {parent.name}.{implied.column}; the names differ"
                free.append(_FreeKey(key=implied.key, why=why))
    return free


def _as_key(
    each: Field, column: CatalogColumn, key: ForeignKey, owners: tuple[str, ...], known: Known
) -> float:
    """Likeness of names. A foreign key may also name the column it refers to (`article_slug` for
    `article`), or the source's table (`profile_id` for `userId`, if users come from profiles)."""
    stem = [word for word in words(each.name) if word not in ("id", "ids", "uuid", "key")]
    named = words(column.name)
    if stem and named[: len(stem)] == stem:
        return 1.0
    tables = {place: name for name, place in known.places.items() if name in each.references()}
    if key.parent in tables:
        theirs = [singular(word) for word in words(key.parent[1])]
        ours = [singular(word) for word in words(tables[key.parent])]
        renamed = " ".join(map(singular, named)).replace(" ".join(theirs), " ".join(ours))
        if stem and renamed.split()[: len(stem)] == [singular(word) for word in stem]:
            return 1.0
    return likeness(each, column, owners).score


def by_type_column(pairs: dict[str, Pair], table: CatalogTable, taken: set[str]) -> dict[str, Pair]:
    """Pair the only field that is an id of several tables with the only id column that has another
    column to say which table it is: `noteable_id` and `noteable_type`."""
    ids = [
        column
        for column in table.columns.values()
        if column.name not in taken
        and table.foreign_key_of(column.name) is None
        and type_column(table, column)
    ]
    fields = [
        name
        for name, each in pairs.items()
        if not each.columns and len({*each.field.references()}) > 1
    ]
    if len(ids) != 1 or len(fields) != 1:
        return pairs
    taken.add(ids[0].name)
    return {**pairs, fields[0]: replace(pairs[fields[0]], columns=(ids[0],))}


def by_meaning(
    pairs: dict[str, Pair], table: CatalogTable, target: str, rows: Rows, taken: set[str]
) -> dict[str, Pair]:
    """Pair fields and columns that are each other's best match, if the type and the values fit.

    A field whose name only says that it is a time (`at`, `date`) takes the one time that is left.
    """
    completed = dict(pairs)
    owners = (target, table.name)

    def take(name: str, column: CatalogColumn, sure: bool = False) -> None:
        why = "matched by the meaning of the names, and by type"
        theirs = unit(column.name)
        if theirs not in (None, unit(name)):
            why += f"; the column's name says {theirs}, the field's does not"
        completed[name] = replace(
            completed[name],
            columns=(column,),
            foreign_key=table.foreign_key_of(column.name),
            why=None if sure else why,
        )
        taken.add(column.name)

    likes = {
        (name, column.name): like
        for name, each in completed.items()
        if not each.columns and not each.rivals
        for column in table.columns.values()
        if column.name not in taken
        and (like := likeness(each.field, column, owners)).enough
        and fits(each.field, column, rows)
    }
    while likes:
        pair = next((pair for pair in likes if _is_likest(pair, likes)), None)
        if pair is None:
            break
        name, column = pair
        take(name, table.columns[column], likes[pair].same)
        likes = {(n, c): like for (n, c), like in likes.items() if n != name and c != column}
    moments = [n for n, each in completed.items() if not each.columns and is_plain_time(n)]
    left = [
        column
        for column in table.columns.values()
        if family(column) in ("time", "date")
        and column.name not in taken
        and not is_change(column.name)
    ]
    events = [column for column in left if not is_creation(column.name)] or left
    if (
        len(moments) == 1
        and len(events) == 1
        and fits(completed[moments[0]].field, events[0], rows)
    ):
        take(moments[0], events[0])
    return {
        name: each if each.columns or each.close else _with_close(each, table, owners, taken)
        for name, each in completed.items()
    }


def _is_likest(pair: tuple[str, str], likes: Mapping[tuple[str, str], Likeness]) -> bool:
    """Whether no other column is as close to this field, and no other field to this column."""
    name, column = pair
    return not any(
        (n == name) != (c == column) and like.score >= likes[pair].score
        for (n, c), like in likes.items()
    )


def _with_close(each: Pair, table: CatalogTable, owners: tuple[str, ...], taken: set[str]) -> Pair:
    """With the unused columns that may be meant, the closest first."""
    near = sorted(
        (
            (score, column.name)
            for column in table.columns.values()
            if column.name not in taken and _may_be(each.field, column, table)
            # What has a unit, such as minutes, is not made of just any number.
            if (score := likeness(each.field, column, owners).score) or not unit(each.field.name)
        ),
        key=lambda like: -like[0],
    )
    return replace(each, close=tuple(name for _, name in near)[:PROPOSED])


# Kind of value → the types of columns that have it without a conversion.
NATURAL = {
    "string": {"text", "uuid", "date"},
    "number": {"integer", "float", "numeric"},
    "bigint": {"integer", "numeric"},
    "boolean": {"boolean"},
    "array": {"array", "json", "vector"},
    "object": {"json"},
    "record": {"json"},
    "any": {"json", "array"},
    "bytes": {"bytes"},
}


def _may_be(each: Field, column: CatalogColumn, table: CatalogTable) -> bool:
    """Whether this column may be meant: its values have the field's kind without a conversion."""
    if is_sealed(column.name) != is_sealed(each.name) or is_secret(column):
        return False
    if any(True for _ in each.references()) or table.foreign_key_of(column.name) is not None:
        return False
    if column.name in table.key and words(each.name)[-1:] not in (["id"], ["key"], ["uuid"]):
        return False
    if is_creation(column.name) or is_change(column.name):
        # The time of creation or change is not that of another event.
        return is_creation(each.name) or is_change(each.name)
    if looks_like_time(each.name):
        is_time = family(column) in ("time", "date") or looks_like_time(column.name)
        return is_time and fits(each, column, NOTHING)
    kinds = {member_kind(member) for member in union_members(each.validator)}
    return any(family(column) in NATURAL.get(kind, ()) for kind in kinds)


def with_seen_choices(each: Pair, rows: Rows) -> Pair:
    """Treat a text column as an enum, if all its values were seen and they are few."""
    if len(each.columns) != 1 or not rows.whole or not rows.looked:
        return each
    column = each.columns[0]
    union = union_members(each.field.validator)
    seen = rows.columns.get(column.name)
    if (
        seen is None
        or not seen.values
        or column.choices
        or family(column) != "text"
        or not union
        or any(member["type"] != "literal" for member in union)
        or len(seen.values) > MOST_CHOICES
        or not all(len(value) < 40 and value.isprintable() for value in seen.values)
    ):
        return each
    return replace(each, columns=(replace(column, choices=tuple(sorted(seen.values))),))

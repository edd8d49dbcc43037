"""Finds sources for Convex tables by columns, foreign keys and values, where no name matches."""

from __future__ import annotations

import functools
from bisect import bisect_left
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from stages.convex.schema import Field, is_system
from stages.extract import auth_tables
from stages.init.catalog import Catalog, CatalogTable, Place
from stages.init.evidence import NOTHING, Evidence, Rows
from stages.init.likeness import fits, meaning, name_likeness, tokens
from stages.init.names import closeness, words

# Words that unrelated tables have in common.
COMMON = {"created", "updated", "id", "name", "user", "owner", "deleted", "status"}
# How much better than the next candidate a match must be.
MARGIN = 0.1
LEAST = 0.55
# Too little for a pair, and enough to mention.
NEAR = 0.4


@dataclass(frozen=True, kw_only=True)
class TableLikeness:
    """How much a source table looks like a Convex table (`score`: -0.2 … 1.25), and why."""

    score: float
    matched: int
    fields: int
    led: int

    @property
    def words(self) -> str:
        """The evidence, in words."""
        text = f"{self.matched} of its {self.fields} fields have a column there"
        if self.led:
            text += f", and {self.led} foreign key{'s lead' if self.led > 1 else ' leads'} there"
        return text


def pair_by_content(
    catalog: Catalog,
    fields: Mapping[str, Mapping[str, Field]],
    places: dict[str, Place],
    renamed: Collection[str],
    evidence: Evidence,
) -> dict[str, str]:
    """Add the tables that fit to `places`, and return the evidence for each.

    `users` stays auth.users unless a table of the application fits better.
    """
    why: dict[str, str] = {}
    # Each match may lead to others: a join table is recognised by the tables that it joins.
    while found := _likest(catalog, fields, places, {*renamed, *why}, evidence):
        for target, place, text in found:
            places[target] = place
            why[target] = text
    return why


def _likest(
    catalog: Catalog,
    fields: Mapping[str, Mapping[str, Field]],
    places: Mapping[str, Place],
    settled: Collection[str],
    evidence: Evidence,
) -> list[tuple[str, Place, str]]:
    """(target, place, evidence) of tables that are each other's best match."""
    led = _led_by_keys(catalog, fields, places)
    free = _free(catalog, places)
    open_targets = [
        target
        for target in fields
        if target not in settled
        and fields[target]
        and (target not in places or places[target] == auth_tables.USERS)
    ]
    ranked = sorted(
        (
            (like.score, target, table.place, like)
            for target in open_targets
            for table in free
            if (like := _like(catalog, fields, target, table, places, led, evidence))
        ),
        key=lambda each: (-each[0], each[1], each[2]),
    )
    found: dict[str, tuple[Place, str]] = {}
    taken: set[Place] = set()
    for score, target, place, like in ranked:
        if target in found or place in taken or score < LEAST:
            continue
        near = bisect_left(ranked, MARGIN - score, key=lambda each: -each[0])
        rivals = [
            other
            for other, of, at, _ in ranked[:near]
            if (of == target) != (at == place)
            and of not in found and at not in taken
        ]  # fmt: skip
        if rivals:
            continue
        if target in places:
            users = catalog.tables[places[target]]
            now = _like(catalog, fields, target, users, places, led, evidence)
            if now and now.score >= score - MARGIN:
                continue
        taken.add(place)
        found[target] = (place, like.words)
    return [(target, place, text) for target, (place, text) in found.items()]


def near_tables(
    catalog: Catalog,
    fields: Mapping[str, Mapping[str, Field]],
    places: Mapping[str, Place],
    evidence: Evidence,
) -> dict[str, list[tuple[Place, str]]]:
    """Target without a source → the unpaired tables that look most like it, and why: at most two,
    none of which is likely enough, or all equally so."""
    led, free = _led_by_keys(catalog, fields, places), _free(catalog, places)
    near: dict[str, list[tuple[Place, str]]] = {}
    for target in fields:
        if target in places or not fields[target]:
            continue
        ranked = sorted(
            (-like.score, table.place, like.words)
            for table in free
            if (like := _like(catalog, fields, target, table, places, led, evidence))
            and like.score >= NEAR
        )
        if ranked:
            near[target] = [(place, words) for _, place, words in ranked[:2]]
    return near


def _free(catalog: Catalog, places: Mapping[str, Place]) -> list[CatalogTable]:
    """The app's tables that no target is paired with."""
    return [
        table
        for table in catalog.tables.values()
        if table.place not in places.values()
        and not table.virtual
        and table.schema not in ("auth", "storage")
    ]


def _led_by_keys(
    catalog: Catalog, fields: Mapping[str, Mapping[str, Field]], places: Mapping[str, Place]
) -> dict[tuple[str, Place], int]:
    """(target, place) → how many references to that target may be foreign keys to that place: by
    name, or because all remaining keys lead to it."""
    led: dict[tuple[str, Place], int] = {}
    known = {*places.values()} - {auth_tables.USERS}
    for target, place in places.items():
        table = catalog.tables[place]
        keys = [key for key in table.foreign_keys if len(key.columns) == 1]
        left = {key.parent for key in keys} - known
        for each in fields.get(target, {}).values():
            for referred in each.references():
                named = {k.parent for k in keys if _refers(each.name, k.columns[0], target)}
                alone = left if len(left) == 1 and places.get(referred) not in known else set()
                for parent in named or alone:
                    led[referred, parent] = led.get((referred, parent), 0) + 1
    return led


def _refers(name: str, column: str, target: str) -> bool:
    return (
        closeness(name, column) < 9 or meaning(name, (target,))[0] == meaning(column, (target,))[0]
    )


def _like(
    catalog: Catalog,
    fields: Mapping[str, Mapping[str, Field]],
    target: str,
    table: CatalogTable,
    places: Mapping[str, Place],
    led: Mapping[tuple[str, Place], int],
    evidence: Evidence,
) -> TableLikeness | None:
    """How alike they are, less so if foreign keys lead elsewhere; None if too little matches."""
    rows = evidence.get(table.place, NOTHING)
    weight = whole = 0.0
    matched = 0
    considered = {
        name: each
        for name, each in fields[target].items()
        if not any(map(is_system, each.references()))
    }
    keys = [key.parent for key in table.foreign_keys if len(key.columns) == 1]
    by_token = _by_token(tuple(table.columns))
    for name, each in considered.items():
        worth = 0.4 if meaning(name)[0] <= COMMON else 1.0
        whole += worth
        referred = [places[name] for name in each.references() if places.get(name) in keys]
        if referred:
            keys.remove(referred[0])  # one foreign key makes one reference
            best = 1.0
        else:
            best = _best(each, table, target, rows, by_token)
        if best:
            matched += 1
            weight += worth * best
    if not whole or not matched:
        return None
    leading = led.get((target, table.place), 0)
    elsewhere = sum(n for (name, place), n in led.items() if name == target) - leading
    shared = {*meaning(target)[0]} & {*meaning(table.name)[0]} or {*words(target)} & {
        *words(table.name)
    }
    score = 0.75 * weight / whole + (0.2 if shared else 0.0)
    score += 0.3 if leading and leading >= elsewhere else -0.2 if elsewhere else 0.0
    if matched < 2 and not (shared or leading):
        return None
    return TableLikeness(score=score, matched=matched, fields=len(considered), led=leading)


@functools.lru_cache(maxsize=4096)
def _by_token(columns: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
    """Part of a name → the columns that have it: only those can be like a field that has it."""
    found: dict[str, list[str]] = {}
    for column in columns:
        for token in tokens(column):
            found.setdefault(token, []).append(column)
    return {token: tuple(names) for token, names in found.items()}


def _best(
    each: Field,
    table: CatalogTable,
    target: str,
    rows: Rows,
    by_token: Mapping[str, tuple[str, ...]],
) -> float:
    """0 … 1: the likeness of the best column that the field may be made from."""
    names = {name for token in tokens(each.name) for name in by_token.get(token, ())}
    likes = (
        (like.score, column)
        for column in (table.columns[name] for name in names)
        if (like := name_likeness(each, column, (target, table.name))).enough
    )
    fitting = (score for score, column in likes if fits(each, column, rows))
    return max(fitting, default=0.0)

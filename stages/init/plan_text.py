"""The text of plan.toml."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

from stages.convex.schema import Schema
from stages.convex.validators.positions import positions
from stages.init.catalog import CatalogTable, Place
from stages.init.conversion import family
from stages.init.pairing import Paired, Pairing
from stages.init.reference import is_reference
from stages.sql import name_sql

BARE = re.compile(r"[A-Za-z0-9_-]+")
MODULE = "stages"


def plan_text(name: str, pairing: Pairing, references: Sequence[str]) -> str:
    """Sources, reference tables and tables, with what init proposes as comments."""
    lines = [
        f"name = {_text(name)}",
        f"module = {_text(MODULE)}   # convex/{MODULE}.ts has the loading functions",
        'max_rejects = 0        # of all source rows: a number, or a share such as "2%"',
    ]
    pairs = list(pairing.tables.values())
    for paired in pairs:
        lines += _source(paired, pairing)
    if references:
        lines += ["", "# Already in Convex: their ids are found by key models."]
    for target in references:
        lines += _reference(target, pairing.tables.get(target))
    lines += [
        "",
        "# To be loaded, in any order: parents go first by themselves. creation_time becomes",
        "# _creationTime by import, and functions load in its order, with one batch in flight;",
        "# unique is what Postgres vouched for.",
    ]
    for paired in pairs:
        if paired.target not in references:
            lines += _table(paired, pairing)
    return "\n".join(lines) + "\n"


def _source(paired: Paired, pairing: Pairing) -> list[str]:
    """An entry where the name alone does not say it."""
    table, lines = paired.table, []
    if table.schema != "public" or table.name != paired.source:
        lines.append(f"table = {_text(_place(table.schema, table.name))}")
    if len(table.row_key) > 1 or (table.row_key and not table.key):
        if not table.key_ordered:
            lines.append(
                "# TODO REST does not tell the order of a key's columns: is this the index's?"
            )
        elif not table.key:
            lines.append("# unique and not null; the table has no primary key")
        lines.append(f"key = {json.dumps(list(table.row_key), ensure_ascii=False)}")
    lines += _only(table, {pair.table.place for pair in pairing.tables.values()})
    return ["", f"[sources.{_key(paired.source)}]", *lines] if lines else []


def _only(table: CatalogTable, taken: set[Place]) -> list[str]:
    """Children by INHERITS: their rows come once, with their own tables where these are taken."""
    again = [_place(*place) for place in table.heirs if place in taken]
    others = [_place(*place) for place in table.heirs if place not in taken]
    if not again:
        named = ", ".join(others)
        return [f"# {named}: the rows of these children (INHERITS) come with it."] if others else []
    lines = [f"only = true   # {', '.join(again)} (INHERITS) come by themselves"]
    if others:
        lines.append(
            f"# TODO only = true leaves out the rows of {', '.join(others)}: are they meant?"
        )
    return lines


def _reference(target: str, paired: Paired | None) -> list[str]:
    if paired is None:
        todo = f"# TODO {target}: no table of the source is called so; no key leads to its ids"
        return ["", f"[reference.{_key(target)}]", todo]
    return [
        "",
        f"[reference.{_key(target)}]",
        f"source = {_text(paired.source)}",
        f"keys = {_text(f'keys/{target}.sql')}",
    ]


def _table(paired: Paired, pairing: Pairing) -> list[str]:
    lines = [f"[tables.{_key(paired.target)}]", f"source = {_text(paired.source)}"]
    if not paired.table.row_key:
        lines.append("# The source has no key: rows are told apart by their content, see _key.")
    if paired.created:
        lines.append(f"# creation_time = {_text(paired.table.columns[paired.created].staged)}")
    inside = _keys_inside(paired)
    if inside:
        named = ", ".join(f"{_text(path)} = {_text(table)}" for path, table in inside.items())
        lines.append(f"# references = {{ {named} }}   # if JSON has the source's keys there")
    nulled = [
        pair.field.name
        for pair in paired.fields.values()
        if is_reference(pair)
        and pair.foreign_key is not None
        and pair.foreign_key.on_delete == "set null"
        and pair.field.optional
    ]
    if nulled:
        rules = ", ".join(f'{_key(name)} = "null"' for name in nulled)
        lines.append(f"# orphans = {{ {rules} }}   # ON DELETE SET NULL in Postgres")
    unique = _unique(paired)
    if unique:
        lines.append(f"# unique = {json.dumps(unique, ensure_ascii=False)}")
    others = pairing.ambiguous.get(paired.target, ())
    if others:
        named = ", ".join(".".join(place) for place in others)
        lines.insert(0, f"# TODO {paired.target}: {named} are called so; choose with --rename")
    return ["", *lines]


def _keys_inside(paired: Paired) -> dict[str, str]:
    """Places in JSON where the schema has ids → the table, where it is one."""
    return {
        place.path: place.targets[0]
        for pair in paired.fields.values()
        if not is_reference(pair) and [family(column) for column in pair.columns] == ["json"]
        for place in positions(pair.field.name, pair.field.validator)
        if len(place.targets) == 1
    }


def _unique(paired: Paired) -> list[list[str]]:
    """Fields that are unique together because their columns are; the row's key is so anyway."""
    fields = {
        p.columns[0].name: p.field.name for p in paired.fields.values() if len(p.columns) == 1
    }
    return [
        [fields[column] for column in columns]
        for columns in paired.table.unique
        if columns != paired.table.row_key and all(column in fields for column in columns)
    ]


def _place(schema: str, table: str) -> str:
    """A table for `table = …`, quoted as in SQL where the plan would read it otherwise."""
    plain = BARE.fullmatch(table) and BARE.fullmatch(schema)
    if plain:
        return table if schema == "public" else f"{schema}.{table}"
    return f"{name_sql(schema)}.{name_sql(table)}"


def _key(name: str) -> str:
    return name if BARE.fullmatch(name) else _text(name)


def _text(text: str) -> str:
    """A TOML text; JSON's escapes are TOML's too."""
    return json.dumps(text, ensure_ascii=False)


def in_reference_order(names: Iterable[str], schema: Schema) -> list[str]:
    """Reference tables, those that others are found by first; a cycle as it comes."""
    left, ordered = list(names), list[str]()
    graph = schema.references()
    while left:
        free = [n for n in left if not (graph.get(n, set()) & set(left)) - {n}] or left[:1]
        ordered += free
        left = [n for n in left if n not in free]
    return ordered

"""The text of plan.toml."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Sequence

from stages.convex.schema import Schema
from stages.convex.validators.positions import positions
from stages.decisions import TodoKind, comment
from stages.init.catalog import CatalogTable, Place, table_name
from stages.init.conversion import family
from stages.init.names import sql_name, words
from stages.init.pairs import Paired, Pairing
from stages.init.reference import is_reference, is_required
from stages.sql import name_sql

BARE = re.compile(r"[A-Za-z0-9_-]+")
MODULE = "stages"


def plan_text(name: str, pairing: Pairing, references: Sequence[str]) -> str:
    """Sources, reference tables and tables, with init's proposals as comments."""
    lines = [
        f"name = {_text(name)}",
        f"module = {_text(MODULE)}   # convex/{MODULE}.ts has the loading functions",
        'max_rejects = 0        # of all source rows: a number, or a share such as "2%"',
    ]
    pairs = list(pairing.tables.values())
    for paired in pairs:
        lines += _source(paired, pairing)
    for paired in pairing.read_only:
        header, *entry = _source(paired, pairing)[1:]
        lines += ["", "# Read only for models to look things up: it becomes no documents.", header]
        lines += entry
    if references:
        lines += ["", "# Already in Convex: their ids are found by key models."]
    for target in references:
        lines += _reference(target, pairing)
    lines += [
        "",
        "# To be loaded, in any order: parents always go first. creation_time becomes",
        "# _creationTime by import, and functions load in its order, with one batch in flight;",
        "# unique is what Postgres enforced.",
    ]
    for paired in pairs:
        if paired.target not in references:
            lines += _table(paired, pairing)
    for target in pairing.without_source:
        if target not in references and target in pairing.near:
            lines += ["", *_near(target, pairing.near[target])]
    lines += [
        "",
        "# To rehearse on your own rows, on this machine: stages --target rehearsal check",
        "[targets.rehearsal]",
        'convex = "sandbox"',
    ]
    return "\n".join(lines) + "\n"


def _source(paired: Paired, pairing: Pairing) -> list[str]:
    """The entry of a source; none if its name alone is enough."""
    table, lines = paired.table, []
    if table.schema != "public" or table.name != paired.source:
        lines.append(f"table = {_text(_place(table.schema, table.name))}")
    if len(table.row_key) > 1 or (table.row_key and not table.key):
        if not table.key_ordered:
            lines += _comment(
                "check",
                "REST does not show the order of a key's columns: is this the index's order?",
            )
        elif not table.key:
            lines.append("# unique and not null; the table has no primary key")
        lines.append(f"key = {json.dumps(list(table.row_key), ensure_ascii=False)}")
    elif not table.row_key:
        lines += _no_key(paired)
    if table.virtual and table.key:
        what = "PostgREST takes this for the key of a view: is it unique and never null?"
        lines += _comment("check", what)
    if paired.secrets:
        named = json.dumps(list(paired.secrets), ensure_ascii=False)
        what = "these look like secrets: not extracted until you remove them from this list"
        lines += [*_comment("check", what), f"exclude = {named}"]
    lines += _only(table, {pair.table.place for pair in pairing.tables.values()})
    return ["", f"[sources.{_key(paired.source)}]", *lines] if lines else []


def _no_key(paired: Paired) -> list[str]:
    """A possible key: the first column without nulls or duplicates, ids and keys before others."""
    table, rows = paired.table, paired.rows
    alone = [
        name
        for name, seen in rows.columns.items()
        if rows.looked > 1 and seen.distinct and not seen.nulls
    ]
    alone.sort(key=lambda name: words(name)[-1:] not in (["id"], ["uuid"], ["key"]))
    whose = "the view" if table.virtual else "the table"
    if not alone:
        return _comment(
            "note", f"{whose} has no key: rows are told apart by their content", "key = […]"
        )
    what = f"{whose} has no key, and in the first {rows.looked:,} rows this could be one"
    key = json.dumps(alone[:1], ensure_ascii=False)
    column = sql_name(table.columns[alone[0]].staged)
    model = f"key({column}) AS _source_id in models/{paired.target}.sql"
    return _comment("check", what, f"key = {key} here, and {model}")


def _only(table: CatalogTable, taken: set[Place]) -> list[str]:
    """Children by INHERITS: their rows come only once, with their own table if that is taken."""
    again = [_place(*place) for place in table.heirs if place in taken]
    others = [_place(*place) for place in table.heirs if place not in taken]
    if not again:
        named = ", ".join(others)
        return [f"# {named}: the rows of these children (INHERITS) are included."] if others else []
    lines = [f"only = true   # {', '.join(again)} (INHERITS) have sources of their own"]
    if others:
        lines += _comment(
            "check", f"only = true leaves out the rows of {', '.join(others)}: is that intended?"
        )
    return lines


def _reference(target: str, pairing: Pairing) -> list[str]:
    paired = pairing.tables.get(target)
    if paired is None:
        what = f"{target}: no table of the source fits it, so no key leads to its ids"
        needed = any(
            is_required(pair) and target in pair.field.references()
            for other in pairing.tables.values()
            for pair in other.fields.values()
        )
        lines = _comment("decide" if needed else "check", what)
        return ["", f"[reference.{_key(target)}]", *lines]
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
    why = pairing.why.get(paired.target)
    if why:
        what = f"{paired.target} is taken from {'.'.join(paired.table.place)}: {why}"
        rename = f"stages init --update --apply --rename <source table>={paired.target}"
        lines += _comment("check", what, rename)
    others = pairing.ambiguous.get(paired.target, ())
    if others:
        named = ", ".join(table_name(place) for place in others)
        what = f"{paired.target}: {named} have this name; choose one with --rename"
        lines += _comment("check", what)
    return ["", *lines]


def _keys_inside(paired: Paired) -> dict[str, str]:
    """Places in JSON where the schema has ids → the table, if it is a single one."""
    return {
        place.path: place.targets[0]
        for pair in paired.fields.values()
        if not is_reference(pair) and [family(column) for column in pair.columns] == ["json"]
        for place in positions(pair.field.name, pair.field.validator)
        if len(place.targets) == 1
    }


def _unique(paired: Paired) -> list[list[str]]:
    """Fields that are unique together because their columns are, other than the row's key."""
    fields = {
        p.columns[0].name: p.field.name for p in paired.fields.values() if len(p.columns) == 1
    }
    return [
        [fields[column] for column in columns]
        for columns in paired.table.unique
        if columns != paired.table.row_key and all(column in fields for column in columns)
    ]


def _near(target: str, near: Sequence[tuple[Place, str]]) -> list[str]:
    """A table that nothing fills, and what may be meant for it."""
    seen = "; ".join(f"{table_name(place)}: {words}" for place, words in near)
    renames = [
        shlex.join(["stages", "init", "--update", "--apply", "--rename", f"{name}={target}"])
        for name in (_place(*place) for place, _ in near)
    ]
    return _comment("check", f"{target} has no source, but may have one ({seen})", *renames)


def _comment(kind: TodoKind, what: str, *choices: str) -> list[str]:
    return comment(kind, what, *choices, sign="#")


def _place(schema: str, table: str) -> str:
    """A table for `table = …`, quoted as in SQL if the plan would misread it."""
    plain = BARE.fullmatch(table) and BARE.fullmatch(schema)
    if plain:
        return table if schema == "public" else f"{schema}.{table}"
    return f"{name_sql(schema)}.{name_sql(table)}"


def _key(name: str) -> str:
    return name if BARE.fullmatch(name) else _text(name)


def _text(text: str) -> str:
    """A TOML string; JSON's escapes are also TOML's."""
    return json.dumps(text, ensure_ascii=False)


def in_reference_order(names: Iterable[str], schema: Schema) -> list[str]:
    """Reference tables, first those that others are looked up by; a cycle in the given order."""
    left, ordered = list(names), list[str]()
    graph = schema.references()
    while left:
        free = [n for n in left if not (graph.get(n, set()) & set(left)) - {n}] or left[:1]
        ordered += free
        left = [n for n in left if n not in free]
    return ordered

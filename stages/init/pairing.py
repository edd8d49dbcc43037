"""Which source table is which Convex table, and which column is which field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from stages.convex.schema import Field, Schema, members
from stages.errors import UserError
from stages.extract import auth_tables
from stages.init.catalog import Catalog, CatalogColumn, CatalogTable, ForeignKey, Place
from stages.init.names import closeness, words

LEDGER = "migrationLedger"
# Fields in which applications keep the key that a document had before.
FORMER_IDS = {
    f"{whose}{what}"
    for whose in ("supabase", "legacy", "external", "source", "original", "old", "postgres", "pg")
    for what in ("id", "uuid", "key")
}
CREATED = ("created at", "inserted at", "created", "creation time", "created on", "date created")


@dataclass(frozen=True, kw_only=True)
class Renames:
    """`--rename a=b`, taken apart. Tables may be named with their schema."""

    tables: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[tuple[str, str], tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A field and where its value comes from: one column, or the columns of a foreign key."""

    field: Field
    columns: tuple[CatalogColumn, ...] = ()
    foreign_key: ForeignKey | None = None
    close: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Paired:
    """One Convex table with its source. `alternatives` are other tables of the same name.

    `created` is the column that says when a row came to be, where there is one.
    """

    target: str
    source: str
    table: CatalogTable
    fields: Mapping[str, Pair]
    unused: tuple[str, ...]
    created: str | None = None
    whole: bool = False


@dataclass(frozen=True, kw_only=True)
class Pairing:
    """All pairs; `without_source` and `without_target` are what is left on either side."""

    tables: Mapping[str, Paired]
    without_source: tuple[str, ...]
    without_target: tuple[Place, ...]
    ambiguous: Mapping[str, tuple[Place, ...]]


def read_renames(texts: Iterable[str]) -> Renames:
    """`table=table` and `table.column=table.field`. Raises UserError for what is neither."""
    tables: dict[str, str] = {}
    columns: dict[tuple[str, str], tuple[str, str]] = {}
    for text in texts:
        source, sign, target = text.partition("=")
        table, dot, name = target.partition(".")
        if not sign or not source or not table or (dot and not name):
            raise UserError(
                f"--rename {text} is neither table=table nor table.column=table.field",
                "the source's name comes first, then Convex'",
            )
        if dot:
            place, dot, column = source.rpartition(".")
            if not dot:
                raise UserError(
                    f"--rename {text}: a field's source is table.column",
                    f"say --rename {table}.{source}={target}",
                )
            columns[place, column] = (table, name)
        else:
            tables[source] = target
    return Renames(tables=tables, columns=columns)


def pair_tables(
    catalog: Catalog, schema: Schema, renames: Renames, schemas: Iterable[str]
) -> Pairing:
    """Pair tables, then their columns. Raises UserError for a rename of what is not there."""
    targets = [name for name in schema.tables if name != LEDGER]
    order = [*dict.fromkeys(schemas), auth_tables.USERS[0]]
    _check(catalog, schema, renames)
    renamed: dict[str, Place] = {}
    for source, target in renames.tables.items():
        renamed[target] = _place_of(catalog, source)
    for column, (target, _) in renames.columns.items():
        renamed.setdefault(target, _place_of(catalog, column[0]))
    places, ambiguous = _by_name(catalog, targets, order, renamed)
    names = _source_names(places.values())
    paired = {}
    for target in targets:
        if target in places:
            table = catalog.tables[places[target]]
            paired[target] = _fields(schema, target, names[table.place], table, places, renames)
    used = set(places.values())
    return Pairing(
        tables=paired,
        without_source=tuple(name for name in targets if name not in paired),
        without_target=tuple(p for p in catalog.tables if p not in used and p != auth_tables.USERS),
        ambiguous=ambiguous,
    )


def _check(catalog: Catalog, schema: Schema, renames: Renames) -> None:
    for named in [*renames.tables.values(), *(t for t, _ in renames.columns.values())]:
        if named not in schema.tables:
            raise UserError(
                f"--rename: convex/schema.ts has no table `{named}`",
                f"it has: {', '.join(sorted(schema.tables))}",
            )
    for (source, column), (target, name) in renames.columns.items():
        table = catalog.tables[_place_of(catalog, source)]
        if column not in table.columns:
            raise UserError(
                f"--rename: {source} has no column `{column}`",
                f"it has: {', '.join(table.columns)}",
            )
        fields = table_fields(schema, target)
        if fields is not None and name not in fields:
            raise UserError(
                f"--rename: convex/schema.ts has no field {target}.{name}",
                f"it has: {', '.join(fields)}",
            )


def _place_of(catalog: Catalog, name: str) -> Place:
    matches = [p for p in catalog.tables if name in (p[1], f"{p[0]}.{p[1]}")]
    if not matches:
        near = get_close_matches(name, [p[1] for p in catalog.tables], 3)
        raise UserError(
            f"--rename: the source has no table `{name}`",
            f"do you mean {' or '.join(near)}?" if near else "see its tables in the dashboard",
        )
    return matches[0]


def _by_name(
    catalog: Catalog, targets: list[str], order: list[str], renamed: dict[str, Place]
) -> tuple[dict[str, Place], dict[str, tuple[Place, ...]]]:
    """target → place, the closest names first; what is as close as another is ambiguous."""
    places = dict(renamed)
    ambiguous: dict[str, tuple[Place, ...]] = {}
    ranked = sorted(
        (closeness(place[1], target), table.virtual, order.index(place[0]), number, target, place)
        for place, table in catalog.tables.items()
        for number, target in enumerate(targets)
        if closeness(place[1], target) < 9
    )
    for *rank, _, target, place in ranked:
        if target not in places and place not in places.values():
            places[target] = place
            equal = [p for *r, _, t, p in ranked if t == target and r == rank and p != place]
            if equal:
                ambiguous[target] = (place, *equal)
    return places, ambiguous


def _source_names(places: Iterable[Place]) -> dict[Place, str]:
    """place → its NAME in [sources]: letters, digits, _ and -, distinct in any case."""
    names: dict[Place, str] = {}
    for place in places:
        plain = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in place[1])
        plain = plain if plain[:1].isalnum() else f"t{plain}"
        if place == auth_tables.USERS or plain.lower() in {n.lower() for n in names.values()}:
            plain = f"{place[0]}_{plain}"
        number, name = 1, plain
        while name.lower() in {n.lower() for n in names.values()}:
            number += 1
            name = f"{plain}_{number}"
        names[place] = name
    return names


# ── columns ─────────────────────────────────────────────────────────────────────────────────


def table_fields(schema: Schema, table: str) -> dict[str, Field] | None:
    """The fields of a table, of a union those of all members; None for documents of any form."""
    if any(member["type"] != "object" for member in members(schema.document(table))):
        return None
    return schema.fields(table)


def _fields(
    schema: Schema,
    target: str,
    source: str,
    table: CatalogTable,
    places: Mapping[str, Place],
    renames: Renames,
) -> Paired:
    fields = table_fields(schema, target)
    created = _creation_column(table)
    if fields is None:
        return Paired(
            target=target,
            source=source,
            table=table,
            fields={},
            unused=(),
            created=created,
            whole=True,
        )
    renamed = {
        name: column
        for (place, column), (owner, name) in renames.columns.items()
        if owner == target and place in (table.name, f"{table.schema}.{table.name}")
    }
    by_field = _pairs_by_name(fields, table, renamed)
    taken = {column.name for each in by_field.values() for column in each.columns}
    by_field = _composite(by_field, table, places, taken)
    by_field = _by_foreign_key(by_field, table, places, taken)
    unused = tuple(
        name
        for name in table.columns
        if name not in taken and name != created and table.key != (name,)
    )
    for name, each_pair in by_field.items():
        if not each_pair.columns:
            near = get_close_matches("_".join(words(name)), unused, 3, 0.6)
            by_field[name] = replace(each_pair, close=tuple(near))
    return Paired(
        target=target, source=source, table=table, fields=by_field, unused=unused, created=created
    )


def _creation_column(table: CatalogTable) -> str | None:
    """The column that says when a row came to be, where there is one."""
    for label in CREATED:
        for name, column in table.columns.items():
            if " ".join(words(name)) == label:
                return name if column.arrow.startswith("timestamp") else None
    return None


def _pairs_by_name(
    fields: Mapping[str, Field], table: CatalogTable, renamed: Mapping[str, str]
) -> dict[str, Pair]:
    """Each field with the column of the closest name; `renamed` is field → column."""
    columns = dict(renamed)
    ranked = sorted(
        (rank, number, place, name, column)
        for number, (name, each) in enumerate(fields.items())
        for place, column in enumerate(table.columns)
        if (rank := _closeness(column, each, table)) < 9
    )
    taken = set(columns.values())
    for _, _, _, name, column in ranked:
        if name not in columns and column not in taken:
            columns[name] = column
            taken.add(column)
    pairs = {}
    for name, each in fields.items():
        if name in columns:
            source = table.columns[columns[name]]
            key = table.foreign_key_of(source.name)
            pairs[name] = Pair(field=each, columns=(source,), foreign_key=key)
        else:
            pairs[name] = Pair(field=each)
    return pairs


def _closeness(column: str, each: Field, table: CatalogTable) -> int:
    """As of names; a reference may lack the ending `_id`, a former id stands for the key."""
    rank = closeness(column, each.name)
    if rank < 9:
        return rank
    if any(True for _ in each.references()):
        plain, name = _without_id(column), _without_id(each.name)
        if closeness(plain, name) < 9:
            return 3 + closeness(plain, name)
    if table.key == (column,) and "".join(words(each.name)) in FORMER_IDS:
        return 7
    return 9


def _without_id(name: str) -> str:
    parts = words(name)
    if len(parts) > 1 and parts[-1] in ("id", "ids", "uuid", "key"):
        plural = "s" if parts[-1] == "ids" else ""
        return "_".join(parts[:-1]) + plural
    return "_".join(parts)


def _composite(
    pairs: dict[str, Pair], table: CatalogTable, places: Mapping[str, Place], taken: set[str]
) -> dict[str, Pair]:
    """A reference to the parent of a foreign key of several columns takes all of them.

    A field that has one of the columns by its name keeps them all too: an id can't be made of one.
    """
    completed = dict(pairs)
    used: set[str] = set()
    for key in table.foreign_keys:
        if len(key.columns) < 2:
            continue
        for name, each in completed.items():
            targets = {places.get(target) for target in each.field.references()}
            if name in used or targets != {key.parent}:
                continue
            alone = {column.name for column in each.columns}
            if alone and not alone <= set(key.columns):
                continue
            columns = tuple(table.columns[column] for column in key.columns)
            completed[name] = replace(each, columns=columns, foreign_key=key)
            taken |= set(key.columns)
            used.add(name)
            break
    return completed


def _by_foreign_key(
    pairs: dict[str, Pair], table: CatalogTable, places: Mapping[str, Place], taken: set[str]
) -> dict[str, Pair]:
    """A reference that has no column by its name takes the one foreign key to its table."""
    completed = dict(pairs)
    for name, each in completed.items():
        if each.columns:
            continue
        parents = {places.get(target) for target in each.field.references()} - {None}
        keys = [
            key
            for key in table.foreign_keys
            if len(key.columns) == 1 and key.parent in parents and key.columns[0] not in taken
        ]
        if len(keys) > 1:
            stem = words(_without_id(name))
            keys = [key for key in keys if words(key.columns[0])[: len(stem)] == stem]
        if len(keys) == 1:
            completed[name] = replace(
                each, columns=(table.columns[keys[0].columns[0]],), foreign_key=keys[0]
            )
            taken.add(keys[0].columns[0])
    return completed

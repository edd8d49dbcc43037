"""Which source table is which Convex table, and which column is which field."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from stages.convex.schema import Field, Schema, members
from stages.errors import UserError
from stages.extract import auth_tables
from stages.init.catalog import Catalog, CatalogTable, Place, table_name
from stages.init.column_likeness import (
    Known,
    by_foreign_key,
    by_meaning,
    by_type_column,
    with_seen_choices,
)
from stages.init.conversion import family, union_members
from stages.init.evidence import NOTHING, Evidence, Rows
from stages.init.names import closeness, singulars, words
from stages.init.pairs import Pair, Paired, Pairing
from stages.init.secrets import secret_columns
from stages.init.table_likeness import near_tables, pair_by_content
from stages.init.user_columns import users_source, with_user_columns

LEDGER = "migrationLedger"
# Words in the names of fields that hold a document's former key.
FORMER = {
    "supabase", "legacy", "external", "source", "original", "old", "postgres", "pg", "former",
    "previous",
}  # fmt: skip
# Identity providers, and the form of their ids: user_2abcDEF, auth0|0123.
PROVIDERS = {"clerk", "auth0", "workos", "kinde", "provider", "firebase", "cognito", "stytch"}
PROVIDED = re.compile(r"(?:user|usr|kp|org|member)_[0-9A-Za-z-]{6,}|[a-z0-9-]+\|[0-9A-Za-z]+")
CREATED = ("created at", "inserted at", "created", "creation time", "created on", "date created")


@dataclass(frozen=True, kw_only=True)
class Renames:
    """The parsed `--rename a=b` options. Tables may be named with their schema."""

    tables: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[tuple[str, str], tuple[str, str]] = field(default_factory=dict)

    def schemas(self) -> tuple[str, ...]:
        """The Postgres schemas that they name."""
        named = [*self.tables, *(place for place, _ in self.columns)]
        return tuple(dict.fromkeys(n.partition(".")[0] for n in named if "." in n))


def read_renames(texts: Iterable[str]) -> Renames:
    """Parse `table=table` and `table.column=table.field`. Raises UserError for anything else."""
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
    catalog: Catalog,
    schema: Schema,
    renames: Renames,
    schemas: Iterable[str],
    evidence: Evidence | None = None,
) -> Pairing:
    """Pair tables, then their columns. Raises UserError if a rename names what does not exist."""
    targets = [name for name in schema.tables if name != LEDGER]
    seen = evidence or {}
    _check(catalog, schema, renames)
    renamed: dict[str, Place] = {}
    for source, target in renames.tables.items():
        renamed[target] = _place_of(catalog, source)
    for column, (target, _) in renames.columns.items():
        renamed.setdefault(target, _place_of(catalog, column[0]))
    places, ambiguous = _by_name(catalog, targets, list(dict.fromkeys(schemas)), renamed)
    fields = {target: table_fields(schema, target) or {} for target in targets}
    known = Known(tables=catalog.tables, rows=seen, places=places)
    why = pair_by_content(catalog, fields, places, set(renamed), seen)
    users = catalog.tables.get(auth_tables.USERS)
    names = _source_names(dict.fromkeys([*places.values(), auth_tables.USERS]))
    paired = {}
    for target in targets:
        if target in places:
            table = catalog.tables[places[target]]
            paired[target] = _fields(schema, target, names[table.place], table, renames, known)
    read_only: tuple[Paired, ...] = ()
    if users is not None:
        known_users = users_source(users, names[users.place])
        paired = {
            target: with_user_columns(each, known_users, seen.get(users.place))
            for target, each in paired.items()
        }
        asked_for = any(p.elsewhere for each in paired.values() for p in each.fields.values())
        if asked_for and users.place not in places.values():
            read_only = (known_users,)
    used = set(places.values())
    asked = {*schemas}
    return Pairing(
        tables=paired,
        without_source=tuple(name for name in targets if name not in paired),
        without_target=tuple(p for p in catalog.tables if p not in used and p[0] in asked),
        near=near_tables(catalog, fields, places, seen),
        ambiguous=ambiguous,
        why=why,
        rows=seen,
        read_only=read_only,
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
    matches = catalog.places(name)
    if len(matches) > 1:
        named = [table_name(place) for place in matches]
        raise UserError(
            f"--rename: `{name}` is {' or '.join(named)}",
            f"name the schema too, such as --rename {named[0]}=…",
        )
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
    """(target → place, the closest names first; target → places that match equally well)."""
    places = dict(renamed)
    # The requested schemas, then Supabase's own.
    position = {n: i for i, n in enumerate(dict.fromkeys([*order, "auth", "storage"]))}
    ambiguous: dict[str, tuple[Place, ...]] = {}
    ranked = sorted(
        (closeness(place[1], target), table.virtual, position[place[0]], number, target, place)
        for place, table in catalog.tables.items()
        if place[0] in position
        for number, target in enumerate(targets)
        if closeness(place[1], target) < 9
    )
    for *rank, _, target, place in ranked:
        if target not in places and place not in places.values():
            places[target] = place
            asked = len(order)
            equal = [
                p
                for close, virtual, number, _, t, p in ranked
                if t == target and [close, virtual] == rank[:2] and p != place and number < asked
            ]
            ambiguous[target] = (place, *equal)
    others = {t: [p for p in ps if p not in places.values()] for t, ps in ambiguous.items()}
    return places, {t: (ambiguous[t][0], *free) for t, free in others.items() if free}


def _source_names(places: Iterable[Place]) -> dict[Place, str]:
    """place → its NAME in [sources]: letters, digits, _ and -; unique even ignoring case."""
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
    """The fields of a table (of a union, those of all members); None if any form is allowed."""
    if any(member["type"] != "object" for member in members(schema.document(table))):
        return None
    return schema.fields(table)


def _fields(
    schema: Schema,
    target: str,
    source: str,
    table: CatalogTable,
    renames: Renames,
    known: Known,
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
            secrets=secret_columns(table),
        )
    renamed = {
        name: column
        for (place, column), (owner, name) in renames.columns.items()
        if owner == target and place in (table.name, f"{table.schema}.{table.name}")
    }
    rows = known.rows.get(table.place, NOTHING)
    by_field = _pairs_by_name(fields, table, renamed, target, rows)
    taken = {column.name for each in by_field.values() for column in each.columns}
    by_field = _composite(by_field, table, known.places, taken)
    by_field = by_foreign_key(by_field, table, target, known, taken)
    by_field = by_type_column(by_field, table, taken)
    by_field = by_meaning(by_field, table, target, rows, taken)
    secrets = secret_columns(table)
    unused = tuple(
        name
        for name in table.columns
        if name not in taken and name != created and table.key != (name,) and name not in secrets
    )
    return Paired(
        target=target,
        source=source,
        table=table,
        fields={name: with_seen_choices(each, rows) for name, each in by_field.items()},
        unused=unused,
        created=created,
        secrets=secrets,
        rows=rows,
    )


def _creation_column(table: CatalogTable) -> str | None:
    """The column with a row's creation time; None if there is none."""
    for label in CREATED:
        for name, column in table.columns.items():
            if " ".join(words(name)) == label:
                return name if column.arrow.startswith("timestamp") else None
    return None


def _pairs_by_name(
    fields: Mapping[str, Field],
    table: CatalogTable,
    renamed: Mapping[str, str],
    target: str,
    rows: Rows,
) -> dict[str, Pair]:
    """Each field with the column of the closest name; `renamed` is field → column."""
    columns = dict(renamed)
    provided = _provider_columns(table, rows)
    ranked = sorted(
        (rank, number, place, name, column)
        for number, (name, each) in enumerate(fields.items())
        for traits in (_Traits.of(each, target),)
        for place, column in enumerate(table.columns)
        if (rank := _closeness(column, each, table, traits, provided)) < 9
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
            is_provided = source.name in provided and name not in renamed
            why = None
            if is_provided and source.name not in table.key and is_former_id(name, target):
                why = "it holds an identity provider's ids; the row's key is another column"
            elif is_provided and closeness(source.name, name) == 9:
                why = "it holds an identity provider's ids"
            pairs[name] = Pair(field=each, columns=(source,), foreign_key=key, why=why)
        else:
            pairs[name] = Pair(field=each)
    return pairs


@dataclass(frozen=True, kw_only=True)
class _Traits:
    """What a field is, found out once: it is compared with every column."""

    boolean: bool
    reference: bool
    former_id: bool
    provider: bool

    @staticmethod
    def of(each: Field, target: str) -> _Traits:
        return _Traits(
            boolean=_is_boolean(each),
            reference=any(True for _ in each.references()),
            former_id=is_former_id(each.name, target),
            provider=names_provider(each.name),
        )


def _closeness(
    column: str, each: Field, table: CatalogTable, traits: _Traits, provided: Collection[str]
) -> int:
    """Closeness of names, 0 to 9; a reference may lack the ending `_id`, and a field for a former
    id matches the key. `provided` are the columns that hold an identity provider's ids."""
    rank = closeness(column, each.name)
    if rank < 9:
        return rank
    if (
        traits.boolean
        and family(table.columns[column]) == "boolean"
        and closeness(_without_flag(column), _without_flag(each.name)) < 9
    ):
        return 5
    if traits.reference:
        plain, name = _without_id(column), _without_id(each.name)
        if closeness(plain, name) < 9:
            return 3 + closeness(plain, name)
    if traits.former_id:
        # The ids of an identity provider come from outside Supabase.
        if "external" in words(each.name) and column in provided:
            return 6
        if table.key == (column,):
            return 7
    if traits.provider and column in provided:
        return 8
    return 9


def is_former_id(name: str, target: str) -> bool:
    """Whether a field holds a document's former key: `legacyId`, `supabaseUserId`."""
    parts = words(name)
    own = {single for word in words(target) for single in singulars(word)}
    return (
        len(parts) > 1
        and parts[-1] in ("id", "uuid", "key")
        and bool(FORMER & {*parts})
        and {*parts[:-1]} <= FORMER | own
    )


def names_provider(name: str) -> bool:
    """Whether a name is that of an identity provider's id: `clerkId`, `auth0_user_id`."""
    parts = words(name)
    return bool(PROVIDERS & {*parts}) and parts[-1] in ("id", "uid", "sub")


def _provider_columns(table: CatalogTable, rows: Rows) -> list[str]:
    """Text columns that hold an identity provider's ids, by their values or names."""
    provided = []
    for name, column in table.columns.items():
        if family(column) == "text":
            seen = rows.columns.get(name)
            if names_provider(name) or (
                seen and seen.values and all(map(PROVIDED.fullmatch, seen.values))
            ):
                provided.append(name)
    return provided


def _is_boolean(each: Field) -> bool:
    return [member["type"] for member in union_members(each.validator)] == ["boolean"]


def _without_flag(name: str) -> str:
    """Without a leading `is` or `has`: of a boolean, `is_pinned` and `pinned` mean the same."""
    parts = words(name)
    return "_".join(parts[1:] if len(parts) > 1 and parts[0] in ("is", "has") else parts)


def _without_id(name: str) -> str:
    parts = words(name)
    if len(parts) > 1 and parts[-1] in ("id", "ids", "uuid", "key"):
        plural = "s" if parts[-1] == "ids" else ""
        return "_".join(parts[:-1]) + plural
    return "_".join(parts)


def _composite(
    pairs: dict[str, Pair], table: CatalogTable, places: Mapping[str, Place], taken: set[str]
) -> dict[str, Pair]:
    """A reference to the parent of a multi-column foreign key takes all of its columns.

    So does a field that was paired with one of them by name: one column does not make an id.
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

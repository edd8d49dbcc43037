"""All that init asks a source: tables with keys, constraints and types, and what Postgres does.

Over REST there is only what OpenAPI shows: columns, primary keys, foreign keys of one column, enums
and defaults.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from typing import TYPE_CHECKING, Any

from stages.extract import auth_tables
from stages.extract.catalog import Relation, resolve_reading
from stages.extract.types import ALIASES
from stages.init.redaction import without_secrets
from stages.project.plan import SourceTable
from stages.sql import text_sql

if TYPE_CHECKING:
    from stages.extract.postgres import PostgresReader
    from stages.extract.rest import RestReader

Place = tuple[str, str]
Choice = str | int | float
# Tables whose rows describe files; no model moves the files themselves.
STORAGE = (("storage", "objects"), ("storage", "buckets"))
ON_DELETE = {"c": "cascade", "n": "set null", "d": "set default", "r": "restrict", "a": "no action"}


@dataclass(frozen=True, kw_only=True)
class CatalogColumn:
    """A column. `staged` is its name in the extract, `type` its base type, as extract names it.

    `item` is the base type of an array's items, `choices` the only values that an enum or a CHECK
    allows, `default` the Postgres expression, `declared` the type as declared. `number` is
    Postgres's column number, which a rename does not change; None over REST.
    """

    name: str
    staged: str
    type: str
    arrow: str
    declared: str
    not_null: bool = False
    default: str | None = None
    generated: bool = False
    item: str | None = None
    choices: tuple[Choice, ...] = ()
    number: int | None = None


@dataclass(frozen=True, kw_only=True)
class ForeignKey:
    """From `columns` to `parent_columns` of `parent`."""

    name: str
    columns: tuple[str, ...]
    parent: Place
    parent_columns: tuple[str, ...]
    on_delete: str
    definition: str


@dataclass(frozen=True, kw_only=True)
class CatalogIndex:
    """An index; `columns` is empty if one of them is an expression."""

    name: str
    columns: tuple[str, ...]
    unique: bool
    plain: bool
    of_constraint: bool
    definition: str


@dataclass(frozen=True, kw_only=True)
class CatalogTable:
    """A table or view. `key` is its primary key; `key_ordered`: the order of its columns is known.

    `heirs` are its children by INHERITS, whose rows a query of it also returns; none over REST.
    """

    schema: str
    name: str
    columns: Mapping[str, CatalogColumn]
    key: tuple[str, ...]
    key_ordered: bool = True
    virtual: bool = False
    unique: tuple[tuple[str, ...], ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    indexes: tuple[CatalogIndex, ...] = ()
    heirs: tuple[Place, ...] = ()

    @property
    def place(self) -> Place:
        return self.schema, self.name

    @property
    def row_key(self) -> tuple[str, ...]:
        """The primary key, else unique columns that are not null; empty if there are none."""
        if self.key:
            return self.key
        for columns in self.unique:
            if all(self.columns[name].not_null for name in columns):
                return columns
        return ()

    def foreign_key_of(self, column: str) -> ForeignKey | None:
        """The foreign key of this column alone; one to auth.users only if there is no other."""
        keys = [key for key in self.foreign_keys if key.columns == (column,)]
        return min(keys, key=lambda key: key.parent == auth_tables.USERS, default=None)


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """Something that Postgres does by itself; `table` is empty if it belongs to none."""

    kind: str
    table: str
    name: str
    definition: str


@dataclass(frozen=True, kw_only=True)
class Catalog:
    """The source. `partial` is True if only part of it is visible (REST); `schemas` are the ones
    requested. `tables` also has some of other schemas, such as Supabase's own."""

    tables: Mapping[Place, CatalogTable]
    behaviour: tuple[Behaviour, ...] = ()
    partial: bool = False
    schemas: tuple[str, ...] = ("public",)

    def places(self, name: str) -> list[Place]:
        """The tables with a name: the one whose full name it is, else those of any schema."""
        exact = [place for place in self.tables if table_name(place) == name]
        return exact or [place for place in self.tables if place[1] == name]


def table_name(place: Place) -> str:
    """A table with its schema, `public.users`."""
    return ".".join(place)


def read_postgres(
    reader: PostgresReader, schemas: Iterable[str], *, parents: bool = False
) -> Catalog:
    """The catalog over a direct connection: all of these schemas, and auth.users.

    `parents`: also Supabase's other tables, and tables of other schemas that foreign keys of these
    schemas refer to.
    """
    own_schemas = list(dict.fromkeys(schemas))
    others = {auth_tables.USERS}
    if parents:
        others |= {auth_tables.IDENTITIES, *STORAGE}
        own_rules = reader.rows(_sql("constraints.sql").format(schemas=_listed(own_schemas)))
        others |= {_foreign_key(row).parent for row in own_rules if row["kind"] == "f"}
    relations = {
        place: relation
        for place, relation in reader.catalog().items()
        if place[0] in own_schemas or place in others
    }
    # Of other schemas only the tables are read: what Supabase does there is not the application's.
    everywhere = _listed(dict.fromkeys([*own_schemas, *(place[0] for place in relations)]))
    facts = {
        (row["table_schema"], row["table_name"], row["column_name"]): row
        for row in reader.rows(_sql("columns.sql").format(schemas=everywhere))
    }
    constraints = _by_table(reader.rows(_sql("constraints.sql").format(schemas=everywhere)))
    indexes = _by_table(reader.rows(_sql("indexes.sql").format(schemas=everywhere)))
    tables = {}
    for place, relation in relations.items():
        rules = constraints.get(place, [])
        table = _table(
            relation, {c.name: _facts(facts.get((*place, c.name))) for c in relation.columns}
        )
        tables[place] = replace(
            table,
            columns=_with_checks(table.columns, rules),
            unique=_unique(rules, indexes.get(place, [])),
            foreign_keys=tuple(_foreign_key(row) for row in rules if row["kind"] == "f"),
            indexes=tuple(_index(row) for row in indexes.get(place, [])),
        )
    own = [row for place, rows in constraints.items() if place[0] in own_schemas for row in rows]
    behaviour = [_rule(row) for row in own if row["kind"] in _RULES]
    behaviour += [
        Behaviour(**{**row, "definition": without_secrets(row["definition"])})
        for row in reader.rows(_sql("behaviour.sql").format(schemas=_listed(own_schemas)))
    ]
    behaviour += _jobs(reader)
    return Catalog(tables=tables, behaviour=tuple(behaviour), schemas=tuple(own_schemas))


def read_rest(reader: RestReader, schemas: Iterable[str]) -> Catalog:
    """The catalog over REST: what OpenAPI shows."""
    definitions = {schema: reader.definitions(schema) for schema in dict.fromkeys(schemas)}
    tables = {}
    relations = reader.catalog()
    for place, relation in relations.items():
        properties = definitions.get(place[0], {}).get(place[1], {}).get("properties", {})
        table = _table(
            relation, {c.name: _of_openapi(properties.get(c.name, {})) for c in relation.columns}
        )
        keys = [
            _openapi_key(place, name, text, relations)
            for name, text in (
                (name, each.get("description", "")) for name, each in properties.items()
            )
            if "<fk " in text
        ]
        tables[place] = replace(table, foreign_keys=tuple(keys))
    return Catalog(tables=tables, partial=True, schemas=tuple(definitions))


@dataclass(frozen=True, kw_only=True)
class _Facts:
    declared: str = ""
    default: str | None = None
    generated: bool = False
    item: str | None = None
    choices: tuple[Choice, ...] = field(default=())
    number: int | None = None


def _table(relation: Relation, facts: Mapping[str, _Facts]) -> CatalogTable:
    """A relation as extract will read it, with the other facts about its columns."""
    entry = SourceTable(name=relation.name, schema=relation.schema, table=relation.name)
    # As if the order of the key were known: the plan will name composite keys.
    reading = resolve_reading(entry, replace(relation, key_ordered=True))
    columns = {}
    for column in reading.columns:
        fact = facts[column.name]
        columns[column.name] = CatalogColumn(
            name=column.name,
            staged=column.staged,
            type=ALIASES.get(column.type, column.type),
            arrow=column.rule.arrow,
            not_null=column.not_null or column.name in relation.key,
            declared=fact.declared or column.type,
            default=fact.default,
            generated=fact.generated,
            item=fact.item and ALIASES.get(fact.item, fact.item),
            choices=fact.choices,
            number=fact.number,
        )
    return CatalogTable(
        schema=relation.schema,
        name=relation.name,
        columns=columns,
        key=tuple(name for name in relation.key if name in columns),
        key_ordered=relation.key_ordered,
        virtual=relation.virtual,
        heirs=relation.heirs or (),
    )


# ── Postgres ────────────────────────────────────────────────────────────────────────────────

_RULES = {"u": "unique", "c": "check", "x": "exclusion", "f": "foreign key"}


def _facts(row: Mapping[str, Any] | None) -> _Facts:
    if row is None:
        return _Facts()
    return _Facts(
        declared=row["declared"],
        default=None if row["generated"] else without_secrets(row["default_text"] or "") or None,
        generated=row["generated"],
        item=row["item"],
        choices=tuple(json.loads(row["labels"] or "[]")),
        number=row["number"],
    )


def _foreign_key(row: Mapping[str, Any]) -> ForeignKey:
    return ForeignKey(
        name=row["name"],
        columns=tuple(json.loads(row["columns"])),
        parent=(row["parent_schema"], row["parent_name"]),
        parent_columns=tuple(json.loads(row["parent_columns"])),
        on_delete=ON_DELETE.get(row["on_delete"], "no action"),
        definition=row["definition"],
    )


def _index(row: Mapping[str, Any]) -> CatalogIndex:
    return CatalogIndex(
        name=row["name"],
        columns=tuple(json.loads(row["columns"] or "[]")),
        unique=row["is_unique"],
        plain=not row["partial"] and row["method"] == "btree",
        of_constraint=row["of_constraint"] or row["is_primary"],
        definition=row["definition"],
    )


def _unique(
    rules: Iterable[Mapping[str, Any]], indexes: Iterable[Mapping[str, Any]]
) -> tuple[tuple[str, ...], ...]:
    """Columns that are unique together, by a constraint or a full index; few columns first."""
    groups = [tuple(json.loads(row["columns"])) for row in rules if row["kind"] == "u"]
    groups += [
        tuple(json.loads(row["columns"]))
        for row in indexes
        if row["is_unique"] and not row["is_primary"] and not row["partial"] and row["columns"]
    ]
    return tuple(sorted(dict.fromkeys(groups), key=len))


def _with_checks(
    columns: Mapping[str, CatalogColumn], rules: Iterable[Mapping[str, Any]]
) -> dict[str, CatalogColumn]:
    checked = dict(columns)
    for row in rules:
        names = json.loads(row["columns"] or "[]")
        if row["kind"] == "c" and len(names) == 1 and names[0] in checked:
            choices = choices_of_check(row["definition"])
            if choices:
                column = checked[names[0]]
                # Each CHECK of a column holds, such as its own and those of its domain.
                both = tuple(choice for choice in choices if choice in column.choices)
                checked[names[0]] = replace(column, choices=both or choices)
    return checked


def choices_of_check(definition: str) -> tuple[Choice, ...]:
    """The values of a CHECK that says `column IN (…)`, as Postgres prints it; () for any other."""
    match = re.fullmatch(
        r"CHECK \(\(+[\w\"]+\)?(?:::[\w ]+)? = ANY \(+ARRAY\[(.*?)\]\)?(?:::[\w \[\]]+)?\)+"
        r"(?: NOT VALID)?",
        definition,
    )
    if not match:
        return ()
    item = r"(?:'((?:[^']|'')*)'|\(?(-?\d+(?:\.\d+)?)\)?)(?:::[\w ]+?)?"
    if not re.fullmatch(rf"\(?{item}\)?(?:::[\w ]+)?(?:, \(?{item}\)?(?:::[\w ]+)?)*", match[1]):
        return ()
    choices: list[Choice] = []
    for text, number in re.findall(item, match[1]):
        if number:
            choices.append(float(number) if "." in number else int(number))
        else:
            choices.append(text.replace("''", "'"))
    return tuple(choices)


def _rule(row: Mapping[str, Any]) -> Behaviour:
    table = f"{row['table_schema']}.{row['table_name']}"
    kind = _RULES[row["kind"]]
    if row["kind"] == "f" and row["on_delete"] in "cnd":
        kind = "cascade"
    return Behaviour(kind=kind, table=table, name=row["name"], definition=row["definition"])


def _jobs(reader: PostgresReader) -> list[Behaviour]:
    # Ask the catalog: to_regclass fails if the role has no right to use the schema.
    readable = reader.rows(
        "SELECT c.oid::int8 AS job FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = 'cron' AND c.relname = 'job' "
        "AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')"
    )
    if not readable:
        return []
    return [
        Behaviour(
            kind="cron job",
            table="",
            name=row["name"],
            definition=without_secrets(f"{row['schedule']}: {row['command']}"),
        )
        for row in reader.rows(_sql("cron.sql"))
    ]


def _by_table(rows: Iterable[Mapping[str, Any]]) -> dict[Place, list[Mapping[str, Any]]]:
    by_table: dict[Place, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_table.setdefault((row["table_schema"], row["table_name"]), []).append(row)
    return by_table


def _listed(names: Iterable[str]) -> str:
    return ", ".join(text_sql(name) for name in names)


def _sql(name: str) -> str:
    return resources.files("stages.init").joinpath("sql").joinpath(name).read_text("utf-8")


# ── OpenAPI ─────────────────────────────────────────────────────────────────────────────────


def _of_openapi(definition: Mapping[str, Any]) -> _Facts:
    declared = str(definition.get("format", ""))
    return _Facts(
        declared=declared,
        default=_default_text(definition),
        item=declared.removesuffix("[]") if declared.endswith("[]") else None,
        choices=tuple(definition.get("enum", ())),
    )


def _default_text(definition: Mapping[str, Any]) -> str | None:
    """A default as Postgres would print it: OpenAPI shows text without its quotes."""
    if "default" not in definition:
        return None
    value = definition["default"]
    if isinstance(value, str):
        called = re.match(r"[\w.]+\(", value) or value.startswith("CURRENT_") or "::" in value
        return value if called else text_sql(value)
    return json.dumps(value)


def _openapi_key(
    place: Place, column: str, text: str, relations: Mapping[Place, Relation]
) -> ForeignKey:
    """OpenAPI names no schema: a `users` that is not in this one is taken to be auth.users."""
    match = re.search(r"<fk table='([^']*)' column='([^']*)'/>", text)
    assert match is not None
    parent = (place[0], match[1])
    if parent not in relations and match[1] == auth_tables.USERS[1]:
        parent = auth_tables.USERS
    return ForeignKey(
        name=f"{place[1]}_{column}_fkey",
        columns=(column,),
        parent=parent,
        parent_columns=(match[2],),
        on_delete="unknown",
        definition=f"FOREIGN KEY ({column}) REFERENCES {'.'.join(parent)}({match[2]})",
    )

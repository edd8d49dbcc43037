"""`--write-schema`: a convex/schema.ts made from the catalog, and the column of each field.

Convex's limits: names are identifiers of at most 64 characters; a table has at most 32 indexes, of
at most 16 fields each, no two alike; the names by_id and by_creation_time are reserved. Source:
Convex's schema rules.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stages.errors import UserError
from stages.init.catalog import Catalog, CatalogColumn, CatalogTable, Place, table_name
from stages.init.conversion import VECTOR_TYPES, family, family_of
from stages.init.names import (
    IDENTIFIER,
    RESERVED_INDEXES,
    Case,
    cased,
    distinct,
    identifier,
    singulars,
)
from stages.init.pairing import LEDGER, Renames

INDEXES = 32
INDEX_FIELDS = 16
PLAIN = {
    "integer": "v.number()", "float": "v.number()", "numeric": "v.number()",
    "boolean": "v.boolean()", "uuid": "v.string()", "time": "v.number()", "date": "v.string()",
    "json": "v.any()", "bytes": "v.bytes()", "vector": "v.array(v.float64())",
    "text": "v.string()",
}  # fmt: skip
HEADER = """\
import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";
import { stagesTables } from "./stagesTables";

// Written by `stages init --write-schema` from the source's catalog; it is yours to edit. Times are
// numbers of milliseconds since 1970, days are text such as 2024-02-29.
export default defineSchema({
"""


@dataclass(frozen=True, kw_only=True)
class WrittenSchema:
    """The file's text, and its names as renames, so that the pairing need not guess."""

    text: str
    renames: Renames


def schema_text(
    catalog: Catalog, schemas: Iterable[str], case: Case | None, renames: Renames
) -> WrittenSchema:
    """One Convex table per source table. `case` None: tables in camelCase, fields named as columns.

    Raises UserError if the source has no table.
    """
    schema_names = set(schemas)
    tables = [t for t in catalog.tables.values() if t.schema in schema_names and not t.virtual]
    if not tables:
        raise UserError(
            f"the source has no table in {', '.join(sorted(schema_names))}",
            "name others with --schema",
        )
    names: dict[Place, str] = {}
    for table in tables:
        renamed = renames.tables.get(table.name) or renames.tables.get(table_name(table.place))
        name = identifier(renamed) if renamed else cased(table.name, case or "camel")
        names[table.place] = distinct(name, [*names.values(), LEDGER])
    fields = {table.place: _fields(table, names, case or "keep", renames) for table in tables}
    text = "".join(_table(table, names, fields[table.place], catalog) for table in tables)
    columns = {
        (table_name(place), column): (names[place], field)
        for place, by_column in fields.items()
        for column, field in by_column.items()
    }
    return WrittenSchema(
        text=f"{HEADER}{text}  ...stagesTables,\n}});\n",
        renames=Renames(
            tables={table_name(place): name for place, name in names.items()}, columns=columns
        ),
    )


def _fields(
    table: CatalogTable, names: Mapping[Place, str], case: Case, renames: Renames
) -> dict[str, str]:
    """Column → field. A generated key is left out: Convex gives each document an _id."""
    by_column: dict[str, str] = {}
    for column in table.columns.values():
        if _is_surrogate(table, column):
            continue
        renamed = next(
            (
                renames.columns[place, column.name][1]
                for place in (table.name, table_name(table.place))
                if (place, column.name) in renames.columns
            ),
            None,
        )
        by_column[column.name] = distinct(renamed or cased(column.name, case), by_column.values())
    return by_column


def index_columns(table: CatalogTable) -> list[tuple[str, ...]]:
    """The columns of each index that a written schema has for a table."""
    fields = {c.name: c.name for c in table.columns.values() if not _is_surrogate(table, c)}
    return [tuple(columns) for _, columns in _indexes(table, fields)]


def _is_surrogate(table: CatalogTable, column: CatalogColumn) -> bool:
    """Whether it is a key without meaning: a single column, generated, and not a reference."""
    if table.key != (column.name,) or table.foreign_key_of(column.name):
        return False
    return (
        column.generated
        or column.default is not None
        or (column.name == "id" and family(column) in ("uuid", "integer"))
    )


def _table(
    table: CatalogTable, names: Mapping[Place, str], fields: Mapping[str, str], catalog: Catalog
) -> str:
    lines = [f"  {names[table.place]}: defineTable({{"]
    for column, name in fields.items():
        lines.append(f"    {name}: {_validator(table, table.columns[column], names, catalog)},")
    lines += _composite(table, names, fields.values(), catalog)
    indexes = _indexes(table, fields)
    lines.append(f"  }}){'' if indexes else ','}")
    for number, (name, columns) in enumerate(indexes):
        end = "," if number == len(indexes) - 1 else ""
        lines.append(f"    .index({json.dumps(name)}, {json.dumps(columns)}){end}")
    return "\n".join(lines) + "\n\n"


def _composite(
    table: CatalogTable, names: Mapping[Place, str], taken: Iterable[str], catalog: Catalog
) -> list[str]:
    """An extra id field for each multi-column foreign key to the parent's key."""
    used, lines = list(taken), []
    for key in table.foreign_keys:
        parent = catalog.tables.get(key.parent)
        if len(key.columns) < 2 or key.parent not in names or parent is None:
            continue
        if set(parent.row_key) == set(key.parent_columns):
            name = distinct(min(singulars(names[key.parent]), key=len), used)
            used.append(name)
            inner = f'v.id("{names[key.parent]}")'
            whole = all(table.columns[column].not_null for column in key.columns)
            lines.append(f"    {name}: {inner if whole else f'v.optional({inner})'},")
    return lines


def _validator(
    table: CatalogTable, column: CatalogColumn, names: Mapping[Place, str], catalog: Catalog
) -> str:
    key = table.foreign_key_of(column.name)
    parent = catalog.tables.get(key.parent) if key else None
    if key and parent and key.parent in names and parent.row_key == key.parent_columns:
        inner = f'v.id("{names[key.parent]}")'
    elif column.choices:
        inner = (
            _union(column.choices) if column.item is None else f"v.array({_union(column.choices)})"
        )
    elif column.item is not None:
        inner = f"v.array({PLAIN[family_of(column.item)]})"
        if family_of(column.item) == "json":
            inner = "v.array(v.any())"
    else:
        inner = PLAIN[family(column)]
    return inner if column.not_null else f"v.optional({inner})"


def _union(choices: Iterable[object]) -> str:
    literals = [f"v.literal({json.dumps(c, ensure_ascii=False)})" for c in dict.fromkeys(choices)]
    return literals[0] if len(literals) == 1 else f"v.union({', '.join(literals)})"


def _indexes(table: CatalogTable, fields: Mapping[str, str]) -> list[tuple[str, list[str]]]:
    """Plain indexes on fields, including those of keys and unique constraints."""
    indexed: set[tuple[str, ...]] = set()
    indexes: list[tuple[str, list[str]]] = []
    columns = [index.columns for index in table.indexes if index.plain]
    columns += [table.key, *table.unique]
    for each in columns:
        if not each or not all(column in fields for column in each) or len(each) > INDEX_FIELDS:
            continue
        if any(table.columns[c].type.rpartition(".")[2] in VECTOR_TYPES for c in each):
            continue
        index_fields = tuple(fields[column] for column in each)
        if index_fields in indexed or len(indexes) == INDEXES:
            continue
        indexed.add(index_fields)
        name = "_".join(["by", *index_fields])[:IDENTIFIER]
        name = distinct(name, [*(n for n, _ in indexes), *RESERVED_INDEXES])
        indexes.append((name, list(index_fields)))
    return indexes

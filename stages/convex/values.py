"""Convex values in DuckDB: the column type of a field, its JSON both ways, its size.

A field is staged as a plain SQL column wherever its validator allows one type only; everything
else is a JSON column with the value's encoded JSON. Source: Convex' encoded JSON and size rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stages.convex.schema import Field, Validator
from stages.errors import UserError

SCALARS = {
    "string": "VARCHAR",
    "id": "VARCHAR",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "bigint": "BIGINT",
    "bytes": "BLOB",
}
ID_LENGTH = 32
ARRAY_ITEMS = ("string", "number", "boolean", "bigint")


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How a field is staged.

    `sql` is the column's DuckDB type; `kind` says how it is encoded; `nullable` whether the
    validator takes null; `choices` the only values of a union of literals.
    """

    name: str
    kind: str
    sql: str
    optional: bool
    nullable: bool
    choices: tuple[Any, ...] = ()
    target: str | None = None

    @property
    def required(self) -> bool:
        """Neither absent nor null will do."""
        return not (self.optional or self.nullable)


def shape(table: str, field: Field) -> Shape:
    """The shape of a field. Raises UserError for a validator that can't be staged yet."""
    members = field.members()
    others = [member for member in members if member["type"] != "null"]
    found = _storage(others)
    if found is None:
        raise UserError(
            f"convex/schema.ts: {table}.{field.name} is a {_describe(field.validator)}, which "
            "can't be staged yet",
            "scalars, literals, v.any(), arrays of scalars, and their unions with null can",
        )
    kind, sql, choices = found
    return Shape(
        name=field.name,
        kind=kind,
        sql=sql,
        optional=field.optional,
        nullable=len(others) < len(members),
        choices=choices,
        target=others[0].get("tableName"),
    )


def _storage(members: list[Validator]) -> tuple[str, str, tuple[Any, ...]] | None:
    """(kind, DuckDB type, choices) of a union's members without null; None where it has none."""
    if members and all(member["type"] == "literal" for member in members):
        values = tuple(member["value"] for member in members)
        for types, kind in (((str,), "string"), ((bool,), "boolean"), ((int, float), "number")):
            if all(type(value) in types for value in values):
                return kind, SCALARS[kind], values
    if len(members) != 1:
        return None
    kind = members[0]["type"]
    if kind in SCALARS:
        return kind, SCALARS[kind], ()
    if kind == "any":
        return "any", "JSON", ()
    if kind == "array" and members[0]["value"]["type"] in ARRAY_ITEMS:
        item = members[0]["value"]["type"]
        return f"array:{item}", f"{SCALARS[item]}[]", ()
    return None


def shapes(table: str, fields: Mapping[str, Field]) -> dict[str, Shape]:
    """Shapes of all fields of a table, in schema order."""
    return {name: shape(table, field) for name, field in fields.items()}


def _describe(validator: Validator) -> str:
    kind = str(validator["type"])
    if kind == "union":
        return "union of " + ", ".join(_describe(member) for member in validator["value"])
    if kind == "array":
        return f"array of {_describe(validator['value'])}"
    return kind


def name_sql(name: str) -> str:
    """A column's name for SQL text."""
    return '"' + name.replace('"', '""') + '"'


def text_sql(text: str) -> str:
    """A text literal for SQL text."""
    return "'" + text.replace("'", "''") + "'"


# ── column → encoded JSON ───────────────────────────────────────────────────────────────────


def encode_sql(shape: Shape, value: str) -> str:
    """SQL text of the encoded JSON of a column that is not NULL."""
    if shape.kind.startswith("array:"):
        inner = _encode_scalar(shape.kind.removeprefix("array:"), "item")
        return (
            f"('[' || array_to_string(list_transform({value}, lambda item: {inner}), ',') || ']')"
        )
    return _encode_scalar(shape.kind, value)


def _encode_scalar(kind: str, value: str) -> str:
    if kind in ("string", "id"):
        return f"to_json({value})::VARCHAR"
    if kind == "boolean":
        return f"({value})::VARCHAR"
    if kind == "number":
        return f"encode_float({value})"
    if kind == "bigint":
        return f"encode_int64({value})"
    if kind == "bytes":
        return f"'{{\"$bytes\":\"' || to_base64({value}) || '\"}}'"
    return f"({value})::VARCHAR"  # staged as encoded JSON already


# ── encoded JSON → column ───────────────────────────────────────────────────────────────────


def decode_sql(shape: Shape, document: str) -> str:
    """SQL of a typed column out of a document's encoded JSON; absent and null give NULL."""
    path = f"'$.{shape.name}'"
    if shape.kind == "any":
        return f"json_extract({document}, {path})"
    if shape.kind.startswith("array:"):
        inner = _decode_scalar(shape.kind.removeprefix("array:"), "item")
        items = f"json_extract({document}, '$.{shape.name}[*]')"
        present = f"json_type({document}, {path}) = 'ARRAY'"
        return f"CASE WHEN {present} THEN list_transform({items}, lambda item: {inner}) END"
    return _decode_scalar(shape.kind, f"json_extract({document}, {path})")


def _decode_scalar(kind: str, value: str) -> str:
    if kind in ("string", "id"):
        return f"({value} ->> '$')"
    if kind == "boolean":
        return f"({value})::BOOLEAN"
    if kind == "number":
        return f"decode_float({value})"
    if kind == "bigint":
        return f"decode_int64({value})"
    return f"from_base64({value} ->> '$.\"$bytes\"')"


# ── size ────────────────────────────────────────────────────────────────────────────────────


def size_sql(shape: Shape, value: str) -> str:
    """SQL of Convex' size in bytes of a column that is not NULL, without its field name.

    A JSON column's size comes from its canonical form (see canonical.py).
    """
    if shape.kind.startswith("array:"):
        inner = _size_scalar(shape.kind.removeprefix("array:"), "item")
        sizes = f"list_transform({value}, lambda item: {inner})"
        return f"CASE WHEN {value} IS NOT NULL THEN 2 + coalesce(list_sum({sizes}), 0) END"
    return f"CASE WHEN {value} IS NOT NULL THEN {_size_scalar(shape.kind, value)} END"


def _size_scalar(kind: str, value: str) -> str:
    if kind == "id":
        return f"{2 + ID_LENGTH}"  # staged as t:<key>, which may be shorter or longer
    if kind == "string":
        return f"(2 + strlen({value}))"
    if kind == "bytes":
        return f"(2 + octet_length({value}))"
    return "1" if kind == "boolean" else "9"

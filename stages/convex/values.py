"""Convex values in DuckDB: the column type of a field, its JSON both ways, its size.

A field is staged as a plain SQL column if its validator allows only one type, or an array of one;
everything else is a JSON column with the value's canonical encoded JSON. References are staged as
`t:<key>` in both. Source: Convex's encoded JSON and size rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stages.convex.schema import Field, Validator
from stages.convex.validators.alternatives import UnknownValidator, alternatives
from stages.convex.validators.marks import marked_sql
from stages.convex.validators.positions import Position, positions, refs_sql
from stages.errors import UserError
from stages.names import twins
from stages.sql import member_sql, name_sql, text_sql

SCALARS = {
    "string": "VARCHAR",
    "id": "VARCHAR",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "bigint": "BIGINT",
    "bytes": "BLOB",
}
KINDS = {
    "STRING": "string", "NUMBER": "number", "BOOLEAN": "boolean", "INTEGER": "bigint",
    "BYTES": "bytes",
}  # fmt: skip
ID_LENGTH = 32


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How a field is staged.

    `sql` is the column's DuckDB type; `kind` says how it is encoded: a scalar, `array:` of one, or
    `json`. `nullable`: the validator accepts null. `choices`: the only values of a union of
    literals (for an array, of its items). `positions`: where its references are.
    """

    name: str
    kind: str
    sql: str
    optional: bool
    nullable: bool
    validator: Validator
    choices: tuple[str | bool | int | float, ...] = ()
    positions: tuple[Position, ...] = ()

    @property
    def required(self) -> bool:
        """Whether it may be neither absent nor null."""
        return not (self.optional or self.nullable)

    @property
    def item(self) -> str:
        """The kind of the items of an array; "" for everything else."""
        return self.kind.removeprefix("array:") if self.kind.startswith("array:") else ""

    @property
    def system_ids(self) -> tuple[str, ...]:
        """The system tables of which the text, or each item of the array, is an id."""
        accepted = alternatives(self.validator)
        return alternatives(accepted.items[0]).system_ids if self.item else accepted.system_ids

    @property
    def targets(self) -> tuple[str, ...]:
        """The tables that the field refers to, at any position."""
        return tuple(dict.fromkeys(t for place in self.positions for t in place.targets))


def shape(table: str, field: Field) -> Shape:
    """The shape of a field. Raises UserError for a validator of a kind that is not known."""
    try:
        places = positions(field.name, field.validator)  # walks the whole validator
    except UnknownValidator as error:
        where = f"convex/schema.ts: {table}.{field.name}"
        raise UnknownValidator(error.kind, where) from None
    kind, sql, choices = _storage(field.validator)
    return Shape(
        name=field.name,
        kind=kind,
        sql=sql,
        optional=field.optional,
        nullable=alternatives(field.validator).null,
        validator=field.validator,
        choices=choices,
        positions=places,
    )


def _storage(validator: Validator) -> tuple[str, str, tuple[str | bool | int | float, ...]]:
    """(kind, DuckDB type, choices)."""
    accepted = alternatives(validator)
    scalar = _scalar(validator)
    if scalar:
        kind, choices = scalar
        return kind, SCALARS[kind], choices
    only_items = not (
        accepted.kinds - {"NULL"}
        or accepted.literals
        or accepted.ids
        or accepted.system_ids
        or accepted.objects
    )
    if only_items and len(accepted.items) == 1 and not accepted.anything:
        scalar = _scalar(accepted.items[0])
        if scalar and not alternatives(accepted.items[0]).null:
            kind, choices = scalar
            return f"array:{kind}", f"{SCALARS[kind]}[]", choices
    return "json", "JSON", ()


def _scalar(validator: Validator) -> tuple[str, tuple[str | bool | int | float, ...]] | None:
    """(kind, choices) of a validator that accepts values of one type, besides null; else None."""
    accepted = alternatives(validator)
    if accepted.items or accepted.objects or accepted.anything:
        return None
    if accepted.ids:
        other = accepted.literals or accepted.system_ids or accepted.kinds - {"NULL"}
        # A bare key must be prefixed with the name of its table first.
        bare = any(member.get("bare") for member in accepted.ids)
        return None if other or bare else ("id", ())
    kinds = accepted.kinds - {"NULL"}
    if accepted.system_ids:
        return None if kinds or accepted.literals else ("string", ())
    of_literals = {kind for kind in KINDS if kind != "BYTES" and accepted.of_kind(kind)}
    if len(kinds | of_literals) != 1:
        return None
    (kind,) = kinds | of_literals
    return KINDS[kind], () if kinds else accepted.literals


def shapes(table: str, fields: Mapping[str, Field]) -> dict[str, Shape]:
    """Shapes of all fields of a table, in schema order.

    Raises UserError if two names differ only in case: DuckDB takes them for the same column, and
    one field would get the values of the other.
    """
    if two := twins(fields):
        raise UserError(
            f"{table} in convex/schema.ts has the fields `{two[0]}` and `{two[1]}`, which differ "
            "only in case",
            "rename one of them: DuckDB, which runs the models, can't distinguish them",
        )
    return {name: shape(table, field) for name, field in fields.items()}


# ── column → encoded JSON ───────────────────────────────────────────────────────────────────


def encode_sql(shape: Shape, value: str) -> str:
    """SQL text of the encoded JSON of a column that is not NULL."""
    if shape.item:
        inner = _encode_scalar(shape.item, "item")
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
    """SQL of a typed column from a document's encoded JSON; absent becomes NULL.

    So does null, except in a JSON column.
    """
    return decode_value_sql(shape, f"json_extract({document}, {member_sql(shape.name)})")


def decode_value_sql(shape: Shape, value: str) -> str:
    """SQL of a typed column from its own encoded JSON; null becomes NULL, except as JSON."""
    if shape.kind == "json":
        return value
    if shape.item:
        inner = _decode_scalar(shape.item, "item")
        items = f"json_extract({value}, '$[*]')::JSON[]"
        present = f"json_type({value}) = 'ARRAY'"
        return f"CASE WHEN {present} THEN list_transform({items}, lambda item: {inner}) END"
    return _decode_scalar(shape.kind, value)


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


# ── references ──────────────────────────────────────────────────────────────────────────────


def references_sql(shape: Shape, number: int, column: str, *, bound: bool) -> str:
    """SQL of the texts that a staged column has at one of the shape's positions, as a list.

    `bound`: they are Convex ids, else references.
    """
    if shape.kind == "id":
        return f"[{column}]"
    if shape.item:
        return column
    listed = refs_sql(shape.name, shape.validator, "v", bound=bound)
    here = f"list_transform(list_filter({listed}, lambda r: r.p = {number}), lambda r: r.r)"
    marked = f"({marked_sql(f'{column}::VARCHAR')})::JSON"
    return (
        f"CASE WHEN {column} IS NOT NULL THEN list_transform([{marked}], lambda v: {here})[1] END"
    )


# ── size ────────────────────────────────────────────────────────────────────────────────────


def size_sql(shape: Shape, value: str) -> str:
    """SQL of a column's size in bytes in Convex, without its field name; NULL for NULL.

    A JSON column's size comes from its canonical form (see canonical.py).
    """
    if shape.item:
        inner = _size_scalar(shape.item, "item")
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


# ── a whole document ────────────────────────────────────────────────────────────────────────


def null_is_sent(shape: Shape, keep_null: tuple[str, ...]) -> bool:
    """Whether a NULL is sent as null; else the field is absent."""
    return not shape.optional or (shape.name in keep_null and shape.nullable)


def document_sql(fields: Mapping[str, Shape], keep_null: tuple[str, ...]) -> str:
    """SQL of a document as encoded JSON. A NULL is sent as null or left out: see `null_is_sent`."""
    members = []
    for name, shape in fields.items():
        column = name_sql(name)
        head = text_sql(f'"{name}":')
        otherwise = f" ELSE {head} || 'null'" if null_is_sent(shape, keep_null) else ""
        members.append(
            f"CASE WHEN {column} IS NOT NULL THEN {head} || {encode_sql(shape, column)}"
            f"{otherwise} END"
        )
    listed = f"list_filter([{', '.join(members)}]::VARCHAR[], lambda m: m IS NOT NULL)"
    return f"'{{' || array_to_string({listed}, ',') || '}}'"

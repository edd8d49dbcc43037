"""How a column becomes a field: SQL by the column's type and the field's validator.

What init can't know becomes a Doubt: a sentence, and SQL to choose from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from stages.convex.schema import Validator, members
from stages.decisions import TodoKind
from stages.init.catalog import CatalogColumn, Choice
from stages.init.names import looks_like_time, sql_name, words
from stages.sql import text_sql

Kind = str
INTEGER_TYPES = {"int2", "int4", "int8", "oid"}
FLOAT_TYPES = {"float4", "float8"}
TIME_TYPES = {"timestamp", "timestamptz"}
# What an array item's text is cast to, if it has no time zone; any other is cast to TIMESTAMPTZ.
TIME_CASTS = {"timestamp": "TIMESTAMP", "date": "DATE"}
VECTOR_TYPES = {"vector", "halfvec"}
PADDED = "{} is padded with spaces to its length, as Postgres prints it: keep them?"


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """Something that the user must settle: `choices` are SQL of a value, `advice` is not SQL.

    `kind` is None if it follows from the field: a decision if it is required and has no value,
    else a check.
    """

    what: str
    choices: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    kind: TodoKind | None = None


@dataclass
class Value:
    """SQL of a value, and the doubts about it. `sql` is None if init knows none."""

    sql: str | None
    doubts: list[Doubt] = field(default_factory=list)

    def doubt(
        self,
        what: str,
        *choices: str,
        advice: tuple[str, ...] = (),
        kind: TodoKind | None = None,
    ) -> Value:
        self.doubts.append(Doubt(what=what, choices=choices, advice=advice, kind=kind))
        return self


def family(column: CatalogColumn) -> Kind:
    """integer, float, numeric, boolean, uuid, time, date, json, bytes, array, vector or text."""
    return family_of(column.type, array=column.item is not None)


def family_of(kind: str, *, array: bool = False) -> Kind:
    plain = kind.rpartition(".")[2]
    if array:
        return "array"
    if plain in VECTOR_TYPES:
        return "vector"
    for types, name in ((INTEGER_TYPES, "integer"), (FLOAT_TYPES, "float"), (TIME_TYPES, "time")):
        if kind in types:
            return name
    single = {
        "numeric": "numeric",
        "bool": "boolean",
        "uuid": "uuid",
        "date": "date",
        "json": "json",
        "jsonb": "json",
        "bytea": "bytes",
    }
    return single.get(kind, "text")


def union_members(validator: Validator) -> list[Validator]:
    """The members of a validator (of a union, or itself), without null."""
    return [member for member in members(validator) if member["type"] != "null"]


def member_kind(member: Validator) -> str:
    """The type of a member of a union; of a literal, that of its value."""
    if member["type"] != "literal":
        return str(member["type"])
    return "string" if isinstance(member.get("value"), str) else "number"


def convert(column: CatalogColumn, validator: Validator, row: str = "") -> Value:
    """A column's value for a validator that is not itself a reference (see `reference.py`).

    `row` is the table's alias in the SQL, if the column's name alone is not enough.
    """
    union = union_members(validator)
    name = f"{row}.{sql_name(column.staged)}" if row else sql_name(column.staged)
    if not union:
        return Value("NULL")
    if all(member["type"] == "literal" for member in union):
        return _literals(column, name, [member["value"] for member in union])
    if len(union) == 1:
        return _one(column, name, union[0])
    if all(member["type"] in ("object", "record", "array", "any") for member in union):
        return _json(column, name)
    return _mixed(column, name, union)


def _one(column: CatalogColumn, name: str, member: Validator) -> Value:
    kind = member["type"]
    if kind == "array":
        return _array(column, name, member["value"])
    if kind == "any":
        return _any(column, name)
    if kind in ("object", "record"):
        return _json(column, name, _has_ids(member))
    if kind == "commitTs":
        kind = "bigint"
    makers = {
        "string": _string,
        "number": _number,
        "bigint": _bigint,
        "boolean": _boolean,
        "bytes": _bytes,
    }
    if kind in makers:
        return makers[kind](column, name)
    return Value(None).doubt(f"the validator v.{kind} is not known")


def _mixed(column: CatalogColumn, name: str, union: list[Validator]) -> Value:
    """A union of different kinds: the first member that suits the column's type."""
    home = {
        "text": "string",
        "uuid": "string",
        "integer": "number",
        "float": "number",
        "numeric": "number",
        "boolean": "boolean",
        "time": "number",
        "date": "string",
        "bytes": "bytes",
        "array": "array",
        "vector": "array",
    }
    type_family = family(column)
    if type_family == "json":
        return Value(name)
    home_kind = home[type_family]
    kinds = [member_kind(member) for member in union]
    best = union[kinds.index(home_kind)] if home_kind in kinds else union[0]
    if best["type"] == "literal":
        best = {"type": home_kind}
    value = _one(column, name, best)
    if value.sql is not None:
        value.sql = f"to_json({value.sql})"
    if len(set(kinds)) > 1 and home_kind not in kinds:
        value.doubt("which member of the union is meant?")
    return value


# ── scalars ─────────────────────────────────────────────────────────────────────────────────


def _string(column: CatalogColumn, name: str) -> Value:
    type_family = family(column)
    if _is_padded(column, column.type):
        return Value(name).doubt(PADDED.format(column.declared), f"rtrim({name})")
    if type_family in ("text", "numeric", "vector"):
        return Value(name)
    if type_family == "time":
        return Value(f"to_iso({name})")
    if type_family == "date":
        return Value(f"to_day({name})")
    if type_family == "bytes":
        return Value(f"to_base64({name})")
    if type_family == "array":
        return Value(f"to_json(pg_array({name}))::VARCHAR").doubt(
            "a list as one text", f"array_to_string(pg_array({name}), ', ')"
        )
    if type_family in ("integer", "float") and looks_like_time(column.name):
        return Value(f"to_iso(make_timestamp({name} * 1000))").doubt(
            f"{column.declared} as a time: are these milliseconds?",
            f"to_iso(make_timestamp({name} * 1000000))",
            f"{name}::VARCHAR",
        )
    return Value(f"{name}::VARCHAR")


def _is_padded(column: CatalogColumn, kind: str | None) -> bool:
    """Whether a column, or its items, are char(n) with n > 1, which Postgres pads with spaces."""
    return kind == "bpchar" and not re.match(r"character\(1\)|char\(1\)", column.declared)


def _number(column: CatalogColumn, name: str) -> Value:
    type_family = family(column)
    if type_family in ("integer", "float"):
        return Value(name)
    if type_family == "numeric":
        return Value(f"to_number({name})")
    if type_family in ("time", "date"):
        return Value(f"to_ms({name})")
    if type_family == "boolean":
        return Value(f"{name}::INTEGER").doubt("true and false as 1 and 0")
    if type_family == "json":
        return Value(name)
    if column.type == "money":
        return Value(f"money_number({name})").doubt(
            "money is text in the form of the source's lc_monetary: any other form than -$1,234.56 "
            "is rejected"
        )
    if column.type == "interval":
        return Value(f"interval_seconds({name})").doubt(
            "interval as a number of seconds; one with months or years is rejected",
            f"interval_seconds({name}) * 1000",
        )
    if column.type in ("time", "timetz"):
        return Value(f"time_ms({name})").doubt(
            f"{column.type} as a number of milliseconds", f"time_ms({name}) / 1000"
        )
    if type_family in ("uuid", "bytes", "array", "vector"):
        return Value(None).doubt(f"{column.declared} is no number")
    moment = f"to_ms({name}::TIMESTAMPTZ)"
    if looks_like_time(column.name):
        return Value(moment).doubt(
            f"{column.declared} as a time: other values are rejected", f"to_number({name})"
        )
    return Value(f"to_number({name})").doubt(
        f"{column.declared} as a number: other values are rejected",
        f"TRY(to_number({name}))",
        moment,
    )


def _bigint(column: CatalogColumn, name: str) -> Value:
    type_family = family(column)
    if type_family == "integer":
        return Value(name)
    if type_family in ("time", "date"):
        return Value(f"to_ms({name})")
    if re.fullmatch(r"numeric\(\d+(,0)?\)", column.declared):
        return Value(f"{name}::HUGEINT")
    if type_family == "json":
        return Value(name)
    if type_family in ("numeric", "text"):
        return Value(f"to_int64({name})").doubt(
            f"{column.declared} as an int64: values that are not whole numbers are rejected",
            f"round({name}::DECIMAL(38, 9))::HUGEINT",
        )
    return Value(None).doubt(f"{column.declared} is no int64")


def _boolean(column: CatalogColumn, name: str) -> Value:
    type_family = family(column)
    if type_family == "boolean":
        return Value(name)
    if type_family in ("integer", "float"):
        return Value(f"{name} <> 0").doubt(f"{column.declared} as true or false")
    if type_family == "json":
        return Value(name)
    if type_family == "text":
        return Value(f"{name}::BOOLEAN").doubt(
            f"{column.declared} as true or false: other values are rejected",
            f"TRY({name}::BOOLEAN)",
        )
    if type_family in ("time", "date"):
        return Value(f"{name} IS NOT NULL").doubt("a time as true, NULL as false")
    return Value(None).doubt(f"{column.declared} is no boolean")


def _bytes(column: CatalogColumn, name: str) -> Value:
    type_family = family(column)
    if type_family == "bytes":
        return Value(name)
    if type_family == "text":
        return Value(f"encode({name})").doubt(
            "the text's bytes in UTF-8", f"from_base64({name})", f"unhex({name})"
        )
    return Value(None).doubt(f"{column.declared} is no bytes")


# ── literals ────────────────────────────────────────────────────────────────────────────────


def _literals(column: CatalogColumn, name: str, values: list[Any]) -> Value:
    texts = [value for value in values if isinstance(value, str)]
    if all(isinstance(value, bool) for value in values):
        return _boolean(column, name)
    if not texts:
        big = all(isinstance(value, Mapping) for value in values)
        converted = _bigint(column, name) if big else _number(column, name)
        if family(column) in ("integer", "float", "numeric") and not big:
            _doubt_missing(converted, converted.sql, column.choices, values, {})
        return converted
    # Postgres ignores trailing spaces when it compares char(n).
    converted = Value(f"rtrim({name})") if column.type == "bpchar" else _string(column, name)
    if not column.choices:
        return converted.doubt(
            f"{column.declared} may hold anything, the field takes only {_listed(values)}; "
            "other values are rejected",
            f"CASE {name} WHEN '…' THEN {text_sql(texts[0])} ELSE {name} END",
        )
    by_words = {plain_label(text): text for text in texts}
    mapped = {
        choice: by_words[plain_label(str(choice))]
        for choice in column.choices
        if choice not in texts and plain_label(str(choice)) in by_words
    }
    plain = converted.sql
    if mapped and plain is not None:
        converted.sql = _case(plain, mapped)
    _doubt_missing(converted, plain, column.choices, values, mapped)
    return converted


def _doubt_missing(
    converted: Value,
    plain: str | None,
    choices: Iterable[Choice],
    values: list[Any],
    mapped: Mapping[Choice, Any],
) -> None:
    missing = [choice for choice in choices if choice not in values and choice not in mapped]
    if missing and plain is not None:
        converted.doubt(
            f"the source knows {_listed(missing)}, the field takes only {_listed(values)}; "
            "such rows are rejected",
            _case(plain, {**mapped, **{old: _nearest(old, values) for old in missing}}),
        )


def _nearest(choice: Choice, values: list[Any]) -> Any:
    """The literal that shares most words with the choice (`won`, `closed_won`); else the first."""
    parts = {*words(str(choice))}
    return max(values, key=lambda value: len(parts & {*words(str(value))}))


def _case(plain: str, mapped: Mapping[Choice, Any]) -> str:
    whens = " ".join(f"WHEN {_literal(old)} THEN {_literal(new)}" for old, new in mapped.items())
    return f"CASE {plain} {whens} ELSE {plain} END"


def plain_label(text: str) -> str:
    """A label's words without what is between them, to compare spellings: `in-progress`."""
    return "".join(words(text)) or text


def _listed(values: Iterable[Any]) -> str:
    return ", ".join(_literal(value) for value in values)


def _literal(value: Any) -> str:
    return text_sql(value) if isinstance(value, str) else str(value)


# ── JSON and lists ──────────────────────────────────────────────────────────────────────────


def _json(column: CatalogColumn, name: str, ids: bool = False) -> Value:
    """Objects and records: the JSON, unchanged."""
    type_family = family(column)
    value = Value(name)
    if type_family == "text":
        value = Value(f"{name}::JSON").doubt(
            f"{column.declared} as JSON: other values are rejected",
            f"try_cast({name} AS JSON)",
            "{'field': …}",
        )
    elif type_family != "json":
        return Value(None).doubt(f"{column.declared} is no object", "{'field': …}")
    if ids:
        value.doubt(
            "an id in it must be the text that ref('table', key) gives, unless `references` in "
            "plan.toml names its place"
        )
    return value


def _any(column: CatalogColumn, name: str) -> Value:
    type_family = family(column)
    if type_family == "json":
        return Value(name)
    if type_family == "array":
        item = family_of(column.item or "text")
        if item in ("integer", "float", "numeric"):
            return _items(column, name, "number")
        return Value(f"to_json({_items(column, name, 'string').sql})")
    if type_family == "vector":
        return Value(f"to_json(pg_vector({name}))")
    natural = {"numeric": _number, "time": _number, "date": _string, "bytes": _string}
    value = natural[type_family](column, name) if type_family in natural else Value(name)
    return Value(f"to_json({value.sql})", value.doubts)


def _array(column: CatalogColumn, name: str, item: Validator) -> Value:
    type_family, item_members = family(column), union_members(item)
    kind = _kind(item_members)
    if type_family == "vector":
        return Value(f"pg_vector({name})") if kind == "number" else _any(column, name)
    if type_family == "array" and kind == "array":
        inner = union_members(item_members[0]["value"])
        return _items(column, name, _kind(inner), lists=True)
    if type_family == "array":
        return _items(column, name, kind)
    if type_family == "json":
        return _json(column, name, _has_ids(item))
    if type_family == "text" and kind == "number":
        each = f"list_transform({name}::VARCHAR[], lambda item: to_number(item))"
        return Value(each).doubt(
            f"{column.declared} as a list of numbers: other values are rejected"
        )
    if type_family == "text":
        return Value(f"string_split({name}, ',')").doubt(
            f"{column.declared} as a list", f"pg_array({name})", f"[{name}]"
        )
    return Value(None).doubt(f"{column.declared} is no list", f"[{name}]")


def _kind(item_members: list[Validator]) -> Kind:
    """The kind of an array's items: for literals that of their values, for several `union`."""
    if item_members and all(member["type"] == "literal" for member in item_members):
        return "string" if isinstance(item_members[0]["value"], str) else "number"
    return str(item_members[0]["type"]) if len(item_members) == 1 else "union"


def json_items(name: str) -> str:
    """SQL of a JSON array's items as text; it fails for JSON that is not an array."""
    return f"list_transform({name}::JSON[], lambda item: item ->> '$')"


def _items(column: CatalogColumn, name: str, kind: Kind, *, lists: bool = False) -> Value:
    """A Postgres array, which is staged as text, as a list of this kind, or as `lists` of it."""
    items, item = f"pg_array({name})", family_of(column.item or "text")
    array = "[]"
    if lists:
        items, array = f"pg_array_2d({name})", "[][]"

    def each(what: str) -> str:
        if lists:
            what = f"list_transform(line, lambda item: {what})"
        return f"list_transform({items}, lambda {'line' if lists else 'item'}: {what})"

    moment = f"item::{TIME_CASTS.get(column.item or '', 'TIMESTAMPTZ')}"
    if kind == "string":
        by_family = {"time": f"to_iso({moment})", "boolean": "(item = 't')::VARCHAR"}
        value = Value(each(by_family[item]) if item in by_family else items)
        if _is_padded(column, column.item):
            value.doubt(PADDED.format(column.declared), each("rtrim(item)"))
        return value
    if kind in ("number", "bigint") and item == "integer":
        return Value(f"{items}::BIGINT{array}")
    if kind == "number" and item in ("float", "numeric"):
        return Value(each("to_number(item)"))
    if kind in ("number", "bigint") and item in ("time", "date"):
        return Value(each(f"to_ms({moment})"))
    if kind == "number":
        return Value(each("to_number(item)")).doubt(f"{column.declared} as numbers")
    if kind == "boolean" and item == "boolean":
        return Value(each("item = 't'"))
    if kind == "bigint" and item == "numeric":
        return Value(each("to_int64(item)"))
    if item == "json":
        return Value(f"to_json({each('item::JSON')})")
    if kind in ("any", "union"):
        return Value(f"to_json({items})")
    return Value(f"to_json({items})").doubt(f"{column.declared} as a list of v.{kind}")


def _has_ids(validator: Validator) -> bool:
    kind = validator["type"]
    if kind == "id":
        return True
    if kind == "object":
        return any(_has_ids(each["fieldType"]) for each in validator["value"].values())
    if kind == "record":
        return _has_ids(validator["keys"]) or _has_ids(validator["values"]["fieldType"])
    if kind == "array":
        return _has_ids(validator["value"])
    return any(_has_ids(member) for member in members(validator) if member is not validator)

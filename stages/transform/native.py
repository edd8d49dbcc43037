"""A model's column of any DuckDB type → JSON text, as its validator has the values encoded.

A NULL inside of a STRUCT is absent where no object of the validator takes null there. What can't
be said without a choice (a time, bytes in v.any()) is refused, with the advice that makes it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stages.convex.schema import Validator
from stages.convex.validators.alternatives import (
    ANY,
    Alternatives,
    alternatives,
    describe,
    field_of,
)
from stages.errors import UserError
from stages.sql import text_sql
from stages.transform.duckdb_types import INTEGERS, LONG_INTEGERS

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMES = ("date", "time")


def json_sql(model: str, name: str, validator: Validator, column: str, column_type: str) -> str:
    """SQL of the JSON text of a column, NULL for NULL.

    `column_type` is DuckDB's name of its type. Raises UserError, with the path in the field, for
    a type that the validator can't take.
    """
    import duckdb

    kind = duckdb.sqltype(column_type)
    text = _Writer(model).text(kind, validator, column, name)
    return f"CASE WHEN {column} IS NOT NULL THEN {text} END"


@dataclass
class _Writer:
    model: str
    _names: Iterator[str] = field(default_factory=lambda: (f"n{n}" for n in itertools.count()))

    def text(self, kind: Any, validator: Validator, value: str, path: str) -> str:
        """SQL of the JSON text of a value that is not NULL."""
        found = alternatives(validator)
        anything = bool(found.anything)
        type_name = kind.id
        if str(kind) == "JSON":
            return f"{value}::VARCHAR"
        if type_name == "boolean" and (anything or "BOOLEAN" in found.kinds or found.literals):
            return f"{value}::VARCHAR"
        if type_name.upper() in INTEGERS:
            return self._integer(kind, found, validator, value, path)
        if type_name in ("float", "double") and (anything or _numbers(found)):
            return f"encode_float({value}::DOUBLE)"
        if type_name == "decimal" and (anything or _numbers(found)):
            return f"{value}::VARCHAR"
        if type_name in ("varchar", "uuid", "enum") and (anything or _texts(found)):
            return f"to_json({value}::VARCHAR)::VARCHAR"
        if type_name == "blob" and "BYTES" in found.kinds:
            return f"'{{\"$bytes\":\"' || to_base64({value}) || '\"}}'"
        if type_name in ("list", "array") and (anything or found.items):
            item: Validator = {"type": "union", "value": list(found.items)}
            if anything:
                item = found.anything[0].get("items", ANY)
            return self._list(kind, item, value, path)
        if type_name == "struct" and (anything or found.objects):
            return self._struct(kind, found, value, path)
        if type_name == "map" and (anything or found.objects):
            return self._map(kind, found, value, path)
        raise self.refusal(kind, validator, path)

    def refusal(self, kind: Any, validator: Validator, path: str) -> UserError:
        return UserError(
            f"{self.model}: column `{path}` is {kind}, the field in convex/schema.ts is "
            f"{describe(validator)}",
            _advice(kind, alternatives(validator)),
        )

    def _nullable(self, kind: Any, validator: Validator, value: str, path: str) -> str:
        text = self.text(kind, validator, value, path)
        return f"CASE WHEN {value} IS NULL THEN 'null' ELSE {text} END"

    def _integer(
        self, kind: Any, found: Alternatives, validator: Validator, value: str, path: str
    ) -> str:
        int64 = "INTEGER" in found.kinds or found.of_kind("INTEGER")
        number = found.anything or _numbers(found)
        if int64 and (kind.id.upper() in LONG_INTEGERS or not number):
            # Beyond int64 it stays a number, which the checks name.
            return (
                f"CASE WHEN try_cast({value} AS BIGINT) IS NULL THEN {value}::VARCHAR "
                f"ELSE encode_int64(try_cast({value} AS BIGINT)) END"
            )
        if number or any(member.get("bare") for member in found.ids):
            return f"{value}::VARCHAR"
        raise self.refusal(kind, validator, path)

    def _list(self, kind: Any, item: Validator, value: str, path: str) -> str:
        name = next(self._names)
        inner = self._nullable(kind.children[0][1], item, name, f"{path}[]")
        if kind.id == "array":
            value = f"{value}::{kind.children[0][1]}[]"
        texts = f"list_transform({value}, lambda {name}: {inner})"
        return f"('[' || array_to_string({texts}, ',') || ']')"

    def _struct(self, kind: Any, found: Alternatives, value: str, path: str) -> str:
        given = [name for name, _ in kind.children]
        self._require_members(given, found, path)
        members = []
        for name, inner_kind in kind.children:
            inner, nullable = self._member(found, name, f"{path}.{name}", inner_kind)
            there = f"struct_extract({value}, {text_sql(name)})"
            head = text_sql(f"{_json_text(name)}:")
            text = self.text(inner_kind, inner, there, f"{path}.{name}")
            absent = f"{head} || 'null'" if nullable else "NULL"
            members.append(f"CASE WHEN {there} IS NULL THEN {absent} ELSE {head} || {text} END")
        listed = f"list_filter([{', '.join(members)}]::VARCHAR[], lambda m: m IS NOT NULL)"
        return f"('{{' || array_to_string({listed}, ',') || '}}')"

    def _member(
        self, found: Alternatives, name: str, path: str, kind: Any
    ) -> tuple[Validator, bool]:
        """(what any object takes in a field, whether a NULL of it is a null)."""
        fields = [field for m in found.objects if (field := field_of(m, name))]
        validators = [field[0] for field in fields]
        nullable = any(alternatives(v).null or not optional for v, optional in fields)
        if found.anything:
            inside = found.anything[0].get("fields", {}).get(name)
            return inside or found.anything[0].get("values", ANY), True
        if not validators:
            raise UserError(
                f"{self.model}: column `{path}` has no field of that name in convex/schema.ts",
                "remove it from the model, or add the field",
            )
        if len(fields) < len(found.objects):
            nullable = any(alternatives(v).null for v in validators)
        return {"type": "union", "value": validators}, nullable

    def _require_members(self, given: list[str], found: Alternatives, path: str) -> None:
        if len(found.objects) != 1 or found.anything or found.objects[0]["type"] != "object":
            return
        for name, wanted in found.objects[0]["value"].items():
            required = not wanted["optional"] and not alternatives(wanted["fieldType"]).null
            if required and name not in given:
                raise UserError(
                    f"{self.model}: column `{path}` has no member `{name}`, and "
                    "convex/schema.ts requires that field",
                    f"add it to {self.model}, or make it v.optional() in convex/schema.ts",
                )

    def _map(self, kind: Any, found: Alternatives, value: str, path: str) -> str:
        name = next(self._names)
        inner: Validator = ANY
        if not found.anything:
            validators: list[Validator] = []
            for member in found.objects:
                if member["type"] == "record":
                    validators.append(member["values"]["fieldType"])
                else:
                    validators += [f["fieldType"] for f in member["value"].values()]
            inner = {"type": "union", "value": validators}
        text = self._nullable(kind.children[1][1], inner, f"{name}.value", f"{path}{{}}")
        texts = (
            f"list_transform(map_entries({value}), lambda {name}: "
            f"to_json({name}.key::VARCHAR)::VARCHAR || ':' || {text})"
        )
        return f"('{{' || array_to_string({texts}, ',') || '}}')"


def _json_text(name: str) -> str:
    import json

    return json.dumps(name, ensure_ascii=False)


def _numbers(found: Alternatives) -> bool:
    return "NUMBER" in found.kinds or bool(found.of_kind("NUMBER"))


def _texts(found: Alternatives) -> bool:
    return "STRING" in found.kinds or bool(found.ids or found.of_kind("STRING"))


def _advice(kind: Any, found: Alternatives) -> str:
    type_name = str(kind.id)
    if type_name.startswith(("timestamp", *TIMES)):
        if _numbers(found):
            return "write to_ms(column) in the model"
        return "write to_ms(column), to_iso(column) or to_day(column) in the model"
    if type_name == "varchar" and (found.objects or found.items):
        return "write column::JSON in the model, if it holds JSON"
    if type_name == "blob":
        return "write to_base64(column) in the model for a text, or take v.bytes()"
    return "cast the column in the model to what the field takes"

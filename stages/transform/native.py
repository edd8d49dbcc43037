"""From a model's column of any DuckDB type to JSON text, encoded as its validator requires.

A NULL inside a STRUCT is left out if no object of the validator takes null there. What has more
than one encoding (a time, bytes in v.any()) is refused, with advice on how to choose one.
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
from stages.errors import FileError, Place
from stages.sql import text_sql
from stages.transform.duckdb_types import INTEGERS, LONG_INTEGERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

TIMES = ("date", "time")


def json_sql(
    connection: duckdb.DuckDBPyConnection,
    model: Place,
    name: str,
    validator: Validator,
    column: str,
    column_type: str,
) -> str:
    """SQL of the JSON text of a column, NULL for NULL.

    `column_type` is DuckDB's name for its type. Raises FileError, with the path in the field, for
    a type that the validator can't take.
    """
    kind = connection.sqltype(column_type)
    text = _Writer(model).text(kind, validator, column, name)
    return f"CASE WHEN {column} IS NOT NULL THEN {text} END"


@dataclass
class _Writer:
    model: Place
    _names: Iterator[str] = field(default_factory=lambda: (f"n{n}" for n in itertools.count()))

    def text(self, kind: Any, validator: Validator, value: str, path: str) -> str:
        """SQL of the JSON text of a value that is not NULL."""
        accepted = alternatives(validator)
        anything = bool(accepted.anything)
        type_name = kind.id
        if str(kind) == "JSON":
            return f"{value}::VARCHAR"
        if type_name == "boolean" and (
            anything or "BOOLEAN" in accepted.kinds or accepted.literals
        ):
            return f"{value}::VARCHAR"
        if type_name.upper() in INTEGERS:
            return self._integer(kind, accepted, validator, value, path)
        if type_name in ("float", "double") and (anything or _numbers(accepted)):
            return f"encode_float({value}::DOUBLE)"
        if type_name == "decimal" and (anything or _numbers(accepted)):
            return f"{value}::VARCHAR"
        if type_name in ("varchar", "uuid", "enum") and (anything or _texts(accepted)):
            return f"to_json({value}::VARCHAR)::VARCHAR"
        if type_name == "blob" and "BYTES" in accepted.kinds:
            return f"'{{\"$bytes\":\"' || to_base64({value}) || '\"}}'"
        if type_name in ("list", "array") and (anything or accepted.items):
            item: Validator = {"type": "union", "value": list(accepted.items)}
            if anything:
                item = accepted.anything[0].get("items", ANY)
            return self._list(kind, item, value, path)
        if type_name == "struct" and (anything or accepted.objects):
            return self._struct(kind, accepted, value, path)
        if type_name == "map" and (anything or accepted.objects):
            return self._map(kind, accepted, value, path)
        raise self.refusal(kind, validator, path)

    def refusal(self, kind: Any, validator: Validator, path: str) -> FileError:
        return FileError(
            f"{self.model}: column `{path}` is {kind}, the field in convex/schema.ts is "
            f"{describe(validator)}",
            _advice(kind, alternatives(validator)),
            file=self.model.name,
            line=self.model.line,
        )

    def _nullable(self, kind: Any, validator: Validator, value: str, path: str) -> str:
        text = self.text(kind, validator, value, path)
        return f"CASE WHEN {value} IS NULL THEN 'null' ELSE {text} END"

    def _integer(
        self, kind: Any, accepted: Alternatives, validator: Validator, value: str, path: str
    ) -> str:
        int64 = "INTEGER" in accepted.kinds or accepted.of_kind("INTEGER")
        number = accepted.anything or _numbers(accepted)
        if int64 and (kind.id.upper() in LONG_INTEGERS or not number):
            # Beyond int64 it stays a number, which the checks report.
            return (
                f"CASE WHEN try_cast({value} AS BIGINT) IS NULL THEN {value}::VARCHAR "
                f"ELSE encode_int64(try_cast({value} AS BIGINT)) END"
            )
        if number or any(member.get("bare") for member in accepted.ids):
            return f"{value}::VARCHAR"
        raise self.refusal(kind, validator, path)

    def _list(self, kind: Any, item: Validator, value: str, path: str) -> str:
        name = next(self._names)
        inner = self._nullable(kind.children[0][1], item, name, f"{path}[]")
        if kind.id == "array":
            value = f"{value}::{kind.children[0][1]}[]"
        texts = f"list_transform({value}, lambda {name}: {inner})"
        return f"('[' || array_to_string({texts}, ',') || ']')"

    def _struct(self, kind: Any, accepted: Alternatives, value: str, path: str) -> str:
        names = [name for name, _ in kind.children]
        self._require_members(names, accepted, path)
        members = []
        for name, inner_kind in kind.children:
            inner, nullable = self._member(accepted, name, f"{path}.{name}", inner_kind)
            member = f"struct_extract({value}, {text_sql(name)})"
            head = text_sql(f"{_json_text(name)}:")
            text = self.text(inner_kind, inner, member, f"{path}.{name}")
            absent = f"{head} || 'null'" if nullable else "NULL"
            members.append(f"CASE WHEN {member} IS NULL THEN {absent} ELSE {head} || {text} END")
        listed = f"list_filter([{', '.join(members)}]::VARCHAR[], lambda m: m IS NOT NULL)"
        return f"('{{' || array_to_string({listed}, ',') || '}}')"

    def _member(
        self, accepted: Alternatives, name: str, path: str, kind: Any
    ) -> tuple[Validator, bool]:
        """(what the objects take in a field, whether its NULL is written as null)."""
        fields = [field for m in accepted.objects if (field := field_of(m, name))]
        validators = [field[0] for field in fields]
        nullable = any(alternatives(v).null or not optional for v, optional in fields)
        if accepted.anything:
            inside = accepted.anything[0].get("fields", {}).get(name)
            return inside or accepted.anything[0].get("values", ANY), True
        if not validators:
            raise FileError(
                f"{self.model}: column `{path}` has no field of that name in convex/schema.ts",
                "remove it from the model, or add the field",
                file=self.model.name,
                line=self.model.line,
            )
        if len(fields) < len(accepted.objects):
            nullable = any(alternatives(v).null for v in validators)
        return {"type": "union", "value": validators}, nullable

    def _require_members(self, names: list[str], accepted: Alternatives, path: str) -> None:
        if (
            len(accepted.objects) != 1
            or accepted.anything
            or accepted.objects[0]["type"] != "object"
        ):
            return
        for name, member in accepted.objects[0]["value"].items():
            required = not member["optional"] and not alternatives(member["fieldType"]).null
            if required and name not in names:
                raise FileError(
                    f"{self.model}: column `{path}` has no member `{name}`, and "
                    "convex/schema.ts requires that field",
                    f"add it to {self.model}, or make it v.optional() in convex/schema.ts",
                    file=self.model.name,
                    line=self.model.line,
                )

    def _map(self, kind: Any, accepted: Alternatives, value: str, path: str) -> str:
        name = next(self._names)
        inner: Validator = ANY
        if not accepted.anything:
            validators: list[Validator] = []
            for member in accepted.objects:
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


def _numbers(accepted: Alternatives) -> bool:
    return "NUMBER" in accepted.kinds or bool(accepted.of_kind("NUMBER"))


def _texts(accepted: Alternatives) -> bool:
    return "STRING" in accepted.kinds or bool(
        accepted.ids or accepted.system_ids or accepted.of_kind("STRING")
    )


def _advice(kind: Any, accepted: Alternatives) -> str:
    type_name = str(kind.id)
    if type_name.startswith(("timestamp", *TIMES)):
        if _numbers(accepted):
            return "write to_ms(column) in the model"
        return "write to_ms(column), to_iso(column) or to_day(column) in the model"
    if type_name == "varchar" and (accepted.objects or accepted.items):
        return "write column::JSON in the model, if it holds JSON"
    if type_name == "blob":
        return "write to_base64(column) in the model for a text, or take v.bytes()"
    return "cast the column in the model to what the field takes"

"""Where a field holds references: paths such as `blocks[].imageId`, and SQL that lists them.

In a path, dots go to fields, [] to every item of an array, {} to every value of a record (and
{key} to its keys). Besides every v.id(), the plan may name places in v.any(), and v.id()s at which
the model has bare keys (`references` of a table).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stages.convex.schema import Validator
from stages.convex.validators.alternatives import ANY, NULL, alternatives
from stages.convex.validators.check import conditions, entries_sql
from stages.convex.validators.marks import kind_sql
from stages.sql import member_sql, text_sql

REFS = "STRUCT(p INTEGER, r VARCHAR)[]"


@dataclass(frozen=True, kw_only=True)
class Position:
    """A place for references: its path, and the tables that it may refer to.

    `nullable`: null is accepted there. `removable`: the place is an optional field of an object, or
    a key of a record. `text`: texts other than references are accepted there too.
    """

    path: str
    targets: tuple[str, ...]
    nullable: bool
    removable: bool = False
    text: bool = False

    @property
    def in_array(self) -> bool:
        return "[]" in self.path


def positions(name: str, validator: Validator) -> tuple[Position, ...]:
    """Places for references in a field, each path once, in the order of the validator."""
    by_path: dict[str, Position] = {}
    for position in _positions(validator, name, removable=False):
        before = by_path.get(position.path, position)
        by_path[position.path] = Position(
            path=position.path,
            targets=tuple(dict.fromkeys((*before.targets, *position.targets))),
            nullable=before.nullable and position.nullable,
            removable=before.removable and position.removable,
            text=before.text or position.text,
        )
    return tuple(by_path.values())


def _positions(validator: Validator, path: str, *, removable: bool) -> Iterator[Position]:
    accepted = alternatives(validator)
    if accepted.ids:
        yield Position(
            path=path,
            targets=tuple(member["tableName"] for member in accepted.ids),
            nullable=accepted.null,
            removable=removable,
            text="STRING" in accepted.kinds or bool(accepted.system_ids),
        )
    for item in accepted.items:
        yield from _positions(item, f"{path}[]", removable=False)
    for member in accepted.objects:
        if member["type"] == "record":
            yield from _positions(member["keys"], f"{path}{{key}}", removable=True)
            inner = member["values"]["fieldType"]
            yield from _positions(inner, f"{path}{{}}", removable=False)
            continue
        for name, field in member["value"].items():
            yield from _positions(
                field["fieldType"], f"{path}.{name}", removable=bool(field["optional"])
            )
    for member in accepted.anything:
        for name, inner in member.get("fields", {}).items():
            yield from _positions(inner, f"{path}.{name}", removable=False)
        if "items" in member:
            yield from _positions(member["items"], f"{path}[]", removable=False)
        if "values" in member:
            yield from _positions(member["values"], f"{path}{{}}", removable=False)


def refers(validator: Validator) -> bool:
    """Whether there is any place for a reference in a validator."""
    return bool(positions("", validator))


# ── SQL ─────────────────────────────────────────────────────────────────────────────────────


def refs_sql(
    name: str,
    validator: Validator,
    value: str,
    *,
    bound: bool = False,
    numbers: Mapping[str, int] | None = None,
) -> str:
    """SQL of the references in a valid, marked JSON value as {p, r}: the number of the position in
    `positions(name, validator)`, and the text. `bound`: the texts are Convex ids. `numbers` must be
    given if the value is a part of a field, at the path `name`."""
    numbers = numbers or {p.path: n for n, p in enumerate(positions(name, validator))}
    return _Refs(numbers, bound=bound).value(validator, value, name)


class _Refs:
    def __init__(self, numbers: Mapping[str, int], *, bound: bool) -> None:
        self.numbers = numbers
        self.bound = bound
        self._names = (f"r{n}" for n in itertools.count())

    def value(self, validator: Validator, value: str, path: str) -> str:
        accepted = alternatives(validator)
        cases = []
        if accepted.ids:
            reference = f"[{{'p': {self.numbers[path]}, 'r': {value} ->> '$'}}]"
            cases.append(
                f"WHEN {reference_condition(validator, value, bound=self.bound)} THEN {reference}"
            )
        items = [m for m in accepted.items if refers(m)]
        if items:
            for member, condition in zip(
                accepted.items,
                conditions(accepted.items, value, items=True, bound=self.bound),
                strict=True,
            ):
                inner = self._each(member, value, path) if member in items else "[]"
                cases.append(f"WHEN json_type({value}) = 'ARRAY' AND {condition} THEN {inner}")
        if any(refers(m) for m in accepted.objects):
            for member, condition in zip(
                accepted.objects, conditions(accepted.objects, value, bound=self.bound), strict=True
            ):
                cases.append(
                    f"WHEN json_type({value}) = 'OBJECT' AND {condition} "
                    f"THEN {self._object(member, value, path)}"
                )
        for member in accepted.anything:
            if refers(member):
                cases.append(f"WHEN true THEN {self._anything(member, value, path)}")
                break
        if not cases:
            return f"[]::{REFS}"
        return f"coalesce(CASE {' '.join(cases)} END, [])::{REFS}"

    def _each(self, item: Validator, value: str, path: str) -> str:
        name = next(self._names)
        inner = self.value(item, name, f"{path}[]")
        return f"flatten(list_transform(json_extract({value}, '$[*]'), lambda {name}: {inner}))"

    def _object(self, member: Validator, value: str, path: str) -> str:
        if member["type"] == "record":
            return self._entries(value, path, member["keys"], member["values"]["fieldType"])
        fields = {n: f["fieldType"] for n, f in member["value"].items() if refers(f["fieldType"])}
        return self._fields(fields, value, path)

    def _fields(self, fields: Mapping[str, Validator], value: str, path: str) -> str:
        if not fields:
            return f"[]::{REFS}"
        at = next(self._names)
        paths = ", ".join(member_sql(name) for name in fields)
        parts = [
            f"CASE WHEN {at}[{n}] IS NOT NULL "
            f"THEN {self.value(inner, f'{at}[{n}]', f'{path}.{name}')} END"
            for n, (name, inner) in enumerate(fields.items(), start=1)
        ]
        return (
            f"list_transform([json_extract({value}, [{paths}])], "
            f"lambda {at}: flatten([{', '.join(parts)}]))[1]"
        )

    def _entries(self, value: str, path: str, keys: Validator, values: Validator) -> str:
        at = next(self._names)
        parts = []
        if refers(keys):
            parts.append(f"[{{'p': {self.numbers[path + '{key}']}, 'r': {at}[1]}}]::{REFS}")
        if refers(values):
            parts.append(self.value(values, f"{at}[2]", f"{path}{{}}"))
        inner = f"flatten([{', '.join(parts)}])" if parts else f"[]::{REFS}"
        return f"flatten(list_transform({entries_sql(value)}, lambda {at}: {inner}))"

    def _anything(self, member: Validator, value: str, path: str) -> str:
        is_object = f"json_type({value}) = 'OBJECT'"
        parts = []
        fields = member.get("fields", {})
        if fields:
            parts.append(f"CASE WHEN {is_object} THEN {self._fields(fields, value, path)} END")
        if "items" in member:
            parts.append(
                f"CASE WHEN json_type({value}) = 'ARRAY' "
                f"THEN {self._each(member['items'], value, path)} END"
            )
        if "values" in member:
            every = self._entries(value, path, {"type": "string"}, member["values"])
            parts.append(f"CASE WHEN {is_object} THEN {every} END")
        return f"flatten([{', '.join(parts)}])"


def reference_condition(validator: Validator, value: str, *, bound: bool) -> str:
    """SQL: whether the text at a v.id() is a reference.

    A literal is never a reference. Where other texts or ids of system tables are accepted too, a
    reference begins with the name of its table; once bound, its id can't be told from a text.
    """
    accepted = alternatives(validator)
    text = f"({value} ->> '$')"
    parts = [f"{kind_sql(value)} = 'STRING'"]
    literals = accepted.of_kind("STRING")
    if literals:
        parts.append(f"{text} NOT IN ({', '.join(text_sql(str(x)) for x in literals)})")
    if "STRING" in accepted.kinds or accepted.system_ids:
        prefixes = " OR ".join(
            f"starts_with({text}, {text_sql(m['tableName'] + ':')})" for m in accepted.ids
        )
        parts.append("false" if bound else f"({prefixes})")
    return " AND ".join(parts)


# ── what the plan says ──────────────────────────────────────────────────────────────────────


def with_reference(validator: Validator, path: str, table: str) -> Validator | None:
    """A field's validator with a reference at `path` (what follows the field's name, such as
    `.ownerId` or `[].imageId`); None where the validator has no such place."""
    if validator["type"] == "union":
        rewritten = [with_reference(member, path, table) for member in validator["value"]]
        if all(member is None for member in rewritten):
            return None
        pairs = zip(rewritten, validator["value"], strict=True)
        return {"type": "union", "value": [new or old for new, old in pairs]}
    kind = validator["type"]
    if not path:
        if kind == "id" and validator["tableName"] == table:
            return {**validator, "bare": True}
        if kind == "any":
            bare = {"type": "id", "tableName": table, "bare": True}
            return {"type": "union", "value": [bare, NULL]}
        return None
    step = re.match(r"\[\]|\{\}|\.([^.\[{]+)", path)
    if not step:
        return None
    rest = path[step.end() :]
    if kind == "any":
        return _in_any(validator, step, rest, table)
    if kind == "array" and step[0] == "[]":
        inner = with_reference(validator["value"], rest, table)
        return {**validator, "value": inner} if inner else None
    if kind == "record" and (step[0] == "{}" or step[1]):
        values = validator["values"]
        inner = with_reference(values["fieldType"], rest, table)
        return {**validator, "values": {**values, "fieldType": inner}} if inner else None
    if kind == "object" and step[1] in validator["value"]:
        field = validator["value"][step[1]]
        inner = with_reference(field["fieldType"], rest, table)
        if inner:
            fields = {**validator["value"], step[1]: {**field, "fieldType": inner}}
            return {**validator, "value": fields}
    return None


def _in_any(validator: Validator, step: re.Match[str], rest: str, table: str) -> Validator | None:
    name = {"[]": "items", "{}": "values"}.get(step[0], "fields")
    before = validator.get(name, {} if name == "fields" else ANY)
    inner = with_reference(before.get(step[1], ANY) if name == "fields" else before, rest, table)
    if inner is None:
        return None
    return {**validator, name: {**before, step[1]: inner} if name == "fields" else inner}

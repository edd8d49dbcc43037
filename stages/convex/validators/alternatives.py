"""What a validator accepts of each kind: unions, however nested, become one set."""

from __future__ import annotations

import base64
import struct
from dataclasses import dataclass
from typing import Any

from stages.convex.schema import Validator, is_system, members
from stages.errors import UserError

NULL: Validator = {"type": "null"}
ANY: Validator = {"type": "any"}
# Validators that accept a single type, and the kind of its values in marked JSON.
SCALARS = {
    "string": "STRING",
    "id": "STRING",
    "number": "NUMBER",
    "boolean": "BOOLEAN",
    "bigint": "INTEGER",
    "commitTs": "INTEGER",
    "bytes": "BYTES",
    "null": "NULL",
}
KNOWN = {*SCALARS, "any", "map", "set", "literal", "array", "record", "object"}


class UnknownValidator(UserError):
    """A validator of a kind that is not known here."""

    def __init__(self, kind: str, where: str = "convex/schema.ts") -> None:
        super().__init__(
            f"{where} has a validator of the kind `{kind}`, which is not known",
            "is there a newer version of stages, for this version of convex?",
        )
        self.kind = kind


@dataclass(frozen=True, kw_only=True)
class Alternatives:
    """What a validator accepts. `kinds`: those of which every value is accepted.

    `literals` are Python values (an int64 is an int, a number a float), `ids` the v.id()s of the
    schema's tables, `system_ids` the system tables of the other v.id()s, such as `_storage`,
    `items` the validators of the items of each v.array(), `objects` each v.object() and v.record(),
    `anything` each v.any().
    """

    kinds: frozenset[str]
    literals: tuple[str | bool | int | float, ...]
    ids: tuple[Validator, ...]
    system_ids: tuple[str, ...]
    items: tuple[Validator, ...]
    objects: tuple[Validator, ...]
    anything: tuple[Validator, ...]

    @property
    def null(self) -> bool:
        return "NULL" in self.kinds or bool(self.anything)

    def of_kind(self, kind: str) -> list[str | bool | int | float]:
        """The literals of STRING, BOOLEAN, NUMBER or INTEGER."""
        types = {"STRING": str, "BOOLEAN": bool, "NUMBER": float, "INTEGER": int}
        return [value for value in self.literals if type(value) is types[kind]]


def alternatives(validator: Validator) -> Alternatives:
    """A validator's alternatives. Raises UnknownValidator for a kind that is not known here."""
    kinds: set[str] = set()
    literals: list[str | bool | int | float] = []
    system_ids: list[str] = []
    by_type: dict[str, list[Validator]] = {name: [] for name in ("id", "array", "object", "any")}
    for member in members(validator):
        kind = str(member["type"])
        if kind not in KNOWN:
            raise UnknownValidator(kind)
        if kind == "literal":
            literals.append(literal_value(member["value"]))
        elif kind in ("any", "map", "set"):
            by_type["any"].append(member)
        elif kind == "array":
            by_type["array"].append(member["value"])
        elif kind in ("record", "object"):
            by_type["object"].append(member)
        elif kind == "id" and is_system(member["tableName"]):
            system_ids.append(member["tableName"])
        elif kind == "id":
            by_type["id"].append(member)
        else:
            kinds.add(SCALARS[kind])
    return Alternatives(
        kinds=frozenset(kinds),
        literals=tuple(literals),
        ids=tuple(by_type["id"]),
        system_ids=tuple(system_ids),
        items=tuple(by_type["array"]),
        objects=tuple(by_type["object"]),
        anything=tuple(by_type["any"]),
    )


def literal_value(value: Any) -> str | bool | int | float:
    """The value of a v.literal() as the schema's export has it; int64 is the only int."""
    if isinstance(value, dict):
        (number,) = struct.unpack("<q", base64.b64decode(value["$integer"]))
        return int(number)
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    plain: str | bool | float = value
    return plain


def field_of(validator: Validator, name: str) -> tuple[Validator, bool] | None:
    """(validator, optional) of a field of a v.object(), or of any key of a v.record()."""
    if validator["type"] == "record":
        return validator["values"]["fieldType"], True
    field = validator["value"].get(name)
    return (field["fieldType"], field["optional"]) if field else None


def describe(validator: Validator) -> str:
    """A validator in a few words, such as `array of string or null`."""
    names = []
    for member in members(validator):
        kind = str(member["type"])
        if kind == "literal":
            names.append(repr(literal_value(member["value"])).replace('"', "'"))
        elif kind == "array":
            names.append(f"array of {describe(member['value'])}")
        elif kind == "id":
            names.append(f"id of {member['tableName']}")
        else:
            names.append({"bigint": "int64", "commitTs": "int64"}.get(kind, kind))
    return " or ".join(dict.fromkeys(names)) or "nothing"

"""Random validators with matching values, and Convex's rules for them in plain Python.

The rules follow Convex's documentation: a value is read as what Convex would store, or is INVALID.
"""

from __future__ import annotations

import base64
import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from stages.convex.schema import Validator

TABLES = ("users", "files")


@dataclass(frozen=True)
class Int64:
    value: int


@dataclass(frozen=True)
class Ref:
    table: str
    key: str

    @property
    def text(self) -> str:
        return f"{self.table}:{self.key}"

    @property
    def id(self) -> str:
        """An id in the mock's format."""
        return f"{int(self.key):010d}{self.table}"


def encoded(value: Any, *, ids: bool) -> Any:
    """Encoded JSON, with references or with ids."""
    if isinstance(value, Int64):
        return {"$integer": base64.b64encode(struct.pack("<q", value.value)).decode()}
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, Ref):
        return value.id if ids else value.text
    if isinstance(value, float) and (not math.isfinite(value) or str(value) == "-0.0"):
        return {"$float": base64.b64encode(struct.pack("<d", value)).decode()}
    if isinstance(value, list):
        return [encoded(item, ids=ids) for item in value]
    if isinstance(value, dict):
        return {
            (k.id if ids else k.text) if isinstance(k, Ref) else k: encoded(v, ids=ids)
            for k, v in value.items()
        }
    return value


def canonical(value: Any) -> str:
    """The canonical text of encoded JSON."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{canonical(value[k])}" for k in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, float) and value == int(value):
        return str(int(value))
    return json.dumps(value, ensure_ascii=False)


# ── the rules ───────────────────────────────────────────────────────────────────────────────

INVALID = object()


def read(validator: Validator, value: Any, *, exact: bool) -> Any:
    """The value as the validator accepts it, or INVALID. If not `exact`, also accept what a model
    may leave to stages: null for an optional field, and a whole number for an int64."""
    kind = validator["type"]
    if kind == "any":
        return value if plain(value) else INVALID
    if kind == "union":
        for member in validator["value"]:
            result = read(member, value, exact=exact)
            if result is not INVALID and (exact or not leaves_to_stages(value, result)):
                return result
        for member in validator["value"]:
            result = read(member, value, exact=exact)
            if result is not INVALID:
                return result
        return INVALID
    if kind == "array" and isinstance(value, list):
        items = [read(validator["value"], item, exact=exact) for item in value]
        return INVALID if any(item is INVALID for item in items) else items
    if kind == "record" and isinstance(value, dict):
        keys = [read(validator["keys"], key, exact=True) for key in value]
        values = [read(validator["values"]["fieldType"], v, exact=exact) for v in value.values()]
        if any(part is INVALID for part in keys + values):
            return INVALID
        return dict(zip(value, values, strict=True))
    if kind == "object" and isinstance(value, dict):
        return read_object(validator["value"], value, exact=exact)
    return value if is_scalar(validator, value) else integer(validator, value, exact=exact)


def read_object(fields: Mapping[str, Any], value: dict[Any, Any], *, exact: bool) -> Any:
    if set(value) - set(fields):
        return INVALID
    members = {}
    for name, field in fields.items():
        if name not in value:
            if not field["optional"]:
                return INVALID
            continue
        member = read(field["fieldType"], value[name], exact=exact)
        if member is INVALID and not exact and value[name] is None and field["optional"]:
            continue
        if member is INVALID:
            return INVALID
        members[name] = member
    return {name: members[name] for name in value if name in members}


def is_scalar(validator: Validator, value: Any) -> bool:
    kind = validator["type"]
    if kind == "literal":
        wanted = validator["value"]
        if isinstance(wanted, dict):
            return isinstance(value, Int64) and encoded(value, ids=True) == wanted
        if isinstance(wanted, bool) or isinstance(value, bool):
            return value is wanted
        return type(value) in (str, float) and bool(value == wanted)
    if kind == "id":
        return isinstance(value, Ref) and value.table == validator["tableName"]
    types: dict[str, tuple[type, ...]] = {
        "string": (str, Ref), "number": (float,), "boolean": (bool,), "bigint": (Int64,),
        "commitTs": (Int64,), "bytes": (bytes,), "null": (type(None),),
    }  # fmt: skip
    return isinstance(value, types.get(kind, ()))


def integer(validator: Validator, value: Any, *, exact: bool) -> Any:
    """A whole number where an int64 is expected, as Int64; or INVALID."""
    if exact or not isinstance(value, float) or not math.isfinite(value):
        return INVALID
    if value != int(value) or str(value) == "-0.0" or not -(2**63) <= value < 2**63:
        return INVALID
    whole = Int64(int(value))
    return whole if is_scalar(validator, whole) or validator["type"] == "bigint" else INVALID


def leaves_to_stages(value: Any, result: Any) -> bool:
    return bool(encoded(value, ids=True) != encoded(result, ids=True))


def plain(value: Any) -> bool:
    """Whether v.any() can hold the value in JSON: no int64, no bytes. References are strings."""
    if isinstance(value, list):
        return all(map(plain, value))
    if isinstance(value, dict):
        return all(map(plain, value.values()))
    return not isinstance(value, Int64 | bytes)


def mock_is_lax(validator: Validator) -> bool:
    kind = validator["type"]
    if kind == "literal":
        return isinstance(validator["value"], dict)
    if kind == "array":
        return mock_is_lax(validator["value"])
    if kind == "union":
        return any(map(mock_is_lax, validator["value"]))
    if kind == "object":
        return any(mock_is_lax(field["fieldType"]) for field in validator["value"].values())
    return bool(kind == "record")


# ── strategies ──────────────────────────────────────────────────────────────────────────────

texts = st.text(st.sampled_from('ab"\\{}$:,[]é🎉 '), max_size=5)
names = st.sampled_from(["a", "b", "kind", "longer_name"])
refs = st.builds(Ref, st.sampled_from(TABLES), st.integers(1, 9).map(str))
int64s = st.builds(Int64, st.sampled_from([0, 1, -1, 7, 2**53 + 1, 2**63 - 1, -(2**63)]))
floats = st.sampled_from(
    [0.0, 1.0, -2.0, 7.0, 0.5, 1e300, -0.0, math.inf, -math.inf, 2.0**53, 1e21]
)
scalars = st.one_of(
    st.none(), st.booleans(), floats, texts, int64s, st.binary(max_size=4), refs,
    st.sampled_from(["x", "y", "users", 7.0]),
)  # fmt: skip
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
plains = anything.filter(plain)


def optional(validator: Validator, may: bool) -> dict[str, Any]:
    return {"fieldType": validator, "optional": may}


LITERALS: list[Any] = ["x", "y", "", 'q"\\', True, False, 7, 0.5, {"$integer": "BwAAAAAAAAA="}]
leaves = st.one_of(
    st.sampled_from(["string", "number", "boolean", "bigint", "bytes", "null", "any", "commitTs"])
    .map(lambda kind: {"type": kind}),
    st.sampled_from(TABLES).map(lambda table: {"type": "id", "tableName": table}),
    st.sampled_from(LITERALS).map(lambda value: {"type": "literal", "value": value}),
)  # fmt: skip
record_keys = st.one_of(
    st.just({"type": "string"}),
    st.sampled_from(TABLES).map(lambda table: {"type": "id", "tableName": table}),
    st.lists(st.sampled_from(["a", "b", "kind"]), min_size=1, max_size=2, unique=True).map(
        lambda keys: {"type": "union", "value": [{"type": "literal", "value": k} for k in keys]}
    ),
)
validators: st.SearchStrategy[Validator] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        inner.map(lambda v: {"type": "array", "value": v}),
        st.lists(inner, max_size=3).map(lambda v: {"type": "union", "value": v}),
        st.dictionaries(names, st.builds(optional, inner, st.booleans()), max_size=3).map(
            lambda fields: {"type": "object", "value": fields}
        ),
        st.builds(
            lambda keys, v: {"type": "record", "keys": keys, "values": optional(v, False)},
            record_keys,
            inner,
        ),
    ),
    max_leaves=6,
).filter(lambda v: not unclear(v))


def unclear(validator: Validator) -> bool:
    """Whether it contains a union of string and id, of v.any() and others, or of a record and other
    containers: which member a value matches is stages' own choice, so it can't be checked here."""
    kind = validator["type"]
    if kind == "union":
        inside = flat(validator)
        kinds = {member["type"] for member in inside}
        records = [m for m in inside if m["type"] == "record"]
        objects = [m for m in inside if m["type"] in ("object", "record", "array")]
        twofold = bool(records) and len(objects) > 1
        return (
            {"id", "string"} <= kinds or ("any" in kinds and len(inside) > 1) or twofold
            or any(map(unclear, inside))
        )  # fmt: skip
    if kind == "array":
        return unclear(validator["value"])
    if kind == "record":
        return unclear(validator["values"]["fieldType"])
    if kind == "object":
        return any(unclear(field["fieldType"]) for field in validator["value"].values())
    return False


def flat(validator: Validator) -> list[Validator]:
    if validator["type"] != "union":
        return [validator]
    return [member for part in validator["value"] for member in flat(part)]


@st.composite
def value_for(draw: st.DrawFn, validator: Validator) -> Any:
    """A value for a validator; occasionally, at any place, an arbitrary one."""
    if draw(st.integers(0, 19)) == 0:
        return draw(anything)
    kind = validator["type"]
    if kind == "union":
        members = validator["value"]
        return draw(value_for(draw(st.sampled_from(members)))) if members else None
    if kind == "array":
        return [draw(value_for(validator["value"])) for _ in range(draw(st.integers(0, 3)))]
    if kind == "record":
        keys = [draw(value_for(validator["keys"])) for _ in range(draw(st.integers(0, 3)))]
        good = [k for k in keys if isinstance(k, Ref) or (isinstance(k, str) and is_name(k))]
        return {key: draw(value_for(validator["values"]["fieldType"])) for key in set(good)}
    if kind == "object":
        fields = {
            name: draw(value_for(field["fieldType"]))
            for name, field in validator["value"].items()
            if not field["optional"] or draw(st.booleans())
        }
        return fields if draw(st.integers(0, 9)) else {**fields, draw(names): draw(scalars)}
    if kind == "literal":
        value = validator["value"]
        if isinstance(value, dict):
            return Int64(7)
        return value if isinstance(value, str | bool) else float(value)
    if kind == "id":
        return Ref(validator["tableName"], str(draw(st.integers(1, 9))))
    of_kind: dict[str, st.SearchStrategy[Any]] = {
        "string": texts, "number": floats, "boolean": st.booleans(), "null": st.none(),
        "bytes": st.binary(max_size=4), "any": plains,
    }  # fmt: skip
    return draw(of_kind.get(kind, int64s))


def is_name(key: str) -> bool:
    return key != "" and key.isascii() and key[0] not in "$_"


@st.composite
def cases(draw: st.DrawFn) -> list[tuple[Validator, list[Any]]]:
    chosen = draw(st.lists(validators, min_size=10, max_size=10))
    return [(v, draw(st.lists(value_for(v), min_size=12, max_size=12))) for v in chosen]

"""The SQL that is compiled from validators, against Convex' own validation and the facts.

Values are made beside their validators, valid ones and bent ones. Three oracles judge them: the
SQL; a few lines of Python with the rules as Convex' documentation has them; and the real
`convex` package with the mock's validation, in one Node process for all cases. The mock takes any
record and no int64 literal, and has no limits: there the rules alone decide.
"""

from __future__ import annotations

import base64
import json
import math
import shutil
import struct
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import pytest
from conftest import ROOT
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from stages.convex.schema import Field, Validator
from stages.convex.validators.marks import marked_sql, unmarked_sql
from stages.convex.validators.rewrite import Bind
from stages.convex.values import name_sql, shape
from stages.errors import UserError
from stages.transform.compile import compile_field
from stages.transform.json_values import column_sql, make_json_values
from stages.views import macros, values

CONNECTION = duckdb.connect()
CONNECTION.execute(values())
CONNECTION.execute(macros())
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
        """An id as the mock has them."""
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
    """The one text of encoded JSON."""
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
    """The value as the validator takes it, or INVALID. Not `exact`: with what the model may leave
    to stages, a null of an optional field and a whole number for an int64."""
    kind = validator["type"]
    if kind == "any":
        return value if plain(value) else INVALID
    if kind == "union":
        for member in validator["value"]:
            found = read(member, value, exact=exact)
            if found is not INVALID and (exact or not leaves_to_stages(value, found)):
                return found
        for member in validator["value"]:
            found = read(member, value, exact=exact)
            if found is not INVALID:
                return found
        return INVALID
    if kind == "array" and isinstance(value, list):
        items = [read(validator["value"], item, exact=exact) for item in value]
        return INVALID if any(item is INVALID for item in items) else items
    if kind == "record" and isinstance(value, dict):
        keys = [read(validator["keys"], key, exact=True) for key in value]
        found = [read(validator["values"]["fieldType"], v, exact=exact) for v in value.values()]
        if any(part is INVALID for part in keys + found):
            return INVALID
        return dict(zip(value, found, strict=True))
    if kind == "object" and isinstance(value, dict):
        return read_object(validator["value"], value, exact=exact)
    return value if is_scalar(validator, value) else integer(validator, value, exact=exact)


def read_object(fields: Mapping[str, Any], value: dict[Any, Any], *, exact: bool) -> Any:
    if set(value) - set(fields):
        return INVALID
    made = {}
    for name, field in fields.items():
        if name not in value:
            if not field["optional"]:
                return INVALID
            continue
        found = read(field["fieldType"], value[name], exact=exact)
        if found is INVALID and not exact and value[name] is None and field["optional"]:
            continue
        if found is INVALID:
            return INVALID
        made[name] = found
    return {name: made[name] for name in value if name in made}


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
    """A whole number where an int64 is due."""
    if exact or not isinstance(value, float) or not math.isfinite(value):
        return INVALID
    if value != int(value) or str(value) == "-0.0":
        return INVALID
    made = Int64(int(value))
    return made if is_scalar(validator, made) or validator["type"] == "bigint" else INVALID


def leaves_to_stages(value: Any, found: Any) -> bool:
    return bool(encoded(value, ids=True) != encoded(found, ids=True))


def plain(value: Any) -> bool:
    """What v.any() may hold in JSON: no int64, no bytes. A reference is a text there."""
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


# ── what is tried ───────────────────────────────────────────────────────────────────────────

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
    """A union of a text and an id, or of v.any() and others: which one a value is, is a choice of
    stages' own, so that nothing outside of it can judge."""
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
    """A value for a validator; now and then, at any place, one for nothing."""
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
        made = {
            name: draw(value_for(field["fieldType"]))
            for name, field in validator["value"].items()
            if not field["optional"] or draw(st.booleans())
        }
        return made if draw(st.integers(0, 9)) else {**made, draw(names): draw(scalars)}
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


# ── the SQL ─────────────────────────────────────────────────────────────────────────────────


def judge(tried: list[tuple[Validator, list[Any]]]) -> list[list[dict[str, Any]]]:
    """Problem, staged text, size, and the text with ids, of each value of each validator."""
    shapes = [
        shape("t", Field(name=f"f{n}", validator=validator, optional=False))
        for n, (validator, _) in enumerate(tried)
    ]
    longest = max(len(found) for _, found in tried)
    CONNECTION.execute(
        "CREATE OR REPLACE TABLE given ("
        + ", ".join(["n INTEGER", *(f"f{n} VARCHAR" for n in range(len(tried)))]) + ")"
    )  # fmt: skip
    rows = [
        [n, *(json.dumps(encoded(v[n], ids=False)) if n < len(v) else None for _, v in tried)]
        for n in range(longest)
    ]
    CONNECTION.executemany(f"INSERT INTO given VALUES ({', '.join('?' * (len(tried) + 1))})", rows)
    compiled = {s.name: compile_field("model", s, "JSON") for s in shapes}
    columns = ", ".join(f"{column_sql(name_sql(s.name))} AS {name_sql(s.name)}" for s in shapes)
    CONNECTION.execute(f"CREATE OR REPLACE TEMP TABLE modelled AS SELECT n, {columns} FROM given")
    make_json_values(CONNECTION, compiled)
    found = []
    for s in shapes:
        bind = Bind(s.name, s.validator, "ids")
        marked = f"({marked_sql('j.staged')})::JSON"
        bound = f"list_transform([{marked}], lambda v: {unmarked_sql(bind.sql('v'))})[1]"
        ids = (
            "map_from_entries(list_transform(list_distinct(list_transform(refs, lambda x: x.r)), "
            "lambda r: {'k': r, 'v': lpad(split_part(r, ':', 2), 10, '0') || "
            "split_part(r, ':', 1)}))"
        )
        told = CONNECTION.execute(
            f"SELECT problem, staged, size, refs, {bound} FROM (SELECT m.n, j.*, "
            f"CASE WHEN len(refs) > 0 THEN {ids} END AS ids FROM modelled m "
            f"JOIN {name_sql(f'json of {s.name}')} j ON j.text = m.{s.name}) j ORDER BY n"
        ).fetchall()
        keys = ("problem", "staged", "size", "refs", "bound")
        found.append([dict(zip(keys, row, strict=True)) for row in told])
    return found


def node(tried: list[dict[str, Any]]) -> list[list[bool]]:
    program = shutil.which("node")
    assert program
    ran = subprocess.run(
        [program, "--import", "tsx", "tests/convex/validates.ts"], cwd=ROOT,
        input=json.dumps(tried), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    taken: list[list[bool]] = json.loads(ran.stdout)
    return taken


def test_compiled_checks_agree_with_convex_and_the_rules() -> None:
    """Thousands of cases; Node judges all of them at once at the end."""
    asked: list[dict[str, Any]] = []
    expected: list[list[tuple[Any, bool]]] = []

    @settings(
        max_examples=25, deadline=None, database=None, derandomize=True,
        suppress_health_check=list(HealthCheck), phases=[Phase.generate],
    )  # fmt: skip
    @given(cases())
    def compare(tried: list[tuple[Validator, list[Any]]]) -> None:
        for (validator, made), told in zip(tried, judge(tried), strict=True):
            wanted: list[tuple[Any, bool]] = []
            sent = []
            for value, row in zip(made, told, strict=True):
                found = read(validator, value, exact=False)
                where = (json.dumps(validator), value, row)
                assert (row["problem"] is None) == (found is not INVALID), where
                if found is not INVALID:
                    wrote = canonical(json.loads(row["staged"]))
                    assert wrote == canonical(encoded(found, ids=False)), where
                    if "bound" in row and not mock_is_lax(validator):
                        sent.append(json.loads(row["bound"]))
                        wanted.append((where, True))
                if not mock_is_lax(validator):
                    sent.append(encoded(value, ids=True))
                    strict = read(validator, value, exact=True) is not INVALID
                    if strict or not has_any(validator):
                        wanted.append((where, strict))
                    else:
                        sent.pop()
            asked.append({"validator": validator, "values": sent})
            expected.append(wanted)

    compare()
    for wanted, taken in zip(expected, node(asked), strict=True):
        for (where, right), took in zip(wanted, taken, strict=True):
            assert took == right, where
    assert sum(map(len, expected)) > 3000


def has_any(validator: Validator) -> bool:
    return '"any"' in json.dumps(validator)


# ── limits and sizes, by the rules alone ────────────────────────────────────────────────────

STRING = {"type": "string"}
INT64 = {"type": "bigint"}
NUMBER = {"type": "number"}
RECORD = {"type": "record", "keys": STRING, "values": optional({"type": "any"}, False)}
NUMBERS = {"type": "array", "value": {"type": "union", "value": [{"type": "number"}, STRING]}}


def nested(depth: int) -> Any:
    return [nested(depth - 1)] if depth > 1 else []


LIMITS: list[tuple[Validator, Any, str | None]] = [
    (NUMBERS, [1.0] * 8192, None),
    (NUMBERS, [1.0] * 8193, "too_many"),
    (RECORD, {f"k{n}": 0.0 for n in range(1024)}, None),
    (RECORD, {f"k{n}": 0.0 for n in range(1025)}, "too_many"),
    (RECORD, {"a": nested(14)}, None),
    (RECORD, {"a": nested(15)}, "nesting"),
    (RECORD, {"": 1.0}, "field_name"),
    (RECORD, {"_id": 1.0}, "field_name"),
    (RECORD, {"$a": 1.0}, "field_name"),
    (RECORD, {"é": 1.0}, "field_name"),
    (RECORD, {"k" * 1024: 1.0}, None),
    (RECORD, {"k" * 1025: 1.0}, "field_name"),
    (RECORD, {"a": Int64(1)}, "field_name"),
    (RECORD, {"a": [b"x"]}, "field_name"),
    ({"type": "any"}, {"$bytes": "abc"}, "field_name"),
    ({"type": "bytes"}, {"$bytes": "abc"}, "type_mismatch"),
    (INT64, {"$integer": "AQAAAAAAAA=="}, "type_mismatch"),
    (INT64, 2.0**53 + 2, "type_mismatch"),
    (NUMBER, {"$float": "AAAAAAAA8D8="}, "type_mismatch"),
    (NUMBER, {"$float": "AAAAAAAA8H8=", "a": 1.0}, "field_name"),
    ({"type": "union", "value": [STRING, {"type": "bytes"}]}, "\uf8ffb", "type_mismatch"),
]


def test_limits_hold_inside_of_values() -> None:
    told = judge([(validator, [value]) for validator, value, _ in LIMITS])
    for (validator, value, rule), (row,) in zip(LIMITS, told, strict=True):
        found = row["problem"].split(":")[0] if row["problem"] else None
        assert found == rule, (validator, str(value)[:80], row["problem"])


def test_arrays_of_a_union_are_told_apart_by_all_their_items() -> None:
    """Not by a field of the items, which an array does not have; the first that fits is taken."""
    kinds = [
        {"type": "array", "value": {"type": "object", "value": {
            "kind": optional({"type": "literal", "value": kind}, False),
            "of": optional({"type": "id", "tableName": table}, False)}}}
        for kind, table in (("a", "users"), ("b", "files"))
    ]  # fmt: skip
    good = [{"kind": "b", "of": Ref("files", "1")}]
    mixed = [*good, {"kind": "a", "of": Ref("users", "1")}]
    (told,) = judge([({"type": "union", "value": kinds}, [good, mixed, []])])
    assert [row["problem"] and row["problem"].split(":")[0] for row in told] == [
        None, "not_in_union", None
    ]  # fmt: skip
    assert json.loads(told[0]["bound"]) == [{"kind": "b", "of": Ref("files", "1").id}]


def test_texts_that_are_no_json_are_rejects() -> None:
    CONNECTION.execute("CREATE OR REPLACE TABLE odd (text VARCHAR)")
    CONNECTION.execute("INSERT INTO odd VALUES ('\"\\ud800\"'), ('{'), ('\"fine\"')")
    field = shape("t", Field(name="f", validator={"type": "any"}, optional=False))
    compiled = {"f": compile_field("model", field, "JSON")}
    CONNECTION.execute(
        f"CREATE OR REPLACE TEMP TABLE modelled AS SELECT {column_sql('text')} AS f FROM odd"
    )
    make_json_values(CONNECTION, compiled)
    found = CONNECTION.execute(
        'SELECT j.problem FROM modelled m JOIN "json of f" j ON j.text = m.f ORDER BY ALL'
    ).fetchall()
    assert [row[0] and row[0].split(":")[0] for row in found] == ["invalid_json"] * 2 + [None]


SIZES = """
import { readFileSync } from "node:fs";
import { getConvexSize, jsonToConvex } from "convex/values";
const values = JSON.parse(readFileSync(0, "utf8")).map(jsonToConvex);
console.log(JSON.stringify(values.map((v) => getConvexSize(v))));
"""


def test_sizes_are_those_of_convex_with_ids_in_the_place_of_references() -> None:
    field = {"type": "union", "value": [
        {"type": "array", "value": {"type": "union", "value": [
            {"type": "bigint"}, {"type": "bytes"}, {"type": "number"}, {"type": "null"},
            {"type": "id", "tableName": "users"}]}},
        {"type": "record", "keys": {"type": "id", "tableName": "users"},
         "values": optional({"type": "boolean"}, False)},
        STRING,
    ]}  # fmt: skip
    tried: list[Any] = [
        [], [Int64(5), Int64(-1)], [b"", b"1", b"12", b"123"], [math.inf, -0.0, 0.5, None],
        [Ref("users", "1"), Ref("users", "123456789")], {Ref("users", "7"): True}, "é🎉",
    ]  # fmt: skip
    (told,) = judge([(field, tried)])
    with_ids = [
        json.loads(json.dumps(encoded(value, ids=False)).replace("users:123456789", "k" * 32)
                   .replace("users:1", "k" * 32).replace("users:7", "k" * 32))
        for value in tried
    ]  # fmt: skip
    program = shutil.which("node")
    assert program
    ran = subprocess.run(
        [program, "--input-type=module", "-e", SIZES], cwd=ROOT, input=json.dumps(with_ids),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert [row["size"] for row in told] == json.loads(ran.stdout)


# ── columns of DuckDB's types ───────────────────────────────────────────────────────────────


def thing(**fields: Validator) -> Validator:
    return {"type": "object", "value": {name: optional(v, False) for name, v in fields.items()}}


MAYBE = {"type": "object", "value": {"a": optional(STRING, True), "b": optional(
    {"type": "union", "value": [STRING, {"type": "null"}]}, True)}}  # fmt: skip
TYPED: list[tuple[Validator, str, str]] = [
    (thing(a=INT64, b=NUMBER), "{'a': 9007199254740993, 'b': 7::BIGINT}",
     '{"a":{"$integer":"AQAAAAAAIAA="},"b":7}'),
    (MAYBE, "{'a': NULL::VARCHAR, 'b': NULL::VARCHAR}", '{"b":null}'),
    (thing(a={"type": "bytes"}), "{'a': '\\x00\\xFF'::BLOB}", '{"a":{"$bytes":"AP8="}}'),
    ({"type": "array", "value": MAYBE}, "[{'a': 'x', 'b': 'y'}]", '[{"a":"x","b":"y"}]'),
    (RECORD, "MAP {'k': 1.5}", '{"k":1.5}'),
    ({"type": "array", "value": {"type": "array", "value": NUMBER}},
     "[[1::DECIMAL(4, 2)], []]", "[[1],[]]"),
    ({"type": "any"}, "{'n': 'nan'::DOUBLE, 'u': uuid '00000000-0000-0000-0000-000000000001'}",
     '{"n":{"$float":"AAAAAAAA+H8="},"u":"00000000-0000-0000-0000-000000000001"}'),
    (thing(a={"type": "any"}), """{'a': '{"z": 1, "b": 2}'::JSON}""", '{"a":{"b":2,"z":1}}'),
    ({"type": "union", "value": [
        thing(k={"type": "literal", "value": "a"}, x=NUMBER),
        thing(k={"type": "literal", "value": "b"}, y=STRING)]},
     "{'k': 'b', 'x': NULL::INTEGER, 'y': 'z'}", '{"k":"b","y":"z"}'),
]  # fmt: skip


@pytest.mark.parametrize(("validator", "value", "expected"), TYPED)
def test_columns_of_any_type_are_staged_as_encoded_json(
    validator: Validator, value: str, expected: str
) -> None:
    row = CONNECTION.execute(f"SELECT typeof({value})").fetchall()[0]
    field = shape("t", Field(name="f", validator=validator, optional=False))
    compiled = {"f": compile_field("model", field, row[0])}
    CONNECTION.execute(
        "CREATE OR REPLACE TEMP TABLE modelled AS SELECT "
        f"{column_sql(str(compiled['f'].column))} AS f FROM (SELECT {value} AS f)"
    )
    make_json_values(CONNECTION, compiled)
    found = CONNECTION.execute(
        'SELECT j.problem, j.staged FROM modelled m JOIN "json of f" j ON j.text = m.f'
    ).fetchall()
    assert found == [(None, expected)]


ARRAY = {"type": "array", "value": STRING}
REFUSED: list[tuple[Validator, str, str, str]] = [
    (thing(a=STRING), "VARCHAR", "column `f` is VARCHAR", "write column::JSON"),
    (ARRAY, "VARCHAR", "column `f` is VARCHAR", "column::JSON for JSON"),
    (thing(a=NUMBER), "STRUCT(a TIMESTAMP)", "column `f.a` is TIMESTAMP", "write to_ms(column)"),
    ({"type": "any"}, "DATE", "column `f` is DATE", "write to_ms(column), to_iso(column)"),
    ({"type": "any"}, "STRUCT(x BLOB)", "column `f.x` is BLOB", "write to_base64(column)"),
    (thing(a=STRING), "STRUCT(b VARCHAR)", "column `f` has no member `a`", "v.optional()"),
    (thing(a=STRING), "STRUCT(a VARCHAR, b INTEGER)", "column `f.b` has no field of that name",
     "add the field"),
    ({"type": "array", "value": thing(a=STRING)}, "STRUCT(a INTEGER)[]",
     "column `f[].a` is INTEGER, the field in convex/schema.ts is string", "cast the column"),
    (RECORD, "INTEGER", "the field in convex/schema.ts is record", "cast the column"),
]  # fmt: skip


@pytest.mark.parametrize(("validator", "kind", "words", "hint"), REFUSED)
def test_a_column_of_the_wrong_type_is_refused_with_its_path(
    validator: Validator, kind: str, words: str, hint: str
) -> None:
    field = shape("t", Field(name="f", validator=validator, optional=False))
    with pytest.raises(UserError) as error:
        compile_field("models/t.sql", field, kind)
    assert "models/t.sql" in error.value.message and words in error.value.message
    assert hint in str(error.value.hint)


VECTOR = {"type": "array", "value": NUMBER}


@pytest.mark.parametrize(
    ("validator", "kind"), [(VECTOR, "FLOAT[3]"), (VECTOR, "DECIMAL(4,2)[]"), (ARRAY, "UUID[]")]
)
def test_lists_of_scalars_stay_columns(validator: Validator, kind: str) -> None:
    field = shape("t", Field(name="f", validator=validator, optional=False))
    assert not compile_field("model", field, kind).json

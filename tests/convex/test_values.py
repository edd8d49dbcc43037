"""Convex values in DuckDB: encoded JSON both ways, sizes, and the canonical form of JSON."""

from __future__ import annotations

import base64
import json
import math
import random
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.convex.canonical import canonicalise
from stages.convex.schema import Field
from stages.convex.values import Shape, decode_sql, document_sql, encode_sql, shape, size_sql
from stages.errors import Place, UserError
from stages.limits import DOCUMENT_BYTES
from stages.project.plan import TargetTable
from stages.sql import name_sql, text_sql
from stages.state.parts import write_parquet
from stages.transform.checked import checked_sql
from stages.transform.compile import compile_field
from stages.transform.json_values import make_json_values
from stages.views import values
from tests.support.command_line import ROOT

# Convex' own vectors: value of SQL, its encoded JSON.
VECTORS = [
    ("number", "'nan'::DOUBLE", '{"$float":"AAAAAAAA+H8="}'),
    ("number", "'-0.0'::DOUBLE", '{"$float":"AAAAAAAAAIA="}'),
    ("number", "'inf'::DOUBLE", '{"$float":"AAAAAAAA8H8="}'),
    ("number", "'-inf'::DOUBLE", '{"$float":"AAAAAAAA8P8="}'),
    ("number", "0::DOUBLE", "0"),
    ("number", "3::DOUBLE", "3"),
    ("number", "-1.5::DOUBLE", "-1.5"),
    ("bigint", "0::BIGINT", '{"$integer":"AAAAAAAAAAA="}'),
    ("bigint", "1::BIGINT", '{"$integer":"AQAAAAAAAAA="}'),
    ("bigint", "-1::BIGINT", '{"$integer":"//////////8="}'),
    ("bigint", "9223372036854775807::BIGINT", '{"$integer":"/////////38="}'),
    ("bigint", "(-9223372036854775808)::BIGINT", '{"$integer":"AAAAAAAAAIA="}'),
    ("bytes", "'\\x00\\x10\\x83'::BLOB", '{"$bytes":"ABCD"}'),
    ("bytes", "''::BLOB", '{"$bytes":""}'),
    ("string", "'a \"b\" \\ é 🎉'::VARCHAR", '"a \\"b\\" \\\\ é 🎉"'),
    ("string", "''::VARCHAR", '""'),
    ("boolean", "true", "true"),
    ("array:string", "['a', 'b,c']", '["a","b,c"]'),
    ("array:number", "[1, 'nan'::DOUBLE]", '[1,{"$float":"AAAAAAAA+H8="}]'),
    ("array:bigint", "[1::BIGINT]", '[{"$integer":"AQAAAAAAAAA="}]'),
    ("array:boolean", "[]::BOOLEAN[]", "[]"),
]
SIZES = """
import { readFileSync } from "node:fs";
import { getConvexSize, getDocumentSize, jsonToConvex } from "convex/values";
const values = JSON.parse(readFileSync(0, "utf8")).map(jsonToConvex);
const isObject = (v) => Object.prototype.toString.call(v) === "[object Object]";
console.log(JSON.stringify(values.map(
  (v) => [getConvexSize(v), isObject(v) ? getDocumentSize(v) : null])));
"""


def of_kind(kind: str, name: str = "field") -> Shape:
    """A field of one kind, such as `array:string`."""
    item = kind.removeprefix("array:")
    validator: dict[str, Any] = (
        {"type": item, "tableName": "owners"} if item == "id" else {"type": item}
    )
    if kind.startswith("array:"):
        validator = {"type": "array", "value": validator}
    return shape("t", Field(name=name, validator=validator, optional=True))


def node_sizes(documents: list[Any]) -> list[list[int]]:
    """[getConvexSize, getDocumentSize] of each value, by Convex' own code, in one call."""
    node = shutil.which("node")
    assert node
    ran = subprocess.run(
        [node, "--input-type=module", "-e", SIZES], cwd=ROOT, input=json.dumps(documents),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    sizes: list[list[int]] = json.loads(ran.stdout)
    return sizes


CONNECTION = duckdb.connect()
CONNECTION.execute(values())


def one(sql: str, parameters: list[Any] | None = None) -> Any:
    row = CONNECTION.execute(f"SELECT {sql}", parameters).fetchall()[0]
    return row[0]


# ── encoded JSON ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("kind", "value", "encoded"), VECTORS)
def test_vector_both_ways(kind: str, value: str, encoded: str) -> None:
    field = of_kind(kind)
    assert one(encode_sql(field, value)) == encoded
    document = text_sql(f'{{"field":{encoded}}}')
    decoded = decode_sql(field, f"({document}::JSON)")
    # By its encoding, which tells -0 from 0 and knows that NaN is NaN.
    assert one(encode_sql(field, decoded)) == encoded
    assert one(f"typeof({decoded})") == field.sql


@pytest.mark.parametrize("kind", ["string", "number", "boolean", "bigint", "bytes", "array:string"])
def test_absent_and_null_are_no_value(kind: str) -> None:
    for document in ("{}", '{"field":null}', '{"other":1}'):
        assert one(decode_sql(of_kind(kind), f"('{document}'::JSON)")) is None


@settings(max_examples=200)
@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=20))
def test_every_float_survives(numbers: list[float]) -> None:
    encoded = one("list_transform(?::DOUBLE[], lambda x: encode_float(x))", [numbers])
    for number, text in zip(numbers, encoded, strict=True):
        parsed = json.loads(text)
        if isinstance(parsed, dict):
            (parsed,) = struct.unpack("<d", base64.b64decode(parsed["$float"]))
        assert struct.pack("<d", parsed) == struct.pack("<d", number), text
    decoded = one("list_transform(?::JSON[], lambda j: decode_float(j))", [encoded])
    assert [struct.pack("<d", n) for n in decoded] == [struct.pack("<d", n) for n in numbers]


@settings(max_examples=100)
@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=20))
def test_every_int64_survives(numbers: list[int]) -> None:
    encoded = one("list_transform(?::BIGINT[], lambda x: encode_int64(x))", [numbers])
    for number, text in zip(numbers, encoded, strict=True):
        raw = base64.b64encode(struct.pack("<q", number)).decode()
        assert json.loads(text) == {"$integer": raw}
    assert one("list_transform(?::JSON[], lambda j: decode_int64(j))", [encoded]) == numbers


@settings(max_examples=100)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=10))
def test_every_text_survives(texts: list[str]) -> None:
    encoded = one(encode_sql(of_kind("array:string"), "?::VARCHAR[]"), [texts])
    assert json.loads(encoded) == texts
    document = f'{{"field":{encoded}}}'
    assert one(decode_sql(of_kind("array:string"), "?::JSON"), [document, document]) == texts


# ── the storage of validators ───────────────────────────────────────────────────────────────


def test_a_validator_of_an_unknown_kind_is_refused() -> None:
    odd = {"type": "array", "value": {"type": "matrix"}}
    with pytest.raises(UserError, match=r"articles\.odd has a validator of the kind `matrix`"):
        shape("articles", Field(name="odd", validator=odd, optional=True))


def test_union_with_null_and_literals() -> None:
    literals = {
        "type": "union",
        "value": [
            {"type": "literal", "value": "a"},
            {"type": "union", "value": [{"type": "literal", "value": "b"}, {"type": "null"}]},
        ],
    }
    union = shape("t", Field(name="f", validator=literals, optional=False))
    assert (union.kind, union.choices, union.nullable, union.required) == (
        "string", ("a", "b"), True, False,
    )  # fmt: skip


# ── sizes ───────────────────────────────────────────────────────────────────────────────────

COLUMNS: list[tuple[str, str, Any]] = [
    ("string", "''", ""),
    ("string", "'é🎉x'", "é🎉x"),
    ("number", "1.5::DOUBLE", 1.5),
    ("number", "'nan'::DOUBLE", {"$float": "AAAAAAAA+H8="}),
    ("boolean", "true", True),
    ("bigint", "7::BIGINT", {"$integer": "BwAAAAAAAAA="}),
    ("bytes", "'\\x00\\x10\\x83'::BLOB", {"$bytes": "ABCD"}),
    ("array:string", "[]::VARCHAR[]", []),
    ("array:string", "['a', 'éé', '']", ["a", "éé", ""]),
    ("array:number", "[1.0, 2.0]::DOUBLE[]", [1, 2]),
    ("array:boolean", "[true]", [True]),
    ("array:bigint", "[7::BIGINT]", [{"$integer": "BwAAAAAAAAA="}]),
]
JSON_VALUES: list[Any] = [
    None, True, 1, -0.5, "", "é🎉", [], {}, [1, [2, [None]]], {"a": {"bc": ["d", 2]}, "z": None},
    {"key with space": [{}, {"x": "y"}]},
]  # fmt: skip


def test_column_sizes_are_those_of_convex() -> None:
    sizes = node_sizes([encoded for _, _, encoded in COLUMNS])
    for (kind, value, _), (size, _) in zip(COLUMNS, sizes, strict=True):
        assert one(size_sql(of_kind(kind), value)) == size, (kind, value)


def test_json_sizes_are_those_of_convex() -> None:
    texts = [json.dumps(value, ensure_ascii=False) for value in JSON_VALUES]
    forms = canonical(texts)
    for text, (size, _) in zip(texts, node_sizes(JSON_VALUES), strict=True):
        assert forms[text][1] == size, text


def test_a_reference_has_the_size_of_an_id_however_long_its_key() -> None:
    field = of_kind("id")
    ((size, _),) = node_sizes(["k" * 32])
    assert one(size_sql(field, "'workspaces:' || repeat('x', 500)")) == size
    assert one(size_sql(field, "'t:1'")) == size


def test_a_document_may_have_exactly_one_mebibyte() -> None:
    """The check agrees with getDocumentSize to the byte, system fields included."""
    fields = {
        "body": of_kind("string", "body"),
        "tags": of_kind("array:string", "tags"),
        "owner": of_kind("id", "owner"),
        "extra": of_kind("any", "extra"),
        "nothing": of_kind("number", "nothing"),
    }
    extra = {"a": [1, "é"], "b": None}
    document = {"body": "", "tags": ["x", "yz"], "owner": "k" * 32, "extra": extra}
    ((_, empty),) = node_sizes([document])
    most = DOCUMENT_BYTES - empty
    ((_, full), (_, over)) = node_sizes(
        [{**document, "body": "b" * most}, {**document, "body": "b" * (most + 1)}]
    )
    assert (full, over) == (DOCUMENT_BYTES, DOCUMENT_BYTES + 1)
    CONNECTION.execute(
        "CREATE OR REPLACE TEMP TABLE modelled AS SELECT n::VARCHAR AS _source_id, "
        f"repeat('b', {most} + n::INTEGER) AS body, ['x', 'yz'] AS tags, 'owners:1' AS owner, "
        f"{text_sql(json.dumps(extra))} AS extra, NULL::DOUBLE AS nothing FROM range(2) t(n)"
    )
    CONNECTION.execute(
        "CREATE OR REPLACE TEMP TABLE \"known owners\" AS SELECT 'owners:1' AS ref, "
        "NULL::VARCHAR AS rule, NULL::VARCHAR AS reason"
    )
    compiled = {
        name: compile_field(CONNECTION, Place("model"), field, field.sql)
        for name, field in fields.items()
    }
    make_json_values(CONNECTION, compiled)
    table = TargetTable(name="t", source="t", model="t.sql", function="f")
    sql = checked_sql(compiled, table, {"type": "object", "value": {}}, {})
    rows = CONNECTION.execute(
        f"SELECT _source_id, list_transform(_failures, lambda f: f.rule) FROM ({sql}) ORDER BY 1"
    ).fetchall()
    assert rows == [("0", []), ("1", ["too_large"])]


# ── canonical JSON ──────────────────────────────────────────────────────────────────────────


def canonical(texts: list[str]) -> dict[str, tuple[str, int, str | None]]:
    """Text → (canonical form, size, problem)."""
    CONNECTION.execute("CREATE OR REPLACE TEMP TABLE given (text VARCHAR)")
    CONNECTION.execute("INSERT INTO given SELECT unnest(?::VARCHAR[])", [texts])
    canonicalise(CONNECTION, "canonical", ["SELECT text FROM given"])
    rows = CONNECTION.execute("SELECT text, canonical, size, problem FROM canonical").fetchall()
    return {row[0]: (row[1], row[2], row[3]) for row in rows}


def rendered(value: Any, chance: random.Random) -> str:
    """One of the many JSON texts of a value: key order, whitespace, escapes, number forms."""

    def space() -> str:
        return chance.choice(["", "", " ", "\n", "\t ", "  "])

    if isinstance(value, dict):
        items = list(value.items())
        chance.shuffle(items)
        members = (
            f"{space()}{rendered(k, chance)}{space()}:{rendered(v, chance)}" for k, v in items
        )
        return f"{space()}{{{','.join(members)}{space()}}}{space()}"
    if isinstance(value, list):
        return f"{space()}[{','.join(rendered(v, chance) for v in value)}{space()}]{space()}"
    if isinstance(value, int) and not isinstance(value, bool):
        form = chance.choice(["{}", "{}.0", "{}e0", "{}.00E+0"] if value else ["{}", "{}.0"])
        return space() + form.format(value) + space()
    return space() + json.dumps(value, ensure_ascii=chance.random() < 0.5) + space()


def python_canonical(value: Any) -> str:
    """The canonical form, by Python; its numbers are whole ones, or eighths."""
    if isinstance(value, dict):
        members = (f"{python_canonical(k)}:{python_canonical(value[k])}" for k in sorted(value))
        return f"{{{','.join(members)}}}"
    if isinstance(value, list):
        return f"[{','.join(python_canonical(item) for item in value)}]"
    return json.dumps(value, ensure_ascii=False)


def without_control(text: str) -> bool:
    # Control characters have several escapes in JSON; their value is compared, not their text.
    return all(ord(c) >= 0x20 for c in text)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8).filter(without_control)
keys = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=6)
keys = keys.filter(lambda k: k[0] not in "$_")
eighths = st.integers(-(2**40), 2**40).filter(lambda n: n % 8 != 0).map(lambda n: n / 8)
leaves = st.none() | st.booleans() | st.integers(-(10**14), 10**14) | eighths | texts
trees = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=25)
@given(st.lists(trees, min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_canonical_form_is_one_for_all_texts_of_a_value(
    trees_drawn: list[Any], chance: random.Random
) -> None:
    first = [rendered(value, chance) for value in trees_drawn]
    second = [rendered(value, chance) for value in trees_drawn]
    forms = canonical(first + second)
    for value, a, b in zip(trees_drawn, first, second, strict=True):
        assert forms[a][0] == forms[b][0] == python_canonical(value)
        assert forms[a][2] is None
        assert json.loads(forms[a][0]) == value
    again = canonical([forms[text][0] for text in first])
    assert all(text == form[0] for text, form in again.items())


@settings(max_examples=50)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_what_a_float_prints_is_exact(numbers: list[float]) -> None:
    forms = canonical([repr(number) for number in numbers])
    for number in numbers:
        form, _, problem = forms[repr(number)]
        assert problem is None
        if number == 0:
            assert form == ('{"$float":"AAAAAAAAAIA="}' if math.copysign(1, number) < 0 else "0")
        else:
            assert float(form) == number


@settings(max_examples=100)
@given(
    st.lists(
        st.tuples(st.integers(1, 10**30), st.integers(-400, 400)).map(
            lambda p: f"{p[0]}e{p[1]}"
        ),
        min_size=1,
        max_size=10,
    )
)  # fmt: skip
def test_a_number_is_exact_only_if_the_float_prints_it(numbers: list[str]) -> None:
    from decimal import Decimal

    forms = canonical(numbers)
    for text in numbers:
        value = float(text)
        exact = math.isfinite(value) and Decimal(text) == Decimal(repr(value))
        problem = forms[text][2]
        assert (problem is None) == exact, (text, problem)
        assert exact or str(problem).startswith("inexact_number: ")


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


PROBLEMS: list[tuple[str, str | None]] = [
    ('{"$ref": 1}', "field_name: a key begins with $"),
    ('[{"a": {"$type": 1}}]', "field_name: a key begins with $"),
    ('{"Straße": 1}', "field_name: a key has characters that are not printable ASCII"),
    ('{"a\\nb": 1}', "field_name: a key has characters that are not printable ASCII"),
    ('{"\\u0000": 1}', "field_name: a key has characters that are not printable ASCII"),
    ('{"__proto__": 1}', "field_name: a key is __proto__, which is special in JavaScript"),
    ('{"": 1}', "field_name: a key is empty"),
    ('{"_id": 1}', "field_name: a key begins with _"),
    ('{"a": 1, "a": 1}', "duplicate_key: an object has a key twice"),
    ('[{"a": 1, "\\u0061": 2}]', "duplicate_key: an object has a key twice"),
    ("9007199254740993", "inexact_number: a number has more digits than float64 holds"),
    ('{"a": [12345678901234567890.123]}', "inexact_number: a number has more digits than float64 "
     "holds"),
    ("1234567890123456789012345", "inexact_number: a number has more digits than float64 holds"),
    (f"0.{'0' * 40}12345678901234567890", "inexact_number: a number has more digits than float64 "
     "holds"),
    ("1e-400", "inexact_number: a number has more digits than float64 holds"),
    ("1e400", "inexact_number: a number is beyond float64"),
    (f"[-1{'0' * 400}]", "inexact_number: a number is beyond float64"),
    ("9007199254740992", None),
    ('"9007199254740993 and \\"1e400\\""', None),
    ('{"9007199254740993": 1}', None),
    ("1e-7", None),
    ("1.10", None),
    (nested(15), None),
    (nested(16), "nesting: deeper than 16 levels"),
    (f'{{"a": {nested(15)}}}', "nesting: deeper than 16 levels"),
    (json.dumps({"k" * 1024: 1}), None),
    (json.dumps({"k" * 1025: 1}), "field_name: a key is too long"),
    (json.dumps([0] * 8192), None),
    (json.dumps([0] * 8193), "too_many: an array has more than 8192 items"),
    (json.dumps({f"k{n}": 0 for n in range(1024)}), None),
    (json.dumps({f"k{n}": 0 for n in range(1025)}), "too_many: an object has more than 1024 "
     "fields"),
    ('{"a$b": {"a_": "$ref"}}', None),
]  # fmt: skip


@pytest.fixture(scope="module")
def judged() -> Iterator[dict[str, tuple[str, int, str | None]]]:
    yield canonical([text for text, _ in PROBLEMS])


@pytest.mark.parametrize(
    ("text", "problem"), PROBLEMS, ids=[text[:30] + (p or "") for text, p in PROBLEMS]
)
def test_what_convex_cannot_hold_is_named(
    judged: dict[str, tuple[str, int, str | None]], text: str, problem: str | None
) -> None:
    assert judged[text][2] == problem


def test_names_for_sql_are_quoted() -> None:
    name = "a\"b'c"
    assert one(f"{text_sql(name)}") == name
    assert CONNECTION.sql(f"SELECT 1 AS {name_sql(name)}").columns == [name]


def test_floats_that_come_from_a_file(tmp_path: Path) -> None:
    """DuckDB takes a file's bounds, which NaN has no place in, for proof that none is NaN."""
    rows = pa.table({"x": [1.0, math.nan, math.inf, -math.inf, -0.0]})
    write_parquet(tmp_path / "x.parquet", rows.schema, rows.to_batches())
    connection = duckdb.connect()
    connection.execute(values())
    rows = connection.execute(
        "SELECT encode_float(x) FROM read_parquet(?)", [str(tmp_path / "x.parquet")]
    ).fetchall()
    assert [row[0] for row in rows] == [
        "1", '{"$float":"AAAAAAAA+H8="}', '{"$float":"AAAAAAAA8H8="}',
        '{"$float":"AAAAAAAA8P8="}', '{"$float":"AAAAAAAAAIA="}',
    ]  # fmt: skip


# ── a document's JSON ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("optional", "nullable", "kept", "expected"),
    [
        (True, False, False, "{}"),
        (True, True, False, "{}"),
        (True, True, True, '{"note":null}'),
        # The validator takes no null: it stays absent, whatever the plan says.
        (True, False, True, "{}"),
        (False, True, False, '{"note":null}'),
    ],
)
def test_null_is_absent_unless_the_validator_or_the_plan_says_else(
    optional: bool, nullable: bool, kept: bool, expected: str
) -> None:
    validator: dict[str, Any] = {"type": "string"}
    if nullable:
        validator = {"type": "union", "value": [validator, {"type": "null"}]}
    note = shape("t", Field(name="note", validator=validator, optional=optional))
    sql = document_sql({"note": note}, ("note",) if kept else ())
    with duckdb.connect() as connection:
        connection.execute(values())
        rows = connection.execute(
            f"SELECT {sql} FROM (VALUES (NULL::VARCHAR), ('x')) t(note)"
        ).fetchall()
    assert [row[0] for row in rows] == [expected, '{"note":"x"}']

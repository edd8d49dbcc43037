"""The SQL that is compiled from validators, against Convex' own validation and the facts.

Values are made beside their validators, valid ones and damaged ones. Three oracles judge them: the
SQL; a few lines of Python with the rules as Convex' documentation has them; and the real
`convex` package with the mock's validation, in one Node process for all cases. The mock takes any
record and no int64 literal, and has no limits: there the rules alone decide.
"""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from stages.convex.schema import Field, Validator
from stages.convex.validators.check import problem_sql
from stages.convex.validators.marks import marked_sql, unmarked_sql
from stages.convex.validators.rewrite import Bind
from stages.convex.values import shape
from stages.errors import Place, UserError
from stages.sql import name_sql
from stages.transform.compile import compile_field
from stages.transform.json_values import column_sql, make_json_values
from stages.views import macros, values
from tests.support.command_line import ROOT
from tests.support.convex_rules import (
    INVALID,
    Int64,
    Ref,
    canonical,
    cases,
    encoded,
    mock_is_lax,
    optional,
    read,
)

CONNECTION = duckdb.connect()
CONNECTION.execute(values())
CONNECTION.execute(macros())
# ── the SQL ─────────────────────────────────────────────────────────────────────────────────


def judge(tried: list[tuple[Validator, list[Any]]]) -> list[list[dict[str, Any]]]:
    """Problem, staged text, size, and the text with ids, of each value of each validator."""
    shapes = [
        shape("t", Field(name=f"f{n}", validator=validator, optional=False))
        for n, (validator, _) in enumerate(tried)
    ]
    longest = max(len(of_validator) for _, of_validator in tried)
    CONNECTION.execute(
        "CREATE OR REPLACE TABLE given ("
        + ", ".join(["n INTEGER", *(f"f{n} VARCHAR" for n in range(len(tried)))]) + ")"
    )  # fmt: skip
    rows = [
        [n, *(json.dumps(encoded(v[n], ids=False)) if n < len(v) else None for _, v in tried)]
        for n in range(longest)
    ]
    CONNECTION.executemany(f"INSERT INTO given VALUES ({', '.join('?' * (len(tried) + 1))})", rows)
    compiled = {s.name: compile_field(CONNECTION, Place("model"), s, "JSON") for s in shapes}
    columns = ", ".join(f"{column_sql(name_sql(s.name), s)} AS {name_sql(s.name)}" for s in shapes)
    CONNECTION.execute(f"CREATE OR REPLACE TEMP TABLE modelled AS SELECT n, {columns} FROM given")
    make_json_values(CONNECTION, compiled)
    judged = []
    for s in shapes:
        bind = Bind(s.name, s.validator, "ids")
        marked = f"({marked_sql('j.staged')})::JSON"
        bound = f"list_transform([{marked}], lambda v: {unmarked_sql(bind.sql('v'))})[1]"
        ids = (
            "map_from_entries(list_transform(list_distinct(list_transform(refs, lambda x: x.r)), "
            "lambda r: {'k': r, 'v': lpad(split_part(r, ':', 2), 10, '0') || "
            "split_part(r, ':', 1)}))"
        )
        result = CONNECTION.execute(
            f"SELECT problem, staged, size, refs, {bound} FROM (SELECT m.n, j.*, "
            f"CASE WHEN len(refs) > 0 THEN {ids} END AS ids FROM modelled m "
            f"JOIN {name_sql(f'json of {s.name}')} j ON j.text = m.{s.name}) j ORDER BY n"
        ).fetchall()
        keys = ("problem", "staged", "size", "refs", "bound")
        judged.append([dict(zip(keys, row, strict=True)) for row in result])
    return judged


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
    questions: list[dict[str, Any]] = []
    expected: list[list[tuple[Any, bool]]] = []

    @settings(
        max_examples=25,
        suppress_health_check=list(HealthCheck), phases=[Phase.generate],
    )  # fmt: skip
    @given(cases())
    def compare(tried: list[tuple[Validator, list[Any]]]) -> None:
        for (validator, generated), rows in zip(tried, judge(tried), strict=True):
            verdicts: list[tuple[Any, bool]] = []
            sent = []
            for value, row in zip(generated, rows, strict=True):
                plain = read(validator, value, exact=False)
                where = (json.dumps(validator), value, row)
                assert (row["problem"] is None) == (plain is not INVALID), where
                if plain is not INVALID:
                    wrote = canonical(json.loads(row["staged"]))
                    assert wrote == canonical(encoded(plain, ids=False)), where
                    if "bound" in row and not mock_is_lax(validator):
                        sent.append(json.loads(row["bound"]))
                        verdicts.append((where, True))
                if not mock_is_lax(validator):
                    sent.append(encoded(value, ids=True))
                    strict = read(validator, value, exact=True) is not INVALID
                    if strict or not has_any(validator):
                        verdicts.append((where, strict))
                    else:
                        sent.pop()
            questions.append({"validator": validator, "values": sent})
            expected.append(verdicts)

    compare()
    for verdicts, taken in zip(expected, node(questions), strict=True):
        for (where, right), took in zip(verdicts, taken, strict=True):
            assert took == right, where
    # How many depends on the constants of the code, which Hypothesis draws too.
    assert sum(map(len, expected)) > 2000


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


def test_a_check_grows_with_its_validator_and_not_with_its_depth() -> None:
    """Places that the plan names in v.any() are objects of these, one inside of the other."""
    lengths = []
    for depth in (4, 8, 12):
        validator: Validator = {"type": "id", "tableName": "users"}
        for _ in range(depth):
            validator = {"type": "any", "fields": {"inner": validator}}
        lengths.append(len(problem_sql(validator, "v", "'here'")))
    first, second, third = lengths
    assert third - second < 2 * (second - first) < 4 * first


def test_limits_hold_inside_of_values() -> None:
    judged = judge([(validator, [value]) for validator, value, _ in LIMITS])
    for (validator, value, rule), (row,) in zip(LIMITS, judged, strict=True):
        problem = row["problem"].split(":")[0] if row["problem"] else None
        assert problem == rule, (validator, str(value)[:80], row["problem"])


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
    (judged,) = judge([({"type": "union", "value": kinds}, [good, mixed, []])])
    assert [row["problem"] and row["problem"].split(":")[0] for row in judged] == [
        None, "not_in_union", None
    ]  # fmt: skip
    assert json.loads(judged[0]["bound"]) == [{"kind": "b", "of": Ref("files", "1").id}]


def test_texts_that_are_no_json_are_rejects() -> None:
    CONNECTION.execute("CREATE OR REPLACE TABLE odd (text VARCHAR)")
    CONNECTION.execute("INSERT INTO odd VALUES ('\"\\ud800\"'), ('{'), ('\"fine\"')")
    field = shape("t", Field(name="f", validator={"type": "any"}, optional=False))
    compiled = {"f": compile_field(CONNECTION, Place("model"), field, "JSON")}
    CONNECTION.execute(
        f"CREATE OR REPLACE TEMP TABLE modelled AS SELECT {column_sql('text', field)} AS f FROM odd"
    )
    make_json_values(CONNECTION, compiled)
    rows = CONNECTION.execute(
        'SELECT j.problem FROM modelled m JOIN "json of f" j ON j.text = m.f ORDER BY ALL'
    ).fetchall()
    assert [row[0] and row[0].split(":")[0] for row in rows] == ["invalid_json"] * 2 + [None]


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
    (judged,) = judge([(field, tried)])
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
    assert [row["size"] for row in judged] == json.loads(ran.stdout)


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
    compiled = {"f": compile_field(CONNECTION, Place("model"), field, row[0])}
    CONNECTION.execute(
        "CREATE OR REPLACE TEMP TABLE modelled AS SELECT "
        f"{column_sql(str(compiled['f'].column), field)} AS f FROM (SELECT {value} AS f)"
    )
    make_json_values(CONNECTION, compiled)
    rows = CONNECTION.execute(
        'SELECT j.problem, j.staged FROM modelled m JOIN "json of f" j ON j.text = m.f'
    ).fetchall()
    assert rows == [(None, expected)]


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
        compile_field(CONNECTION, Place("models/t.sql"), field, kind)
    assert "models/t.sql" in error.value.message and words in error.value.message
    assert hint in str(error.value.hint)


VECTOR = {"type": "array", "value": NUMBER}


@pytest.mark.parametrize(
    ("validator", "kind"), [(VECTOR, "FLOAT[3]"), (VECTOR, "DECIMAL(4,2)[]"), (ARRAY, "UUID[]")]
)
def test_lists_of_scalars_stay_columns(validator: Validator, kind: str) -> None:
    field = shape("t", Field(name="f", validator=validator, optional=False))
    assert not compile_field(CONNECTION, Place("model"), field, kind).json

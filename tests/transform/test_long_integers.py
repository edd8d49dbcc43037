"""Whole numbers beyond 2^53 in JSON: exact where the validator asks for an int64, else a reject."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pyarrow as pa
import pytest

from tests.support.tiny_project import ANY, INT64, NULL, NUMBER, STRING, Small, array, union


def thing(**fields: Any) -> Any:
    return {"type": "object", "value": {
        name: {"fieldType": kind, "optional": False} for name, kind in fields.items()
    }}  # fmt: skip


VALIDATOR = thing(
    n=union(NULL, INT64),
    list=array(INT64),
    each={"type": "record", "keys": STRING, "values": {"fieldType": INT64, "optional": False}},
    float=NUMBER,
    text=STRING,
    deep=array(thing(n=INT64)),
    anything=ANY,
)
FINE: dict[str, Any] = {
    "n": 1, "list": [], "each": {}, "float": 1.5, "text": "", "deep": [], "anything": [],
}  # fmt: skip


def int64(number: int) -> dict[str, str]:
    return {"$integer": base64.b64encode(struct.pack("<q", number)).decode()}


LONG = [2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63), 1161380288898609914, 10**15, 10**16]
PASS: list[dict[str, Any]] = [
    *({"n": number, "list": [1, number], "each": {"k": number}} for number in LONG),
    {"deep": [{"n": 2**53 + 1}, {"n": 2}], "text": str(2**53 + 1)},
    {"n": None, "text": '\\" 9007199254740993 "'},
    {"float": 2.0**60, "list": [2**60]},
]
FAIL: list[tuple[dict[str, Any], str, str]] = [
    ({"n": 2**63}, "inexact_number", "v.n"),
    ({"n": -(2**63) - 1}, "inexact_number", "v.n"),
    ({"list": [1, 2**64 + 1]}, "inexact_number", "v.list[1]"),
    ({"float": 2**53 + 1}, "inexact_number", "v.float"),
    ({"n": 2**53 + 1, "float": 2**53 + 1}, "inexact_number", "v.float"),
    ({"anything": [2**53 + 1]}, "inexact_number", "v.anything[0]"),
    ({"text": 2**53 + 1}, "inexact_number", "v.text"),
]


@pytest.fixture
def small_json(small: Small) -> Small:
    small.write("plan.toml", "[tables.t]\n")
    small.schema("t", {"v": VALIDATOR})
    small.model("t", "SELECT key(id) AS _source_id, v::JSON AS v FROM extract.t")
    return small


def stage(small: Small, values: list[dict[str, Any]]) -> None:
    texts = [json.dumps({**FINE, **value}) for value in values]
    small.extract("t", pa.table({"id": range(len(texts)), "v": texts}), ["id"])
    small.transform()


def encoded(value: Any, key: str = "") -> Any:
    """The value with its int64s as Convex encodes them."""
    if isinstance(value, dict):
        return {k: int64(v) if key == "each" else encoded(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [encoded(item, key) for item in value]
    return int64(value) if isinstance(value, int) and key in ("n", "list") else value


def test_an_int64_in_json_is_exact(small_json: Small) -> None:
    stage(small_json, PASS)
    documents = small_json.documents("t")
    assert small_json.rejected("t") == {}
    for number, value in enumerate(PASS):
        assert json.loads(documents[str(number)]["v"]) == encoded({**FINE, **value}), value


def test_where_a_float_is_due_it_stays_a_reject(small_json: Small) -> None:
    stage(small_json, [value for value, _, _ in FAIL])
    rejects = {row["source_id"]: row for row in small_json.rows("t", "rejects")}
    for number, (value, rule, place) in enumerate(FAIL):
        reject = rejects[str(number)]
        assert reject["rule"] == rule and reject["reason"].endswith(f" at {place}"), (value, reject)

"""What is taken for a call's answer, and what is none."""

from __future__ import annotations

from typing import Any

import pytest

from stages.convex.expected import integer, is_answer

IMPORT = {"state": {"state": "completed", "num_rows_written": {"$integer": "AQAAAAAAAAA="}}}
ANSWERS: dict[str, list[Any]] = {
    "migrate:epoch": [{"epoch": None, "tables": {"pets": True}}, {"epoch": "e"}],
    "migrate:clearLedger": [{"isDone": True}],
    "migrate:bulkInsertPets": [{"results": []}],
    "_system/cli/queryImport": [None, IMPORT, {"state": {"state": "uploaded"}}],
    "_system/cli/exports:getLatest": [None, {"state": "requested"}],
    "_system/frontend/tableSize": [7, 7.0, {"$integer": "AQAAAAAAAAA="}],
    "_system/frontend/getTableMapping": [{}, {"10001": "pets"}],
    "_system/frontend/getSchemas": [{}, {"active": None}, {"active": "{}"}],
    "_system/cli/modules:apiSpec": [
        [], [{}], [{"identifier": "a.js:b", "visibility": {"kind": "public"}}],
    ],
}  # fmt: skip
# Each is an answer to none of them.
ODD: list[Any] = ["success", [7], {"results": 7, "epoch": 7, "state": 7, "active": 7, "x": "y"}]
ALMOST: dict[str, Any] = {
    "_system/cli/queryImport": {"state": {"state": "completed", "num_rows_written": "many"}},
    "_system/cli/exports:getLatest": {"state": "completed"},
    "_system/frontend/tableSize": {"$integer": "?"},
    "_system/frontend/getTableMapping": {"10001": 7},
    "_system/cli/modules:apiSpec": [{"identifier": "a.js:b", "visibility": {}}],
}


@pytest.mark.parametrize("function", ANSWERS)
def test_only_what_its_callers_can_read_is_an_answer(function: str) -> None:
    for value in ANSWERS[function]:
        assert is_answer(function, {"value": value}), value
    assert not is_answer(function, {})
    for odd in [*ODD, *([ALMOST[function]] if function in ALMOST else [])]:
        assert not is_answer(function, {"value": odd}), odd


def test_a_function_that_is_not_known_may_answer_anything() -> None:
    assert is_answer("app:read", {"value": None})


def test_int64s_of_encoded_json() -> None:
    assert integer({"$integer": "AQAAAAAAAAA="}) == integer(1.0) == 1
    for odd in (True, None, "1", {"$integer": 1}, {"$integer": "?"}):
        with pytest.raises(ValueError):
            integer(odd)

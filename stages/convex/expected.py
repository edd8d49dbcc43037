"""The form of each call's answer, as far as callers rely on it: a proxy may return another's.

Rows and documents are not checked one by one here; their readers do that.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

Check = Callable[[Any], bool]


def is_answer(function: str, parsed: Mapping[str, Any]) -> bool:
    """Whether a successful answer has the form of this function's answers, if that is known."""
    if "value" not in parsed:
        return False
    name = function if function.startswith("_system/") else function.rpartition(":")[2]
    check = EXPECTED.get("bulkInsert" if name.startswith("bulkInsert") else name)
    return check is None or check(parsed["value"])


def integer(value: Any) -> int:
    """An int64 of encoded JSON, or a plain number. Raises ValueError for anything else."""
    if isinstance(value, dict) and isinstance(value.get("$integer"), str):
        return int.from_bytes(_bytes(value["$integer"]), "little", signed=True)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("not a number")
    return int(value)


def _bytes(text: str) -> bytes:
    content = base64.b64decode(text, validate=True)
    if len(content) != 8:
        raise ValueError("not eight bytes")
    return content


def is_integer(value: Any) -> bool:
    """Whether `integer` accepts it."""
    try:
        integer(value)
    except (ValueError, OverflowError):
        return False
    return True


def _has(**members: type) -> Check:
    """A check for an object with at least these members."""
    return lambda value: (
        isinstance(value, dict)
        and all(isinstance(value.get(name), kind) for name, kind in members.items())
    )


def _null_or(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _is_epoch(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("epoch", 0), str | None)
        and isinstance(value.get("tables", {}), dict)
    )


def _is_import(value: Any) -> bool:
    return _has(state=dict)(value) and (
        isinstance(value["state"].get("state"), str)
        and is_integer(value["state"].get("num_rows_written", 0))
    )


def _is_export(value: Any) -> bool:
    done = isinstance(value, dict) and value.get("state") == "completed"
    return _has(state=str)(value) and (not done or is_integer(value.get("start_ts")))


def _is_table_mapping(value: Any) -> bool:
    return isinstance(value, dict) and all(
        number.isdecimal() and isinstance(table, str) for number, table in value.items()
    )


def _is_list_of_functions(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(each, dict)
        and ("identifier" not in each or _has(identifier=str, visibility=dict)(each))
        and ("identifier" not in each or "kind" in each["visibility"])
        for each in value
    )


def _is_schemas(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("active"), str | None)


def _is_page(value: Any) -> bool:
    return _has(page=list, isDone=bool, continueCursor=str)(value) and all(
        isinstance(each, dict) for each in value["page"]
    )


EXPECTED: dict[str, Check] = {
    "bulkInsert": _has(results=list),
    "readPage": _has(page=list, isDone=bool, continueCursor=str),
    "readDocuments": _has(documents=list),
    "findMissing": _has(missing=list),
    "adopt": _has(results=list),
    "remove": _has(results=list),
    "clearLedger": _has(isDone=bool),
    "epoch": _is_epoch,
    "_system/cli/tableData": _is_page,
    "_system/cli/modules:apiSpec": _is_list_of_functions,
    "_system/cli/queryImport": _null_or(_is_import),
    "_system/cli/exports:getLatest": _null_or(_is_export),
    "_system/frontend/getSchemas": _is_schemas,
    "_system/frontend/getTableMapping": _is_table_mapping,
    "_system/frontend/tableSize": is_integer,
}

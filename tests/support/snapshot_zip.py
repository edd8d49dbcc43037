"""A strict reader of snapshot ZIPs: refuses whatever Convex's import would refuse, and more.

Written independently from the backend's parsing rules: shares no code with what writes the ZIP.
"""

from __future__ import annotations

import base64
import json
import math
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

ENTRY = re.compile(r"([A-Za-z][A-Za-z0-9_]{0,63})/(documents|generated_schema)\.jsonl")
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
NAME = re.compile(r"(?!\$)[\x20-\x7e]{1,1024}")


class Refused(Exception):
    """What the import would refuse, and where."""


def read_snapshot(
    file: Path,
    exported: Mapping[str, Any],
    numbers: Mapping[str, int],
) -> dict[str, list[dict[str, Any]]]:
    """Table → documents in order, as Python values: int for int64, float for float64.

    Checked against the schema and the deployment's table numbers. References to a table without a
    number have ids of another kind (the sandbox's), which are not checked.
    """
    tables: dict[str, list[dict[str, Any]]] = {}
    schema = {table["tableName"]: table["documentType"] for table in exported["tables"]}
    typed: set[str] = set()
    with ZipFile(file) as archive:
        assert archive.testzip() is None
        for entry in archive.infolist():
            matched = ENTRY.fullmatch(entry.filename)
            if not matched:
                raise Refused(f"{entry.filename}: the import would ignore it")
            if entry.compress_type != ZIP_DEFLATED:
                raise Refused(f"{entry.filename} is not deflated")
            table, kind = matched.groups()
            if table not in numbers or table not in schema:
                raise Refused(f"{table} is no table of the deployment")
            text = archive.read(entry)
            if kind == "generated_schema":
                if text != b'"uniform"\n':
                    raise Refused(f"{entry.filename}: {text[:50]!r}")
                typed.add(table)
            else:
                if table in tables:
                    raise Refused(f"{entry.filename} is there twice")
                tables[table] = _lines(entry.filename, text)
    if set(tables) != typed:
        raise Refused(f"without types: {set(tables) ^ typed}")
    _check_numbers(tables, numbers)
    for table, documents in tables.items():
        for document in documents:
            check_document(document, table, schema[table], numbers)
    return tables


def _lines(name: str, text: bytes) -> list[dict[str, Any]]:
    if not text:
        return []
    if not text.endswith(b"\n") or text.startswith(b"\xef\xbb\xbf"):
        raise Refused(f"{name} begins or ends wrongly")
    documents = []
    for line in text[:-1].split(b"\n"):
        value = parse(line.decode("utf-8"))
        if not isinstance(value, dict):
            raise Refused(f"{name}: a line is no object: {line[:80]!r}")
        documents.append(value)
    return documents


# ── values ──────────────────────────────────────────────────────────────────────────────────


def parse(text: str) -> Any:
    """Parse export JSON of one value: a number without a dot or exponent is an int64."""

    def integer(digits: str) -> int:
        value = int(digits)
        if not -(2**63) <= value < 2**63:
            raise Refused(f"{digits} would silently become a float64")
        return value

    def constant(word: str) -> None:
        raise Refused(f"{word} is not JSON")

    def members(pairs: list[tuple[str, Any]]) -> Any:
        entries = dict(pairs)
        if len(entries) != len(pairs):
            raise Refused(f"a key is there twice: {[key for key, _ in pairs]}")
        if len(entries) == 1 and next(iter(entries)).startswith("$"):
            return _unwrap(*next(iter(entries.items())))
        return entries

    try:
        value = json.loads(
            text, parse_int=integer, parse_constant=constant, object_pairs_hook=members
        )
    except json.JSONDecodeError as error:
        raise Refused(f"{error}: {text[:80]!r}") from None
    return value


def _unwrap(wrapper: str, value: Any) -> Any:
    if wrapper == "$bytes" and isinstance(value, str):
        return base64.b64decode(value, validate=True)
    if wrapper == "$float" and isinstance(value, str):
        (number,) = struct.unpack("<d", base64.b64decode(value, validate=True))
        if math.isfinite(number):
            raise Refused(f"$float holds {number!r}")
        return number
    raise Refused(f"a key is {wrapper}")


# ── ids ─────────────────────────────────────────────────────────────────────────────────────


def number_of(text: Any) -> int:
    """The table number of an id."""
    if not isinstance(text, str) or not 31 <= len(text) <= 37 or set(text) - set(ALPHABET):
        raise Refused(f"{text!r} is no id")
    bits = "".join(f"{ALPHABET.index(char):05b}" for char in text)
    size = len(bits) // 8
    data = bytes(int(bits[8 * at : 8 * at + 8], 2) for at in range(size))
    if "1" in bits[8 * size :]:
        raise Refused(f"{text} has bits beyond its end")
    first = second = 0
    for byte in data[:-2]:
        first = (first + byte) % 256
        second = (second + first) % 256
    head = data[:-18]
    number = sum((byte & 0x7F) << (7 * at) for at, byte in enumerate(head))
    whole = all(byte & 0x80 for byte in head[:-1]) and head[-1] and not head[-1] & 0x80
    if data[-2:] != bytes([first, second]) or not whole or not 0 < number < 2**32:
        raise Refused(f"{text} is no id")
    return number


def _check_numbers(tables: Mapping[str, list[dict[str, Any]]], numbers: Mapping[str, int]) -> None:
    for table, documents in tables.items():
        seen = [document.get("_id") for document in documents]
        if len(set(seen)) != len(seen):
            raise Refused(f"{table} has an id twice")
        for text in seen:
            if number_of(text) != numbers[table]:
                raise Refused(f"{text} is not of {table}, which is {numbers[table]}")


# ── documents ───────────────────────────────────────────────────────────────────────────────


def check_document(
    document: dict[str, Any],
    table: str,
    validator: Mapping[str, Any],
    numbers: Mapping[str, int],
) -> None:
    """Raise Refused for a document that breaks a limit or does not satisfy the schema."""
    if "_creationTime" in document:
        time = document["_creationTime"]
        if not isinstance(time, float) or not 0 < time < 2**53:
            raise Refused(f"{table}: _creationTime is {time!r}")
    own = {name: value for name, value in document.items() if name[:1] != "_"}
    if set(document) - set(own) - {"_id", "_creationTime"}:
        raise Refused(f"{table} has system fields: {sorted(document)}")
    # The two system fields take 61 bytes.
    if _size(own) + 61 > 1 << 20:
        raise Refused(f"{table}: a document of {_size(own) + 61} bytes")
    if _nesting(own) > 16:
        raise Refused(f"{table}: nested {_nesting(own)} deep")
    if not _matches(own, validator, numbers):
        raise Refused(f"{table}: {own!r} does not match {validator!r}")


def _size(value: Any) -> int:
    if value is None or isinstance(value, bool):
        return 1
    if isinstance(value, int | float):
        return 9
    if isinstance(value, str):
        return 2 + len(value.encode())  # raises for a lone surrogate
    if isinstance(value, bytes):
        return 2 + len(value)
    if isinstance(value, list):
        return 2 + sum(map(_size, value))
    return 2 + sum(len(key) + 1 + _size(each) for key, each in value.items())


def _nesting(value: Any) -> int:
    if isinstance(value, list):
        if len(value) > 8192:
            raise Refused(f"an array of {len(value)}")
        return 1 + max(map(_nesting, value), default=0)
    if isinstance(value, dict):
        wrong = [key for key in value if not NAME.fullmatch(key)]
        if len(value) > 1024 or wrong:
            raise Refused(f"an object of {len(value)} fields, {wrong}")
        return 1 + max(map(_nesting, value.values()), default=0)
    return 0


def _matches(value: Any, validator: Mapping[str, Any], numbers: Mapping[str, int]) -> bool:
    kind = validator["type"]
    inner = validator.get("value")
    if kind == "any":
        return True
    if kind == "union":
        return any(_matches(value, member, numbers) for member in inner)  # type: ignore[union-attr]
    if kind == "literal":
        if isinstance(inner, dict):
            inner = int.from_bytes(base64.b64decode(inner["$integer"]), "little", signed=True)
            return type(value) is int and value == inner
        is_number = isinstance(inner, int) and not isinstance(inner, bool)
        return type(value) is (float if is_number else type(inner)) and value == inner
    if kind == "id":
        number = numbers.get(validator["tableName"])
        return isinstance(value, str) and (number is None or number_of(value) == number)
    if kind == "array":
        return isinstance(value, list) and all(_matches(v, inner, numbers) for v in value)  # type: ignore[arg-type]
    if kind == "record":
        of = validator["values"]["fieldType"]
        return isinstance(value, dict) and all(
            _matches(k, validator["keys"], numbers) and _matches(v, of, numbers)
            for k, v in value.items()
        )
    if kind == "object":
        fields: Mapping[str, Any] = inner or {}
        return (
            isinstance(value, dict)
            and not set(value) - set(fields)
            and all(
                _matches(value[name], field["fieldType"], numbers)
                if name in value
                else field["optional"]
                for name, field in fields.items()
            )
        )
    types: dict[str, type] = {
        "string": str, "number": float, "bigint": int, "boolean": bool, "bytes": bytes,
        "null": type(None),
    }  # fmt: skip
    return type(value) is types[kind]

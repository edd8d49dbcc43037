"""Convex document ids: decoded, encoded, and minted from source keys; one by one, and in SQL.

An id is the table's number (LEB128), 16 bytes, and a checksum, in Crockford's base32. An import
accepts any 16 bytes, so they are made from the source key: a UUID is exactly 16 bytes, every other
key is hashed. Source: the backend's id format.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from importlib import resources

from stages.sql import name_sql, text_sql

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
# User tables are numbered from here, in the order of their names.
FIRST_NUMBER = 10001
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MOST_NUMBER = 2**32 - 1
HALVES = ("upper", "lower")
PARTS = ("key", "uuid", "internal", *HALVES, "footer")


def encode(number: int, internal: bytes) -> str:
    """The id of a table's number (1 … 2³²-1) and 16 bytes."""
    if not 1 <= number <= _MOST_NUMBER or len(internal) != 16:
        raise ValueError(f"no id has the table number {number} and {len(internal)} bytes")
    body = _number_bytes(number) + internal
    a, b = _fletcher(body)
    return _base32(body + bytes([a, b]))


def decode(text: str) -> tuple[int, bytes]:
    """(table number, 16 bytes) of an id. Raises ValueError for anything else."""
    if not 31 <= len(text) <= 37 or set(text) - set(ALPHABET):
        raise ValueError(f"{text!r} is not a Convex id")
    bits = 0
    for char in text:
        bits = bits << 5 | ALPHABET.index(char)
    size = len(text) * 5 // 8
    data = (bits >> (len(text) * 5 - size * 8)).to_bytes(size, "big")
    number = sum((byte & 127) << 7 * at for at, byte in enumerate(data[:-18]))
    if not 1 <= number <= _MOST_NUMBER or encode(number, data[-18:-2]) != text:
        raise ValueError(f"{text!r} is not a Convex id")
    return number, data[-18:-2]


def internal_id(table: str, key: str) -> bytes:
    """The 16 bytes for a source key: its own if it is a UUID as Postgres writes it, else hashed."""
    if _UUID.fullmatch(key):
        return bytes.fromhex(key.replace("-", ""))
    return hashlib.sha256(f"{table}:{key}".encode()).digest()[:16]


def mint(number: int, table: str, key: str) -> str:
    """The id that an import gives to the document of a source key."""
    return encode(number, internal_id(table, key))


def _number_bytes(number: int) -> bytes:
    encoded = bytearray()
    while True:
        number, low = number >> 7, number & 127
        encoded.append(low | (128 if number else 0))
        if not number:
            return bytes(encoded)


def _fletcher(data: bytes) -> tuple[int, int]:
    a = b = 0
    for byte in data:
        a = (a + byte) & 255
        b = (b + a) & 255
    return a, b


def _base32(data: bytes) -> str:
    length = -(-len(data) * 8 // 5)
    bits = int.from_bytes(data, "big") << (length * 5 - len(data) * 8)
    return "".join(ALPHABET[bits >> 5 * at & 31] for at in range(length - 1, -1, -1))


# ── in SQL ──────────────────────────────────────────────────────────────────────────────────


def macros() -> str:
    """The macros that `minted_sql` needs, for one connection."""
    return resources.files("stages.convex").joinpath("ids.sql").read_text("utf-8")


def source_uuid_macro() -> str:
    """The macro `source_uuid(id)`."""
    return resources.files("stages.convex").joinpath("source_uuid.sql").read_text("utf-8")


def minted_sql(relation: str, references: Mapping[str, Mapping[str, int]]) -> str:
    """SQL of a relation with ids in place of references; NULL stays NULL.

    `references`: column → the tables that its references `table:key` may name, with their numbers.
    Each step is a query of its own, since every value is used many times in the next one.
    """
    names = list(references)
    steps = [
        [
            f"substr({name_sql(n)}, strpos({name_sql(n)}, ':') + 1) AS {_part(n, 'key')}"
            for n in names
        ],
        [f"try_cast({_part(n, 'key')} AS UUID) AS {_part(n, 'uuid')}" for n in names],
        [
            f"internal_id({name_sql(n)}, {_part(n, 'key')}, {_part(n, 'uuid')}) "
            f"AS {_part(n, 'internal')}"
            for n in names
        ],
        [
            f"{half}_half({_part(n, 'internal')}) AS {_part(n, half)}"
            for n in names
            for half in HALVES
        ],
        [f"{_by_table(n, references[n], _footer_sql)} AS {_part(n, 'footer')}" for n in names],
    ]
    for added in steps:
        relation = f"SELECT *, {', '.join(added)} FROM ({relation})"
    texts = [f"{_by_table(n, references[n], _text_sql)} AS {name_sql(n)}" for n in names]
    parts = [_part(n, part) for n in names for part in PARTS]
    return f"SELECT * EXCLUDE ({', '.join(parts)}) REPLACE ({', '.join(texts)}) FROM ({relation})"


def _part(name: str, part: str) -> str:
    return name_sql(f"{part} of {name}")


def _by_table(name: str, numbers: Mapping[str, int], of: Callable[[str, int], str]) -> str:
    """SQL of a value that depends on the table that a reference names; NULL for NULL."""
    ref = name_sql(name)
    if len(numbers) == 1:
        ((_, number),) = numbers.items()
        return f"CASE WHEN {ref} IS NOT NULL THEN {of(name, number)} END"
    cases = [
        f"WHEN starts_with({ref}, {text_sql(table + ':')}) THEN {of(name, number)}"
        for table, number in numbers.items()
    ]
    return f"CASE {' '.join(cases)} END"


def _footer_sql(name: str, number: int) -> str:
    a, b = _fletcher(_number_bytes(number))
    return f"footer({a}, {b}, {_part(name, 'upper')}, {_part(name, 'lower')})"


def _text_sql(name: str, number: int) -> str:
    head = _number_bytes(number)
    words = [
        (f"{int.from_bytes(head, 'big')}::UBIGINT", 8 * len(head)),
        (_part(name, "upper"), 64),
        (_part(name, "lower"), 64),
        (_part(name, "footer"), 16),
    ]
    length = -(-sum(bits for _, bits in words) // 5)
    pairs = [f"crockford({_bits(words, at, at + 10)})" for at in range(0, length // 2 * 10, 10)]
    if length % 2:
        pairs.append(f"crockford({_bits(words, length // 2 * 10, length * 5)} << 5)[1]")
    return f"concat({', '.join(pairs)})"


def _bits(words: list[tuple[str, int]], start: int, end: int) -> str:
    """SQL of the bits [start, end) of concatenated words; zeros after the last."""
    pieces = []
    before = 0
    for word, size in words:
        first, last = max(start - before, 0), min(end - before, size)
        if first < last:
            piece = f"(({word} >> {size - last}) & {(1 << last - first) - 1})"
            shift = end - before - last
            pieces.append(f"({piece} << {shift})" if shift else piece)
        before += size
    return f"({' | '.join(pieces)})"

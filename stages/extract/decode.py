"""Text and raw values → exact Arrow columns, a column at a time.

Only values that no Arrow kernel can parse (infinities, years before 1 or after 9999) are decoded
one by one; they are rare, and all other rows stay on the fast path.
"""

from __future__ import annotations

import re
from binascii import unhexlify
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from stages.errors import TableFailed

if TYPE_CHECKING:
    import pyarrow as pa

# DuckDB's infinities of TIMESTAMP (int64 microseconds) and DATE (int32 days).
INFINITY_US = 2**63 - 1
INFINITY_DAYS = 2**31 - 1
# Postgres' infinities as the ADBC driver returns them, after an overflow; and Postgres' earliest
# timestamp (4714-11-24 BC): every raw value below it has wrapped around.
ADBC_INFINITY_US = -9222425352054775809
ADBC_MINUS_INFINITY_US = -9222425352054775808
ADBC_INFINITY_DAYS = -2147472692
ADBC_MINUS_INFINITY_DAYS = -2147472691
LEAST_US = -210866803200000000

PLAIN_TIMESTAMP = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:]{8}(\.[0-9]{1,6})?(Z|[+]00(:00)?)?$"
PLAIN_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
ODD = re.compile(
    r"(\d{4,})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?)?(?:Z|\+00(?::00)?)?( BC)?"
)


class DoesNotFit(TableFailed):
    """A source value that the column's Parquet type can't hold exactly."""

    def __init__(self, column: str, value: str, row: int) -> None:
        super().__init__(
            f"the value {value} of column `{column}` has no exact form in the years of a timestamp",
            f'add as_text = ["{column}"] to its [sources.NAME] of the plan, and adapt the line of '
            f"{column} in its model: it is a text then",
        )
        self.column = column
        self.value = value
        self.row = row

    def name_row(self, key: Sequence[str], values: Sequence[object]) -> DoesNotFit:
        """Add the row's key to the message, if it has one."""
        if key:
            self.message += f" (row {', '.join(key)} = {', '.join(map(str, values))})"
        return self


def days_of(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 in the proleptic Gregorian calendar; year 0 is 1 BC."""
    year -= month <= 2
    era = year // 400
    year_of_era = year - era * 400
    day_of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return era * 146097 + day_of_era - 719468


def odd_moment(text: str) -> int | None:
    """Microseconds since 1970 of a timestamp or date that Arrow can't parse; None if invalid."""
    if text in ("infinity", "-infinity"):
        return INFINITY_US if text == "infinity" else -INFINITY_US
    match = ODD.fullmatch(text)
    if not match:
        return None
    year, month, day = int(match[1]), int(match[2]), int(match[3])
    days = days_of(1 - year if match[8] else year, month, day)
    hours, minutes, seconds = (int(match[n] or 0) for n in (4, 5, 6))
    micros = int((match[7] or "0").ljust(6, "0"))
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return total * 1_000_000 + micros


def decode_column(values: pa.Array, form: str, target: pa.DataType, column: str) -> pa.Array:
    """A column of PostgREST's JSON (see types.Form) as its Parquet type."""
    import pyarrow as pa

    if form == "uuid":
        return pa.ExtensionArray.from_storage(target, _hex(values, fixed=16))
    if form == "bytes":
        return _hex(values)
    if form == "json":
        texts = values.cast(pa.string())
        if target == texts.type:
            return texts
        return pa.ExtensionArray.from_storage(target, texts)
    if form == "timestamp":
        return _timestamps(values, target, column)
    if form == "date":
        return _dates(values, column)
    if form == "real":
        return shortest_double(values.cast(pa.float32()))
    return values.cast(target)


def from_driver(values: pa.Array, field: pa.Field) -> pa.Array:
    """A column from the ADBC driver as its Parquet type."""
    import pyarrow as pa

    if pa.types.is_float32(values.type):
        return shortest_double(values)
    return repair(values, field.name).cast(field.type)


def shortest_double(values: pa.Array) -> pa.Array:
    """Each float4 as the double of its shortest decimal, which is what Postgres prints."""
    import pyarrow as pa

    return values.cast(pa.string()).cast(pa.float64())


def _hex(values: pa.Array, fixed: int | None = None) -> pa.Array:
    """Postgres' hex of bytea (`\\x00ff`), or a uuid's text, as binary; all rows in one decode."""
    import pyarrow as pa
    import pyarrow.compute as pc

    nulls = values.null_count
    filled = pc.fill_null(values, "00" * fixed if fixed else "\\x") if nulls else values
    digits = filled if fixed else pc.utf8_slice_codeunits(filled, 2)
    data = pa.py_buffer(unhexlify(_joined(digits).translate(None, b"-")))
    if fixed:
        plain = pa.Array.from_buffers(pa.binary(fixed), len(values), [None, data])
        plain.validate()
    else:
        lengths = pc.divide(pc.binary_length(digits), 2).cast(pa.int32())
        ends = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(lengths)])
        plain = pa.Array.from_buffers(pa.binary(), len(values), [None, ends.buffers()[1], data])
    if not nulls:
        return plain
    return pc.if_else(pc.is_valid(values), plain, pa.scalar(None, plain.type))


def _joined(texts: pa.Array) -> bytes:
    """The bytes of all texts, concatenated."""
    if not len(texts):
        return b""
    _, offsets, data = texts.buffers()
    ends = memoryview(offsets).cast("i")
    first, last = ends[texts.offset], ends[texts.offset + len(texts)]
    return bytes(memoryview(data)[first:last]) if last > first else b""


def _timestamps(values: pa.Array, target: pa.DataType, column: str) -> pa.Array:
    import pyarrow as pa

    zoned = target.tz is not None
    return _split(
        values,
        PLAIN_TIMESTAMP,
        column,
        plain=lambda texts: texts.cast(pa.timestamp("us", "UTC") if zoned else pa.timestamp("us")),
        odd=lambda moment: moment,
        storage=pa.int64(),
        target=target,
    )


def _dates(values: pa.Array, column: str) -> pa.Array:
    import pyarrow as pa

    def days(moment: int) -> int:
        if abs(moment) == INFINITY_US:
            return INFINITY_DAYS if moment > 0 else -INFINITY_DAYS
        return moment // 86_400_000_000

    return _split(
        values,
        PLAIN_DATE,
        column,
        plain=lambda texts: texts.cast(pa.date32()),
        odd=days,
        storage=pa.int32(),
        target=pa.date32(),
    )


def _split(
    values: pa.Array,
    pattern: str,
    column: str,
    *,
    plain: Any,
    odd: Any,
    storage: pa.DataType,
    target: pa.DataType,
) -> pa.Array:
    """Parse all with a kernel or, if that fails, those that don't match `pattern` one by one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    with suppress(pa.ArrowInvalid):
        return plain(values)
    regular = pc.fill_null(pc.match_substring_regex(values, pattern), True)
    read = plain(pc.if_else(regular, values, pa.scalar(None, values.type))).cast(storage)
    rows = pc.indices_nonzero(pc.invert(regular)).to_pylist()
    replacements = []
    for row in rows:
        text = values[row].as_py()
        moment = odd_moment(text)
        # The last possible timestamp has the number that stands for infinity.
        late = storage == pa.int64() and moment is not None and moment >= INFINITY_US
        if moment is None or (late and text != "infinity"):
            raise DoesNotFit(column, text, row)
        replacements.append(odd(moment))
    mask = pc.invert(regular)
    return pc.replace_with_mask(read, mask, pa.array(replacements, storage)).cast(target)


def repair(values: pa.Array, column: str) -> pa.Array:
    """Restore infinite dates and timestamps that the ADBC driver altered; refuse wrapped values."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_timestamp(values.type):
        storage, least = pa.int64(), LEAST_US
        infinities = {
            ADBC_INFINITY_US: INFINITY_US,
            ADBC_MINUS_INFINITY_US: -INFINITY_US,
        }
    elif pa.types.is_date32(values.type):
        storage, least = pa.int32(), None
        infinities = {
            ADBC_INFINITY_DAYS: INFINITY_DAYS,
            ADBC_MINUS_INFINITY_DAYS: -INFINITY_DAYS,
        }
    else:
        return values
    raw = values.cast(storage)
    low, high = pc.min_max(raw).as_py().values()
    if least is not None and high == INFINITY_US:
        # This number stands for infinity, so it can't stand for a timestamp.
        raise DoesNotFit(column, "of the last microsecond", pc.index(raw, high).as_py())
    if low is None or low > max(max(infinities), (least or low) - 1):
        return values
    for wrong, right in infinities.items():
        raw = pc.if_else(pc.equal(raw, pa.scalar(wrong, storage)), pa.scalar(right, storage), raw)
    if least is not None:
        wrapped = pc.and_(pc.less(raw, least), pc.not_equal(raw, pa.scalar(-INFINITY_US, storage)))
        rows = pc.indices_nonzero(pc.fill_null(wrapped, False)).to_pylist()
        if rows:
            raise DoesNotFit(column, "after the year 294246", rows[0])
    return raw.cast(values.type)

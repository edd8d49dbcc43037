"""REST responses: pages as Arrow, errors as ours.

An incomplete body is never taken as data: it is requested again.
Source: PostgREST's source and Supabase's documentation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from stages.errors import StagesError, TableFailed, Transient
from stages.extract.catalog import Reading
from stages.extract.decode import DoesNotFit, decode_column
from stages.extract.rest_settings import (
    REAL_DIGITS,
    check_printed,
    digits_without,
    has_all_digits,
    may_lose_digits,
)
from stages.extract.types import Column, arrow_schema
from stages.retry import seconds_asked

if TYPE_CHECKING:
    import pyarrow as pa

SAME_AGAIN = "check that nothing between here and Supabase caches answers or drops queries"
# Supabase's gateway, PostgREST and Cloudflare in front of them: the same request may succeed later.
SUPABASE_TRANSIENT_STATUS = {429, 500, 502, 503, 504, 520, 521, 522, 523, 524}
HINTS = {
    "42501": "grant SELECT on it to service_role, or set SUPABASE_DB_URL",
    "PGRST106": "add its schema to the API's exposed schemas, or set SUPABASE_DB_URL",
    "PGRST126": "turn the OpenAPI root on, or set SUPABASE_DB_URL",
    "PGRST205": "if it is new, reload the API's schema cache: notify pgrst, 'reload schema'",
}


@dataclass(frozen=True, kw_only=True)
class Response:
    """A response, read to its end. Names in `headers` are in lower case."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes


class ErrorResponse(TableFailed):
    """An error response about one table; `code` is PostgREST's or Postgres' own, "" for none."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message, HINTS.get(code, "see what else is wrong with: stages check"))
        self.code = code


class NoAnswer(Transient):
    """The connection was lost, or could not be made."""


class TookTooLong(NoAnswer):
    """No data came over the connection in time."""


class SmallerPage(TableFailed):
    """The statement ran out of time. The same page would again; a smaller one may not."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"reading {what} takes longer than the server allows",
            "raise service_role's statement_timeout, or set SUPABASE_DB_URL",
        )


class TornPage(SmallerPage):
    """Rows changed between the requests for their columns."""

    def __init__(self, what: str) -> None:
        TableFailed.__init__(
            self,
            f"rows of {what} change while they are read, and its column names need several "
            "requests over REST",
            "exclude columns in the plan, or set SUPABASE_DB_URL",
        )


class LargePage(SmallerPage):
    """The page as a whole is too large."""

    def __init__(self, what: str) -> None:
        TableFailed.__init__(
            self,
            f"rows of {what} are too large to be read over REST",
            "exclude columns in the plan, or set SUPABASE_DB_URL",
        )


# ── pages ───────────────────────────────────────────────────────────────────────────────────


def parse_page(
    response: Response,
    columns: tuple[Column, ...],
    key: Sequence[str] = (),
    proof: str | None = None,
) -> tuple[pa.Table, bool]:
    """A page's JSON as Arrow, and whether it proves that floats come with all digits.

    `proof` is the name of a column of reals that was requested only for this proof. Raises
    Transient if the body is truncated or not a JSON array, DoesNotFit with the row's key if a value
    has no exact form, and OtherSetting if one is printed under another setting.
    """
    import pyarrow as pa

    schema = arrow_schema(columns)
    body = response.body.strip()
    if not (body.startswith(b"[") and body.endswith(b"]")):
        raise Transient("the server gave a page that is cut short or no JSON", "run again")
    content_range = response.headers.get("content-range", "")
    expected = _expected_rows(content_range)
    if body == b"[]" and not expected:
        # If only a proxy made this page empty, taking it for the end would silently lose rows.
        if not content_range:
            raise Transient("the server gave an empty page without a Content-Range", "run again")
        return schema.empty_table(), True
    rows = _read_rows(body, columns, expected, proof)
    try:
        arrays = []
        for column, field in zip(columns, schema, strict=True):
            values = rows.column(column.name).chunk(0)
            check_printed(values, column)
            arrays.append(decode_column(values, column.rule.form, field.type, column.name))
    except DoesNotFit as error:
        row = json.loads(body)[error.row]
        raise error.name_row(key, [row.get(name) for name in key]) from None
    page = pa.Table.from_arrays(arrays, schema=schema)
    return page, _is_proven(rows, page, columns, proof)


def _is_proven(
    rows: pa.Table, page: pa.Table, columns: tuple[Column, ...], proof: str | None
) -> bool:
    """Whether a number has more digits than extra_float_digits = 0 prints, or none can lose any."""
    import pyarrow as pa

    if not any(map(may_lose_digits, columns)):
        return True
    if proof is not None and has_all_digits(rows.column(proof).chunk(0), REAL_DIGITS):
        return True
    for column, values in zip(columns, page.columns, strict=True):
        if column.rule.rest_cast == "float8":
            values = rows.column(column.name)
        digits = digits_without(column)
        if digits and not pa.types.is_null(values.type) and has_all_digits(values.chunk(0), digits):
            return True
    return False


def _read_rows(
    body: bytes, columns: tuple[Column, ...], expected: int | None, proof: str | None
) -> pa.Table:
    """A JSON array of objects, in their wire types."""
    import pyarrow as pa

    wire = [pa.field(c.name, _wire(c)) for c in columns]
    if proof is not None:
        wire.append(pa.field(proof, pa.float64()))
    reals = [c.name for c in columns if c.rule.rest_cast == "float8"]
    try:
        rows = _read_objects(body, wire)
    except ValueError:  # includes Arrow's own
        rows = None
    if rows is None and reals:
        # NaN and the infinities are strings among the numbers: all are made strings.
        names = "|".join(re.escape(json.dumps(name, ensure_ascii=False)) for name in reals)
        numbers = re.compile(rf"([{{,](?:{names}):)(-?[0-9][^,}}]*)".encode())
        wire = [pa.field(f.name, pa.string()) if f.name in reals else f for f in wire]
        try:
            rows = _read_objects(numbers.sub(rb'\1"\2"', body), wire)
        except ValueError:
            rows = None
        else:
            for name in reals:
                index = rows.column_names.index(name)
                rows = rows.set_column(index, name, rows.column(name).cast(pa.float64()))
    if rows is None or expected not in (None, len(rows)):
        raise Transient("the server gave a page without the rows that it announces", "run again")
    return rows


def _read_objects(body: bytes, wire: list[pa.Field]) -> pa.Table:
    """A JSON array of objects with these fields. Raises ValueError for anything else."""
    import pyarrow as pa
    import pyarrow.json as pj

    # Arrow reads a series of objects, so the page is wrapped as the only field of one object. It is
    # read as a stream, since otherwise Arrow would start a thread for each page.
    page = b"".join((b'{"rows":', body, b"}"))
    read = pj.open_json(
        pa.BufferReader(page),
        read_options=pj.ReadOptions(block_size=len(page) + 1, use_threads=False),
        parse_options=pj.ParseOptions(
            explicit_schema=pa.schema([("rows", pa.list_(pa.struct(wire)))]),
            unexpected_field_behavior="error",
            newlines_in_values=True,
        ),
    ).read_all()
    (lists,) = read.column("rows").chunks
    rows = lists.values
    rows.validate(full=True)  # Arrow's reader accepts invalid UTF-8
    if rows.null_count:
        raise ValueError("a row is null")
    return pa.Table.from_struct_array(rows)


def _wire(column: Column) -> pa.DataType:
    import pyarrow as pa

    if column.rule.rest_cast == "float8":
        return pa.float64()
    return column.arrow if column.rule.form in ("integer", "boolean") else pa.string()


def _expected_rows(content_range: str) -> int | None:
    """A page's number of rows by its Content-Range (`0-999/*`), as a second check."""
    match = re.match(r"(\d+)-(\d+)/", content_range)
    return int(match[2]) - int(match[1]) + 1 if match else None


def _parse_json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Transient("the server gave an answer that is not JSON", "run again") from None


def parse_rows(response: Response) -> list[dict[str, Any]]:
    """A JSON array of objects, with decimals as Decimal. Raises Transient for anything else."""
    try:
        rows = json.loads(response.body, parse_float=Decimal)
    except (ValueError, RecursionError):
        rows = None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Transient("the server gave an answer that is no list of rows", "run again")
    return rows


def parse_openapi(response: Response) -> dict[str, Any]:
    """The OpenAPI document. Raises Transient for anything else."""
    document: dict[str, Any] = _parse_json(response.body)
    tables = document.get("definitions", {}) if isinstance(document, dict) else None
    if not isinstance(tables, dict) or not all(_is_table(table) for table in tables.values()):
        raise Transient("the server gave no OpenAPI document", "run again")
    return document


def _is_table(definition: Any) -> bool:
    properties = definition.get("properties", {}) if isinstance(definition, dict) else None
    return isinstance(properties, dict) and all(isinstance(p, dict) for p in properties.values())


def parse_count(text: str, reading: Reading) -> int:
    """A number of rows. Raises TableFailed for anything else."""
    if not (text.isascii() and text.isdigit()):
        raise TableFailed(f"{reading.schema}.{reading.name}: the server gave no count")
    return int(text)


# ── errors ──────────────────────────────────────────────────────────────────────────────────


def error_for(response: Response, what: str) -> StagesError:
    """An error response as one of our errors."""
    status = response.status
    try:
        parsed = json.loads(response.body)
    except (ValueError, RecursionError):
        parsed = {}
    if not isinstance(parsed, dict):
        parsed = {}
    # The Auth service puts the status into `code`, and the error's name into `error_code`.
    code = str(parsed.get("error_code") or parsed.get("code") or "")
    if not code and response.headers.get("proxy-status"):
        code = response.headers["proxy-status"].rpartition("error=")[2]
    words = str(parsed.get("message") or parsed.get("msg") or response.reason)[:300]
    if parsed.get("hint"):
        words += f" ({str(parsed['hint'])[:300]})"
    if code == "57014" or status == 544:
        return SmallerPage(what)
    if status in SUPABASE_TRANSIENT_STATUS:
        return Transient(
            f"Supabase answered {status} for {what}: {words}",
            "run again",
            retry_after=seconds_asked(response.headers.get("retry-after")),
        )
    if status == 401 or (status == 403 and not code):
        return StagesError(
            f"Supabase refused SUPABASE_SERVICE_ROLE_KEY: {words}",
            "copy the key of this project again; a legacy key may have been disabled",
        )
    if status in (402, 540):
        return StagesError(f"Supabase answered {status}: {words}", "see the project's dashboard")
    return ErrorResponse(
        f"Supabase answered {status} for {what}: {words} ({code or 'no code'})", code
    )

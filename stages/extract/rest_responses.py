"""What the REST side answers: pages as Arrow, errors as ours.

A body that is not whole is never data: it is asked for again.
Source: PostgREST's source and Supabase's documentation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from stages.errors import StagesError, TableFailed, Transient
from stages.extract import auth_tables
from stages.extract.decode import DoesNotFit, decode
from stages.extract.types import Column, arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa

Kept = TypeVar("Kept")
TRANSIENT_STATUS = {429, 500, 502, 503, 504, 520, 521, 522, 523, 524}
HINTS = {
    "42501": "grant SELECT on it to service_role, or set SUPABASE_DB_URL",
    "PGRST106": "add its schema to the API's exposed schemas, or set SUPABASE_DB_URL",
    "PGRST126": "turn the OpenAPI root on, or set SUPABASE_DB_URL",
    "PGRST205": "if it is new, reload the API's schema cache: notify pgrst, 'reload schema'",
}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer, read to its end. `headers` are found in lower case."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes


class Answered(TableFailed):
    """An error answer about one table; `code` is PostgREST's or Postgres' own, "" for none."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message, HINTS.get(code, "see what else is wrong with: stages check"))
        self.code = code


class SmallerPage(TableFailed):
    """The statement ran out of time: the same page would again, a smaller one may not."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"reading {what} takes longer than the server allows",
            "raise service_role's statement_timeout, or set SUPABASE_DB_URL",
        )


# ── pages ───────────────────────────────────────────────────────────────────────────────────


def page_of(answer: Answer, columns: tuple[Column, ...], key: Sequence[str] = ()) -> pa.Table:
    """A page's JSON as Arrow.

    Raises Transient for a body that is cut short or no JSON array, and DoesNotFit, naming the row
    by its key, for a value without an exact form.
    """
    import pyarrow as pa

    schema = arrow_schema(columns)
    body = answer.body.strip()
    if not (body.startswith(b"[") and body.endswith(b"]")):
        raise Transient("the server gave a page that is cut short or no JSON", "run again")
    expected = _rows_in(answer.headers.get("content-range", ""))
    if body == b"[]" and not expected:
        return schema.empty_table()
    rows = _rows_of(body, columns, expected)
    try:
        arrays = [
            decode(rows.column(c.name).chunk(0), c.rule.form, field.type, c.name)
            for c, field in zip(columns, schema, strict=True)
        ]
    except DoesNotFit as error:
        row = json.loads(body)[error.row]
        raise error.at(key, [row.get(name) for name in key]) from None
    return pa.Table.from_arrays(arrays, schema=schema)


def _rows_of(body: bytes, columns: tuple[Column, ...], expected: int | None) -> pa.Table:
    """A JSON array of objects, as they are on the wire."""
    import pyarrow as pa
    import pyarrow.json as pj

    wire = pa.schema([pa.field(c.name, _wire(c)) for c in columns])
    # Arrow reads objects, one after the other: the whole page is made the one field of one. And it
    # would start a thread for each page, were it not read as a stream.
    page = b"".join((b'{"rows":', body, b"}"))
    try:
        read = pj.open_json(
            pa.BufferReader(page),
            read_options=pj.ReadOptions(block_size=len(page) + 1, use_threads=False),
            parse_options=pj.ParseOptions(
                explicit_schema=pa.schema([("rows", pa.list_(pa.struct(list(wire))))]),
                unexpected_field_behavior="error",
                newlines_in_values=True,
            ),
        ).read_all()
        (rows,) = read.column("rows").chunks
        found = rows.values
        found.validate(full=True)  # Arrow's reader lets through what is not UTF-8
    except ValueError:  # Arrow's own among them
        found = None
    if found is None or found.null_count or expected not in (None, len(found)):
        raise Transient(
            "the server gave a page that does not hold the rows that it says", "run again"
        )
    return pa.Table.from_struct_array(found)


def _wire(column: Column) -> pa.DataType:
    import pyarrow as pa

    return column.arrow if column.rule.form in ("integer", "boolean") else pa.string()


def _rows_in(content_range: str) -> int | None:
    """Rows of a page by its Content-Range (`0-999/*`): a second witness."""
    match = re.match(r"(\d+)-(\d+)/", content_range)
    return int(match[2]) - int(match[1]) + 1 if match else None


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise Transient("the server gave an answer that is not JSON", "run again") from None


def document_of(answer: Answer) -> dict[str, Any]:
    """The OpenAPI document. Raises Transient for what is none."""
    document = _json(answer.body)
    if not isinstance(document, dict):
        raise Transient("the server gave no OpenAPI document", "run again")
    return document


def users_of(answer: Answer, keep: Callable[[list[Any]], Kept]) -> Kept | None:
    """What `keep` makes of a page of the Auth admin API's users; None for a page without any.

    Raises Transient for what is no such page.
    """
    try:
        users = auth_tables.parsed(answer.body)["users"]
        if isinstance(users, list):
            return keep(users) if users else None
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise Transient("the Auth API gave no page of users", "run again")


def identities_of(answer: Answer, columns: tuple[Column, ...]) -> pa.Table:
    """The identities of one of the Auth admin API's users.

    Raises Transient for what is no user, TableFailed for a user without a list of identities: that
    is not the same as one with an empty list.
    """
    try:
        user = auth_tables.parsed(answer.body)
        name, found = user["id"], user.get("identities")
        if isinstance(found, list):
            return auth_tables.table_of(auth_tables.IDENTITIES, found, columns)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Transient("the Auth API gave no user", "run again") from None
    raise TableFailed(
        f"auth.identities: the Auth API gives user {name} without a list of identities",
        "set SUPABASE_DB_URL: directly, it is a table like any other",
    )


# ── errors ──────────────────────────────────────────────────────────────────────────────────


def meaning(answer: Answer, what: str) -> StagesError:
    """An error answer as one of ours."""
    status = answer.status
    try:
        parsed = json.loads(answer.body)
    except ValueError:
        parsed = {}
    if not isinstance(parsed, dict):
        parsed = {}
    # The Auth service has its status for `code`, and words for `error_code`.
    code = str(parsed.get("error_code") or parsed.get("code") or "")
    if not code and answer.headers.get("proxy-status"):
        code = answer.headers["proxy-status"].rpartition("error=")[2]
    words = str(parsed.get("message") or parsed.get("msg") or answer.reason)[:300]
    if parsed.get("hint"):
        words += f" ({str(parsed['hint'])[:300]})"
    if code == "57014" or status == 544:
        return SmallerPage(what)
    if status in TRANSIENT_STATUS:
        after = answer.headers.get("retry-after", "")
        return Transient(
            f"Supabase answered {status} for {what}: {words}",
            "run again",
            retry_after=float(after) if after.isdigit() else None,
        )
    if status == 401 or (status == 403 and not code):
        return StagesError(
            f"Supabase refused SUPABASE_SERVICE_ROLE_KEY: {words}",
            "copy the key of this project again; a legacy key may have been disabled",
        )
    if status in (402, 540):
        return StagesError(f"Supabase answered {status}: {words}", "see the project's dashboard")
    return Answered(f"Supabase answered {status} for {what}: {words} ({code or 'no code'})", code)

"""auth.users and auth.identities over the Auth service's admin API: PostgREST does not expose them.

The API returns numbered pages in an order of its own, and identities only with a single user. So
all rows are read first, then sorted by key.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import chain, count
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote
from uuid import UUID

from stages.errors import TableFailed, Transient
from stages.extract import auth_tables
from stages.extract.auth_tables import AuthColumn
from stages.extract.catalog import Reading
from stages.extract.reader import Span
from stages.extract.rest_client import JOBS, RestClient
from stages.extract.rest_responses import SAME_AGAIN, ErrorResponse, Response, parse_count
from stages.extract.types import Column, arrow_schema
from stages.retry import Threads

if TYPE_CHECKING:
    import pyarrow as pa

USERS_PATH = "/auth/v1/admin/users"
PER_PAGE = 500
# Rows per yielded table.
BATCH_ROWS = 10_000
# The Auth service's error code; versions before 2024 return only the status.
NO_SUCH_USER = ("user_not_found", "404")
Parsed = TypeVar("Parsed")


class AuthApi:
    """The two tables of `auth_tables`, read over the admin API."""

    def __init__(self, client: RestClient) -> None:
        self._client = client

    def count_users(self, reading: Reading) -> int:
        """The number of users: the API counts nothing else."""
        return self._request_users(
            1, 1, lambda response: parse_count(response.headers.get("x-total-count", ""), reading)
        )

    def first_users(self, most: int) -> tuple[int, list[dict[str, Any]]]:
        """The number of users, and the first `most` of them as the API returns them."""

        def parse(response: Response) -> tuple[int, list[dict[str, Any]]]:
            users = parse_users(response, list) or []
            total = response.headers.get("x-total-count", "")
            return (int(total) if total.isdecimal() else len(users)), users

        return self._request_users(1, most, parse)

    def read(self, reading: Reading, span: Span) -> Generator[pa.Table]:
        """A span's rows in key order."""
        if [(c.name, c.rule.form) for c in reading.key_columns] != [("id", "uuid")]:
            raise TableFailed(
                f"{reading.schema}.{reading.name} can be read over REST by its key `id` only",
                f"leave `id` as it is in [sources.{reading.source}], or set SUPABASE_DB_URL",
            )
        if reading.place == auth_tables.IDENTITIES:
            tables = self._read_identities(reading)
        else:
            tables = list(
                self._read_pages(lambda users: table_of(auth_tables.USERS, users, reading.columns))
            )
        yield from in_key_order(tables, span)

    def _request_users(self, page: int, size: int, parse: Callable[[Response], Parsed]) -> Parsed:
        """One page of users; pages are numbered from 1."""
        params = {"page": str(page), "per_page": str(size)}
        return self._client.request(USERS_PATH, parse, what="auth.users", params=params)

    def _request_user(self, user: str, parse: Callable[[Response], Parsed]) -> Parsed | None:
        """One user, by id; None if there is no such user."""
        path = f"{USERS_PATH}/{quote(user, safe='')}"
        try:
            return self._client.request(path, parse, what=f"user {user}", params={})
        except ErrorResponse as error:
            if error.code not in NO_SUCH_USER:
                raise
            return None

    def _read_pages(self, convert: Callable[[list[Any]], Parsed]) -> Iterator[Parsed]:
        """The result of `convert` for each page of users."""
        before: Parsed | None = None
        for number in count(1):
            page = self._request_users(
                number, PER_PAGE, lambda response: parse_users(response, convert)
            )
            if page is None:
                return
            if page == before:
                raise TableFailed("auth.users: the server returns the same page again", SAME_AGAIN)
            yield page
            before = page

    def _read_identities(self, reading: Reading) -> list[pa.Table]:
        """Request users one by one, several in parallel: lists of users lack their identities."""

        def read_user(user: str) -> pa.Table | None:
            return self._request_user(
                user, lambda response: parse_identities(response, reading.columns)
            )

        tables: list[pa.Table] = []
        missing: set[str] = set()
        users = self._read_user_ids(reading)
        with Threads(JOBS) as pool:
            for start in range(0, len(users), PER_PAGE):
                some = users[start : start + PER_PAGE]
                for user, identities in zip(some, pool.map(read_user, some), strict=True):
                    if identities is None:
                        missing.add(user)
                    else:
                        tables.append(identities)
        # A missing user may have been deleted meanwhile; one that is still listed was withheld.
        if missing and missing.intersection(self._read_user_ids(reading)):
            raise TableFailed(
                f"auth.identities: the Auth API lists {len(users):,} users, but does not return "
                f"{len(missing):,} of them",
                "run again; if this persists, set SUPABASE_DB_URL",
            )
        return tables

    def _read_user_ids(self, reading: Reading) -> list[str]:
        """Each user id once. Raises TableFailed if equal counts before and after do not match."""
        before = self.count_users(reading)
        pages = self._read_pages(lambda users: [str(user["id"]) for user in users])
        ids = list(dict.fromkeys(chain.from_iterable(pages)))
        if before == self.count_users(reading) != len(ids):
            raise TableFailed(
                f"auth.identities: the Auth API counts {before:,} users, but lists {len(ids):,}",
                "run again; if this persists, set SUPABASE_DB_URL",
            )
        return ids


# ── responses ───────────────────────────────────────────────────────────────────────────────


def parse_users(response: Response, convert: Callable[[list[Any]], Parsed]) -> Parsed | None:
    """The result of `convert` for a page of users; None for an empty page.

    Raises Transient if the response is not such a page.
    """
    try:
        users = _parse_json(response.body)["users"]
        if isinstance(users, list):
            return convert(users) if users else None
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise Transient("the Auth API returned no page of users", "run again")


def parse_identities(response: Response, columns: tuple[Column, ...]) -> pa.Table:
    """The identities of one user.

    Raises Transient if the response is not a user, and TableFailed if the user has no list of
    identities, which is not the same as an empty list.
    """
    try:
        user = _parse_json(response.body)
        name, identities = user["id"], user.get("identities")
        if isinstance(identities, list):
            return table_of(auth_tables.IDENTITIES, identities, columns)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Transient("the Auth API returned no user", "run again") from None
    raise TableFailed(
        f"auth.identities: the Auth API returns user {name} without a list of identities",
        "set SUPABASE_DB_URL: directly, it is a table like any other",
    )


def _parse_json(content: bytes) -> Any:
    """Parse JSON, with each object's members in jsonb order. Raises ValueError."""
    return json.loads(content, object_pairs_hook=_sort_members)


def _sort_members(members: list[tuple[str, Any]]) -> dict[str, Any]:
    def order(member: tuple[str, Any]) -> tuple[int, bytes]:
        name = member[0].encode()
        return len(name), name

    return dict(sorted(members, key=order))


# ── rows ────────────────────────────────────────────────────────────────────────────────────


def table_of(
    place: tuple[str, str], objects: Iterable[dict[str, Any]], columns: tuple[Column, ...]
) -> pa.Table:
    """Objects of the admin API as Arrow.

    Raises ValueError, TypeError or AttributeError for anything else.
    """
    import pyarrow as pa

    from stages.extract.decode import decode_column

    objects = list(objects)
    schema = arrow_schema(columns)
    arrays = []
    for column, field in zip(columns, schema, strict=True):
        spec = auth_tables.TABLES[place][column.name]
        values = [_value(each, spec, column) for each in objects]
        if column.rule.form == "boolean":
            arrays.append(pa.array(values, pa.bool_()))
        else:
            texts = pa.array(values, pa.string())
            arrays.append(decode_column(texts, column.rule.form, field.type, column.name))
    return pa.Table.from_arrays(arrays, schema=schema)


def _value(row: dict[str, Any], spec: AuthColumn, column: Column) -> Any:
    value = row.get(spec.member, spec.left_out)
    if value is None or column.rule.form == "boolean":
        return value
    if spec.type != "jsonb" and isinstance(value, str):
        # The Auth service may write null as an empty string.
        return None if value == "" and spec.member in ("phone", "email") else value
    return json.dumps(value, ensure_ascii=False)


def in_key_order(tables: list[pa.Table], span: Span) -> Iterator[pa.Table]:
    """A span's rows by id, each once: a user added meanwhile shifts pages, so rows may repeat."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not any(table.num_rows for table in tables):
        return
    table = pa.concat_tables(tables).combine_chunks()
    ids = table.column("id").chunk(0).storage.cast(pa.binary())
    order = pc.sort_indices(ids)
    ids = ids.take(order)
    first = [row == 0 or ids[row] != ids[row - 1] for row in range(len(ids))]
    keep = pa.array(first, pa.bool_())
    for key, compare in ((span.after, pc.greater), (span.until, pc.less_equal)):
        if key is not None:
            bound = pa.scalar(UUID(key[0]).bytes, pa.binary())
            keep = pc.and_(keep, compare(ids, bound))
    kept = table.take(order).filter(keep)
    for start in range(0, kept.num_rows, BATCH_ROWS):
        yield kept.slice(start, BATCH_ROWS)

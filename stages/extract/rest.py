"""REST: keyset pages through PostgREST, as raw answers: Supabase's own client hides the status,
takes a truncated body for data, and numbers for floats.

There is no snapshot across pages. A page may be cut silently (Max rows), so a short page ends
nothing: only an empty one does, and the rows must equal a count taken before and after.
Source: PostgREST's source and Supabase's documentation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain, count
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import httpx

from stages.errors import TableFailed, Transient
from stages.extract import auth_tables
from stages.extract.catalog import Reading, Relation, Relations
from stages.extract.reader import Key, Size, Span, Standing, key_texts
from stages.extract.rest_responses import (
    Answer,
    Answered,
    SmallerPage,
    document_of,
    identities_of,
    meaning,
    page_of,
    users_of,
)
from stages.extract.types import Column
from stages.project.settings import Source
from stages.retry import retrying

if TYPE_CHECKING:
    import pyarrow as pa

PAGE = 5000
LEAST_PAGE = 10
# Requests side by side hide the latency; the server's own pool is small.
JOBS = 12
# Of a table without a key: 8 kB blocks asked for at once; Postgres sorts no more than these.
BLOCKS = 64
# The Auth service's own code, and all that its versions before 2024 say.
NO_SUCH_USER = ("user_not_found", "404")
SAME_AGAIN = "see if something between here and Supabase keeps answers or drops queries"
# Keys whose order is the same here as in Postgres.
COMPARABLE: dict[str, Callable[[str], Any]] = {"integer": int, "uuid": str}
Parsed = TypeVar("Parsed")


class RestReader:
    """The source over SUPABASE_URL and a service key."""

    transport = "rest"

    def __init__(self, source: Source, schemas: Iterable[str]) -> None:
        assert source.url is not None and source.key is not None
        self.source = source
        self.schemas = sorted(set(schemas))
        key = source.key.reveal()
        # A browser-like user agent is refused with a secret key, and a secret key as a bearer.
        headers = {"User-Agent": "stages/0.1 python-httpx", "apikey": key}
        if not key.startswith("sb_"):
            headers["Authorization"] = f"Bearer {key}"
        self._http = httpx.Client(
            timeout=httpx.Timeout(120.0, connect=15.0), headers=headers, follow_redirects=False
        )
        self._base = source.url.rstrip("/")

    def identity(self) -> dict[str, Any]:
        return {}

    def snapshot(self) -> dict[str, Any]:
        return {"kind": "none"}

    def catalog(self) -> Relations:
        found: dict[tuple[str, str], Relation] = {}
        if "auth" in self.schemas:
            for place in auth_tables.TABLES:
                columns = auth_tables.columns(place)
                found[place] = Relation(
                    schema=place[0], name=place[1], columns=columns, key=("id",)
                )
        for schema in self.schemas:
            for name, definition in self.definitions(schema).items():
                found[schema, name] = _relation(schema, name, definition)
        return found

    def definitions(self, schema: str) -> dict[str, Any]:
        """Table → what OpenAPI says of it; nothing for a schema that the API does not expose."""
        try:
            document = self.get(
                "", {}, schema, document_of,
                headers={"accept": "application/openapi+json, application/json"},
            )  # fmt: skip
        except Answered as error:
            if error.code != "PGRST106":
                raise
            return {}  # `missing` says so for each of its tables
        definitions: dict[str, Any] = document.get("definitions", {})
        return definitions

    def missing(self, schema: str, table: str) -> bool:
        try:
            self.get(table, {"limit": "0"}, schema, _whole)
        except Answered as error:
            if error.code in ("PGRST205", "42P01"):
                return True
            raise
        return False

    def counts(self, reading: Reading) -> str:
        return "users" if _place(reading) == auth_tables.IDENTITIES else "rows"

    def jobs(self, wanted: int | None) -> int:
        return wanted or JOBS

    def waiting(self) -> str | None:
        return None  # no lock outlives a request

    def users(self, page: int, size: int, parse: Callable[[Answer], Parsed]) -> Parsed:
        """A page of the Auth admin API's users, from page 1."""
        url = f"{self._base}/auth/v1/admin/users"
        params = {"page": str(page), "per_page": str(size)}
        return retrying(lambda: parse(self._send(url, params, {}, "auth.users")))

    def user(self, user: str, parse: Callable[[Answer], Parsed]) -> Parsed | None:
        """One of the Auth admin API's users, by id; None where there is no such user."""
        url = f"{self._base}/auth/v1/admin/users/{quote(user, safe='')}"
        try:
            return retrying(lambda: parse(self._send(url, {}, {}, f"user {user}")))
        except Answered as error:
            if error.code not in NO_SUCH_USER:
                raise
            return None

    def session(self) -> RestSession:
        return RestSession(self)

    def close(self) -> None:
        self._http.close()

    def get(
        self,
        table: str,
        params: dict[str, str],
        schema: str,
        parse: Callable[[Answer], Parsed],
        *,
        headers: dict[str, str] | None = None,
        method: str = "GET",
    ) -> Parsed:
        """One request and what `parse` makes of its answer, both retried where that may help.

        Raises TableFailed for what concerns this table only, StagesError for everything else.
        """
        return retrying(lambda: parse(self._get_once(table, params, schema, headers or {}, method)))

    def page(
        self, reading: Reading, params: dict[str, str], columns: tuple[Column, ...]
    ) -> pa.Table:
        """Rows of a table, with these columns."""
        asked = {"select": ",".join(_chosen(column) for column in columns), **params}
        return self.get(
            reading.name, asked, reading.schema, lambda a: page_of(a, columns, reading.key)
        )

    def _get_once(
        self, table: str, params: dict[str, str], schema: str, headers: dict[str, str], method: str
    ) -> Answer:
        prefer = ", ".join(["timezone=UTC", *filter(None, [headers.get("prefer")])])
        what = f"{schema}.{table}" if table else "the API's root"
        return self._send(
            f"{self._base}/rest/v1/{quote(table, safe='')}",
            params,
            {**headers, "accept-profile": schema, "prefer": prefer},
            what,
            method,
        )

    def _send(
        self,
        url: str,
        params: dict[str, str],
        headers: dict[str, str],
        what: str,
        method: str = "GET",
    ) -> Answer:
        sent = httpx.Headers(headers, encoding="utf-8")
        try:
            # Not kept by httpx, whose answers only the garbage collector frees.
            with self._http.stream(method, url, params=params, headers=sent) as coming:
                answer = Answer(
                    status=coming.status_code,
                    reason=coming.reason_phrase,
                    headers=coming.headers,
                    body=b"".join(coming.iter_bytes()),
                )
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise Transient(
                f"{self.source.label} at {self.source.url} did not answer: "
                f"{str(error) or type(error).__name__}",
                "see if SUPABASE_URL is right and the project is not paused, then run again",
            ) from None
        if answer.status in (200, 206):
            return answer
        raise meaning(answer, what)


class RestSession:
    """Pages of one table at a time; the connection pool is the reader's."""

    def __init__(self, reader: RestReader) -> None:
        self._reader = reader

    def close(self) -> None:
        return

    def size(self, reading: Reading) -> Size:
        exact = self._reader.counts(reading) == "rows"
        return Size(rows=self.count(reading), bytes=None, exact=exact)

    def split(self, reading: Reading, size: Size, rows: int) -> list[Key]:
        # A span for each request under way, of some pages at least.
        pieces = min(JOBS, size.rows // 4000)
        if pieces < 2 or len(reading.key) != 1 or _place(reading) in auth_tables.TABLES:
            return []
        if reading.key_columns[0].rule.form in COMPARABLE:
            with ThreadPoolExecutor(max_workers=JOBS) as pool:
                asked = [(reading, size.rows * piece // pieces, None) for piece in range(1, pieces)]
                keys = [key for key in pool.map(lambda a: self._key_at(*a), asked) if key]
            compare = COMPARABLE[reading.key_columns[0].rule.form]
            return [[text] for text in sorted({key[0] for key in keys}, key=compare)]
        # From one cut to the next, so that they rise, whatever comes and goes meanwhile: how the
        # server orders such keys is not known here.
        cuts: list[Key] = []
        for _ in range(1, pieces):
            key = self._key_at(reading, size.rows // pieces, cuts[-1] if cuts else None)
            if key is None:
                break
            cuts.append(key)
        return cuts

    def _key_at(self, reading: Reading, offset: int, after: Key | None) -> Key | None:
        """The key so many rows after another one; None at the end, or where counting takes long."""
        params = {"order": f"{_name(reading.key[0])}.asc", "offset": str(offset), "limit": "1"}
        if after is not None:
            params["and"] = f"({_keyset(reading.key, Span(after=after), 0)[0]})"
        try:
            page = self._reader.page(reading, params, reading.key_columns)
        except SmallerPage:
            return None
        return key_texts(page, reading, 0) if page.num_rows else None

    def count(self, reading: Reading, *, filtered: bool = True) -> int:
        self._refuse_filter(reading)
        if _place(reading) in auth_tables.TABLES:
            total = self._reader.users(1, 1, lambda answer: answer.headers.get("x-total-count", ""))
            return _number(reading, total)
        answer = self._reader.get(
            reading.name,
            {"limit": "1"},
            reading.schema,
            _whole,
            headers={"prefer": "count=exact"},
            method="HEAD",
        )
        total = answer.headers.get("content-range", "").rpartition("/")[2]
        return _number(reading, total)

    def standing(self, reading: Reading, snapshot: dict[str, Any]) -> Standing:
        rows = self.count(reading)
        if not reading.key or not rows or _place(reading) in auth_tables.TABLES:
            return Standing(rows=rows, greatest=None)
        order = ",".join(f"{_name(name)}.desc" for name in reading.key)
        page = self._reader.page(reading, {"order": order, "limit": "1"}, reading.key_columns)
        return Standing(rows=rows, greatest=key_texts(page, reading, 0) if page.num_rows else None)

    def read(self, reading: Reading, span: Span) -> Iterator[pa.Table]:
        self._refuse_filter(reading)
        if _place(reading) in auth_tables.TABLES:
            yield from self._read_auth(reading, span)
            return
        if not reading.key:
            yield from self._read_places(reading)
            return
        after, limit = span.after, PAGE
        while True:
            page, limit = self._next(reading, Span(after=after, until=span.until), limit)
            if page is None:
                return
            yield page
            before, after = after, key_texts(page, reading, page.num_rows - 1)
            if after == before:
                raise TableFailed(
                    f"{reading.schema}.{reading.name}: the server gives the same rows again and "
                    "again, whatever is asked for",
                    SAME_AGAIN,
                )

    def _next(self, reading: Reading, span: Span, limit: int) -> tuple[pa.Table | None, int]:
        """The page after a key, and the page size that was good; (None, …) at the end.

        A composite key is asked for in phases, equal in all but the last column first, since
        Postgres makes no index bound of the one filter that would say it all.
        """
        prefixes = range(len(reading.key) - 1, -1, -1) if span.after is not None else [0]
        for prefix in prefixes:
            params = {"order": ",".join(f"{_name(name)}.asc" for name in reading.key[prefix:])}
            terms = _keyset(reading.key, span, prefix)
            if terms:
                params["and"] = f"({','.join(terms)})"
            page, limit = self._page(reading, params, limit)
            if page.num_rows:
                return page, limit
        return None, limit

    def _page(self, reading: Reading, params: dict[str, str], limit: int) -> tuple[pa.Table, int]:
        """One page, smaller where the server runs out of time for it."""
        while True:
            asked = {**params, "limit": str(limit)}
            try:
                return self._reader.page(reading, asked, reading.columns), limit
            except SmallerPage:
                if limit <= LEAST_PAGE:
                    raise
                limit = max(limit // 4, LEAST_PAGE)

    def _read_auth(self, reading: Reading, span: Span) -> Iterator[pa.Table]:
        """The Auth admin API has numbered pages in an order of its own: all rows, then sorted."""
        if [(c.name, c.rule.form) for c in reading.key_columns] != [("id", "uuid")]:
            raise TableFailed(
                f"{reading.schema}.{reading.name} goes over REST by its key `id` only",
                f"leave `id` as it is in [sources.{reading.source}], or set SUPABASE_DB_URL",
            )
        if _place(reading) == auth_tables.IDENTITIES:
            tables = self._identities(reading)
        else:
            tables = list(
                self._users(
                    lambda users: auth_tables.table_of(auth_tables.USERS, users, reading.columns)
                )
            )
        yield from auth_tables.in_key_order(tables, span)

    def _users(self, keep: Callable[[list[Any]], Parsed]) -> Iterator[Parsed]:
        """What `keep` makes of each page of users."""
        before: Parsed | None = None
        for number in count(1):
            page = self._reader.users(
                number, auth_tables.PER_PAGE, lambda answer: users_of(answer, keep)
            )
            if page is None:
                return
            if page == before:
                raise TableFailed("auth.users: the server gives the same page again", SAME_AGAIN)
            yield page
            before = page

    def _identities(self, reading: Reading) -> list[pa.Table]:
        """Of one user after the other, some side by side: a list of users comes without them."""

        def ask(user: str) -> pa.Table | None:
            return self._reader.user(user, lambda a: identities_of(a, reading.columns))

        tables: list[pa.Table] = []
        gone: set[str] = set()
        users = self._user_ids(reading)
        with ThreadPoolExecutor(max_workers=JOBS) as pool:
            for start in range(0, len(users), auth_tables.PER_PAGE):
                some = users[start : start + auth_tables.PER_PAGE]
                for user, found in zip(some, pool.map(ask, some), strict=True):
                    if found is None:
                        gone.add(user)
                    else:
                        tables.append(found)
        # Who was deleted meanwhile has no identities; who is still listed has been withheld.
        if gone and gone.intersection(self._user_ids(reading)):
            raise TableFailed(
                f"auth.identities: the Auth API lists users that it does not give, {len(gone):,} "
                f"of {len(users):,}",
                "run again; if it stays so, set SUPABASE_DB_URL",
            )
        return tables

    def _user_ids(self, reading: Reading) -> list[str]:
        """Each user once. Raises TableFailed for fewer or more than are counted, twice alike."""
        before = self.count(reading)
        pages = self._users(lambda users: [str(user["id"]) for user in users])
        found = list(dict.fromkeys(chain.from_iterable(pages)))
        if before == self.count(reading) != len(found):
            raise TableFailed(
                f"auth.identities: the Auth API counts {before:,} users, but lists {len(found):,}",
                "run again; if it stays so, set SUPABASE_DB_URL",
            )
        return found

    def _read_places(self, reading: Reading) -> Iterator[pa.Table]:
        """A table without a key, by the places of its rows (ctid), a few blocks at a time.

        Rows that are updated meanwhile move; the counts before and after tell.
        """
        refusal = TableFailed(
            f"{reading.schema}.{reading.name} has no primary key, and its rows have no places that "
            "REST shows",
            "set SUPABASE_DB_URL, or name columns that are unique and not null as `key` in "
            f"[sources.{reading.source}]",
        )
        place = Column(name="ctid", type="tid")
        try:
            last = self._reader.page(reading, {"order": "ctid.desc", "limit": "1"}, (place,))
        except Answered:
            raise refusal from None
        places = last.column("ctid").to_pylist()
        end = int(places[0].strip("()").split(",")[0]) if places else -1
        with_place = replace(reading, columns=(*reading.columns, place))
        limit = PAGE
        for block in range(0, end + 1, BLOCKS):
            after = f'ctid.gte."({block},0)"'
            while True:
                terms = (after, f'ctid.lt."({block + BLOCKS},0)"')
                params = {"and": f"({','.join(terms)})", "order": "ctid.asc"}
                page, limit = self._page(with_place, params, limit)
                if not page.num_rows:
                    break
                after = f'ctid.gt."{page.column("ctid")[-1].as_py()}"'
                yield page.drop_columns("ctid")

    def _refuse_filter(self, reading: Reading) -> None:
        if reading.where:
            raise TableFailed(
                f"[sources.{reading.source}] has a `where`, which is SQL and can't go over REST",
                "set SUPABASE_DB_URL, or make a view with that filter and name it as `table`",
            )


def _whole(answer: Answer) -> Answer:
    return answer


def _place(reading: Reading) -> tuple[str, str]:
    return reading.schema, reading.name


def _number(reading: Reading, total: str) -> int:
    if not total.isdigit():
        raise TableFailed(f"{reading.schema}.{reading.name}: the server gave no count")
    return int(total)


def _name(name: str) -> str:
    """A column for select, order and filters; quoted, so that dots and reserved words are plain."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _chosen(column: Column) -> str:
    cast = column.rule.rest_cast
    return f"{_name(column.name)}::{cast}" if cast else _name(column.name)


def _keyset(key: tuple[str, ...], span: Span, prefix: int) -> list[str]:
    """Filters of one phase of a span: equal in the first columns, beyond `after` in the next."""
    terms = []
    if span.after is not None:
        terms += [f"{_name(key[i])}.eq.{_name(span.after[i])}" for i in range(prefix)]
        terms.append(f"{_name(key[prefix])}.gt.{_name(span.after[prefix])}")
    if span.until is not None:
        if len(key) > 1:
            raise ValueError("a span over REST ends only in a key of one column")
        terms.append(f"{_name(key[0])}.lte.{_name(span.until[0])}")
    return terms


def _relation(schema: str, name: str, definition: dict[str, Any]) -> Relation:
    required = set(definition.get("required", ()))
    columns = []
    key = []
    for column, about in definition.get("properties", {}).items():
        columns.append(
            Column(
                name=column,
                type=str(about.get("format", "")),
                not_null=column in required,
            )
        )
        if "<pk/>" in about.get("description", ""):
            key.append(column)
    return Relation(
        schema=schema, name=name, columns=tuple(columns), key=tuple(key), key_ordered=len(key) < 2
    )

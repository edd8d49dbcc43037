"""REST: keyset pages through PostgREST. What it does not show of `auth` is read by `auth_api`.

There is no snapshot across pages. A page may be cut silently (Max rows), so a short page ends
nothing: only an empty one does, and the rows must equal a count taken before and after.
Source: PostgREST's source and Supabase's documentation.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from stages.errors import TableFailed
from stages.extract import auth_tables
from stages.extract.auth_api import AuthApi
from stages.extract.catalog import Reading, Relation, Relations
from stages.extract.reader import Key, Size, Span, TableState, key_texts
from stages.extract.rest_client import JOBS, RestClient
from stages.extract.rest_responses import (
    SAME_AGAIN,
    ErrorResponse,
    Response,
    SmallerPage,
    parse_count,
    parse_openapi,
    parse_page,
)
from stages.extract.types import Column
from stages.project.settings import Source

if TYPE_CHECKING:
    import pyarrow as pa

PAGE = 5000
LEAST_PAGE = 10
# Of a table without a key: 8 kB blocks asked for at once; Postgres sorts no more than these.
BLOCKS = 64
# Keys whose order is the same here as in Postgres.
COMPARABLE: dict[str, Callable[[str], Any]] = {"integer": int, "uuid": str}
Parsed = TypeVar("Parsed")


class RestReader:
    """The source over SUPABASE_URL and a service key."""

    transport = "rest"
    has_snapshot = False
    random_access = False
    rows_per_second = 60_000

    def __init__(self, source: Source, schemas: Iterable[str]) -> None:
        self.schemas = sorted(set(schemas))
        self._client = RestClient(source)
        self.auth = AuthApi(self._client)

    def identity(self) -> dict[str, Any]:
        return {}

    def snapshot(self) -> dict[str, Any]:
        return {"kind": "none"}

    def catalog(self) -> Relations:
        relations: dict[tuple[str, str], Relation] = {}
        if "auth" in self.schemas:
            for place in auth_tables.TABLES:
                columns = auth_tables.columns(place)
                relations[place] = Relation(
                    schema=place[0], name=place[1], columns=columns, key=("id",)
                )
        for schema in self.schemas:
            for name, definition in self.definitions(schema).items():
                relations[schema, name] = _relation(schema, name, definition)
        return relations

    def definitions(self, schema: str) -> dict[str, Any]:
        """Table → what OpenAPI says of it; nothing for a schema that the API does not expose."""
        try:
            document = self.get(
                "",
                {},
                schema,
                parse_openapi,
                headers={"accept": "application/openapi+json, application/json"},
            )
        except ErrorResponse as error:
            if error.code != "PGRST106":
                raise
            return {}  # `is_missing` says so for each of its tables
        definitions: dict[str, Any] = document.get("definitions", {})
        return definitions

    def is_missing(self, schema: str, table: str) -> bool:
        try:
            self.get(table, {"limit": "0"}, schema, _unparsed)
        except ErrorResponse as error:
            if error.code in ("PGRST205", "42P01"):
                return True
            raise
        return False

    def count_unit(self, reading: Reading) -> str:
        return "users" if reading.place == auth_tables.IDENTITIES else "rows"

    def allowed_jobs(self, requested: int | None) -> int:
        return requested or JOBS

    def find_blocked(self) -> str | None:
        return None  # no lock outlives a request

    def session(self) -> RestSession:
        return RestSession(self)

    def interrupt(self, reason: str) -> None:
        self._client.interrupt(reason)

    def close(self) -> None:
        self._client.close()

    def get(
        self,
        table: str,
        params: dict[str, str],
        schema: str,
        parse: Callable[[Response], Parsed],
        *,
        headers: dict[str, str] | None = None,
        method: str = "GET",
    ) -> Parsed:
        """One request and what `parse` makes of its response, both retried where that may help.

        Raises TableFailed for what concerns this table only, StagesError for everything else.
        """
        headers = headers or {}
        prefer = ", ".join(["timezone=UTC", *filter(None, [headers.get("prefer")])])
        return self._client.request(
            f"/rest/v1/{quote(table, safe='')}",
            parse,
            what=f"{schema}.{table}" if table else "the API's root",
            params=params,
            headers={**headers, "accept-profile": schema, "prefer": prefer},
            method=method,
        )

    def page(
        self, reading: Reading, params: dict[str, str], columns: tuple[Column, ...]
    ) -> pa.Table:
        """Rows of a table, with these columns."""
        select = ",".join(_select_item(column) for column in columns)
        return self.get(
            reading.name,
            {"select": select, **params},
            reading.schema,
            lambda response: parse_page(response, columns, reading.key),
        )


class RestSession:
    """Pages of one table at a time; the connection pool is the reader's."""

    def __init__(self, reader: RestReader) -> None:
        self._reader = reader

    def close(self) -> None:
        return

    def size(self, reading: Reading) -> Size:
        exact = self._reader.count_unit(reading) == "rows"
        return Size(rows=self.count(reading), bytes=None, exact=exact)

    def probe(self, reading: Reading) -> None:
        """A view that takes long is no failure."""
        self._refuse_filter(reading)
        with suppress(SmallerPage):
            self._reader.page(reading, {"limit": "1"}, reading.columns)

    def split(self, reading: Reading, size: Size, rows: int) -> list[Key]:
        # A span for each request under way, of some pages at least.
        pieces = min(JOBS, size.rows // 4000)
        if pieces < 2 or len(reading.key) != 1 or reading.place in auth_tables.TABLES:
            return []
        if reading.key_columns[0].rule.form in COMPARABLE:
            with ThreadPoolExecutor(max_workers=JOBS) as pool:
                offsets = [size.rows * piece // pieces for piece in range(1, pieces)]
                keys_or_none = pool.map(lambda offset: self._key_at(reading, offset, None), offsets)
                keys = [key for key in keys_or_none if key]
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
        if reading.place in auth_tables.TABLES:
            return self._reader.auth.count_users(reading)
        response = self._reader.get(
            reading.name,
            {"limit": "1"},
            reading.schema,
            _unparsed,
            headers={"prefer": "count=exact"},
            method="HEAD",
        )
        total = response.headers.get("content-range", "").rpartition("/")[2]
        return parse_count(total, reading)

    def table_state(self, reading: Reading, snapshot: dict[str, Any]) -> TableState:
        rows = self.count(reading)
        if not reading.key or not rows or reading.place in auth_tables.TABLES:
            return TableState(rows=rows, greatest=None)
        order = ",".join(f"{_name(name)}.desc" for name in reading.key)
        page = self._reader.page(reading, {"order": order, "limit": "1"}, reading.key_columns)
        return TableState(
            rows=rows, greatest=key_texts(page, reading, 0) if page.num_rows else None
        )

    def read(self, reading: Reading, span: Span) -> Generator[pa.Table]:
        self._refuse_filter(reading)
        if reading.place in auth_tables.TABLES:
            yield from self._reader.auth.read(reading, span)
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
            limited = {**params, "limit": str(limit)}
            try:
                return self._reader.page(reading, limited, reading.columns), limit
            except SmallerPage:
                if limit <= LEAST_PAGE:
                    raise
                limit = max(limit // 4, LEAST_PAGE)

    def _read_places(self, reading: Reading) -> Iterator[pa.Table]:
        """A table without a key, by the places of its rows (ctid), a few blocks at a time.

        Rows that are updated meanwhile move; the counts before and after show it.
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
        except ErrorResponse:
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


def _unparsed(response: Response) -> Response:
    return response


def _name(name: str) -> str:
    """A column for select, order and filters; quoted, so that dots and reserved words are plain."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _select_item(column: Column) -> str:
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
    for column, facts in definition.get("properties", {}).items():
        columns.append(
            Column(
                name=column,
                type=str(facts.get("format", "")),
                not_null=column in required,
                labels=tuple(facts["enum"]) if facts.get("enum") else None,
            )
        )
        if "<pk/>" in facts.get("description", ""):
            key.append(column)
    return Relation(
        schema=schema, name=name, columns=tuple(columns), key=tuple(key), key_ordered=len(key) < 2
    )

"""REST: keyset pages through PostgREST. `auth_api` reads the tables of `auth`, which it hides.

There is no snapshot across pages. A page may be cut silently (Max rows), so a short page is not the
end: only an empty one is, and the rows must equal a count taken before and after.
Source: PostgREST's source and Supabase's documentation.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from stages.errors import TableFailed
from stages.extract import auth_tables
from stages.extract.auth_api import AuthApi
from stages.extract.catalog import Reading, Relation, Relations
from stages.extract.reader import Key, Size, Span, TableState, key_texts
from stages.extract.rest_client import JOBS, RestClient
from stages.extract.rest_floats import settle_floats
from stages.extract.rest_responses import (
    SAME_AGAIN,
    ErrorResponse,
    Response,
    SmallerPage,
    TornPage,
    parse_count,
    parse_openapi,
    parse_page,
    parse_rows,
)
from stages.extract.rest_select import encode, keyset, quoted, select_item, split_columns
from stages.extract.rest_settings import PROOF, may_lose_digits
from stages.extract.types import Column
from stages.project.settings import Source
from stages.retry import Threads
from stages.state.manifests import Snapshot, Transport

if TYPE_CHECKING:
    import pyarrow as pa

PAGE = 5000
LEAST_PAGE = 10
# For a table without a key: 8 kB blocks per request; Postgres sorts only the rows of these.
BLOCKS = 64
# Rows of a table that show early whether all of its values can be read.
PROBE_ROWS = 100
# Columns that change whenever a row does; tables have them, views do not.
VERSION = (Column(name="xmin", type="xid"), Column(name="ctid", type="tid"))
# How often a page in several requests is tried before fewer rows are requested.
TORN_TRIES = 3
# Keys whose order is the same here as in Postgres.
COMPARABLE: dict[str, Callable[[str], Any]] = {"integer": int, "uuid": str}
Parsed = TypeVar("Parsed")


class RestReader:
    """The source over SUPABASE_URL and a service key."""

    transport: Transport = "rest"
    has_snapshot = False
    random_access = False
    rows_per_second = 60_000

    def __init__(self, source: Source, schemas: Iterable[str]) -> None:
        self.schemas = sorted(set(schemas))
        self._client = RestClient(source)
        # Schema → the API's message about it.
        self.not_exposed: dict[str, str] = {}
        self.auth = AuthApi(self._client)
        # Tables whose rows can't be hashed.
        self._without_proof: set[tuple[str, str]] = set()

    def identity(self) -> dict[str, Any]:
        return {}

    def snapshot(self) -> Snapshot:
        return Snapshot(kind="none")

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
                relations[schema, name] = relation_of(schema, name, definition)
        return relations

    def definitions(self, schema: str) -> dict[str, Any]:
        """Table → its OpenAPI definition; {} for a schema that the API does not expose."""
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
            self.not_exposed[schema] = error.message
            return {}  # `is_missing` raises for each of its tables
        definitions: dict[str, Any] = document.get("definitions", {})
        return definitions

    def buckets(self) -> list[dict[str, Any]]:
        """The buckets, as the Storage API returns them."""
        return self._client.request(
            "/storage/v1/bucket", parse_rows, what="the storage buckets", params={}
        )

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

    def limit(self, seconds_left: Callable[[], float]) -> None:
        """Limit each request from now on, retries included, to the seconds left when it is sent."""
        self._client.limit(seconds_left)

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
        """Send a request and parse its response, retrying both where that may help.

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
        return self.read_page(reading, params, columns)[0]

    def read_page(
        self, reading: Reading, params: dict[str, str], columns: tuple[Column, ...]
    ) -> tuple[pa.Table, bool]:
        """Rows of a table, and whether they prove that floats come with all digits.

        Columns that do not fit in one request line are read in several requests. Raises TornPage if
        these do not return the same versions of the same rows.
        """
        # Beside the columns, the line holds the path, the method and the proof.
        used = len(encode(params.items())) + len(quote(reading.name, safe="")) + 100
        common = (*reading.key_columns, *(c for c in VERSION if c not in columns))
        groups = split_columns(columns, common, used)
        if len(groups) == 1:
            return self._request_page(reading, params, columns)
        for _ in range(TORN_TRIES):
            joined = self._read_groups(reading, params, groups, common)
            if joined is not None:
                return joined
        raise TornPage(f"{reading.schema}.{reading.name}")

    def _read_groups(
        self,
        reading: Reading,
        params: dict[str, str],
        groups: list[tuple[Column, ...]],
        common: tuple[Column, ...],
    ) -> tuple[pa.Table, bool] | None:
        """All columns of the same rows; None where keys or row versions differ between groups."""
        import pyarrow as pa

        arrays, fields, proven, same = [], [], True, None
        for group in groups:
            beside = tuple(column for column in common if column not in group)
            try:
                rows, is_proven = self._request_page(reading, params, (*group, *beside))
            except ErrorResponse as error:
                if error.code != "42703":
                    raise
                raise TableFailed(
                    f"the column names of {reading.schema}.{reading.name} need several requests "
                    "over REST, and its rows have no versions to join them by",
                    "exclude columns in the plan, or set SUPABASE_DB_URL",
                ) from None
            versions = rows.select([column.staged for column in common])
            if same is not None and not versions.equals(same):
                return None
            same, proven = versions, proven and is_proven
            arrays += rows.columns[: len(group)]
            fields += list(rows.schema)[: len(group)]
        return pa.Table.from_arrays(arrays, schema=pa.schema(fields)), proven

    def _request_page(
        self, reading: Reading, params: dict[str, str], columns: tuple[Column, ...]
    ) -> tuple[pa.Table, bool]:
        """One request; it includes a proof of float digits where that matters and is available."""
        items = [select_item(column) for column in columns]
        names = {column.name for column in columns}
        proof = None
        if any(map(may_lose_digits, columns)) and reading.place not in self._without_proof:
            proof = next(name for n in count() if (name := f"digits_{n}") not in names)
            items.append(f"{proof}:{PROOF}::real")
        try:
            return self.get(
                reading.name,
                {"select": ",".join(items), **params},
                reading.schema,
                lambda response: parse_page(response, columns, reading.key, proof),
            )
        except ErrorResponse:
            if proof is None:
                raise
            # A column that can't be hashed or may not be read, or an old Postgres.
            self._without_proof.add(reading.place)
        return self._request_page(reading, params, columns)


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
        """Read the first rows. A page that is too slow or too large is not a failure."""
        self._refuse_reading(reading)
        params = {"limit": str(PROBE_ROWS)}
        if reading.key:
            params["order"] = ",".join(f"{quoted(name)}.asc" for name in reading.key)
        with suppress(SmallerPage):
            page, proven = self._reader.read_page(reading, params, reading.columns)
            if not proven and reading.key:
                settle_floats(self._reader, reading, page, None)

    def split(self, reading: Reading, size: Size, rows: int) -> list[Key]:
        # One span per parallel request, but of at least 4,000 rows.
        pieces = min(JOBS, size.rows // 4000)
        if pieces < 2 or len(reading.key) != 1 or reading.place in auth_tables.TABLES:
            return []
        if reading.key_columns[0].rule.form in COMPARABLE:
            with Threads(JOBS) as pool:
                offsets = [size.rows * piece // pieces for piece in range(1, pieces)]
                keys_or_none = pool.map(lambda offset: self._key_at(reading, offset, None), offsets)
                keys = [key for key in keys_or_none if key]
            compare = COMPARABLE[reading.key_columns[0].rule.form]
            return [[text] for text in sorted({key[0] for key in keys}, key=compare)]
        # Each cut is found from the one before, so that cuts ascend even if rows come and go: how
        # the server orders such keys is not known here.
        cuts: list[Key] = []
        for _ in range(1, pieces):
            key = self._key_at(reading, size.rows // pieces, cuts[-1] if cuts else None)
            if key is None:
                break
            cuts.append(key)
        return cuts

    def _key_at(self, reading: Reading, offset: int, after: Key | None) -> Key | None:
        """The key `offset` rows beyond `after`; None at the end, or if the server takes long."""
        params = {"order": f"{quoted(reading.key[0])}.asc", "offset": str(offset), "limit": "1"}
        if after is not None:
            params["and"] = f"({keyset(reading.key, Span(after=after), 0)[0]})"
        try:
            page = self._reader.page(reading, params, reading.key_columns)
        except SmallerPage:
            return None
        return key_texts(page, reading, 0) if page.num_rows else None

    def count(self, reading: Reading, *, filtered: bool = True) -> int:
        self._refuse_reading(reading)
        if reading.place in auth_tables.TABLES:
            return self._reader.auth.count_users(reading)
        response = self._reader.get(
            reading.name,
            # The key may read only some columns.
            {"select": quoted((*reading.key, reading.columns[0].name)[0]), "limit": "1"},
            reading.schema,
            _unparsed,
            headers={"prefer": "count=exact"},
            method="HEAD",
        )
        total = response.headers.get("content-range", "").rpartition("/")[2]
        return parse_count(total, reading)

    def table_state(self, reading: Reading, snapshot: Snapshot) -> TableState:
        rows = self.count(reading)
        if not reading.key or not rows or reading.place in auth_tables.TABLES:
            return TableState(rows=rows, greatest=None)
        order = ",".join(f"{quoted(name)}.desc" for name in reading.key)
        page = self._reader.page(reading, {"order": order, "limit": "1"}, reading.key_columns)
        return TableState(
            rows=rows, greatest=key_texts(page, reading, 0) if page.num_rows else None
        )

    def read(self, reading: Reading, span: Span) -> Generator[pa.Table]:
        self._refuse_reading(reading)
        if reading.place in auth_tables.TABLES:
            yield from self._reader.auth.read(reading, span)
            return
        if not reading.key:
            yield from self._read_places(reading)
            return
        after, limit = span.after, PAGE
        while True:
            page, limit, proven = self._next(reading, Span(after=after, until=span.until), limit)
            if page is None:
                return
            yield page if proven else settle_floats(self._reader, reading, page, after)
            before, after = after, key_texts(page, reading, page.num_rows - 1)
            if after == before:
                raise TableFailed(
                    f"{reading.schema}.{reading.name}: the server returns the same rows again and "
                    "again, whatever is asked for",
                    SAME_AGAIN,
                )

    def _next(self, reading: Reading, span: Span, limit: int) -> tuple[pa.Table | None, int, bool]:
        """The page after a key, the page size that worked, and whether the page proves its floats;
        (None, …) at the end.

        A composite key is read in phases, first with all columns but the last equal, since Postgres
        can't use a single filter for the whole key as an index bound.
        """
        prefixes = range(len(reading.key) - 1, -1, -1) if span.after is not None else [0]
        for prefix in prefixes:
            params = {"order": ",".join(f"{quoted(name)}.asc" for name in reading.key[prefix:])}
            terms = keyset(reading.key, span, prefix)
            if terms:
                params["and"] = f"({','.join(terms)})"
            page, limit, proven = self._page(reading, params, limit)
            if page.num_rows:
                return page, limit, proven
        return None, limit, True

    def _page(
        self, reading: Reading, params: dict[str, str], limit: int
    ) -> tuple[pa.Table, int, bool]:
        """One page, with fewer rows if it is too slow, too large or torn."""
        while True:
            limited = {**params, "limit": str(limit)}
            try:
                page, proven = self._reader.read_page(reading, limited, reading.columns)
                return page, limit, proven
            except SmallerPage:
                if limit <= LEAST_PAGE:
                    raise
                limit = max(limit // 4, LEAST_PAGE)

    def _read_places(self, reading: Reading) -> Iterator[pa.Table]:
        """A table without a key, by the ctids of its rows, a few blocks at a time.

        Rows that are updated meanwhile move; comparing with the counts before and after shows it.
        """
        refusal = TableFailed(
            f"{reading.schema}.{reading.name} has no primary key, and REST shows no positions of "
            "its rows",
            "set SUPABASE_DB_URL, or name columns that are unique and not null as `key` in "
            f"[sources.{reading.source}]",
        )
        table, place = Column(name="tableoid", type="oid"), Column(name="ctid", type="tid")
        placed = replace(reading, columns=(*reading.columns, place), key=("ctid",))
        # A parent's rows are in several tables, whose ctids overlap.
        beyond: list[str] = []
        while True:
            params = {"order": "tableoid.asc", "limit": "1"}
            if beyond:
                params["and"] = f"({beyond[0]})"
            try:
                first = self._reader.page(reading, params, (table,))
            except ErrorResponse:
                raise refusal from None
            if not first.num_rows:
                return
            oid = first.column("tableoid")[0].as_py()
            yield from self._read_blocks(placed, f'tableoid.eq."{oid}"', refusal)
            beyond = [f'tableoid.gt."{oid}"']

    def _read_blocks(
        self, placed: Reading, of_table: str, refusal: TableFailed
    ) -> Iterator[pa.Table]:
        """The rows of one physical table, by ctid."""
        params = {"order": "ctid.desc", "limit": "1", "and": f"({of_table})"}
        try:
            last = self._reader.page(placed, params, placed.key_columns)
        except ErrorResponse:
            raise refusal from None
        places = last.column("ctid").to_pylist()
        end = int(places[0].strip("()").split(",")[0]) if places else -1
        limit = PAGE
        for block in range(0, end + 1, BLOCKS):
            # Before the block's first row: row numbers start at 1.
            after: Key = [f"({block},0)"]
            while True:
                terms = [of_table, f'ctid.gt."{after[0]}"', f'ctid.lt."({block + BLOCKS},0)"']
                params = {"and": f"({','.join(terms)})", "order": "ctid.asc"}
                page, limit, proven = self._page(placed, params, limit)
                if not page.num_rows:
                    break
                if not proven:
                    page = settle_floats(self._reader, placed, page, after, [of_table])
                after = [page.column("ctid")[-1].as_py()]
                yield page.drop_columns("ctid")

    def _refuse_reading(self, reading: Reading) -> None:
        if reading.where:
            raise TableFailed(
                f"[sources.{reading.source}] has a `where`, which is SQL and can't go over REST",
                "set SUPABASE_DB_URL, or make a view with that filter and name it as `table`",
            )
        if any(column.name == "*" for column in reading.columns):
            raise TableFailed(
                f"`{reading.schema}.{reading.name}` has a column called `*`, which means all "
                "columns to PostgREST, even in quotes",
                f'say exclude = ["*"] in [sources.{reading.source}], or set SUPABASE_DB_URL',
            )


def _unparsed(response: Response) -> Response:
    return response


def relation_of(schema: str, name: str, definition: dict[str, Any]) -> Relation:
    """A table or view as OpenAPI defines it."""
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

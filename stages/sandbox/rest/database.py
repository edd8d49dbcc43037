"""The connection pool, one read-only transaction per request, and a cache of the catalog."""

from __future__ import annotations

import difflib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import sql
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from stages.sandbox.rest.auth import Caller
from stages.sandbox.rest.errors import RestError

POOL_SIZE = 8
POOL_WAIT = 10.0  # seconds, as PostgREST's own default
Cursor = psycopg.AsyncRawCursor[tuple[Any, ...]]

# Several statements in one round trip. A role's statement_timeout takes effect only at login, so it
# is set explicitly before the role changes. The role comes last: its permissions apply afterwards.
_BEGIN = sql.SQL("""
BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY;
SELECT set_config('statement_timeout', split_part(setting, '=', 2), true)
FROM pg_db_role_setting s
JOIN pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) setting
WHERE r.rolname = {role} AND s.setdatabase = 0 AND setting LIKE 'statement_timeout=%';
SELECT
  set_config('search_path', {path}, true),
  set_config('request.jwt.claims', {claims}, true),
  set_config('TimeZone', coalesce({timezone}, current_setting('TimeZone')), true);
SELECT set_config('role', {role}, true)
""")
_RELATIONS = """
SELECT n.nspname, c.relname
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY ($1) AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
"""


class Database:
    """Connections as the login role; use as an async context manager."""

    def __init__(self, dsn: str, schemas: Sequence[str]) -> None:
        self.schemas = tuple(schemas)
        self._dsn = dsn
        self._relations: frozenset[tuple[str, str]] = frozenset()
        self._timezones: frozenset[str] = frozenset()
        self._pool = AsyncConnectionPool(
            dsn,
            min_size=2,
            max_size=POOL_SIZE,
            timeout=POOL_WAIT,
            kwargs={"autocommit": True},  # BEGIN is sent with the settings in one round trip
            open=False,
        )

    async def __aenter__(self) -> Database:
        await self._pool.open(wait=True, timeout=POOL_WAIT)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.close(timeout=0.5)

    @asynccontextmanager
    async def transaction(
        self, caller: Caller, *, schemas: Sequence[str], timezone: str | None = None
    ) -> AsyncIterator[Cursor]:
        """A raw cursor in a READ ONLY transaction in the caller's role.

        Raises psycopg.Error from Postgres; RestError if no connection is available.
        """
        begin = _BEGIN.format(
            role=sql.Literal(caller.role),
            path=sql.Literal(", ".join(f'"{name}"' for name in schemas)),
            claims=sql.Literal(caller.claims),
            timezone=sql.Literal(timezone),
        )
        async with self._cursor() as cursor:
            await cursor.execute(begin, prepare=False)
            yield cursor

    @asynccontextmanager
    async def _cursor(self) -> AsyncIterator[Cursor]:
        try:
            connection = await self._pool.getconn()
        except PoolTimeout:
            raise await self._unavailable() from None
        try:
            async with connection:  # a pooled one: ends the transaction, keeps the connection
                yield psycopg.AsyncRawCursor(connection)
        finally:
            await self._pool.putconn(connection)

    async def _unavailable(self) -> RestError:
        """Why no connection was available in time: a busy pool, or an unreachable database."""
        try:
            async with await psycopg.AsyncConnection.connect(self._dsn, connect_timeout=2):
                return RestError(
                    504, "PGRST003", "Timed out acquiring connection from connection pool."
                )
        except psycopg.OperationalError as error:
            return RestError(503, "PGRST000", "Database connection error.", str(error))

    async def require_relation(self, schema: str, name: str) -> None:
        """Refuse with PGRST205 a name that is not a table or view of the schema, or is a partition.

        A name not in the cache is looked up again, so that the cache is not stale after DDL.
        """
        if (schema, name) in self._relations:
            return
        async with self._cursor() as cursor:
            await cursor.execute(_RELATIONS, [list(self.schemas)])
            self._relations = frozenset(
                (str(row[0]), str(row[1])) for row in await cursor.fetchall()
            )
        if (schema, name) in self._relations:
            return
        names = [relation for owner, relation in sorted(self._relations) if owner == schema]
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.75)
        raise RestError(
            404,
            "PGRST205",
            f"Could not find the table '{schema}.{name}' in the schema cache",
            hint=f"Perhaps you meant the table '{schema}.{near[0]}'" if near else None,
        )

    async def knows_timezone(self, name: str) -> bool:
        """Whether Postgres has a time zone of this name."""
        if not self._timezones:
            async with self._cursor() as cursor:
                await cursor.execute("SELECT name FROM pg_timezone_names")
                self._timezones = frozenset(str(row[0]) for row in await cursor.fetchall())
        return name in self._timezones

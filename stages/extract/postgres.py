"""Direct Postgres: one exported snapshot, read side by side by ADBC COPY.

Source of the rules on snapshots, poolers and row security: Postgres' documentation, tried out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import resources
from typing import TYPE_CHECKING, Any

from stages.errors import StagesError, Stopped, TableFailed, Transient
from stages.extract.catalog import ForeignKeyEdge, Reading, Relation, Relations
from stages.extract.decode import DoesNotFit, repair
from stages.extract.reader import Key, Size, Span, TableState, key_texts
from stages.extract.types import Column, arrow_schema
from stages.project.connection_string import secure_db_url
from stages.project.settings import Secret, Source
from stages.sql import name_sql, text_sql

if TYPE_CHECKING:
    import pyarrow as pa
    from adbc_driver_manager import dbapi

BATCH_BYTES = 4 << 20
# At most so many connections, and never more than a quarter of those that are free.
JOBS = 2
MOST_CONNECTIONS = 4
# Keys that are sampled to cut a table into spans.
SAMPLED_KEYS = 8_000
# Milliseconds for one row of a table or view, when somebody only looks.
PROBE_TIME = 5000
# The driver begins the transaction by itself, in one message: behind a pooler in transaction mode
# a BEGIN of our own could be prepared on one server and asked for on another.
TRANSACTION = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
# Text forms must not depend on how the role or the database is set up; a dump must see every row
# or fail, and may take as long as it takes.
PREPARE = """
SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '10s';
SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL row_security = off;
SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL intervalstyle = 'postgres';
SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'; SET LOCAL jit = off
"""


class PostgresReader:
    """The source over SUPABASE_DB_URL; its snapshot lives as long as this object."""

    transport = "postgres"
    has_snapshot = True
    random_access = True
    rows_per_second = 450_000

    def __init__(self, source: Source) -> None:
        assert source.db_url is not None
        self.url = source.db_url
        self._pids: list[int] = []
        self._coordinator = _connect(self.url)
        with _translated():
            with self._coordinator.cursor() as cursor:
                cursor.execute(TRANSACTION)
                _prepare(cursor)
            self._facts = _one(
                self._coordinator,
                "SELECT pg_export_snapshot()::text AS snapshot, "
                "pg_current_snapshot()::text AS transactions, "
                "pg_snapshot_xmin(pg_current_snapshot())::text AS xmin, "
                "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() "
                "ELSE pg_current_wal_lsn() END::text AS lsn, now()::text AS at, "
                "current_database()::text AS database, current_user::text AS role",
            )
            self._identifier = _optional(
                self._coordinator, "SELECT system_identifier::text AS id FROM pg_control_system()"
            )

    def identity(self) -> dict[str, Any]:
        return {"system_identifier": self._identifier and self._identifier["id"]}

    def snapshot(self) -> dict[str, Any]:
        names = ("snapshot", "transactions", "xmin", "lsn", "at")
        return {"kind": "exported", **{name: self._facts[name] for name in names}}

    def role(self) -> dict[str, Any]:
        """{name, bypass}: who we are, and whether row security lets us see all."""
        return _one(
            self._coordinator,
            "SELECT rolname::text AS name, rolbypassrls OR rolsuper AS bypass "
            "FROM pg_roles WHERE rolname = current_user",
        )

    def catalog(self) -> Relations:
        rows = self.rows(_sql("catalog.sql"))
        columns: dict[tuple[str, str], list[Column]] = {}
        keys: dict[tuple[str, str], dict[int, str]] = {}
        first: dict[tuple[str, str], dict[str, Any]] = {}
        for row in rows:
            place = (row["table_schema"], row["table_name"])
            first.setdefault(place, row)
            columns.setdefault(place, []).append(
                Column(
                    name=row["column_name"],
                    type=row["type_name"],
                    not_null=row["not_null"],
                    labels=tuple(json.loads(row["labels"])) if row["labels"] else None,
                )
            )
            if row["key_position"] is not None:
                keys.setdefault(place, {})[row["key_position"]] = row["column_name"]
        return {
            place: Relation(
                schema=place[0],
                name=place[1],
                columns=tuple(table_columns),
                key=tuple(name for _, name in sorted(keys.get(place, {}).items())),
                virtual=first[place]["virtual"],
                depends_on={
                    "view": first[place]["definition"],
                    "children": json.loads(first[place]["children"]),
                },
            )
            for place, table_columns in columns.items()
        }

    def foreign_keys(self) -> list[ForeignKeyEdge]:
        """Every foreign key of the database."""
        by_id: dict[int, list[dict[str, Any]]] = {}
        for row in self.rows(_sql("foreign_keys.sql")):
            by_id.setdefault(row["id"], []).append(row)
        return [
            ForeignKeyEdge(
                child=(rows[0]["child_schema"], rows[0]["child_name"]),
                child_columns=tuple(row["child_column"] for row in rows),
                parent=(rows[0]["parent_schema"], rows[0]["parent_name"]),
                parent_columns=tuple(row["parent_column"] for row in rows),
            )
            for rows in by_id.values()
        ]

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """What a query of the catalog gives, in the snapshot; for few rows."""
        with _translated():
            return _rows(self._coordinator, sql)

    def is_missing(self, schema: str, table: str) -> bool:
        return True  # pg_catalog hides nothing

    def count_unit(self, reading: Reading) -> str:
        return "rows"

    def allowed_jobs(self, requested: int | None) -> int:
        with _translated():
            row = _one(
                self._coordinator,
                "SELECT (current_setting('max_connections')::int4 - count(*))::int4 AS free "
                "FROM pg_stat_activity",
            )
        # The one that we have already, and that holds the snapshot, is in the quarter.
        return max(1, min(requested or JOBS, MOST_CONNECTIONS, (int(row["free"]) + 1) // 4 - 1))

    def find_blocked(self) -> str | None:
        pids = ",".join(str(pid) for pid in self._pids)
        with _translated():
            rows = _rows(self._coordinator, _sql("waiting.sql").format(pids=f"'{{{pids}}}'"))
        return f"process {rows[0]['pid']} waits for {rows[0]['what']}" if rows else None

    def session(self) -> PostgresSession:
        session = PostgresSession(self.url, self._facts["snapshot"])
        self._pids.append(session.pid)
        return session

    def close(self) -> None:
        self._coordinator.close()


class PostgresSession:
    """One connection that sees the exported snapshot."""

    def __init__(self, url: Secret, snapshot: str) -> None:
        self._connection = _connect(url)
        self._snapshot = snapshot
        self._begin()
        self.pid = int(_one(self._connection, "SELECT pg_backend_pid() AS pid")["pid"])

    def _begin(self) -> None:
        with _translated(), self._connection.cursor() as cursor:
            cursor.execute(TRANSACTION)
            cursor.execute(f"SET TRANSACTION SNAPSHOT {text_sql(self._snapshot)}")
            _prepare(cursor)

    def size(self, reading: Reading) -> Size:
        if reading.virtual or reading.where:
            return Size(rows=self.count(reading), bytes=None, exact=True)
        relation = text_sql(_qualified_name(reading))
        with _translated():
            row = _one(self._connection, _sql("size.sql").format(relation=relation))
        if row["unknown"] or row["rows"] < 0:
            return Size(rows=self.count(reading), bytes=row["bytes"], exact=True)
        return Size(rows=row["rows"], bytes=row["bytes"])

    def count(self, reading: Reading, *, filtered: bool = True) -> int:
        source = _from(reading) if filtered else _qualified_name(reading)
        with _translated():
            row = _one(self._connection, f"SELECT count(*) AS n FROM {source}")
        return int(row["n"])

    def split(self, reading: Reading, size: Size, rows: int) -> list[Key]:
        # As many for each connection, so that none is left with the last one.
        pieces = -(-size.rows // (rows * JOBS)) * JOBS if size.rows > rows else 1
        if pieces < 2 or not reading.key or reading.virtual or reading.where:
            return []
        share = min(100.0, 100.0 * SAMPLED_KEYS / size.rows)
        # The prefix, since a bare name in ORDER BY would mean the text of the output.
        names = ", ".join(f"t.{name_sql(name)}" for name in reading.key)
        texts = ", ".join(f"t.{name_sql(name)}::text" for name in reading.key)
        # Whole pages by chance, the same ones each time: quick on a table of any size.
        with _translated():
            keys = [
                [str(value) for value in row.values()]
                for row in _rows(
                    self._connection,
                    f"SELECT {texts} FROM {_qualified_name(reading)} t "
                    f"TABLESAMPLE SYSTEM ({share:.4f}) REPEATABLE (0) ORDER BY {names}",
                )
            ]
        cuts = [keys[len(keys) * piece // pieces] for piece in range(1, pieces)] if keys else []
        return [cut for number, cut in enumerate(cuts) if number == 0 or cut != cuts[number - 1]]

    def probe(self, reading: Reading) -> None:
        """A view that takes long is no failure. The session can be used after one."""
        with _translated(), self._connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {PROBE_TIME}")
        sql = f"SELECT {_select_list(reading)} FROM {_from(reading)} LIMIT 1"
        try:
            for _ in self._tables(reading, sql):
                pass
        except Stopped as error:
            if "statement timeout" not in error.message:
                raise
        finally:
            with _translated():
                self._connection.rollback()
            self._begin()

    def table_state(self, reading: Reading, snapshot: dict[str, Any]) -> TableState:
        xmin = snapshot.get("xmin")
        newer = (
            f"count(*) FILTER (WHERE age(xmin) <= age({text_sql(str(int(xmin) % 2**32))}::xid))"
            if xmin and not reading.virtual
            else "NULL::int8"
        )
        with _translated():
            row = _one(
                self._connection, f"SELECT count(*) AS n, {newer} AS newer FROM {_from(reading)}"
            )
        return TableState(rows=row["n"], greatest=self._greatest(reading), newer=row["newer"])

    def _greatest(self, reading: Reading) -> Key | None:
        if not reading.key:
            return None
        only = replace(reading, columns=reading.key_columns)
        order = ", ".join(f"t.{name_sql(name)} DESC" for name in reading.key)
        sql = f"SELECT {_select_list(only)} FROM {_from(reading)} ORDER BY {order} LIMIT 1"
        keys = [key_texts(table, only, 0) for table in self._tables(only, sql) if table.num_rows]
        return keys[0] if keys else None

    def read(self, reading: Reading, span: Span) -> Iterator[pa.Table]:
        yield from self._tables(reading, _select(reading, span))

    def _tables(self, reading: Reading, sql: str) -> Iterator[pa.Table]:
        """What a query gives as the reading's columns."""
        import pyarrow as pa

        schema = arrow_schema(reading.columns)
        with _translated(), self._connection.cursor() as cursor:
            cursor.adbc_statement.set_options(
                **{"adbc.postgresql.batch_size_hint_bytes": str(BATCH_BYTES)}
            )
            cursor.execute(sql)
            for batch in cursor.fetch_record_batch():
                try:
                    arrays = [
                        repair(_plain(batch.column(i)), field.name).cast(field.type)
                        for i, field in enumerate(schema)
                    ]
                except DoesNotFit as error:
                    values = _key_of(batch, reading, error.row)
                    raise error.name_row(reading.key, values) from None
                yield pa.Table.from_arrays(arrays, schema=schema)

    def close(self) -> None:
        self._connection.close()


def _select_list(reading: Reading) -> str:
    return ", ".join(
        f"{name_sql(c.name)}::{c.rule.direct_cast} AS {name_sql(c.staged)}"
        if c.rule.direct_cast
        else f"{name_sql(c.name)} AS {name_sql(c.staged)}"
        for c in reading.columns
    )


def _select(reading: Reading, span: Span) -> str:
    # A column's own name wins over an alias in WHERE, but not in ORDER BY: hence the prefix.
    sql = f"SELECT {_select_list(reading)} FROM {_qualified_name(reading)} t"
    conditions = [f"({reading.where})"] if reading.where else []
    if not reading.key:
        return sql + (f" WHERE {conditions[0]}" if conditions else "")
    names = ", ".join(f"t.{name_sql(name)}" for name in reading.key)
    for key, sign in ((span.after, ">"), (span.until, "<=")):
        if key is not None:
            # Literals without a type take that of their column.
            values = ", ".join(text_sql(text) for text in key)
            conditions.append(f"({names}) {sign} ({values})")
    if conditions:
        sql += f" WHERE {' AND '.join(conditions)}"
    return f"{sql} ORDER BY {names}"


def _key_of(batch: pa.RecordBatch, reading: Reading, row: int) -> list[Any]:
    places = {column.name: number for number, column in enumerate(reading.columns)}
    return [_plain(batch.column(places[name]))[row].as_py() for name in reading.key]


def _sql(name: str) -> str:
    return resources.files("stages.extract").joinpath(name).read_text("utf-8")


def _qualified_name(reading: Reading) -> str:
    return f"{name_sql(reading.schema)}.{name_sql(reading.name)}"


def _from(reading: Reading) -> str:
    where = f" WHERE ({reading.where})" if reading.where else ""
    return f"{_qualified_name(reading)} t{where}"


def _plain(array: pa.Array) -> pa.Array:
    """Storage of the extension types that the driver adds (numeric as text, and the like)."""
    import pyarrow as pa

    if isinstance(array.type, pa.OpaqueType):
        return array.storage
    return array


def _prepare(cursor: dbapi.Cursor) -> None:
    for statement in PREPARE.split(";"):
        cursor.execute(statement)


def _connect(url: Secret) -> dbapi.Connection:
    from adbc_driver_postgresql import dbapi

    address = secure_db_url(url.reveal())
    with _translated(connecting=True):
        return dbapi.connect(address)


def _rows(connection: dbapi.Connection, sql: str) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        rows: list[dict[str, Any]] = cursor.fetch_arrow_table().to_pylist()
        return rows


def _one(connection: dbapi.Connection, sql: str) -> dict[str, Any]:
    return _rows(connection, sql)[0]


def _optional(connection: dbapi.Connection, sql: str) -> dict[str, Any] | None:
    """A row that the role may not be allowed to see; the transaction goes on without it."""
    try:
        allowed = _one(
            connection,
            "SELECT has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') AS ok",
        )
        return _one(connection, sql) if allowed["ok"] else None
    except TableFailed:
        return None


@contextmanager
def _translated(*, connecting: bool = False) -> Iterator[None]:
    """The driver's errors as ours. While rows stream they are a bare OSError without a code."""
    from adbc_driver_manager import Error

    try:
        yield
    except (Error, OSError) as error:
        raise _error_for(error, connecting) from None


def _error_for(error: Exception, connecting: bool) -> StagesError:
    words = _clean(str(error))
    state = getattr(error, "sqlstate", None) or _state_of(words)
    if "password authentication failed" in words or state in ("28P01", "28000"):
        return StagesError(
            f"Postgres refused the login: {words}",
            "check the user and password in SUPABASE_DB_URL (percent-encode special characters)",
        )
    if "Tenant or user not found" in words:
        return StagesError(
            "the pooler knows no such project or user (Tenant or user not found)",
            "the user of a pooler is postgres.<ref>, and its host is of the project's region: copy "
            "SUPABASE_DB_URL again from the project's Connect page",
        )
    if "MaxClientsInSessionMode" in words or "max clients reached" in words.lower():
        return Transient(
            f"the pooler has no connection left: {words}",
            "close other clients or raise the pool size in the project's database settings, then "
            "run the same command again",
        )
    if state == "3D000" or re.search(r'database "[^"]*" does not exist', words):
        return StagesError(
            f"SUPABASE_DB_URL names a database that is not there: {words}",
            "Supabase's is called postgres: the address ends with /postgres",
        )
    if "could not translate host name" in words or "Network is unreachable" in words:
        return StagesError(
            f"Postgres can't be reached: {words}",
            "a direct host (db.<ref>.supabase.co) may answer to IPv6 only: use the session "
            "pooler's address from the project's Connect page",
        )
    if connecting:
        return Transient(
            f"no connection to Postgres: {words}",
            "see if host and port in SUPABASE_DB_URL are right, and the database is up",
        )
    if "row-level security" in words:
        return TableFailed(
            f"row security would hide rows: {words}",
            "use a role with BYPASSRLS, such as postgres of the project",
        )
    if state == "42501":
        return TableFailed(f"no right to read: {words}", "grant SELECT to the role, or exclude it")
    if (state or "")[:2] in ("08", "57", "53") or "connection" in words.lower():
        return Stopped(f"the connection to Postgres was lost: {words}", "run again: stages extract")
    return TableFailed(f"Postgres says: {words}", "see [sources] of the plan")


def _state_of(words: str) -> str | None:
    match = re.search(r"SQLSTATE[: ]+([0-9A-Z]{5})", words)
    return match[1] if match else None


def _clean(words: str) -> str:
    """The first telling line, without the address that may hold a password."""
    line = " ".join(words.split())
    line = re.sub(r"postgres(ql)?://\S+", "postgresql://…", line)
    return line[:300]

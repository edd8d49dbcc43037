"""Direct Postgres: one exported snapshot, read in parallel by ADBC COPY.

Source of the rules on snapshots, poolers and row security: Postgres' documentation, tested.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import replace
from importlib import resources
from typing import TYPE_CHECKING, Any

from stages.errors import Stopped, TableFailed
from stages.extract.catalog import ForeignKeyEdge, Reading, Relation, Relations
from stages.extract.decode import DoesNotFit, from_driver
from stages.extract.line import Interruption, Line
from stages.extract.postgres_errors import translated
from stages.extract.postgres_session import (
    MONEY_DIGITS,
    begin,
    connect,
    money_digits,
    open_first,
)
from stages.extract.reader import Key, Size, Span, TableState, key_texts
from stages.extract.types import PRINTED, Column, arrow_schema
from stages.project.settings import Source
from stages.sql import name_sql, text_sql
from stages.state.manifests import Snapshot, Transport

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_BYTES = 4 << 20
# The default and the maximum of reading connections; never more than a quarter of those free.
JOBS = 2
MOST_CONNECTIONS = 4
# How many keys are sampled to cut a table into spans.
SAMPLED_KEYS = 8_000
MONEY = ("money", "_money")
# Milliseconds that `probe` may take for one row of a table or view.
PROBE_TIME = 5000


class PostgresReader:
    """The source over SUPABASE_DB_URL; its snapshot lives as long as this object."""

    transport: Transport = "postgres"
    has_snapshot = True
    random_access = True
    rows_per_second = 450_000

    def __init__(self, source: Source) -> None:
        assert source.db_url is not None
        self._pids: list[int] = []
        self._patience = source.max_silence
        self._interruption = Interruption()
        self._coordinator = Line(source.db_url, self._patience, self._interruption)
        self._coordinator.open(open_first)
        with translated():
            self._coordinator.pid = _pid(self._coordinator)
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

    def snapshot(self) -> Snapshot:
        names = ("snapshot", "transactions", "xmin", "lsn", "at")
        return Snapshot(kind="exported", **{name: self._facts[name] for name in names})

    def role(self) -> dict[str, Any]:
        """{name, bypass}: our role, and whether it bypasses row security."""
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
        digits = MONEY_DIGITS
        if any(c.type in MONEY for those in columns.values() for c in those):
            line = self._coordinator
            digits = line.call(lambda: money_digits(line.connection))
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
                unreadable={
                    column.name: f"money in `{column.name}` has {digits} digits after its point in "
                    f"the source's own lc_monetary, and {MONEY_DIGITS} in C, which extract prints"
                    for column in table_columns
                    if column.type in MONEY and digits != MONEY_DIGITS
                },
                heirs=tuple((schema, name) for schema, name in json.loads(first[place]["heirs"])),
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
        """The rows of a catalog query, in the snapshot; for small results."""
        with translated():
            return self._coordinator.rows(sql)

    def is_missing(self, schema: str, table: str) -> bool:
        return True  # pg_catalog hides nothing

    def count_unit(self, reading: Reading) -> str:
        return "rows"

    def allowed_jobs(self, requested: int | None) -> int:
        with translated():
            row = _one(
                self._coordinator,
                "SELECT (current_setting('max_connections')::int4 - count(*))::int4 AS free "
                "FROM pg_stat_activity",
            )
        # The quarter includes the connection that holds the snapshot.
        return max(1, min(requested or JOBS, MOST_CONNECTIONS, (int(row["free"]) + 1) // 4 - 1))

    def find_blocked(self) -> str | None:
        pids = ",".join(str(pid) for pid in self._pids)
        with translated():
            rows = self._coordinator.rows(_sql("waiting.sql").format(pids=f"'{{{pids}}}'"))
        return f"process {rows[0]['pid']} waits for {rows[0]['what']}" if rows else None

    def session(self) -> PostgresSession:
        line = Line(self._coordinator.url, self._patience, self._interruption)
        session = PostgresSession(line, self._facts["snapshot"])
        self._pids.append(session.pid)
        return session

    def interrupt(self, reason: str) -> None:
        self._interruption.reason = self._interruption.reason or reason

    def close(self) -> None:
        self._coordinator.close()


class PostgresSession:
    """One connection that sees the exported snapshot."""

    def __init__(self, line: Line, snapshot: str) -> None:
        self._line = line
        self._snapshot = snapshot
        line.open(lambda url: (url, connect(url)))
        try:
            self._begin()
            with translated():
                self.pid = line.pid = _pid(line)
        except BaseException:
            line.close()
            raise

    def _begin(self) -> None:
        self._line.call(lambda: begin(self._line.connection, self._snapshot))

    def limit(self, seconds: float) -> None:
        """Limit the time of every statement from now on."""
        with translated():
            self._line.execute(f"SET LOCAL statement_timeout = {round(seconds * 1000)}")

    def attempt(self, sql: str, seconds: float) -> list[dict[str, Any]]:
        """A query's rows, under a `limit` of `seconds` that is already set; for small results.

        Raises TableFailed if the query fails or takes longer; the session can still be used.
        """
        try:
            with translated():
                return self._line.rows(sql)
        except (TableFailed, Stopped) as error:
            # Raises if the connection itself is lost.
            with translated():
                self._line.call(self._line.connection.rollback)
            self._begin()
            self.limit(seconds)
            raise TableFailed(error.message, error.hint) from None

    def size(self, reading: Reading) -> Size:
        if reading.virtual or reading.where:
            return Size(rows=self.count(reading), bytes=None, exact=True)
        relation = text_sql(f"{name_sql(reading.schema)}.{name_sql(reading.name)}")
        sql = _sql("size.sql").format(relation=relation, with_children=not reading.only)
        with translated():
            row = _one(self._line, sql)
        if row["unknown"] or row["rows"] < 0:
            return Size(rows=self.count(reading), bytes=row["bytes"], exact=True)
        return Size(rows=row["rows"], bytes=row["bytes"])

    def count(self, reading: Reading, *, filtered: bool = True) -> int:
        source = _from(reading) if filtered else reading.from_sql
        with translated():
            row = _one(self._line, f"SELECT count(*) AS n FROM {source}")
        return int(row["n"])

    def split(self, reading: Reading, size: Size, rows: int) -> list[Key]:
        # A multiple of JOBS, so that no connection is idle while another reads the last piece.
        pieces = -(-size.rows // (rows * JOBS)) * JOBS if size.rows > rows else 1
        if pieces < 2 or not reading.key or reading.virtual or reading.where:
            return []
        share = min(100.0, 100.0 * SAMPLED_KEYS / size.rows)
        # Prefixed, since a bare name in ORDER BY would mean an output column, which is text.
        names = ", ".join(f"t.{name_sql(name)}" for name in reading.key)
        texts = ", ".join(
            f"{PRINTED.format(c=f't.{name_sql(name)}')} AS k{number}"
            for number, name in enumerate(reading.key)
        )
        # Random whole pages, the same ones each time: fast on a table of any size.
        with translated():
            keys = [
                [str(value) for value in row.values()]
                for row in self._line.rows(
                    f"SELECT {texts} FROM {reading.from_sql} t "
                    f"TABLESAMPLE SYSTEM ({share:.4f}) REPEATABLE (0) ORDER BY {names}",
                )
            ]
        cuts = [keys[len(keys) * piece // pieces] for piece in range(1, pieces)] if keys else []
        return [cut for number, cut in enumerate(cuts) if number == 0 or cut != cuts[number - 1]]

    def probe(self, reading: Reading) -> None:
        """Read one row. A timeout is not a failure; the session can be used afterwards."""
        with translated():
            self._line.execute(f"SET LOCAL statement_timeout = {PROBE_TIME}")
        sql = f"SELECT {_select_list(reading)} FROM {_from(reading)} LIMIT 1"
        try:
            for _ in self._tables(reading, sql):
                pass
        except Stopped as error:
            if "statement timeout" not in error.message:
                raise
        finally:
            with translated():
                self._line.call(self._line.connection.rollback)
            self._begin()

    def table_state(self, reading: Reading, snapshot: Snapshot) -> TableState:
        xmin = snapshot.xmin
        newer = (
            f"count(*) FILTER (WHERE age(xmin) <= age({text_sql(str(int(xmin) % 2**32))}::xid))"
            if xmin and not reading.virtual
            else "NULL::int8"
        )
        with translated():
            row = _one(self._line, f"SELECT count(*) AS n, {newer} AS newer FROM {_from(reading)}")
        return TableState(rows=row["n"], greatest=self._greatest(reading), newer=row["newer"])

    def _greatest(self, reading: Reading) -> Key | None:
        if not reading.key:
            return None
        only = replace(reading, columns=reading.key_columns)
        order = ", ".join(f"t.{name_sql(name)} DESC" for name in reading.key)
        sql = f"SELECT {_select_list(only)} FROM {_from(reading)} ORDER BY {order} LIMIT 1"
        keys = [key_texts(table, only, 0) for table in self._tables(only, sql) if table.num_rows]
        return keys[0] if keys else None

    def read(self, reading: Reading, span: Span) -> Generator[pa.Table]:
        yield from self._tables(reading, _select(reading, span))

    def _tables(self, reading: Reading, sql: str) -> Generator[pa.Table]:
        """A query's result in the reading's Arrow schema."""
        import pyarrow as pa

        schema = arrow_schema(reading.columns)
        with translated(), self._line.batches(sql, BATCH_BYTES) as batches:
            for batch in batches:
                try:
                    arrays = [
                        from_driver(_plain(batch.column(i)), field)
                        for i, field in enumerate(schema)
                    ]
                except DoesNotFit as error:
                    values = _key_of(batch, reading, error.row)
                    raise error.name_row(reading.key, values) from None
                yield pa.Table.from_arrays(arrays, schema=schema)

    def close(self) -> None:
        self._line.close()


def _select_list(reading: Reading) -> str:
    return ", ".join(
        f"{c.rule.direct.format(c=f't.{name_sql(c.name)}')} AS {name_sql(c.staged)}"
        for c in reading.columns
    )


def _select(reading: Reading, span: Span) -> str:
    # A column's own name wins over an alias in WHERE, but not in ORDER BY: hence the prefix.
    sql = f"SELECT {_select_list(reading)} FROM {reading.from_sql} t"
    conditions = [f"({reading.where})"] if reading.where else []
    if not reading.key:
        return sql + (f" WHERE {conditions[0]}" if conditions else "")
    names = ", ".join(f"t.{name_sql(name)}" for name in reading.key)
    for key, sign in ((span.after, ">"), (span.until, "<=")):
        if key is not None:
            # Untyped literals take the type of their column.
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


def _from(reading: Reading) -> str:
    where = f" WHERE ({reading.where})" if reading.where else ""
    return f"{reading.from_sql} t{where}"


def _plain(array: pa.Array) -> pa.Array:
    """The storage of extension types that the driver adds, such as numeric as text."""
    import pyarrow as pa

    if isinstance(array.type, pa.OpaqueType):
        return array.storage
    return array


def _one(line: Line, sql: str) -> dict[str, Any]:
    return line.rows(sql)[0]


def _pid(line: Line) -> int:
    return int(_one(line, "SELECT pg_backend_pid() AS pid")["pid"])


def _optional(line: Line, sql: str) -> dict[str, Any] | None:
    """One row, or None if the role may not see it; the transaction goes on either way."""
    try:
        allowed = _one(
            line,
            "SELECT has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') AS ok",
        )
        return _one(line, sql) if allowed["ok"] else None
    except TableFailed:
        return None

"""The direct connections of a probe. Each call has a time limit, and errors contain only text that
may be shown: an SQLSTATE, and nothing that a server wrote."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from stages.errors import StagesError, Stopped, Transient
from stages.extract.line import Interruption, Line
from stages.extract.postgres_errors import translated
from stages.extract.postgres_session import begin, connect, open_first
from stages.probe.checks import NotChecked
from stages.project.connection_string import read_db_url, secure_db_url
from stages.project.endpoints import LOOPBACK
from stages.project.plan import Plan
from stages.project.settings import Secret, Source

if TYPE_CHECKING:
    import psycopg

Row = dict[str, Any]
Result = TypeVar("Result")
# Seconds: to connect, for one call, for a statement, and for all calls of a probe together.
CONNECT = 5
PATIENCE = 6.0
STATEMENT = 6
BUDGET = 20.0
STATE = re.compile(r"[0-9A-Z]{5}")


class Refused(StagesError):
    """Postgres or a pooler refused. Its message is our own text."""


class Lost(Transient):
    """There is no connection, or no time left. Its message is our own text."""


class Session:
    """A connection as extract makes it: in a read-only transaction with its settings."""

    def __init__(self, url: Secret, snapshot: str | None, first: bool) -> None:
        self.line = Line(url, PATIENCE, Interruption())
        self._snapshot = snapshot
        try:
            with in_own_words():
                if first:
                    self.line.open(open_first)
                else:
                    self.line.open(lambda address: (address, connect(address)))
                    self.line.call(lambda: begin(self.line.connection, snapshot))
                (row,) = self.line.rows("SELECT pg_backend_pid() AS pid")
                self.line.pid = int(row["pid"])
        except BaseException:
            self.line.close()
            raise

    @property
    def pid(self) -> int:
        return self.line.pid or 0

    def rows(self, sql: str) -> list[Row]:
        """The rows of a query. If it is refused, the session remains usable."""
        try:
            with in_own_words():
                self.line.execute(f"SET LOCAL statement_timeout = '{STATEMENT}s'")
                return self.line.rows(sql)
        except Refused:
            with in_own_words():
                self.line.call(self.line.connection.rollback)
                self.line.call(lambda: begin(self.line.connection, self._snapshot))
            raise

    def setting(self, name: str) -> str:
        """A setting in the transaction, without the probe's own statement timeout."""
        with in_own_words():
            (row,) = self.line.rows(f"SELECT current_setting('{name}') AS value")
        return str(row["value"])

    def batches(self, sql: str, size: int) -> list[int]:
        """The number of rows in each batch of a query."""
        with in_own_words(), self.line.batches(sql, size) as batches:
            return [batch.num_rows for batch in batches]

    def close(self) -> None:
        self.line.close()


class Plain:
    """A connection as any client makes it: each statement is its own transaction."""

    def __init__(self, url: Secret, options: str = "") -> None:
        import psycopg
        from psycopg.conninfo import make_conninfo

        address = secure_db_url(url.reveal())
        if options:
            # Keep existing options: a pooler may identify the project by them.
            before = read_db_url(address).get("options", "")
            address = make_conninfo(address, options=f"{before} {options}".strip())
        self._connection: psycopg.Connection[Any] = within(
            lambda: psycopg.connect(address, autocommit=True, prepare_threshold=None)
        )

    @property
    def is_encrypted(self) -> bool:
        return bool(self._connection.pgconn.ssl_in_use)

    @property
    def login_pid(self) -> int:
        """The server process ID received at login; a pooler makes one up."""
        return self._connection.info.backend_pid

    def rows(self, sql: str) -> list[Row]:
        from psycopg.rows import dict_row

        def run() -> list[Row]:
            with self._connection.cursor(row_factory=dict_row) as cursor:
                cursor.execute(sql.encode())
                return cursor.fetchall() if cursor.description else []

        return within(run)

    def close(self) -> None:
        with suppress(StagesError):
            within(self._connection.close)


class Database:
    """One source's Postgres, and the plan's tables in it. The first session opens on first use;
    after a session is lost, no more requests are made."""

    def __init__(self, source: Source, plan: Plan, budget: float = BUDGET) -> None:
        assert source.db_url is not None
        self.plan = plan
        self.url = _quick(source.db_url)
        self._budget = budget
        self._ends = time.monotonic() + budget
        self._first: Session | None = None
        self._lost = False

    def rows(self, sql: str) -> list[Row]:
        """The rows of a query in the first session."""
        with self._asking():
            return self.first().rows(sql)

    def one(self, sql: str) -> Row:
        """The only row of a query."""
        rows = self.rows(sql)
        if len(rows) != 1:
            raise Refused(f"{len(rows)} rows, where one was asked for")
        return rows[0]

    def first(self) -> Session:
        """The first session, which is kept open."""
        with self._asking():
            if self._first is None:
                self._first = Session(self.url, None, first=True)
            return self._first

    @contextmanager
    def second(self, snapshot: str | None = None) -> Iterator[Session]:
        """Another session in addition to the first."""
        with self._asking():
            session = Session(self.url, snapshot, first=False)
        try:
            yield session
        finally:
            session.close()

    @contextmanager
    def plain(self, options: str = "") -> Iterator[Plain]:
        """A plain connection. With `options`, a refusal may be due to them, and does not count as a
        lost session."""
        if options:
            self._require()
            session = Plain(self.url, options)
        else:
            with self._asking():
                session = Plain(self.url)
        try:
            yield session
        finally:
            session.close()

    @property
    def is_here(self) -> bool:
        """Whether its host is this machine."""
        return read_db_url(self.url.reveal()).get("host", "") in LOOPBACK

    @property
    def places(self) -> Sequence[tuple[str, str]]:
        """(schema, table) of all sources of the plan."""
        return [(entry.schema, entry.table) for entry in self.plan.sources.values()]

    def close(self) -> None:
        if self._first is not None:
            self._first.close()

    def _require(self) -> None:
        if self._lost:
            raise NotChecked("there is no connection")
        if time.monotonic() > self._ends:
            raise Lost(f"there was no time left for it: a probe takes {self._budget:g} s")

    @contextmanager
    def _asking(self) -> Iterator[None]:
        self._require()
        try:
            yield
        except StagesError as error:
            # A first session that never opened counts as lost.
            self._lost = isinstance(error, Lost) or self._first is None
            raise


@contextmanager
def in_own_words() -> Iterator[None]:
    """Turn errors of extract's calls into Refused or Lost."""
    try:
        with translated():
            yield
    except (Refused, Lost):
        raise
    except (Stopped, Transient) as error:
        raise Lost(_of_state("no connection, or it was lost", _state(error))) from None
    except StagesError as error:
        raise Refused(_of_state("refused", _state(error))) from None


def _state(error: StagesError) -> str | None:
    """The SQLSTATE of the driver's error that caused this one."""
    state = getattr(error.__context__, "sqlstate", None)
    return state if isinstance(state, str) and STATE.fullmatch(state) else None


def within(call: Callable[[], Result]) -> Result:
    """Return the result of a psycopg call. Raises Lost if it takes too long or the connection
    fails, Refused for any other database error."""
    import psycopg

    result: Future[Result] = Future()

    def run() -> None:
        try:
            result.set_result(call())
        except BaseException as error:  # noqa: BLE001 - the caller raises it
            result.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    if not wait([result], timeout=PATIENCE).done:
        raise Lost(f"no answer within {PATIENCE:g} s")
    try:
        return result.result()
    except psycopg.OperationalError as error:
        raise Lost(_of_state("no connection, or it was lost", error.sqlstate)) from None
    except psycopg.Error as error:
        raise Refused(_of_state("refused", error.sqlstate)) from None


def _quick(url: Secret) -> Secret:
    """The address with a short connect timeout, unless it already has one."""
    address = url.reveal()
    if "connect_timeout" in read_db_url(address):
        return url
    return Secret(f"{address}{'&' if '?' in address else '?'}connect_timeout={CONNECT}")


def _of_state(words: str, state: str | None) -> str:
    return f"{words}, SQLSTATE {state}" if state else words

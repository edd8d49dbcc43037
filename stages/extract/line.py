"""A connection to one Postgres server process, with a thread for calls, which can be abandoned.

A proxy may stop forwarding while both its sockets stay open: keepalives are answered, and the
driver waits forever, ignoring signals. So callers wait here, outside the driver. If no byte arrives
for long, a second connection asks whether the server is still working for us; if it is not, the
call is abandoned.
Source: Postgres' documentation of pg_stat_activity. A server that can't send, because nobody reads
its bytes, is active and waits for its Client (tested).
"""

from __future__ import annotations

import ctypes
import os
import queue
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from stages.errors import StagesError, Stopped
from stages.extract.postgres_errors import translated
from stages.extract.postgres_session import connect, query_rows
from stages.project.connection_string import read_db_url
from stages.project.settings import Secret

if TYPE_CHECKING:
    import pyarrow as pa
    from adbc_driver_manager import dbapi

Result = TypeVar("Result")
Call = tuple[Callable[[], Any], "Future[Any]"]

# Seconds: between two checks of a call; for all calls before the server process is known; for the
# second connection to answer; and for a cancel request.
LOOK_EVERY = 0.25
CONNECT_WITHIN = 30.0
POSTGRES_PORT = "5432"
ANSWER_WITHIN = 5.0
CANCEL_WITHIN = 0.5
# tcpi_last_data_recv of Linux's struct tcp_info: milliseconds since data was last received.
LAST_RECEIVED = struct.Struct("=52xI")
AGAIN = "completed work is kept; run again: stages extract"
_CONNECTING = threading.Lock()


class Interruption:
    """Signals to all lines of a reader that nobody waits for their calls any more, and why."""

    def __init__(self) -> None:
        self.reason: str | None = None


class Line:
    """One connection. `connection` may be used only inside `call`, one call at a time.

    `patience` is how many seconds may pass without a byte from the server.
    """

    connection: dbapi.Connection
    pid: int | None = None
    # An abandoned call may still be using these.
    _cursor: dbapi.Cursor
    _reader: pa.RecordBatchReader | None = None

    def __init__(self, url: Secret, patience: float, interruption: Interruption) -> None:
        self._url = url
        self._patience = patience
        self._interruption = interruption
        self._calls: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._left: str | None = None
        self._received: socket.socket | None = None
        threading.Thread(target=_serve, args=(self._calls,), daemon=True).start()

    @property
    def url(self) -> Secret:
        return self._url

    def open(self, make: Callable[[Secret], tuple[Secret, dbapi.Connection]]) -> None:
        """Connect: `make` takes the address, and returns the one to use from now on and the
        connection."""

        def opened() -> None:
            # An abandoned call may hold the lock while it connects: then only whole answers count.
            alone = _CONNECTING.acquire(timeout=1)
            try:
                before = set(_sockets())
                self._url, self.connection = make(self._url)
                self._received = _newest(before, self._url) if alone else None
            finally:
                if alone:
                    _CONNECTING.release()

        self.call(opened)

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """All rows of a query, each as a dict; for small results."""
        return self.call(lambda: query_rows(self.connection, sql))

    def execute(self, sql: str) -> None:
        """Execute a statement that returns no rows."""

        def execute() -> None:
            with self.connection.cursor() as cursor:
                cursor.execute(sql)

        self.call(execute)

    @contextmanager
    def batches(self, sql: str, size: int) -> Iterator[Iterator[pa.RecordBatch]]:
        """A query's rows as they arrive, in batches of about `size` bytes."""

        def execute() -> pa.RecordBatchReader:
            self._cursor = self.connection.cursor()
            options = {"adbc.postgresql.batch_size_hint_bytes": str(size)}
            self._cursor.adbc_statement.set_options(**options)
            self._cursor.execute(sql)
            self._reader = self._cursor.fetch_record_batch()
            return self._reader

        def close() -> None:
            # The reader first: the driver accesses its cursor and connection when it is freed.
            if self._reader is not None:
                self._reader.close()
            self._cursor.close()
            self._reader = None

        def read() -> Iterator[pa.RecordBatch]:
            while (batch := self.call(lambda: next(reader, None))) is not None:
                yield batch

        try:
            reader = self.call(execute)
            yield read()
        finally:
            if self._left is None:
                self.call(close)

    def call(self, function: Callable[[], Result]) -> Result:
        """The result of a driver call. Raises what it raises, and Stopped if it is abandoned."""
        if self._left:
            raise Stopped(self._left, AGAIN)
        result: Future[Result] = Future()
        self._calls.put((function, result))
        began = time.monotonic()
        try:
            while not wait([result], timeout=LOOK_EVERY).done:
                reason = self._interruption.reason or self._left
                patience = self._patience
                if self.pid is None:
                    patience = max(patience, CONNECT_WITHIN)
                if reason is None and self._silence(began) > patience:
                    if self._is_working():
                        began = time.monotonic()
                        continue
                    reason = (
                        f"the connection to Postgres was lost: nothing was received for "
                        f"{patience:g} s (STAGES_MAX_SILENCE), and the server is not working on "
                        "our query"
                    )
                if reason:
                    self._leave(reason)
                    raise Stopped(reason, AGAIN)
        except KeyboardInterrupt:
            self._leave("stopped")
            raise
        return result.result()

    def close(self) -> None:
        """Close the connection; an abandoned one stays open until the process ends."""
        if self._left is None and hasattr(self, "connection"):
            with suppress(Stopped):
                self.call(self.connection.close)
        if self._received is not None:
            self._received.close()
        self._calls.put(None)

    def _silence(self, began: float) -> float:
        """Seconds since the last byte, or since the call began."""
        waited = time.monotonic() - began
        if self._received is None or waited <= self._patience:
            return waited
        try:
            info = self._received.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
            return min(waited, float(LAST_RECEIVED.unpack_from(info)[0]) / 1000)
        except (OSError, AttributeError, struct.error):  # no TCP, or not Linux
            return waited

    def _is_working(self) -> bool:
        """Whether, according to a second connection, the server is working for this one."""
        if self.pid is None:
            return False
        answer: Future[list[dict[str, Any]]] = Future()
        query = f"SELECT state, wait_event_type FROM pg_stat_activity WHERE pid = {self.pid}"

        def ask() -> None:
            try:
                with translated(connecting=True), closing(connect(self._url)) as second:
                    answer.set_result(query_rows(second, query))
            except StagesError as error:
                answer.set_exception(error)

        threading.Thread(target=ask, daemon=True).start()
        if not wait([answer], timeout=ANSWER_WITHIN).done or answer.exception():
            return False
        return any(
            row["state"] == "active" and row["wait_event_type"] != "Client"
            for row in answer.result()
        )

    def _leave(self, reason: str) -> None:
        """Abandon the connection: never use it again, except to ask its server to stop."""
        self._left = reason
        # Freeing it would close what the thread still uses, so it is never freed.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self))
        if hasattr(self, "connection"):
            cancelling = threading.Thread(target=self._cancel, daemon=True)
            cancelling.start()
            cancelling.join(CANCEL_WITHIN)

    def _cancel(self) -> None:
        from adbc_driver_manager import Error

        with suppress(Error, OSError):
            self.connection.adbc_cancel()


def _serve(calls: queue.SimpleQueue[Call | None]) -> None:
    while (call := calls.get()) is not None:
        function, result = call
        try:
            result.set_result(function())
        except BaseException as error:  # noqa: BLE001 - raised to the caller
            result.set_exception(error)
        del function, result, call  # keep no reference to a call's result


def _newest(before: set[int], url: Secret) -> socket.socket | None:
    """A duplicate of the only new socket to the address; None unless there is exactly one, and then
    only whole answers count."""
    port = read_db_url(url.reveal()).get("port") or POSTGRES_PORT
    new = []
    for number in _sockets():
        if number not in before:
            with suppress(OSError):
                new.append(socket.socket(fileno=os.dup(number)))
    found = []
    for each in new:
        with suppress(OSError, IndexError):
            if str(each.getpeername()[1]) == port:
                found.append(each)
    for each in new:
        if len(found) != 1 or each is not found[0]:
            each.close()
    return found[0] if len(found) == 1 else None


def _sockets() -> Iterator[int]:
    """File descriptors of this process's open sockets, if the system lists them."""
    try:
        numbers = [int(name) for name in os.listdir("/proc/self/fd")]  # noqa: PTH208
    except OSError:
        return
    for number in numbers:
        with suppress(OSError):
            if os.readlink(f"/proc/self/fd/{number}").startswith("socket:"):  # noqa: PTH115
                yield number

"""What Postgres or a pooler in front of it refuses, in words that name the setting at fault."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from stages.errors import StagesError, Transient
from stages.extract.postgres import PostgresReader
from stages.project.settings import Secret, Source
from tests.extract.support import Database


def source(url: str) -> Source:
    return Source(ref="a", url=None, key=None, db_url=Secret(url))


@contextmanager
def refusing(words: str, code: str = "XX000") -> Iterator[str]:
    """A server that refuses every login with an error of the protocol, as Supavisor does."""
    fields = b"".join(
        kind + text.encode() + b"\0"
        for kind, text in ((b"S", "FATAL"), (b"C", code), (b"M", words))
    )
    refusal = b"E" + struct.pack("!i", len(fields) + 5) + fields + b"\0"
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            with client:
                # TLS and GSS are asked for in eight bytes; the login has more.
                while len(client.recv(4096)) == 8:
                    client.sendall(b"N")
                client.sendall(refusal)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"postgresql://postgres.abcdefghijklmnopqrst:pw@127.0.0.1:{server.getsockname()[1]}/x"
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


@pytest.mark.parametrize(
    ("words", "kind", "message", "hint"),
    [
        ("Tenant or user not found", StagesError, "the pooler knows no such project or user",
         "a pooler's user is postgres.<ref>"),
        ("MaxClientsInSessionMode: max clients reached - in Session mode max clients are limited "
         "to pool_size", Transient, "the pooler has no connection left", "raise the pool size"),
    ],
)  # fmt: skip
def test_what_a_pooler_refuses(
    words: str, kind: type[StagesError], message: str, hint: str
) -> None:
    with refusing(words) as url, pytest.raises(kind) as error:
        PostgresReader(source(url))
    assert type(error.value) is kind
    assert message in error.value.message and hint in (error.value.hint or "")
    assert "pw" not in str(error.value)


def test_a_database_that_is_not_there(database: Database) -> None:
    assert database.source.db_url is not None
    url = f"{database.source.db_url.reveal().rpartition('/')[0]}/shop"
    with pytest.raises(StagesError) as error:
        PostgresReader(source(url))
    assert "names a database that does not exist: " in error.value.message
    assert 'database "shop" does not exist' in error.value.message
    assert "ends with /postgres" in (error.value.hint or "")

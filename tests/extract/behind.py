"""A source behind something that listens in the place of its Postgres."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from urllib.parse import urlsplit, urlunsplit

from stages.project.settings import Secret, Source

Address = tuple[str, int]


def address_of(source: Source) -> Address:
    """Where its Postgres listens."""
    assert source.db_url is not None
    parts = urlsplit(source.db_url.reveal())
    return str(parts.hostname), int(parts.port or 5432)


@contextmanager
def behind(source: Source, serve: Callable[[socket.socket], None]) -> Iterator[Source]:
    """The source at an address of which each client is given to `serve`, in a thread of its own."""
    assert source.db_url is not None
    parts = urlsplit(source.db_url.reveal())
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    threading.Thread(target=serve, args=(client,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        login = parts.netloc.rpartition("@")[0]
        netloc = f"{login}@127.0.0.1:{listener.getsockname()[1]}"
        try:
            yield replace(source, db_url=Secret(urlunsplit(parts._replace(netloc=netloc))))
        finally:
            listener.shutdown(socket.SHUT_RDWR)

"""A stand-in for a pooler in transaction mode, such as Supavisor's: each transaction gets the
server session that is next, with whatever another client's SET has left there."""

from __future__ import annotations

import socket
import struct
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit, urlunsplit

from stages.project.settings import Secret, Source

# Of the first message of a client: version 3.0, and the question for TLS or GSS.
VERSION = 196608
ASKS_FOR_ENCRYPTION = (80877103, 80877104)
KEPT_AT_START = (b"user", b"database")


@dataclass
class Pooler:
    """`used` lists the process ids of the servers that transactions were given, in order."""

    address: tuple[str, int]
    # What another client has left in each server session.
    left: str = ""
    idle: deque[Server] = field(default_factory=deque)
    used: list[int] = field(default_factory=list)

    def serve(self, client: socket.socket) -> None:
        """One client, to its end. Its login makes one more server session for everybody."""
        with closing(client), suppress(OSError, EOFError):
            self.idle.append(self._login(client))
            while self._transaction(client):
                pass

    def _login(self, client: socket.socket) -> Server:
        while True:
            body = _exactly(client, struct.unpack("!i", _exactly(client, 4))[0] - 4)
            if struct.unpack("!i", body[:4])[0] not in ASKS_FOR_ENCRYPTION:
                break
            client.sendall(b"N")
        words = body[4:].rstrip(b"\0").split(b"\0")
        # A pooler's server sessions have none of a client's parameters.
        named = [w for pair in zip(words[::2], words[1::2], strict=True)
                 if pair[0] in KEPT_AT_START for w in pair]  # fmt: skip
        start = struct.pack("!i", VERSION) + b"\0".join(named) + b"\0\0"
        server = Server(socket.create_connection(self.address))
        server.socket.sendall(struct.pack("!i", len(start) + 4) + start)
        while True:
            kind, message = _message(server.socket)
            client.sendall(message)
            if kind == b"K":
                server.pid = struct.unpack("!i", message[5:9])[0]
            if kind == b"Z":
                server.query(self.left)
                return server
            if kind == b"R" and message[5:9] not in (b"\0\0\0\0", b"\0\0\0\x0c"):
                server.socket.sendall(_message(client)[1])  # its part of the login

    def _transaction(self, client: socket.socket) -> bool:
        """Carry one transaction over; False where the client has ended."""
        kind, message = _message(client)
        if kind == b"X":
            return False
        server = self.idle.popleft()
        self.used.append(server.pid)
        waiting = 0
        while True:
            server.socket.sendall(message)
            waiting += kind in (b"Q", b"S")
            while waiting:
                answer, message = _message(server.socket)
                client.sendall(message)
                if answer == b"Z":
                    waiting -= 1
                    if not waiting and message[5:6] == b"I":
                        self.idle.append(server)
                        return True
            kind, message = _message(client)
            if kind == b"X":
                server.socket.close()  # in the midst of a transaction: nobody else gets it
                return False


@dataclass
class Server:
    """A session of the server."""

    socket: socket.socket
    pid: int = 0

    def query(self, sql: str) -> None:
        """Carry out some statements, whose results nobody sees."""
        body = sql.encode() + b"\0"
        self.socket.sendall(b"Q" + struct.pack("!i", len(body) + 4) + body)
        while (answer := _message(self.socket))[0] != b"Z":
            assert answer[0] != b"E", answer[1]


def _exactly(sock: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = sock.recv(size - len(parts))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)


def _message(sock: socket.socket) -> tuple[bytes, bytes]:
    """A message's kind, and all of it."""
    head = _exactly(sock, 5)
    return head[:1], head + _exactly(sock, struct.unpack("!i", head[1:])[0] - 4)


@contextmanager
def pooler(source: Source, left: Mapping[str, str]) -> Iterator[tuple[Source, Pooler]]:
    """The source behind a pooler, in whose server sessions others have left these settings."""
    assert source.db_url is not None
    parts = urlsplit(source.db_url.reveal())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        pool = Pooler(
            address=(str(parts.hostname), int(parts.port or 5432)),
            left="; ".join(f"SET {name} = {listed(value)}" for name, value in left.items()),
        )

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    threading.Thread(target=pool.serve, args=(client,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        login = parts.netloc.rpartition("@")[0]
        netloc = f"{login}@127.0.0.1:{listener.getsockname()[1]}"
        yield replace(source, db_url=Secret(urlunsplit(parts._replace(netloc=netloc)))), pool
        listener.shutdown(socket.SHUT_RDWR)
        for server in pool.idle:
            server.socket.close()


def listed(value: str) -> str:
    """A setting's value for SET, of one item or several."""
    return ", ".join(f"'{part.strip()}'" for part in value.split(","))

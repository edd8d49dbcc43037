"""A stand-in for a pooler in transaction mode, such as Supavisor's: each transaction gets the
server session that is next, with whatever another client's SET has left there."""

from __future__ import annotations

import socket
import struct
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field

from stages.project.settings import Source
from tests.extract.behind import Address, address_of, behind

# Of the first message of a client: version 3.0, and the question for TLS or GSS.
VERSION = 196608
ASKS_FOR_ENCRYPTION = (80877103, 80877104)
KEPT_AT_START = (b"user", b"database")
# AuthenticationOk and SASLFinal, which ask for nothing.
LOGIN_ENDS = (b"\0\0\0\0", b"\0\0\0\x0c")


@dataclass
class Pooler:
    """`used` lists the process ids of the servers that transactions were given, in order."""

    address: Address
    # What another client has left in each server session.
    left: str = ""
    idle: deque[Peer] = field(default_factory=deque)
    used: list[int] = field(default_factory=list)

    def serve(self, accepted: socket.socket) -> None:
        """One client, to its end. Its login makes one more server session for everybody."""
        client = Peer(accepted)
        with closing(accepted), suppress(OSError, EOFError):
            self.idle.append(self._login(client))
            while self._transaction(client):
                pass

    def _login(self, client: Peer) -> Peer:
        while True:
            body = client.read(struct.unpack("!i", client.read(4))[0] - 4)
            if struct.unpack("!i", body[:4])[0] not in ASKS_FOR_ENCRYPTION:
                break
            client.send(b"N")
        words = body[4:].rstrip(b"\0").split(b"\0")
        # A pooler's server sessions have none of a client's parameters.
        pairs = zip(words[::2], words[1::2], strict=True)
        named = [word for pair in pairs if pair[0] in KEPT_AT_START for word in pair]
        start = struct.pack("!i", VERSION) + b"\0".join(named) + b"\0\0"
        server = Peer(socket.create_connection(self.address))
        server.send(struct.pack("!i", len(start) + 4) + start)
        while True:
            kind, message = server.message()
            client.send(message)
            if kind == b"K":
                server.pid = struct.unpack("!i", message[5:9])[0]
            if kind == b"Z":
                server.query(self.left)
                return server
            if kind == b"R" and message[5:9] not in LOGIN_ENDS:
                server.send(client.message()[1])  # its part of the login

    def _transaction(self, client: Peer) -> bool:
        """Carry one transaction over; False where the client has ended."""
        kind, message = client.message()
        if kind == b"X":
            return False
        server = self.idle.popleft()
        self.used.append(server.pid)
        waiting = 0
        while True:
            server.send(message)
            waiting += kind in (b"Q", b"S")
            while waiting:
                answer, message = server.message()
                waiting -= answer == b"Z"
                ends = not waiting and message[5:6] == b"I"
                if ends:
                    # Before the client hears of it: the next transaction may come at once.
                    self.idle.append(server)
                client.send(message, more=answer != b"Z")
                if ends:
                    return True
            kind, message = client.message()
            if kind == b"X":
                server.socket.close()  # in the midst of a transaction: nobody else gets it
                return False


class Peer:
    """A connection, buffered; `pid` is the process of a server's."""

    def __init__(self, of: socket.socket) -> None:
        self.socket = of
        self.pid = 0
        self._incoming = of.makefile("rb")
        self._outgoing = of.makefile("wb", buffering=1 << 16)

    def read(self, size: int) -> bytes:
        data = self._incoming.read(size)
        if len(data) < size:
            raise EOFError
        return data

    def message(self) -> tuple[bytes, bytes]:
        """A message's kind, and all of it."""
        head = self.read(5)
        return head[:1], head + self.read(struct.unpack("!i", head[1:])[0] - 4)

    def send(self, data: bytes, *, more: bool = False) -> None:
        self._outgoing.write(data)
        if not more:
            self._outgoing.flush()

    def query(self, sql: str) -> None:
        """Carry out some statements, whose results nobody sees."""
        body = sql.encode() + b"\0"
        self.send(b"Q" + struct.pack("!i", len(body) + 4) + body)
        while (answer := self.message())[0] != b"Z":
            assert answer[0] != b"E", answer[1]


@contextmanager
def pooler(source: Source, left: Mapping[str, str]) -> Iterator[tuple[Source, Pooler]]:
    """The source behind a pooler, in whose server sessions others have left these settings."""
    pool = Pooler(
        address=address_of(source),
        left="; ".join(f"SET {name} = {listed(value)}" for name, value in left.items()),
    )
    with behind(source, pool.serve) as pooled:
        yield pooled, pool
    for server in pool.idle:
        server.socket.close()


def listed(value: str) -> str:
    """A setting's value for SET, of one item or several."""
    return ", ".join(f"'{part.strip()}'" for part in value.split(","))

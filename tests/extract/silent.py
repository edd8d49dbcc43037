"""A proxy before Postgres that stops forwarding, while its sockets stay open."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

from stages.project.settings import Source
from tests.extract.behind import Address, address_of, behind


@dataclass
class Proxy:
    """Carries bytes both ways until `after` bytes have come from the servers, then no more.

    Who connects later is accepted and never answered, unless `only_old`.
    """

    address: Address
    after: int | None = None
    only_old: bool = False
    silent: threading.Event = field(default_factory=threading.Event)
    carried: int = 0
    sockets: list[socket.socket] = field(default_factory=list)

    def serve(self, client: socket.socket) -> None:
        """One client, to its end."""
        if self.silent.is_set() and not self.only_old:
            threading.Event().wait()
        fresh = self.silent.is_set()
        server = socket.create_connection(self.address)
        self.sockets += (client, server)
        for ends in ((client, server), (server, client)):
            carry = threading.Thread(target=self._carry, args=(*ends, server, fresh), daemon=True)
            carry.start()

    def end(self) -> None:
        """Close all, so that no server holds its locks for a client that is left."""
        for each in self.sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _carry(
        self, source: socket.socket, sink: socket.socket, server: socket.socket, fresh: bool
    ) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if source is server:
                    self.carried += len(data)
                if self.after is not None and self.carried > self.after:
                    self.silent.set()
                if self.silent.is_set() and not fresh:
                    threading.Event().wait()
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


@contextmanager
def silent_proxy(source: Source, max_silence: float) -> Iterator[tuple[Source, Proxy]]:
    """The source behind such a proxy."""
    proxy = Proxy(address_of(source))
    with behind(source, proxy.serve) as proxied:
        try:
            yield replace(proxied, max_silence=max_silence), proxy
        finally:
            proxy.end()

"""A proxy that breaks some responses, in the ways in which networks and servers do."""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from tests.support.serving import LocalServer, QuietHandler, served

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}
# The request never arrived, or the server refused it.
BEFORE = ("reset", "429", "500", "503", "408")
# The request was carried out, but the client never learns of it.
AFTER = ("lost", "500 after", "cut", "short")
# The response is correct, but late.
SLOW = ("slow",)
KINDS = (*BEFORE, *AFTER, *SLOW)
# A client gives up after eight attempts: a test must not depend on chance.
IN_A_ROW = 3
# The server's response → all bytes that the client gets instead.
Odd = Callable[[bytes], bytes]
# Requests that a restart cuts off.
UNDER_WAY = 3


@dataclass
class Faults:
    """What goes wrong: `share` of all requests, at random with a seed; `calls` records requests."""

    share: float = 0.0
    kinds: Sequence[str] = KINDS
    seed: int = 0
    # After this many requests, nothing goes through any more; None for never.
    down_after: int | None = None
    # After this many more, it comes back, as after a restart. Requests under way when it goes down
    # are carried out, but their responses are lost.
    back_after: int | None = None
    # Additional kinds of faults; half of these requests are carried out.
    odd: Mapping[str, Odd] = field(default_factory=dict)
    calls: list[tuple[str, str, bytes]] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)
        self._in_a_row: Counter[tuple[str, str, bytes]] = Counter()
        self._lock = threading.Lock()

    def choose(self, call: tuple[str, str, bytes]) -> str | None:
        """The fault for the next request; None for no fault."""
        with self._lock:
            self.calls.append(call)
            if self._is_down():
                assert self.down_after is not None
                under_way = self.back_after and len(self.calls) <= self.down_after + UNDER_WAY
                kind: str | None = "lost" if under_way else "reset"
            elif self._chance.random() < self.share and self._in_a_row[call] < IN_A_ROW:
                kind = self._chance.choice(self.kinds)
            else:
                kind = None
            self._in_a_row[call] = self._in_a_row[call] + 1 if kind else 0
            self.done[kind or "none"] += 1
            return kind

    def carries_out(self) -> bool:
        """Whether a request with an odd response reaches the server."""
        with self._lock:
            return self._chance.random() < 0.5

    def _is_down(self) -> bool:
        if self.down_after is None or len(self.calls) <= self.down_after:
            return False
        return not self.back_after or len(self.calls) <= self.down_after + self.back_after


class Server(LocalServer):
    """Forwards to `upstream`, an address such as http://127.0.0.1:1234."""

    request_queue_size = 64

    def __init__(self, upstream: str, faults: Faults) -> None:
        super().__init__(Handler)
        self.upstream = urlsplit(upstream)
        self.faults = faults

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnect during a response."""


class Handler(QuietHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        kind = self.server.faults.choose((self.command, self.path, body))
        if kind and kind in self.server.faults.odd:
            answer = self._forward(body)[2] if self.server.faults.carries_out() else b""
            self.close_connection = True
            self.wfile.write(self.server.faults.odd[kind](answer))
        elif kind == "reset":
            self._reset()
        elif kind in BEFORE:
            self._refuse(int(kind))
        else:
            if kind == "slow":
                time.sleep(0.15)
            status, headers, answer = self._forward(body)
            if kind == "lost":
                self._reset()
            elif kind == "500 after":
                self._refuse(500)
            elif kind in ("cut", "short") and answer:
                self._truncated(status, headers, answer, with_length=kind == "cut")
            else:
                self._answer(status, headers, answer)

    do_GET = do_HEAD = do_POST = _handle

    def _forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        upstream = self.server.upstream
        connection = HTTPConnection(upstream.hostname or "", upstream.port, timeout=60)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in HOP_BY_HOP}
        # No compression: a response that is cut must be JSON, not compressed data.
        headers["accept-encoding"] = "identity"
        try:
            connection.request(self.command, self.path, body or None, headers)
            answer = connection.getresponse()
            kept = [(k, v) for k, v in answer.getheaders() if k.lower() not in HOP_BY_HOP]
            return answer.status, kept, answer.read()
        finally:
            connection.close()

    def _reset(self) -> None:
        """Close the connection in a way that the client's kernel reports as a reset."""
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
        # The file objects keep the socket open.
        self.wfile.close()
        self.rfile.close()
        self.connection.close()

    def _refuse(self, status: int) -> None:
        headers = [("content-type", "text/plain")]
        if status == 429:
            headers.append(("retry-after", "1"))
        self._answer(status, headers, b"upstream is not well")

    def _truncated(
        self, status: int, headers: list[tuple[str, str]], answer: bytes, *, with_length: bool
    ) -> None:
        """Send half a response: either with the full length (`with_length`), or without a length,
        ended by closing the connection, after a `}` if there is one, so that it looks complete."""
        half = answer[: len(answer) // 2]
        if not with_length and b"}" in half:
            half = half[: half.rindex(b"}") + 1]
        self.close_connection = True
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("connection", "close")
        if with_length:
            self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(half)

    def _answer(self, status: int, headers: list[tuple[str, str]], answer: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("content-length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)


@contextmanager
def proxied(upstream: str, faults: Faults) -> Iterator[str]:
    """Run a proxy in front of `upstream` during the block; yields its address."""
    with served(Server(upstream, faults)) as server:
        yield server.url

"""The live page on 127.0.0.1: only for those who have the token, and read-only.

Any program on this machine, and any page in a browser, can reach the port. So every request needs
the token, and the Host header must name this server: otherwise a page of another site could point
its own name here and read along.
"""

from __future__ import annotations

import errno
import hmac
import re
import secrets
import sys
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import msgspec

from stages.errors import StagesError, UserError
from stages.machine import stopped_by_machine
from stages.page.html import Assets, page_html, policy, read_assets
from stages.page.live import LivePage, page_tag
from stages.page.rows import CHANGE_GROUP, MOST_ROWS, REJECT_GROUP, Wanted

HOST = "127.0.0.1"
# Seconds that a browser has to send a request; an idle connection is closed.
PATIENCE = 30.0
JSON = "application/json; charset=utf-8"
HTML = "text/html; charset=utf-8"
TEXT = "text/plain; charset=utf-8"
NOT_LET_IN = (
    "stages shows this page to whoever has its token: open the address that `stages ui` printed"
)
# For navigation from another site or a file: a redirect would not send the SameSite=Strict cookie.
GO_ON = (
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>stages</title>'
    '<meta http-equiv="refresh" content="0; url=/"></head>'
    '<body><a href="/">Go on to the page</a></body></html>\n'
)


class PageServer:
    """A server for the page. `address` contains the token: it is for those who may see values.

    Use it in a `with` statement, which starts and stops it. Raises UserError if it can't get the
    port.
    """

    def __init__(self, live: LivePage, port: int = 0) -> None:
        self.token = secrets.token_urlsafe(32)
        assets = read_assets()
        try:
            self._http = _Server(port, self.token, live, assets)
        except OSError as error:
            taken = error.errno in (errno.EADDRINUSE, errno.EACCES)
            raise UserError(
                f"port {port} can't be used: {error.strerror}",
                "choose another with --port, or leave it out to use any free port"
                if taken
                else None,
            ) from None
        except OverflowError:
            raise UserError(f"{port} is not a port", "name one from 1 to 65535") from None
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True
        )

    @property
    def origin(self) -> str:
        """`http://127.0.0.1:4711`"""
        return f"http://{HOST}:{self._http.server_port}"

    @property
    def address(self) -> str:
        """The same with the token, for a browser."""
        return f"{self.origin}/?token={self.token}"

    def __enter__(self) -> PageServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Requests in progress end with the process.
    block_on_close = False

    def __init__(self, port: int, token: str, live: LivePage, assets: Assets) -> None:
        super().__init__((HOST, port), _Handler)
        self.token, self.live, self.assets = token, live, assets
        # Cookies belong to a host, whatever the port.
        self.cookie = f"stages-{self.server_port}"
        self.hosts = {f"{HOST}:{self.server_port}", f"localhost:{self.server_port}"}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that closes its connection is not an error."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _NotFound(UserError):
    """There is no such path."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = PATIENCE
    server_version = "stages"
    sys_version = ""

    # ── access ──────────────────────────────────────────────────────────────────────────────

    def parse_request(self) -> bool:
        """Also refuses every method except GET and HEAD, before it is dispatched."""
        if not super().parse_request():
            return False
        if self.command not in ("GET", "HEAD"):
            self.close_connection = True  # there may be a body
            self._send(
                HTTPStatus.METHOD_NOT_ALLOWED, "this page is read-only\n", TEXT, Allow="GET, HEAD"
            )
            return False
        return True

    def do_GET(self) -> None:
        """Answer a request, if it has the token."""
        if self.headers.get("Host", "").lower() not in self.server.hosts:
            self._forbid(f"this server is {' or '.join(sorted(self.server.hosts))}, and no other")
            return
        path, _, text = self.path.partition("?")
        query = {name: values[-1] for name, values in parse_qs(text).items()}
        if path == "/" and "token" in query:
            self._let_in(query["token"])
        elif not self._is_let_in():
            self._forbid(NOT_LET_IN)
        else:
            self._answer(path, query)

    do_HEAD = do_GET

    def _is_token(self, text: str) -> bool:
        return hmac.compare_digest(text.encode(), self.server.token.encode())

    def _is_let_in(self) -> bool:
        kind, _, bearer = self.headers.get("Authorization", "").partition(" ")
        if kind.lower() == "bearer" and self._is_token(bearer.strip()):
            return True
        # All servers on this machine share cookies: another one's may have any form, after which
        # http.cookies would drop the rest.
        pairs = (each.strip().partition("=") for each in self.headers.get("Cookie", "").split(";"))
        return any(name == self.server.cookie and self._is_token(value) for name, _, value in pairs)

    def _let_in(self, token: str) -> None:
        if not self._is_token(token):
            self._forbid(NOT_LET_IN)
            return
        cookie = f"{self.server.cookie}={token}; HttpOnly; SameSite=Strict; Path=/"
        if self.headers.get("Sec-Fetch-Site") == "cross-site":
            self._send(HTTPStatus.OK, GO_ON, HTML, **{"Set-Cookie": cookie})
        else:
            self._send(HTTPStatus.SEE_OTHER, "", TEXT, Location="/", **{"Set-Cookie": cookie})

    def _forbid(self, words: str) -> None:
        if self.path.startswith("/api/"):
            self._json({"error": words, "hint": None}, HTTPStatus.FORBIDDEN)
        else:
            self._send(HTTPStatus.FORBIDDEN, f"{words}\n", TEXT)

    # ── routes ──────────────────────────────────────────────────────────────────────────────

    def _answer(self, path: str, query: Mapping[str, str]) -> None:
        import duckdb

        routes: dict[str, Callable[[Mapping[str, str]], None]] = {
            "/": self._html,
            "/api/page": self._page,
            "/api/rejects": self._rejects,
            "/api/changes": self._changes,
            "/api/row": self._row,
        }
        try:
            if path not in routes:
                raise _NotFound(f"there is no {path} here", "go to: /")
            routes[path](query)
        except StagesError as error:
            self._refuse(error)
        except (duckdb.Error, OSError) as error:
            if isinstance(error, ConnectionError | TimeoutError):
                raise
            stopped = stopped_by_machine(error)
            self._refuse(stopped or UserError(f"a staged file can't be read: {error}"))

    def _html(self, _: Mapping[str, str]) -> None:
        page = self.server.live.page()
        self._send(HTTPStatus.OK, page_html(page, self.server.assets), HTML)

    def _page(self, _: Mapping[str, str]) -> None:
        page = self.server.live.page()
        tag = page_tag(page)
        if self.headers.get("If-None-Match") == tag:
            self._send(HTTPStatus.NOT_MODIFIED, "", JSON, ETag=tag)
        else:
            self._send(HTTPStatus.OK, msgspec.json.encode(page), JSON, ETag=tag)

    def _rejects(self, query: Mapping[str, str]) -> None:
        self._json(self.server.live.rejects(_wanted(query, REJECT_GROUP)))

    def _changes(self, query: Mapping[str, str]) -> None:
        self._json(self.server.live.changes(_wanted(query, CHANGE_GROUP)))

    def _row(self, query: Mapping[str, str]) -> None:
        for name in ("table", "key"):
            if name not in query:
                raise UserError(f"{name} is missing", "such as: /api/row?table=orders&key=7")
        convex = query.get("convex") == "1"
        self._json(self.server.live.row(query["table"], query["key"], convex=convex))

    # ── responses ───────────────────────────────────────────────────────────────────────────

    def _refuse(self, error: StagesError) -> None:
        status = HTTPStatus.NOT_FOUND if isinstance(error, _NotFound) else HTTPStatus.BAD_REQUEST
        hint = error.hint and self.server.live.hint(error.hint)
        self._json({"error": error.message, "hint": hint}, status)

    def _json(self, value: object, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._send(status, msgspec.json.encode(value, enc_hook=str), JSON)

    def _send(self, status: HTTPStatus, content: str | bytes, kind: str, **headers: str) -> None:
        body = content.encode() if isinstance(content, str) else content
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def end_headers(self) -> None:
        """Add the headers that every answer has."""
        allowed = policy(self.server.assets, live=True)
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Content-Security-Policy", f"{allowed}; frame-ancestors 'none'")
        super().end_headers()

    def log_message(self, *_: Any) -> None:
        """Log nothing: an address contains the token."""


def _wanted(query: Mapping[str, str], columns: tuple[str, ...]) -> Wanted:
    """What a request asks for. Raises UserError for an invalid number."""
    return Wanted(
        equal={name: query[name] for name in columns if query.get(name)},
        search=query.get("search", ""),
        offset=_number(query, "offset", 0, 10**12),
        limit=_number(query, "limit", 50, MOST_ROWS),
    )


def _number(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = query.get(name, str(default))
    if not re.fullmatch(r"[0-9]{1,13}", text) or int(text) > most:
        raise UserError(f"{name} is `{text}`, and must be 0 to {most:,}")
    return int(text)

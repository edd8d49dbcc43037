"""A REST side that answers what a test wants, and otherwise its rows as PostgREST would."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.serving import LocalServer, QuietHandler, served

TOTAL = 300


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request: `table` is "" for the API's root. `at` is in seconds."""

    method: str
    table: str
    params: dict[str, str]
    at: float

    @property
    def limit(self) -> int:
        return int(self.params.get("limit", "0"))

    @property
    def is_page(self) -> bool:
        return self.method == "GET" and "select" in self.params


@dataclass(frozen=True, kw_only=True)
class Answer:
    """`cut`: close the connection after so many bytes of the body, -1 before any of it."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None


Script = Callable[[Request], Answer | None]


def error(status: int, code: str | None, message: str, hint: str | None = None) -> Answer:
    """An error as PostgREST (with a code) or the gateway in front of it (without) writes it."""
    body = {"message": message, "hint": hint} | ({"code": code} if code else {})
    headers = {"Proxy-Status": f"PostgREST; error={code}"} if code else {}
    return Answer(status=status, body=json.dumps(body).encode(), headers=headers)


class Stub(LocalServer):
    """Serves the table `rows` (id, v); `script` may answer first, and None lets it pass."""

    def __init__(self) -> None:
        super().__init__(Handler)
        self.rows: list[dict[str, Any]] = [{"id": i, "v": f"v{i}"} for i in range(1, TOTAL + 1)]
        self.cap = 1000
        self.script: Script = lambda request: None
        self.requests: list[Request] = []

    @property
    def pages(self) -> list[Request]:
        return [request for request in self.requests if request.is_page]

    def answer(self, request: Request) -> Answer:
        if not request.table:
            return Answer(body=json.dumps(self.document()).encode())
        if request.table != "rows":
            return error(404, "PGRST205", f"Could not find the table 'public.{request.table}'")
        if request.method == "HEAD":
            return Answer(headers={"Content-Range": f"0-0/{len(self.rows)}"})
        rows = self.rows
        after = re.search(r'"id"\.gt\."(\d+)"', request.params.get("and", ""))
        if after:
            rows = [row for row in rows if row["id"] > int(after[1])]
        if request.params.get("order", "").endswith(".desc"):
            rows = rows[::-1]
        return self.page(rows[: min(request.limit, self.cap)])

    def page(self, rows: list[dict[str, Any]]) -> Answer:
        body = "[" + ", \n ".join(json.dumps(row) for row in rows) + "]"
        span = f"0-{len(rows) - 1}/*" if rows else "*/*"
        return Answer(body=body.encode(), headers={"Content-Range": span})

    def document(self) -> dict[str, Any]:
        key = {"format": "int32", "description": "Note:\nThis is a Primary Key.<pk/>"}
        properties = {"id": key, "v": {"format": "text"}}
        return {"definitions": {"rows": {"properties": properties}}}

    def once(self, answer: Answer, when: Callable[[Request], bool]) -> None:
        """Answer so the first time only that `when` holds."""
        left = [answer]
        self.script = lambda request: left.pop() if left and when(request) else None

    def always(self, answer: Answer, when: Callable[[Request], bool]) -> None:
        self.script = lambda request: answer if when(request) else None


class Handler(QuietHandler):
    """One request at a time, in the thread of its connection."""

    protocol_version = "HTTP/1.1"
    server: Stub

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        params = {name: values[0] for name, values in parse_qs(parts.query).items()}
        table = unquote(parts.path.removeprefix("/rest/v1").strip("/"))
        request = Request(method=self.command, table=table, params=params, at=time.monotonic())
        self.server.requests.append(request)
        answer = self.server.script(request) or self.server.answer(request)
        if answer.cut == -1:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body[: answer.cut])
        self.close_connection = answer.cut is not None

    do_HEAD = do_GET


def serving() -> AbstractContextManager[Stub]:
    """A stub that serves until the end of the block."""
    return served(Stub())

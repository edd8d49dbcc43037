"""What stands in front of a stand-in of Supabase's APIs: it has a Storage too, and any of its
answers can be made otherwise.

All that is planted in the source has the word PLANTED in it, which no finding may show.
"""

from __future__ import annotations

import hashlib
import http.client
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.support.serving import LocalServer, QuietHandler, served

PLANTED = "planted"
BUCKET = f"{PLANTED}-bucket"
# More than a page, in the order of their bytes; one has an empty folder.
FILES = {
    key: f"{PLANTED} {key}".encode()
    for key in sorted([f"{PLANTED}//a.txt", *(f"{PLANTED}/{n:04}.txt" for n in range(1002))])
}
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request; the names of `headers` are in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    @property
    def has_bearer(self) -> bool:
        return "authorization" in self.headers

    def of(self, api: str) -> bool:
        """Whether it is of `rest`, `auth` or `storage`."""
        return self.path.startswith(f"/{api}/")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer; the names of `headers` are in lower case."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


Alter = Callable[[Request, Answer], Answer]


# ── answers, made otherwise ─────────────────────────────────────────────────────────────────


def reply(status: int, code: str = "", content: Any = None) -> Alter:
    """Another answer: an error with this code, or `content` as JSON."""
    error = {"message": PLANTED, "hint": PLANTED, **({"code": code} if code else {})}
    body = json.dumps(error if content is None else content).encode()
    return lambda request, answer: Answer(
        status=status, headers={"content-type": "application/json"}, body=body
    )


def with_header(name: str, value: str | None) -> Alter:
    """The same with another header, or without it."""

    def alter(request: Request, answer: Answer) -> Answer:
        headers = {n: v for n, v in answer.headers.items() if n != name}
        return replace(answer, headers={**headers, **({name: value} if value else {})})

    return alter


def with_status(status: int) -> Alter:
    return lambda request, answer: replace(answer, status=status)


def with_body(change: Callable[[Any], Any]) -> Alter:
    """The same with another body."""

    def alter(request: Request, answer: Answer) -> Answer:
        return replace(answer, body=json.dumps(change(json.loads(answer.body))).encode())

    return alter


def with_values(value: Any) -> Alter:
    """Rows with this in the place of each value."""
    return with_body(lambda rows: [dict.fromkeys(row, value) for row in rows])


def when(condition: Callable[[Request], bool], alter: Alter) -> Alter:
    return lambda request, answer: alter(request, answer) if condition(request) else answer


# ── the server ──────────────────────────────────────────────────────────────────────────────


class InFront(LocalServer):
    """Gives on to `upstream` what is not Storage's; `alter` may change each answer."""

    def __init__(self, upstream: str, keys: set[str]) -> None:
        super().__init__(Handler)
        self.upstream = urlsplit(upstream)
        self.keys = keys
        self.alter: Alter = lambda request, answer: answer

    def answer(self, request: Request) -> Answer:
        if request.of("storage"):
            return self._storage(request)
        assert self.upstream.hostname is not None
        connection = http.client.HTTPConnection(self.upstream.hostname, self.upstream.port or 80)
        try:
            path = request.path + (f"?{request.query}" if request.query else "")
            connection.request(request.method, path, request.body or None, request.headers)
            response = connection.getresponse()
            headers = {
                n.lower(): v for n, v in response.getheaders() if n.lower() not in HOP_BY_HOP
            }
            return Answer(status=response.status, headers=headers, body=response.read())
        finally:
            connection.close()

    def _storage(self, request: Request) -> Answer:
        if request.headers.get("apikey") not in self.keys:
            return reply(401)(request, Answer(status=401))
        path = request.path.removeprefix("/storage/v1/")
        if path in ("bucket", "bucket/"):
            moment = "2026-01-01T00:00:00Z"
            bucket = {"id": BUCKET, "name": BUCKET, "owner": "", "public": False}
            times = {"created_at": moment, "updated_at": moment}
            limits = {"file_size_limit": None, "allowed_mime_types": None, "type": "STANDARD"}
            return _json(200, [{**bucket, **times, **limits}])
        if path == f"object/list-v2/{BUCKET}":
            return _json(200, _page(json.loads(request.body)))
        key = unquote(path.removeprefix(f"object/authenticated/{BUCKET}/"))
        content = FILES.get(key)
        if content is None:
            error = {"statusCode": "404", "error": "not_found", "code": "NoSuchKey"}
            return _json(400, {**error, "message": PLANTED})
        headers = {"etag": f'"{hashlib.md5(content).hexdigest()}"'}
        part = request.headers.get("range", "").removeprefix("bytes=")
        if not part:
            return Answer(status=200, headers=headers, body=content)
        first, last = map(int, part.split("-"))
        headers["content-range"] = f"bytes {part}/{len(content)}"
        return Answer(status=206, headers=headers, body=content[first : last + 1])


def _json(status: int, content: Any) -> Answer:
    headers = {"content-type": "application/json"}
    return Answer(status=status, headers=headers, body=json.dumps(content).encode())


def _page(asked: dict[str, Any]) -> dict[str, Any]:
    """As Storage's list-v2 gives files, flat."""
    assert asked["with_delimiter"] is False
    keys = [key for key in FILES if key > asked.get("cursor", "")]
    page = keys[: min(asked["limit"], 1000)]
    more = {"nextCursor": page[-1]} if len(page) < len(keys) else {}
    objects = [
        {
            "name": key,
            "metadata": {
                "size": len(FILES[key]),
                "eTag": f'"{hashlib.md5(FILES[key]).hexdigest()}"',
            },
        }
        for key in page
    ]
    return {"hasNext": bool(more), "folders": [], "objects": objects, **more}


class Handler(QuietHandler):
    """One request at a time, in the thread of its connection."""

    protocol_version = "HTTP/1.1"
    # An answer in two packets would wait 40 ms for its second one.
    wbufsize = -1
    disable_nagle_algorithm = True
    server: InFront

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        request = Request(
            method=self.command,
            path=path,
            query=query,
            headers={n.lower(): v for n, v in self.headers.items() if n.lower() not in HOP_BY_HOP},
            body=self.rfile.read(int(self.headers.get("Content-Length", "0"))),
        )
        answer = self.server.alter(request, self.server.answer(request))
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_HEAD = do_GET
    do_POST = do_GET


def in_front(upstream: str, keys: set[str]) -> AbstractContextManager[InFront]:
    """A server in front of another one, until the end of the block."""
    return served(InFront(upstream, keys))

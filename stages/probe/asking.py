"""Requests of a probe to Supabase's HTTP APIs: each with its own timeout, all within a time budget.

Nothing is retried: a probe observes what a server does the first time. An overload, a paused
project and a lost connection are Transient; checks examine any other answer.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import httpx

from stages.errors import StagesError, Transient
from stages.extract.rest_client import USER_AGENT, key_headers
from stages.extract.rest_responses import SUPABASE_TRANSIENT_STATUS
from stages.extract.rest_select import encode
from stages.probe.checks import NotChecked
from stages.project.settings import Secret, Source
from stages.tls import trusted

# Seconds: to connect, to wait for more bytes, and for all requests of a probe together.
CONNECT = 5.0
SILENCE = 8.0
BUDGET = 30.0
MOST_BYTES = 16 << 20
# Statuses of a project that can't answer now: quota, paused, and a timeout of its gateway.
UNABLE = SUPABASE_TRANSIENT_STATUS | {402, 540, 544}
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0"
# Error codes of PostgREST and Postgres; others are shown only if they are in KNOWN_CODES.
CODE = re.compile(r"PGRST[0-9X]{3}|[0-9A-Z]{5}")
KNOWN_CODES = {
    # Auth
    "bad_jwt", "no_authorization", "not_admin", "not_found", "unexpected_failure",
    "user_not_found", "validation_failed",
    # Storage
    "AccessDenied", "FeatureNotEnabled", "InternalError", "InvalidJWT", "InvalidKey",
    "InvalidRequest", "MissingParameter", "NoSuchBucket", "NoSuchKey", "SignatureDoesNotMatch",
    "404",
}  # fmt: skip

Form = Literal["ours", "bearer too", "odd bearer", "browser", "wrong key", "no key"]


class Odd(StagesError):
    """A response in an unexpected form. Its message is our own text."""


class Unanswered(Transient):
    """No conclusive response. Its message is our own text."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A response, read to its end. `port` is the connection's local port, `wire` the size of the
    body on the wire, in bytes, `seconds` the time until it was complete."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    wire: int
    seconds: float
    port: int | None

    @property
    def code(self) -> str:
        """The error code in the body, or else in Proxy-Status; "" if there is none."""
        return self.body_code or self.proxy_code

    @property
    def body_code(self) -> str:
        try:
            parsed = json.loads(self.body)
        except (ValueError, RecursionError):
            return ""
        if not isinstance(parsed, dict):
            return ""
        return str(parsed.get("error_code") or parsed.get("code") or "")

    @property
    def proxy_code(self) -> str:
        return self.headers.get("proxy-status", "").rpartition("error=")[2]

    @property
    def said(self) -> str:
        """Status and code, as far as they may be shown."""
        code = self.code
        if not code or code == str(self.status):
            return f"{self.status}"
        known = CODE.fullmatch(code) or code in KNOWN_CODES
        return f"{self.status} {code if known else 'with another code'}"

    def json(self) -> Any:
        """The parsed body. Raises Odd if it is not JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise Odd(f"{self.status}, with a body that is no JSON") from None

    def members(self) -> dict[str, Any]:
        """The parsed body. Raises Odd if it is not a JSON object."""
        parsed = self.json()
        if not isinstance(parsed, dict):
            raise Odd(f"{self.status}, with a body that is no JSON object")
        return parsed

    def rows(self) -> list[dict[str, Any]]:
        """The rows of a page. Raises Odd for anything but 200 or 206 with a list of objects."""
        if self.status not in (200, 206):
            raise Odd(self.said)
        parsed = self.json()
        if not isinstance(parsed, list) or not all(isinstance(row, dict) for row in parsed):
            raise Odd(f"{self.status}, with a body that is no list of rows")
        return parsed


class Asking:
    """A connection pool for SUPABASE_URL. If the first request gets no answer, it sends no more."""

    def __init__(self, source: Source, budget: float = BUDGET) -> None:
        assert source.url is not None and source.key is not None
        self.key = source.key
        self.http = httpx.Client(
            timeout=httpx.Timeout(SILENCE, connect=CONNECT),
            follow_redirects=False,
            verify=trusted(),
        )
        self._base = source.url.rstrip("/")
        self._budget = budget
        self._ends = time.monotonic() + budget
        # Whether any response has arrived; None before the first request.
        self._answers: bool | None = None

    @property
    def key_is_secret(self) -> bool:
        """Whether it is an `sb_secret_` key, not a JWT."""
        return self.key.reveal().startswith("sb_")

    def close(self) -> None:
        self.http.close()

    def ask(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        form: Form = "ours",
        method: str = "GET",
        content: Any = None,
        even_unable: bool = False,
    ) -> Answer:
        """Send one request; `content` is sent as JSON. Raises Unanswered if there is no complete
        response or, unless `even_unable`, if the server can't answer now; NotChecked if the first
        request got no answer."""
        if self._answers is False:
            raise NotChecked("the project does not answer")
        left = self._ends - time.monotonic()
        if left <= 0:
            raise Unanswered(f"there was no time left for it: a probe takes {self._budget:g} s")
        url = f"{self._base}{path}" + (f"?{encode(params.items())}" if params else "")
        sent = {**self._key_headers(form), **(headers or {})}
        body = None
        if content is not None:
            sent["content-type"] = "application/json"
            body = json.dumps(content).encode()
        timeout = httpx.Timeout(min(SILENCE, left), connect=min(CONNECT, left))
        began = time.monotonic()
        try:
            with self.http.stream(
                method, url, headers=sent, content=body, timeout=timeout
            ) as stream:
                self._answers = True
                answer = self._read(stream, began)
        except httpx.TimeoutException:
            self._answers = bool(self._answers)
            seconds = time.monotonic() - began
            raise Unanswered(f"no answer within {seconds:.0f} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            self._answers = bool(self._answers)
            raise Unanswered(f"no answer: {type(error).__name__}") from None
        if answer.status in UNABLE and not even_unable:
            raise Unanswered(answer.said)
        return answer

    def _read(self, stream: httpx.Response, began: float) -> Answer:
        pieces, size = [], 0
        port = _own_port(stream)  # only known while it is open
        for piece in stream.iter_bytes():
            pieces.append(piece)
            size += len(piece)
            if size > MOST_BYTES:
                raise Unanswered(f"more than {MOST_BYTES >> 20} MiB, which a probe does not read")
            if time.monotonic() > self._ends:
                raise Unanswered("an answer that was not whole when the probe's time was over")
        return Answer(
            status=stream.status_code,
            headers={name.lower(): value for name, value in stream.headers.items()},
            body=b"".join(pieces),
            wire=stream.num_bytes_downloaded,
            seconds=time.monotonic() - began,
            port=port,
        )

    def _key_headers(self, form: Form) -> dict[str, str]:
        if form == "no key":
            return {"User-Agent": USER_AGENT}
        key = _wrong(self.key) if form == "wrong key" else self.key
        headers = key_headers(key)
        if form == "bearer too":
            headers["Authorization"] = f"Bearer {key.reveal()}"
        if form == "odd bearer":
            headers["Authorization"] = "Bearer stages"
        if form == "browser":
            headers["User-Agent"] = BROWSER
        return headers


def number_in(text: str) -> int | None:
    """The number in a header; None if it is not a number."""
    return int(text) if re.fullmatch("[0-9]{1,15}", text) else None


def _wrong(key: Secret) -> Secret:
    """A key of the same form that belongs to no project."""
    if key.reveal().startswith("sb_"):
        return Secret("sb_secret_" + "0" * 22 + "_" + "0" * 8)
    parts = ({"alg": "HS256", "typ": "JWT"}, {"role": "service_role", "iss": "stages"})
    texts = [base64.urlsafe_b64encode(json.dumps(part).encode()) for part in parts]
    signed = b".".join([*(text.rstrip(b"=") for text in texts), b"A" * 43])
    return Secret(signed.decode())


def _own_port(stream: httpx.Response) -> int | None:
    network: Any = stream.extensions.get("network_stream")
    with suppress(AttributeError, IndexError, TypeError, OSError):
        return int(network.get_extra_info("client_addr")[1])
    return None

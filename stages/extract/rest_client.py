"""Requests to Supabase's HTTP APIs, with raw responses: Supabase's own client hides the status,
accepts a truncated body as data, and parses numbers as floats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import httpx

from stages.answers import MOST_SECONDS, TooLarge, TooSlow, read_whole
from stages.errors import Stopped, Transient
from stages.extract.rest_responses import (
    LargePage,
    NoAnswer,
    Response,
    TookTooLong,
    error_for,
)
from stages.extract.rest_select import encode
from stages.project.settings import Secret, Source
from stages.retry import Backoff, retrying
from stages.tls import trusted

# Parallel requests hide the latency; the server's own pool is small.
JOBS = 12
SILENCE = 120.0
CONNECTING = 15.0
# Under a `limit`.
FEW_ATTEMPTS = 4
USER_AGENT = "stages/0.1 python-httpx"
Parsed = TypeVar("Parsed")


def key_headers(key: Secret) -> dict[str, str]:
    """The headers that authenticate each request.

    A secret key is refused with a browser-like user agent, and as a bearer token.
    """
    text = key.reveal()
    headers = {"User-Agent": USER_AGENT, "apikey": text}
    if not text.startswith("sb_"):
        headers["Authorization"] = f"Bearer {text}"
    return headers


class RestClient:
    """One connection pool for SUPABASE_URL, with the service key. Used by several workers."""

    def __init__(self, source: Source) -> None:
        assert source.url is not None and source.key is not None
        self._interrupted: str | None = None
        self._source = source
        self._seconds_left: Callable[[], float] | None = None
        self._base = source.url.rstrip("/")
        self._http = httpx.Client(
            timeout=httpx.Timeout(SILENCE, connect=CONNECTING),
            headers=key_headers(source.key),
            follow_redirects=False,
            verify=trusted(),
        )

    def request(
        self,
        path: str,
        parse: Callable[[Response], Parsed],
        *,
        what: str,
        params: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
    ) -> Parsed:
        """Send a request and parse its response, retrying both where that may help.

        `what` names the subject of the request in errors. Raises TableFailed for what concerns one
        table only, StagesError for everything else.
        """
        left = self._seconds_left

        def ask() -> Parsed:
            return parse(self._send(path, params, headers or {}, what, method))

        if left is None:
            return retrying(ask)
        return retrying(
            ask,
            backoff=Backoff(attempts=FEW_ATTEMPTS),
            on_retry=lambda error, delay: _give_up(error, delay, left()),
        )

    def limit(self, seconds_left: Callable[[], float]) -> None:
        """Limit each request from now on, with all its attempts, to the seconds left when it is
        sent. A request that the server did not answer in time is not retried."""
        self._seconds_left = seconds_left

    def interrupt(self, reason: str) -> None:
        """Send no more requests: the next one, even a retry, raises Stopped."""
        self._interrupted = self._interrupted or reason

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def _send(
        self,
        path: str,
        params: Mapping[str, str],
        headers: Mapping[str, str],
        what: str,
        method: str,
    ) -> Response:
        if self._interrupted:
            raise Stopped(self._interrupted)
        left = max(self._seconds_left(), 0.001) if self._seconds_left else MOST_SECONDS
        timeout = httpx.Timeout(min(SILENCE, left), connect=min(CONNECTING, left))
        encoded = httpx.Headers(dict(headers), encoding="utf-8")
        url = f"{self._base}{path}" + (f"?{encode(params.items())}" if params else "")
        try:
            # Copied, since httpx's own responses are freed only by the garbage collector.
            with self._http.stream(method, url, headers=encoded, timeout=timeout) as stream:
                response = Response(
                    status=stream.status_code,
                    reason=stream.reason_phrase,
                    headers=stream.headers,
                    body=read_whole(stream, left),
                )
        except TooLarge:
            raise LargePage(what) from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            # A server that can't be connected to may be gone; a silent one exists.
            silent = isinstance(error, httpx.ReadTimeout | httpx.WriteTimeout | TooSlow)
            raise (TookTooLong if silent else NoAnswer)(
                f"{self._source.label} at {self._source.url} did not answer: "
                f"{str(error) or type(error).__name__}",
                "check that SUPABASE_URL is right and the project is not paused, then run again",
            ) from None
        if response.status in (200, 206):
            return response
        plain = response.status not in (429, 503)  # these say enough
        if method == "HEAD" and plain and not response.headers.get("proxy-status"):
            # Without a body; its code in a header came with PostgREST 13, and edges strip it.
            return self._send(path, params, headers, what, "GET")
        raise error_for(response, what)


def _give_up(error: Transient, delay: float, left: float) -> None:
    if delay >= left or isinstance(error, TookTooLong):
        raise error

"""Requests to Supabase's HTTP APIs, as raw responses: Supabase's own client hides the status, takes
a truncated body for data, and numbers for floats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import httpx

from stages.answers import TooLarge, read_whole
from stages.errors import Stopped, Transient
from stages.extract.rest_responses import LargePage, Response, error_for
from stages.extract.rest_select import encode
from stages.project.settings import Source
from stages.retry import retrying
from stages.tls import trusted

# Requests side by side hide the latency; the server's own pool is small.
JOBS = 12
Parsed = TypeVar("Parsed")


class RestClient:
    """One connection pool for SUPABASE_URL, with the service key. Used by several workers."""

    def __init__(self, source: Source) -> None:
        assert source.url is not None and source.key is not None
        key = source.key.reveal()
        # A browser-like user agent is refused with a secret key, and a secret key as a bearer.
        headers = {"User-Agent": "stages/0.1 python-httpx", "apikey": key}
        if not key.startswith("sb_"):
            headers["Authorization"] = f"Bearer {key}"
        self._interrupted: str | None = None
        self._source = source
        self._base = source.url.rstrip("/")
        self._http = httpx.Client(
            timeout=httpx.Timeout(120.0, connect=15.0),
            headers=headers,
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
        """One request and what `parse` makes of its response, both retried where that may help.

        `what` is what the request is for, in the words of an error. Raises TableFailed for what
        concerns one table only, StagesError for everything else.
        """
        return retrying(lambda: parse(self._send(path, params, headers or {}, what, method)))

    def interrupt(self, reason: str) -> None:
        """Send no more requests: the next one, also of a retry, raises Stopped."""
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
        encoded = httpx.Headers(dict(headers), encoding="utf-8")
        url = f"{self._base}{path}" + (f"?{encode(params.items())}" if params else "")
        try:
            # Not kept by httpx, whose responses only the garbage collector frees.
            with self._http.stream(method, url, headers=encoded) as stream:
                response = Response(
                    status=stream.status_code,
                    reason=stream.reason_phrase,
                    headers=stream.headers,
                    body=read_whole(stream),
                )
        except TooLarge:
            raise LargePage(what) from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise Transient(
                f"{self._source.label} at {self._source.url} did not answer: "
                f"{str(error) or type(error).__name__}",
                "see if SUPABASE_URL is right and the project is not paused, then run again",
            ) from None
        if response.status in (200, 206):
            return response
        plain = response.status not in (429, 503)  # which say enough
        if method == "HEAD" and plain and not response.headers.get("proxy-status"):
            # No body, and no code in its place: that came with PostgREST 13, and edges strip it.
            return self._send(path, params, headers, what, "GET")
        raise error_for(response, what)

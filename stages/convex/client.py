"""A deployment's HTTP API: internal functions through the admin key or the HTTP action.

Source: the HTTP Functions API. Arguments and results are Convex's encoded JSON, which loses
nothing; mutations have no idempotency key, so only functions that are safe to repeat are called.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import httpx

from stages.answers import read_whole
from stages.convex.expected import is_answer
from stages.errors import SettingError, StagesError, Transient
from stages.project.settings import Target
from stages.retry import Backoff, retrying, seconds_asked
from stages.tls import trusted

Kind = Literal["query", "mutation"]
Channel = Literal["functions", "http-action"]
# Limits and timeouts of one transaction: the batch is too large, but no document is wrong.
LIMIT = re.compile(
    r"in a single function execution|TooMany|[Tt]oo (?:many|much)|timed out|took too long|"
    r"SystemTimeout|FunctionArgumentsTooLarge|[Aa]rguments? [^\n]*too large|"
    r"return value is too large|out of memory"
)
# Above the server's own limit of 300 s for a request.
TIMEOUT = httpx.Timeout(310.0, connect=15.0)
# How a successful answer begins: backend and HTTP action both write `status` first.
SUCCESS = b'{"status":"success"'
# The same request may succeed later: from the backend (408 is its own timeout), or from a gateway.
CONVEX_TRANSIENT_STATUS = {408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524}


TOO_LARGE = "the request is too large: too much"


class FunctionError(StagesError):
    """A Convex function ended with an error; its transaction was rolled back."""

    def __init__(self, function: str, words: str, data: object) -> None:
        super().__init__(f"{function}: {words}")
        self.function = function
        self.words = words
        self.data = data

    @property
    def code(self) -> str | None:
        """The `code` of a ConvexError's data, which is kept even if messages are redacted."""
        code = self.data.get("code") if isinstance(self.data, dict) else None
        return code if isinstance(code, str) else None

    @property
    def over_limit(self) -> bool:
        """Whether a transaction limit was exceeded, so that a smaller call may succeed."""
        return bool(LIMIT.search(self.words) or LIMIT.search(self.code or ""))


class Unreached(Transient):
    """No answer came."""


class OtherAnswer(Transient):
    """An answer of another call, or not an answer at all: something in between may cache them."""


class KeyRefused(StagesError):
    """The deployment refuses the key, or the key lacks the right to what was requested."""


class Deployment:
    """One Convex deployment through one channel. Calls may come from several threads."""

    def __init__(
        self,
        target: Target,
        channel: Channel | None = None,
        *,
        backoff: Backoff | None = None,
        on_retry: Callable[[Transient, float], None] | None = None,
        timeout: httpx.Timeout = TIMEOUT,
    ) -> None:
        self.target = target
        self.channel: Channel = channel or ("functions" if target.admin_key else "http-action")
        self.backoff = backoff or Backoff()
        self.on_retry = on_retry
        if self.channel == "functions" and not target.admin_key:
            raise SettingError(
                "there is no deploy key, and the functions are internal",
                "set CONVEX_DEPLOY_KEY, or use --through http-action with MIGRATION_SECRET",
                settings=["CONVEX_DEPLOY_KEY"],
            )
        if self.channel == "http-action" and not (target.secret and target.site_url):
            raise SettingError(
                "the HTTP action needs MIGRATION_SECRET and the deployment's site address",
                "set MIGRATION_SECRET here and on the deployment (npx convex env set "
                "MIGRATION_SECRET …); a self-hosted deployment needs CONVEX_SITE_URL too",
                settings=["MIGRATION_SECRET", "CONVEX_SITE_URL"],
            )
        self._http = httpx.Client(timeout=timeout, follow_redirects=False, verify=trusted())

    def __enter__(self) -> Deployment:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def query(self, function: str, args: dict[str, Any]) -> Any:
        """Result of an internal query."""
        return json.loads(self.call("query", function, json.dumps(args)))["value"]

    def mutation(self, function: str, args: dict[str, Any]) -> Any:
        """Result of an internal mutation."""
        return json.loads(self.call("mutation", function, json.dumps(args)))["value"]

    def call(self, kind: Kind, function: str, args: str | bytes) -> bytes:
        """Call `module:function` with arguments as JSON text; retries transient errors.

        Returns the whole answer, `{"status": "success", "value": …}`. Raises FunctionError,
        Transient when the attempts are used up, StagesError for everything else.
        """
        return retrying(lambda: self.call_once(kind, function, args), self.backoff, self.on_retry)

    def call_once(self, kind: Kind, function: str, args: str | bytes) -> bytes:
        """One request; see `call`."""
        return self._checked(function, self._request(kind, function, args))

    def no_answer(self, to: str) -> OtherAnswer:
        """The error for an answer of another call, or no answer at all; a retry may help."""
        return OtherAnswer(
            f"{self.target.label} gave an unexpected answer to {to}",
            "rerun the command",
        )

    def fetch(self, kind: Kind, function: str, args: str) -> bytes:
        """One request whose answer is not parsed if it is a success: for large answers.

        The caller must check that it is complete.
        """
        content = self._request(kind, function, args)
        return content if content.startswith(SUCCESS) else self._checked(function, content)

    def _request(self, kind: Kind, function: str, args: str | bytes) -> bytes:
        if self.channel == "functions":
            url = f"{self.target.url}/api/{kind}"
            assert self.target.admin_key is not None
            authorization = f"Convex {self.target.admin_key.reveal()}"
            head = json.dumps({"path": function, "format": "convex_encoded_json"})
        else:
            url = f"{self.target.site_url}/migrate"
            assert self.target.secret is not None
            authorization = f"Bearer {self.target.secret.reveal()}"
            head = json.dumps({"function": function.rpartition(":")[2]})
        arguments = args.encode() if isinstance(args, str) else args
        body = b"".join((head[:-1].encode(), b', "args": ', arguments, b"}"))
        return self._send(function, url, body, authorization)

    @contextmanager
    def request(
        self, method: str, path: str, body: bytes = b"", kind: str = "application/json"
    ) -> Iterator[httpx.Response]:
        """One request with the admin key to another endpoint; the body of its answer is not read
        yet. Raises what `call` raises; FunctionError only if the request is too large."""
        assert self.target.admin_key is not None
        headers = {
            "Content-Type": kind,
            "Authorization": f"Convex {self.target.admin_key.reveal()}",
        }
        with self._reached():
            stream = self._http.stream(
                method, f"{self.target.url}{path}", content=body, headers=headers
            )
            with stream as answer:
                content = read_whole(answer) if answer.status_code != 200 else b""
                self._require_success(path.partition("?")[0], answer, content)
                yield answer

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except (httpx.TransportError, httpx.DecodingError) as error:
            words = str(error) or type(error).__name__
            raise Unreached(
                f"{self.target.label} at {self.target.url} did not answer: {words}",
                "check that it is up, then rerun the command",
            ) from None

    def _send(self, function: str, url: str, body: bytes, authorization: str) -> bytes:
        """A function's answer, whether it failed or not."""
        headers = {"Content-Type": "application/json", "Authorization": authorization}
        with (
            self._reached(),
            self._http.stream("POST", url, content=body, headers=headers) as answer,
        ):
            content = read_whole(answer)
            self._require_success(function, answer, content)
            return content

    def _require_success(self, function: str, answer: httpx.Response, content: bytes) -> None:
        status = answer.status_code
        if status == 200:
            return
        words = _words(answer, content)
        if status == 413:
            # From a gateway in front of the deployment; treated like the deployment's own limit.
            raise FunctionError(function, f"{TOO_LARGE} ({status}: {words})", None)
        if status in CONVEX_TRANSIENT_STATUS:
            raise Transient(
                f"{self.target.label} answered {status}: {words}",
                "rerun the command",
                retry_after=seconds_asked(answer.headers.get("retry-after")),
            )
        if status in (401, 403):
            name = "CONVEX_DEPLOY_KEY" if self.channel == "functions" else "MIGRATION_SECRET"
            raise KeyRefused(
                f"{self.target.label} refused {name} ({status}): {words}",
                "make a deploy key of this deployment that may run internal functions"
                if self.channel == "functions"
                else "set the same MIGRATION_SECRET here and with: npx convex env set",
            )
        raise StagesError(
            f"{self.target.label} answered {status} to {function}: {words}",
            "see what is wrong with: stages check",
        )

    def _checked(self, function: str, content: bytes) -> bytes:
        try:
            # Parsed in full, although callers parse it again: it may be cut off after any `}`.
            parsed = json.loads(content)
        except (ValueError, RecursionError):
            raise Transient(
                f"{self.target.label} gave an answer that was cut short or is no JSON",
                "run it again",
            ) from None
        if isinstance(parsed, dict) and parsed.get("status") == "success":
            if not is_answer(function, parsed):
                raise OtherAnswer(
                    f"{self.target.label} gave an unexpected answer to {function}: "
                    f"{content[:60].decode(errors='replace')}",
                    "check that nothing between here and Convex caches answers, and that convex/ "
                    "is pushed, with: stages check",
                )
            return content
        if isinstance(parsed, dict) and parsed.get("status") == "error":
            words = str(parsed.get("errorMessage", "")).strip()
            raise FunctionError(function, words, parsed.get("errorData"))
        raise StagesError(
            f"{self.target.url} does not answer as a Convex deployment does", "check CONVEX_URL"
        )


def _words(answer: httpx.Response, content: bytes) -> str:
    """The server's own message, shortened."""
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError):
        return answer.reason_phrase or "no words"
    if not isinstance(parsed, dict):
        return answer.reason_phrase
    return " ".join(str(parsed[name]) for name in ("code", "message") if name in parsed)[:300]

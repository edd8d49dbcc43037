"""Invalid responses from Convex and Supabase: a run succeeds or fails with a clear error, and the
next one completes."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from http.client import responses
from typing import Any

from tests.faults.campaigns.kills import CASES
from tests.faults.campaigns.outcome import Outcome
from tests.faults.campaigns.setting import Setting
from tests.faults.proxy import Faults, Odd, proxied

SHARE = 0.25
ERROR = '{"status":"error"%s}'


def wire(status: int, body: bytes | str, *headers: str, length: int | None = None) -> bytes:
    """A response as sent over the wire."""
    content = body.encode() if isinstance(body, str) else body
    size = len(content) if length is None else length
    lines = (
        f"HTTP/1.1 {status} {responses.get(status, 'Odd')}", "Content-Type: application/json",
        f"Content-Length: {size}", "Connection: close", *headers,
    )  # fmt: skip
    return "\r\n".join((*lines, "", "")).encode("latin-1") + content


def _always(status: int, body: bytes | str, *headers: str) -> Odd:
    return lambda answer: wire(status, body, *headers)


def _results(change: Callable[[list[Any]], Any]) -> Odd:
    """A loading function's response with changed results; any other response is cut."""

    def odd(answer: bytes) -> bytes:
        try:
            parsed = json.loads(answer)
            parsed["value"]["results"] = change(parsed["value"]["results"])
        except (ValueError, TypeError, KeyError):
            return wire(200, answer[:-1])
        return wire(200, json.dumps(parsed, separators=(",", ":")))

    return odd


class _Before:
    """The response to the previous request, as from a broken cache."""

    def __init__(self) -> None:
        self.answer = b"null"

    def __call__(self, answer: bytes) -> bytes:
        before, self.answer = self.answer, answer or self.answer
        return wire(200, before)


KINDS: dict[str, Odd] = {
    "nothing": _always(200, b""),
    "null": _always(200, "null"),
    "a number": _always(200, "7"),
    "a text": _always(200, '"success"'),
    "a list": _always(200, "[]"),
    "an object": _always(200, "{}"),
    "success without value": _always(200, '{"status":"success"}'),
    "a value of null": _always(200, '{"status":"success","value":null}'),
    "a value of 7": _always(200, '{"status":"success","value":7}'),
    "an empty value": _always(200, '{"status":"success","value":{}}'),
    "null results": _always(200, '{"status":"success","value":{"results":null}}'),
    "no results": _results(lambda results: []),
    "a result fewer": _results(lambda results: results[:-1]),
    "results twice": _results(lambda results: results * 2),
    "results in another order": _results(lambda results: results[::-1]),
    "results of numbers": _results(lambda results: [7] * len(results)),
    "results without ids": _results(lambda results: [{"did": "inserted"}] * len(results)),
    "results of another kind": _results(lambda results: [{**r, "did": 7} for r in results]),
    "the answer before": _Before(),
    "the answer twice": lambda answer: wire(200, answer * 2),
    "half an answer": lambda answer: wire(200, answer[: len(answer) // 2]),
    "cut": lambda answer: wire(200, answer[:9], length=len(answer) + 9),
    "HTML": _always(200, "<html><body>Please sign in</body></html>"),
    "deep nesting": _always(200, "[" * 200_000),
    "no UTF-8": _always(200, b'{"status":"success","value":"\xff\xfe"}'),
    "a byte-order mark": lambda answer: wire(200, b"\xef\xbb\xbf" + answer),
    "NaN": _always(200, '{"status":"success","value":NaN}'),
    "no gzip": lambda answer: wire(200, answer, "Content-Encoding: gzip"),
    "a cut gzip": lambda answer: wire(200, gzip.compress(answer)[:-9], "Content-Encoding: gzip"),
    "bad chunks": lambda answer: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n7",
    "no HTTP": lambda answer: b"SSH-2.0-OpenSSH_9.6\r\n",
    "a huge header": _always(200, "null", f"X-Odd: {'x' * 200_000}"),
    "204": lambda answer: b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
    "301": _always(301, "", "Location: http://127.0.0.1:1/"),
    "302": _always(302, "", "Location: /"),
    "400": _always(400, '{"code":"BadRequest","message":"odd"}'),
    "401": _always(401, '{"code":"Unauthenticated","message":"odd"}'),
    "404": _always(404, "<html>"),
    "413": _always(413, "<html>"),
    "418": _always(418, "[7]"),
    "429, asking for ²": _always(429, "null", "Retry-After: \xb2"),
    "429, asking for a date": _always(429, "", "Retry-After: Sun, 29 Nov 2026 16:00:00 GMT"),
    "500": _always(500, "<html>"),
    "503, asking for years": _always(503, "{}", f"Retry-After: {'9' * 30}"),
    "an error without words": _always(200, ERROR % ""),
    "an error of 7": _always(200, ERROR % ',"errorMessage":7,"errorData":7'),
    "an error of null": _always(200, ERROR % ',"errorMessage":null,"errorData":{"code":null}'),
}
# The commands on which kinds are tried in turn, in addition to a load.
OTHERS = ("load by HTTP action", "import", "verify", "rollback", "extract")
# Maximum number of runs when responses of all kinds are mixed in.
MOST_RUNS = 12


def answer(setting: Setting, kinds: int) -> Outcome:
    """Try each of the first `kinds` kinds on a load, and on another command."""
    outcome = setting.outcome("answers", f"{kinds} kinds, one by one")
    for number, name in enumerate(list(KINDS)[:kinds]):
        for case in ("load by functions", OTHERS[number % len(OTHERS)]):
            outcome.landed += _try(setting, outcome, [name], case, 1)
    return outcome


def mix(setting: Setting, case: str, most: int = MOST_RUNS) -> Outcome:
    """Mix all kinds into one command, until it succeeds or has run `most` times."""
    outcome = setting.outcome("answers", f"all kinds at once, {case}")
    outcome.landed = _try(setting, outcome, list(KINDS), case, most)
    return outcome


def _try(setting: Setting, outcome: Outcome, kinds: list[str], name: str, most: int) -> int:
    """Run a command behind a proxy, and then without; returns how many responses were odd."""
    case = CASES[name]
    command = (*case.command, "--via", "rest") if name == "extract" else case.command
    faults = Faults(share=SHARE, kinds=kinds, odd=KINDS, seed=setting.chance.randrange(1 << 30))
    fault = f"{name}, {', '.join(kinds[:3])}, seed {faults.seed}"
    with setting.trial("answer") as trial:
        case.prepare(setting, trial)
        deployment, settings = trial.deployment, trial.stages.environment
        place, upstream = {
            "extract": ("supabase", deployment.source.url),
            "load by HTTP action": ("site", deployment.site_url),
        }.get(name, ("convex", deployment.url))
        with proxied(upstream, faults) as address:
            trial.stages.environment = deployment.settings(**{place: address})
            for _ in range(most):
                ran = trial.run(*command)
                if not outcome.ran(ran, fault) or ran.returncode == 0:
                    break
        trial.stages.environment = settings
        if outcome.require_done(trial.run(*case.command), fault):
            outcome.compare(case.quiet(setting), case.rows(setting, trial), fault)
    return sum(faults.done[kind] for kind in kinds)

"""A deployment that answers otherwise: a proxy before the sandbox's, with one rule at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.faults.proxy import Faults, Handler, Server
from tests.support.serving import served

Answer = tuple[int, bytes]
# What came (path, headers, body), and a function that has the deployment answer it → the answer;
# None where the deployment is to answer by itself.
Rule = Callable[["Call"], Answer | None]


@dataclass(frozen=True)
class Call:
    """One request."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    forward: Callable[[], Answer]

    @property
    def function(self) -> str:
        """The function that is called, without its module; "" where none is."""
        try:
            body = json.loads(self.body)
            name = body.get("path") or body.get("function")
        except (ValueError, AttributeError):
            return ""
        return str(name) if str(name).startswith("_system/") else str(name).rpartition(":")[2]

    @property
    def args(self) -> Any:
        return json.loads(self.body)["args"]

    def changed(self, change: Callable[[Any], Any]) -> Answer:
        """The deployment's answer with another value."""
        status, content = self.forward()
        answer = json.loads(content)
        if answer.get("status") != "success":
            return status, content
        return success(change(answer["value"]))


def success(value: Any) -> Answer:
    return 200, json.dumps({"status": "success", "value": value}, separators=(",", ":")).encode()


def error(words: str, data: Any = None) -> Answer:
    answer = {"status": "error", "errorMessage": words}
    return 200, json.dumps(answer if data is None else {**answer, "errorData": data}).encode()


class StandIn(Server):
    """Forwards to a deployment what its rule does not answer."""

    def __init__(self, upstream: str, rule: Rule, date: str | None) -> None:
        super().__init__(upstream, Faults())
        self.RequestHandlerClass = _Handler
        self.rule = rule
        self.date = date


class _Handler(Handler):
    server: StandIn

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))

        def forward() -> Answer:
            status, _, content = self._forward(body)
            return status, content

        headers = {name.lower(): value for name, value in self.headers.items()}
        call = Call(self.path, headers, body, forward)
        status, content = self.server.rule(call) or forward()
        self._answer(status, [("content-type", "application/json")], content)

    do_GET = do_HEAD = do_POST = _handle

    def date_time_string(self, timestamp: float | None = None) -> str:
        return self.server.date or super().date_time_string(timestamp)


@contextmanager
def standing_in(upstream: str, rule: Rule, date: str | None = None) -> Iterator[str]:
    """The address of a stand-in, for as long as the block runs."""
    with served(StandIn(upstream, rule, date)) as server:
        yield server.url

"""What may come with status 200 instead of an answer, and what a server may ask of us."""

from __future__ import annotations

import gzip
import json

import pyarrow as pa
import pytest

from stages import answers
from stages.convex.client import Deployment, FunctionError
from stages.errors import StagesError, Transient
from stages.load.batches import Batch
from stages.load.functions import Sender
from stages.load.pace import Pace
from stages.project.settings import Secret, Target
from stages.retry import Backoff, seconds_asked
from tests.support.serving import LocalServer, QuietHandler, served

PAGE = {"status": "success", "value": {"page": [], "isDone": True, "continueCursor": ""}}
RESULT = {"sourceId": "a", "documentId": "d", "did": "inserted"}
# Each instead of the results of a record `a`.
NO_RESULTS: dict[str, object] = {
    "a number": 7,
    "no id": {"sourceId": "a", "did": "inserted"},
    "an id of another kind": {**RESULT, "documentId": 7},
    "nothing that was done": {**RESULT, "did": "sold"},
    "a list of what was done": {**RESULT, "did": []},
}
# Each instead of the answer of bulkInsert.
NO_ANSWERS = {
    "no value": b'{"status":"success"}',
    "another call's": json.dumps(PAGE).encode(),
    "a value of another kind": b'{"status":"success","value":7}',
    "null results": b'{"status":"success","value":{"results":null}}',
    "deep nesting": b"[" * 100_000,
    "nothing": b"",
}
NO_DEPLOYMENTS = {"null": b"null", "a number": b"7"}


class Server(LocalServer):
    """Answers everything with `status`, `headers` and `body`."""

    def __init__(self) -> None:
        super().__init__(Handler)
        self.status, self.body, self.headers = 200, b"", dict[str, str]()


class Handler(QuietHandler):
    server: Server

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.reply(self.server.status, self.server.body, self.server.headers.items())


def _quick(server: Server) -> Deployment:
    """The server as a deployment that is asked again at once, and only once."""
    target = Target(
        name="default", deployment="d", url=server.url,
        site_url=None, admin_key=Secret("d|key"), secret=None,
    )  # fmt: skip
    return Deployment(target, backoff=Backoff(attempts=2, first=0.001, longest=0.001))


def test_what_is_no_answer_is_transient_or_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "MOST_BYTES", 100_000)
    with served(Server()) as server, _quick(server) as deployment:

        def ask() -> bytes:
            return deployment.call("mutation", "migrate:bulkInsertTeams", b'{"records": []}')

        for name, server.body in NO_ANSWERS.items():
            with pytest.raises(Transient) as error:
                ask()
            assert error.value.hint, name
        for name, server.body in NO_DEPLOYMENTS.items():
            with pytest.raises(StagesError, match="does not answer as a Convex") as unlike:
                ask()
            assert unlike.value.hint == "check CONVEX_URL", name
        server.body = b'{"status":"success","value":{"results":[]}}'
        assert ask() == server.body
        bomb = b'{"status":"success","value":"' + b" " * 10_000_000
        server.body, server.headers = gzip.compress(bomb), {"Content-Encoding": "gzip"}
        with pytest.raises(Transient, match="an answer of more than"):
            ask()
        server.body, server.headers = b"<html>", {"Retry-After": "²".encode().decode("latin-1")}
        server.status = 429
        with pytest.raises(Transient, match="answered 429") as limited:
            ask()
        assert limited.value.retry_after is None
        server.status = 413
        with pytest.raises(FunctionError) as large:
            ask()
        assert large.value.over_limit
        server.status, server.body, server.headers = 200, b"x" * 9, {}
        monkeypatch.setattr(answers, "MOST_SECONDS", 0.0)
        with pytest.raises(Transient, match="not whole after"):
            ask()


def test_only_a_number_of_seconds_is_waited_for() -> None:
    asked = {"3": 3.0, " 10 ": 10.0, "²": None, "٣": None, "1e9": None, "-1": None, "": None}
    assert {text: seconds_asked(text) for text in asked} == asked
    huge = Transient("", retry_after=seconds_asked("9" * 400))
    assert Backoff().delay(0, huge) == 60.0


def test_results_that_are_none_stop_a_load() -> None:
    """Nothing of them comes into the acks."""
    with served(Server()) as server, _quick(server) as deployment:
        sender = Sender(deployment, "migrate:bulkInsertTeams", Pace())
        batch = Batch(pa.record_batch({"_source_id": ["a"], "digest": ["x"], "text": ["{},"]}))
        for name, odd in NO_RESULTS.items():
            server.body = json.dumps({"status": "success", "value": {"results": [odd]}}).encode()
            with pytest.raises(Transient, match="an unexpected answer"):
                raise AssertionError(f"{name}: {sender.send(batch).acks}")
        server.body = json.dumps({"status": "success", "value": {"results": [RESULT]}}).encode()
        assert sender.send(batch).done == {"inserted": 1}

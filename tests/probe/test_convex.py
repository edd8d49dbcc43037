"""Every check of a deployment: met on the sandbox, and seen to differ where a stand-in answers
otherwise."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from stages.convex import ids
from stages.errors import StagesError
from stages.probe.checks import examine
from stages.probe.convex_files import CONTENT, KIND, STORAGE_NUMBER
from stages.probe.findings import Finding
from stages.probe.leftovers import remove_leftovers
from stages.probe.run import CONVEX, _convex_findings
from stages.retry import Backoff
from stages.state.probes import Probe, read_probe, write_probe
from tests.faults.support import NAME, Host
from tests.load.project import Project
from tests.probe.conftest import TEAMS, Probed
from tests.probe.standin import Answer, Call, error, standing_in, success

CHECKS = {check.name: check for checks in CONVEX for check in checks}
MIGRATE = "/migrate"
SYSTEM = "_system/frontend/"
FILES = SYSTEM + "fileStorageV2:"


@dataclass
class Storage:
    """Files as Convex keeps them, which the sandbox does not have. `wrong`: what is otherwise."""

    wrong: str = ""
    files: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, call: Call) -> Answer | None:
        if call.function == FILES + "generateUploadUrl":
            return success(f"http://{call.headers['host']}/api/storage/upload?token=t")
        if call.path.startswith("/api/storage/upload"):
            return self._store(call)
        if call.function == FILES + "deleteFiles":
            if self.wrong != "kept":
                wanted = call.args["storageIds"]
                self.files = [file for file in self.files if file["_id"] not in wanted]
            return success(None)
        if call.function == "_system/cli/tableData" and call.args["table"] == "_storage":
            return success({"page": self.files, "isDone": True, "continueCursor": ""})
        return None

    def _store(self, call: Call) -> Answer:
        digest = base64.b64encode(hashlib.sha256(call.body).digest()).decode()
        if call.headers["digest"] != f"sha-256={digest}" and self.wrong != "digest":
            return 400, b'{"code": "Sha256Mismatch", "message": ""}'
        if self.files and self.wrong == "once":
            return 401, b'{"code": "StorageTokenUsed", "message": ""}'
        number = 541 if self.wrong == "number" else STORAGE_NUMBER
        name = ids.encode(number, os.urandom(16))
        size = len(call.body) + (self.wrong == "size")
        file = {"_id": name, "sha256": digest, "size": size, "contentType": KIND}
        self.files.append(file)
        return 200, json.dumps({"storageId": name}).encode()


WAITING = success({"state": {"state": "waiting_for_confirmation"}})


def when(condition: Callable[[Call], bool], answer: Answer) -> Callable[[Call], Answer | None]:
    return lambda call: answer if condition(call) else None


def of(function: str, answer: Answer) -> Callable[[Call], Answer | None]:
    return when(lambda call: call.function == function, answer)


def holding(text: bytes, answer: Answer) -> Callable[[Call], Answer | None]:
    return when(lambda call: text in call.body, answer)


def changing(function: str, change: Callable[[Any], Any]) -> Callable[[Call], Answer | None]:
    return lambda call: call.changed(change) if call.function == function else None


def rows(change: Callable[[int, dict[str, Any]], dict[str, Any]]) -> Callable[[Any], Any]:
    """Of `readDocuments`: every document, with its number, as another one."""
    return lambda value: {
        "documents": [d and change(n, d) for n, d in enumerate(value["documents"])]
    }


def failed_import(call: Call) -> Answer | None:
    if call.function != "_system/cli/queryImport":
        return None
    return success({"state": {"state": "failed", "error_message": "no"}})


def takes_any_part(call: Call) -> Answer | None:
    if call.path.startswith("/api/import/upload_part"):
        return 200, b'"part"'
    if call.path.startswith("/api/import/finish_upload"):
        return 200, b'{"importId": "of any parts"}'
    return WAITING if call.function == "_system/cli/queryImport" else None


def with_id(make: Callable[[], str]) -> Callable[[Call], Answer | None]:
    """New documents get ids of this make."""

    def change(value: Any) -> Any:
        return {**value, "results": [{**r, "documentId": make()} for r in value["results"]]}

    return lambda call: call.changed(change) if call.function.startswith("bulkInsert") else None


LIMIT = error("[Request ID: 1] Server Error\nToo many bytes read in a single function execution")
TEAMS_NUMBER = 10004
# What a deployment does otherwise, by check.
OTHERWISE: dict[str, Callable[[Call], Answer | None]] = {
    "nothing-is-left-of-an-earlier-probe": of("remove", error("Server Error")),
    "nothing-is-left-of-this-one": changing(
        "remove", lambda v: {**v, "results": [{**r, "did": "removed"} for r in v["results"]]}
    ),
    "an-unknown-function-is-a-result": of("stagesProbeOfNothing", error("Server Error")),
    "the-data-of-an-error-passes": holding(b"stages:probe:twice", error("Server Error")),
    "a-wrong-argument-is-the-documents-fault": holding(b"stagesProbe", error("Server Error")),
    "a-body-over-16-mib-is-refused": when(lambda c: len(c.body) > 16 << 20, success(None)),
    "a-body-of-the-largest-batch-passes": when(
        lambda c: len(c.body) > 3 << 20, (413, b"<html>too large</html>")
    ),
    "how-long-a-call-takes": of("findMissing", (503, b"{}")),
    "its-clock-is-ours": lambda call: None,
    "the-key-calls-internal-functions": of(
        "epoch", error("Server Error\nCould not find public function for 'migrate:epoch'")
    ),
    "visitors-do-not-find-them": when(
        lambda c: "authorization" not in c.headers, success({"epoch": None, "tables": {}})
    ),
    "a-wrong-key-is-refused": when(
        lambda c: c.headers.get("authorization", "").endswith("0" * 64),
        success({"epoch": None, "tables": {}}),
    ),
    "a-wrong-secret-is-refused": when(lambda c: c.path == MIGRATE, success(None)),
    "how-large-a-body-an-action-takes": when(lambda c: len(c.body) > 20 << 20, (413, b"{}")),
    "look-ups-are-limited": holding(b"stages:probe:nothing", success({"results": []})),
    # The sandbox takes ids of its own only, and looks up no other.
    "gets-are-limited": lambda call: None,
    "a-document-over-1-mib-is-refused": when(lambda c: len(c.body) > 1 << 20, LIMIT),
    "documents-go-through-functions": changing(
        "readDocuments", rows(lambda n, d: {**d, "name": "Eve"})
    ),
    "documents-go-through-the-http-action": lambda call: (
        call.changed(rows(lambda n, d: {**d, "name": "Eve"}))
        if call.function == "readDocuments" and call.path == MIGRATE
        else None
    ),
    "creation-times-keep-the-order": changing(
        "readDocuments", rows(lambda n, d: {**d, "_creationTime": d["_creationTime"] - n * 1000})
    ),
    "how-fast-it-is-written-to": holding(b"stages:probe:rate", error("Server Error")),
    "its-ids-are-those-that-stages-reads": with_id(lambda: ids.encode(10001, os.urandom(16))),
    "one-row-is-imported": failed_import,
    "whether-a-small-part-may-come-first": takes_any_part,
    "whether-lines-may-be-empty": of("_system/cli/queryImport", WAITING),
    "every-table-has-a-number": of(SYSTEM + "getTableMapping", success({"10001": "teams"})),
    "it-lists-its-functions": of("_system/cli/modules:apiSpec", success([])),
    "it-gives-its-schema": of(SYSTEM + "getSchemas", success({"active": "{}"})),
    "it-counts-a-table": of(SYSTEM + "tableSize", success("many")),
    "it-gives-its-last-export": of("_system/cli/exports:getLatest", success(7)),
    "it-looks-up-a-variable": of("_system/cli/queryEnvironmentVariables:get", success({})),
    "it-reads-a-table-in-pages": of("_system/cli/tableData", success([])),
    "one-address-takes-several-files": Storage("once"),
    "a-wrong-digest-is-refused": Storage("digest"),
    "files-are-listed-with-their-hash": Storage("size"),
}
# As Convex answers, where the sandbox does not.
CONVEX_ITSELF: dict[str, Callable[[Call], Answer | None]] = {
    "gets-are-limited": when(
        lambda c: c.function == "findMissing" and len(c.args["documentIds"]) > 4096,
        error("Server Error\nToo many reads in a single function execution (limit: 4096)"),
    ),
    "its-ids-are-those-that-stages-reads": with_id(
        lambda: ids.encode(TEAMS_NUMBER, os.urandom(16))
    ),
    "one-address-takes-several-files": Storage(),
    "a-wrong-digest-is-refused": Storage(),
    "files-are-listed-with-their-hash": Storage(),
}


@pytest.fixture
def ask(probed: Probed, development: Host, staged: Project) -> Callable[..., Finding]:
    """Makes one check, before a stand-in with this rule."""

    def ask_one(name: str, rule: Callable[[Call], Answer | None]) -> Finding:
        date = "Sun, 01 Jan 2017 00:00:00 GMT" if name == "its-clock-is-ours" else None
        with (
            standing_in(development.url, rule, date) as api,
            standing_in(development.site_url, rule) as site,
        ):
            convex = probed(api, site)
            finding = examine(CHECKS[name], convex, convex.redaction.words)
        write_probe(staged.workspace, Probe())
        return finding

    return ask_one


def test_every_check_has_a_case() -> None:
    assert OTHERWISE.keys() == CHECKS.keys()


def test_the_sandbox_meets_all(probed: Probed, development: Host, staged: Project) -> None:
    convex = probed(sandbox=True)
    findings = [f for checks in CONVEX for f in checks.run(convex, convex.redaction.words)]
    odd = {f.name: f.seen for f in findings if f.verdict in ("differs", "failed")}
    assert not odd
    skipped = {f.name for f in findings if f.verdict == "not checked"}
    assert skipped == CONVEX_ITSELF.keys()
    assert not development.pages("teams") and not development.pages("migrationLedger")
    assert not staged.workspace.probe.exists()
    shown = " ".join(f.seen for f in findings)
    hidden = [NAME, "127.0.0.1", "teams", *(row["name"] for row in TEAMS.values())]
    assert not [word for word in hidden if f" {word} " in f" {shown} "]


@pytest.mark.parametrize("name", sorted(OTHERWISE))
def test_what_is_otherwise_is_seen(name: str, ask: Callable[..., Finding]) -> None:
    finding = ask(name, OTHERWISE[name])
    if name == "how-large-a-body-an-action-takes":
        assert finding.seen == "it does not: 413 without a code"
    elif name.startswith("whether-"):
        assert (finding.verdict, finding.seen) == (
            "measured",
            "they may" if "lines" in name else "it may",
        )
    else:
        assert finding.verdict in ("differs", "failed"), finding.seen
    assert "127.0.0.1" not in finding.seen and NAME not in finding.seen


@pytest.mark.parametrize("name", sorted(CONVEX_ITSELF))
def test_what_the_sandbox_can_not_show(name: str, ask: Callable[..., Finding]) -> None:
    assert ask(name, CONVEX_ITSELF[name]).verdict == "confirmed"


def test_a_key_without_a_right(ask: Callable[..., Finding]) -> None:
    """Of what the deploy key may not do, nothing is known."""
    refused = error("Server Error\nOperationNotPermitted: deployment:data:view")
    finding = ask("it-counts-a-table", of(SYSTEM + "tableSize", refused))
    assert (finding.verdict, finding.seen) == ("not checked", "the deploy key has no right to it")
    assert CONTENT not in finding.seen.encode()


ODD: tuple[tuple[str, Any, str], ...] = (
    ("_system/cli/tableData", {"page": None}, "files-are-listed-with-their-hash"),
    ("_system/cli/tableData", {"page": None}, "nothing-is-left-of-an-earlier-probe"),
    (SYSTEM + "getSchemas", {"active": "no json"}, "it-gives-its-schema"),
    (SYSTEM + "getSchemas", {"active": "[]"}, "it-gives-its-schema"),
    ("readDocuments", {"document": {"email": "ann@example.com"}}, "documents-go-through-functions"),
    (SYSTEM + "getTableMapping", [], "every-table-has-a-number"),
)


@pytest.mark.parametrize(("function", "value", "name"), ODD)
def test_odd_answers_are_findings(
    function: str, value: Any, name: str, ask: Callable[..., Finding]
) -> None:
    """And nothing of them is shown."""
    storage = Storage()

    def rule(call: Call) -> Answer | None:
        return success(value) if call.function == function else storage(call)

    finding = ask(name, rule)
    assert finding.verdict == "differs", finding
    assert "example" not in finding.seen and "email" not in finding.seen


def test_a_date_that_is_none(probed: Probed, development: Host) -> None:
    with standing_in(development.url, lambda call: None, "yesterday") as api:
        convex = probed(api)
        finding = examine(CHECKS["its-clock-is-ours"], convex, convex.redaction.words)
    assert (finding.verdict, finding.seen) == ("differs", "an answer of another form")


def test_what_a_refusal_may_show(ask: Callable[..., Finding]) -> None:
    """Codes of errors that are none of ours, and names of functions, are a project's own."""
    finding = ask("it-counts-a-table", of(SYSTEM + "tableSize", error("x", {"code": "ann@b.c"})))
    assert "ann" not in finding.seen
    finding = ask("how-fast-it-is-written-to", of("bulkInsertTeams", (404, b"{}")))
    assert "Teams" not in finding.seen


def test_a_server_that_answers_nothing(
    probed: Probed, staged: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked once, and not by every check."""
    monkeypatch.setattr("stages.probe.deployment.ATTEMPTS", Backoff(attempts=1))
    convex = probed("http://127.0.0.1:9", "http://127.0.0.1:9")
    findings = list(_convex_findings(convex))
    verdicts = [finding.verdict for finding in findings]
    assert verdicts[0] == "failed" and set(verdicts[1:]) == {"not checked"}
    assert len(findings) == len(CHECKS)


def test_the_record_is_kept_until_it_is_proven_gone(
    probed: Probed, development: Host, staged: Project
) -> None:
    """Of a table that the plan has no more, and where the import can't be asked for."""
    record = Probe(imports=["an import"], documents={"x": "aTableOfBefore"})
    write_probe(staged.workspace, record)
    failing = of("_system/cli/queryImport", error("Server Error"))
    with standing_in(development.url, failing) as api, pytest.raises(StagesError):
        remove_leftovers(probed(api))
    assert read_probe(staged.workspace) == record
    remove_leftovers(probed())
    assert read_probe(staged.workspace) == Probe(documents={"x": "aTableOfBefore"})
    write_probe(staged.workspace, Probe())

"""What a refusal means: a document's own fault rejects that one; anything else rejects nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stages.convex.client import Deployment, FunctionError, Kind
from stages.errors import StagesError
from stages.load import run
from tests.faults.proxy import Faults, proxied
from tests.faults.support import KEY
from tests.load.project import Project
from tests.load.test_once import PEOPLE, PETS, stage_all


def rejects(project: Project, table: str = "pets") -> list[dict[str, str]]:
    file = project.workspace.load(table) / "rejects.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_bad_document_stands_alone_and_the_others_load(project: Project) -> None:
    stage_all(project)
    project.stage("pets", PETS | {"c031": {"owner": "p01", "kind": "fish"}})
    result = project.load()
    (reject,) = rejects(project)
    assert (reject["sourceId"], reject["rule"]) == ("c031", "refused")
    assert "fish" in reject["reason"]
    counts = result.tables["pets"].counts
    assert (counts["inserted"], counts["refused"]) == (59, 1)
    assert set(project.documents("pets")) == set(PETS) - {"c031"}


def test_a_child_of_a_refused_parent_is_held_back_and_named(project: Project) -> None:
    stage_all(project)
    del_name = {key: dict(row) for key, row in PEOPLE.items()}
    del del_name["p05"]["name"]
    project.stage("people", del_name)
    project.load()
    assert [r["sourceId"] for r in rejects(project, "people")] == ["p05"]
    held = {r["sourceId"]: r["reason"] for r in rejects(project)}
    assert set(held) == {key for key, row in PETS.items() if row["owner"] == "p05"}
    assert all("people:p05 has no id" in reason for reason in held.values())


def test_twenty_with_the_same_words_stop_the_table(project: Project) -> None:
    stage_all(project)
    project.stage("pets", {key: {**row, "kind": "fish"} for key, row in PETS.items()})
    result = project.load(in_flight=1)
    assert "refused 20 documents in a row with the same message" in result.failed["pets"]
    assert "stages check" in result.failed["pets"]
    assert project.documents("people") == PEOPLE, "the other tables are loaded"


WORDS = {
    "unknown function": ("Could not find function for 'migrate:bulkInsertPets'", "npx convex"),
    "paused": (
        "Cannot run functions while this deployment is paused. Resume the deployment in the "
        "dashboard settings to allow functions to run.",
        "resume it",
    ),
    "missing table": ("Table pets not found", "log"),
    "a bug": ("Uncaught TypeError: x is not a function", "log"),
}


@pytest.mark.parametrize("kind", WORDS)
def test_what_is_no_documents_fault_rejects_nothing(
    kind: str, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """These all come in the form of a bad document."""
    words, hint = WORDS[kind]
    call_once, calls = Deployment.call_once, [0]

    def answered(self: Deployment, what: Kind, function: str, args: str | bytes) -> bytes:
        if function == "migrate:bulkInsertPets":
            calls[0] += 1
            if kind in ("unknown function", "paused") or b'"sourceId"' in bytes(args):  # type: ignore[arg-type]
                raise FunctionError(function, f"[Request ID: 1] Server Error\n{words}", None)
        return call_once(self, what, function, args)

    monkeypatch.setattr(Deployment, "call_once", answered)
    stage_all(project)
    result = project.load(in_flight=1)
    assert (
        words.split(".")[0][:40] in result.failed["pets"]
        or "does not have" in result.failed["pets"]
    )
    assert hint in result.failed["pets"]
    assert rejects(project) == []
    assert calls[0] <= 12
    assert project.documents("people") == PEOPLE


@pytest.mark.parametrize(
    "words",
    [
        "Too many bytes written in a single function execution (limit: 16777216 bytes).",
        "Function execution timed out (maximum duration: 1s)",
        "Arguments for migrate:bulkInsertPets are too large (actual: 17 MiB, limit: 16 MiB)",
    ],
)
def test_limits_and_timeouts_make_batches_smaller(
    words: str, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    call_once, sizes = Deployment.call_once, []

    def answered(self: Deployment, what: Kind, function: str, args: str | bytes) -> bytes:
        if function == "migrate:bulkInsertPets":
            sizes.append(bytes(args).count(b'"sourceId"'))  # type: ignore[arg-type]
            if sizes[-1] > 8:
                raise FunctionError(function, words, None)
        return call_once(self, what, function, args)

    monkeypatch.setattr(Deployment, "call_once", answered)
    stage_all(project)
    result = project.load()
    assert result.tables["pets"].counts["inserted"] == 60
    assert rejects(project) == []
    assert project.documents("pets") == PETS


def test_a_wrong_key_stops_before_anything(project: Project) -> None:
    stage_all(project)
    project.key = "faults|" + "0" * 64
    with pytest.raises(StagesError, match="refused CONVEX_DEPLOY_KEY"):
        project.load()
    project.key = KEY
    assert project.host.pages("migrationLedger") == []


def test_a_broken_network_costs_less_than_twice_the_requests(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three in ten answers go wrong, in every way that the proxy knows; the end is the same."""
    monkeypatch.setattr(run, "MOST_DOCUMENTS", 2)
    stage_all(project)
    quiet, broken = Faults(), Faults(share=0.3, seed=11)
    documents: dict[str, Any] = {}
    for name, faults in (("broken", broken), ("quiet", quiet)):
        with proxied(project.host.url, faults) as address:
            project.address = address
            project.load(restart=True)
        documents[name] = project.documents("pets")
    project.address = ""
    assert documents["broken"] == documents["quiet"] == PETS
    assert sum(broken.done.values()) - broken.done["none"] >= 10
    assert len(quiet.calls) > 40
    assert len(broken.calls) <= 2 * len(quiet.calls)
    # Bodies stay far below what a deployment takes.
    assert max(len(body) for _, _, body in broken.calls) < 1 << 24

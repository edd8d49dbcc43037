"""Documents that Convex has and the ledger does not know: refused, adopted, or left beside."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from stages.errors import UserError
from stages.load import adopt as adopting
from stages.load.existing import Existing
from stages.report.build import write_report
from stages.report.files import report_files
from stages.state.answers import Answer
from stages.state.durable import read_json
from stages.state.failures import read_failures
from stages.state.identity import keep_answer, read_answers
from stages.status import status
from stages.status_lines import as_text
from tests.load.project import Project
from tests.load.test_cycles import Killed
from tests.load.test_once import PEOPLE, TEAMS, stage_all

ADOPT = Existing(adopt=True)
BY_FIELD = Existing(adopt=True, by="legacyId")
# No two are equal, so that content alone says which row a document is.
ANIMALS: dict[str, dict[str, Any]] = {
    f"c{n:02}": {"owner": f"p{n // 2:02}", "kind": "cat" if n % 2 else "dog"} for n in range(24)
}


def stage_animals(project: Project) -> Project:
    project.stage("teams", TEAMS)
    project.stage("people", PEOPLE)
    project.stage("pets", ANIMALS)
    return project


@pytest.fixture
def forgotten(make: Callable[[str], Project]) -> Project:
    """All is loaded, and neither the ledger nor another data folder knows of it."""
    first = stage_animals(make("first"))
    first.load()
    for row in first.host.pages("migrationLedger"):
        first.mutate("app:drop", {"documentId": row["_id"]})
    return stage_animals(make("data"))


def test_a_load_into_documents_that_nobody_knows_is_refused(forgotten: Project) -> None:
    before = {table: forgotten.host.pages(table) for table in ("teams", "people", "pets")}
    with pytest.raises(UserError) as refused:
        forgotten.load()
    words = refused.value.message
    assert "`pets` has at least 24 documents (of a sample of 24, 24 are equal to rows" in words
    assert "`teams` has at least 3 documents (of a sample of 3, 3 are equal to rows" in words
    hint = refused.value.hint or ""
    assert "live already" in hint
    assert "stages load teams people pets --beside-existing" in hint
    assert "stages load teams people pets --adopt (add --adopt-by FIELD" in hint
    assert {table: forgotten.host.pages(table) for table in before} == before
    assert not forgotten.ledger("teams")


def test_equal_documents_are_adopted_and_nothing_is_sent_twice(forgotten: Project) -> None:
    """Through a cycle of tables, whose documents can only be compared by and by."""
    forgotten.mutate("app:drop", {"documentId": forgotten.host.pages("pets")[7]["_id"]})
    before = forgotten.host.pages("pets")
    result = forgotten.load(existing=ADOPT)
    assert not result.failed
    counts = result.tables["pets"].counts
    assert (counts["inserted"], counts["replaced"], counts["unchanged"]) == (1, 0, 23)
    assert result.tables["people"].counts["unchanged"] == 12
    assert result.tables["teams"].counts["unchanged"] == 3
    assert forgotten.host.pages("pets")[:23] == before
    assert forgotten.documents("pets") == ANIMALS
    assert forgotten.documents("people") == PEOPLE
    answers = read_answers(forgotten.workspace)
    assert {name: (a.what, a.done) for name, a in answers.items()} == dict.fromkeys(
        ("teams", "people", "pets"), ("adopt", True)
    )
    forgotten.load()
    assert "pets: fresh, nothing to send" in forgotten.messages()


def test_what_differs_is_replaced_by_a_field_that_holds_the_key(project: Project) -> None:
    stage_animals(project)
    project.load("teams", "people")
    owners = {key: row["documentId"] for key, row in project.ledger("people").items()}
    documents = [
        {"owner": owners[row["owner"]], "kind": "cat", "legacyId": key}
        for key, row in list(ANIMALS.items())[:10]
    ]
    ids = project.add("pets", [*documents, {"owner": owners["p00"], "kind": "dog"}])
    with pytest.raises(UserError) as refused:
        project.load()
    assert "10 hold one of these source keys in `legacyId`" in refused.value.message
    assert "stages load pets --adopt --adopt-by legacyId" in (refused.value.hint or "")
    staged = {key: {**row, "legacyId": key} for key, row in ANIMALS.items()}
    project.stage("pets", staged)
    counts = project.load(existing=BY_FIELD).tables["pets"].counts
    assert (counts["inserted"], counts["replaced"], counts["unchanged"]) == (14, 5, 5)
    assert "10 existing documents adopted, 5 of them differ" in project.messages()
    assert "1 others stay as they are" in project.messages()
    ledger = project.ledger("pets")
    assert [ledger[f"c{n:02}"]["documentId"] for n in range(10)] == ids[:10]
    assert len(project.host.pages("pets")) == 25


def test_what_may_be_two_rows_is_reported_and_not_guessed(project: Project) -> None:
    stage_all(project)
    project.load("teams", "people")
    owner = project.ledger("people")["p00"]["documentId"]
    project.add("pets", [{"owner": owner, "kind": "cat"}])
    result = project.load(existing=ADOPT)
    assert "more than one row that may be the same document" in result.failed["pets"]
    assert "c000" in result.failed["pets"]
    assert len(project.host.pages("pets")) == 1
    with pytest.raises(UserError):
        project.load()
    project.add("pets", [{"owner": owner, "kind": "cat", "legacyId": "c000"}] * 2)
    result = project.load(existing=BY_FIELD)
    assert "c000" in result.failed["pets"]
    assert len(project.host.pages("pets")) == 3


def test_documents_that_are_no_rows_are_not_adopted(project: Project) -> None:
    stage_animals(project)
    project.load("teams", "people")
    owner = project.ledger("people")["p00"]["documentId"]
    project.add("pets", [{"owner": owner, "kind": "cat", "legacyId": "other"}])
    result = project.load(existing=BY_FIELD)
    assert "none of the 1 documents of `pets` is one of the rows" in result.failed["pets"]
    assert "--beside-existing" in result.failed["pets"]
    # Like any other failure it stays until the table is loaded.
    kept = read_failures(project.workspace, "load")
    assert kept["pets"].reason.startswith("none of the 1 documents of `pets`")
    project.load(existing=Existing(beside=True))
    assert read_failures(project.workspace, "load") == {}


def test_a_load_beside_existing_documents_asks_once(project: Project) -> None:
    stage_animals(project)
    project.load("teams", "people")
    owner = project.ledger("people")["p00"]["documentId"]
    project.add("pets", [{"owner": owner, "kind": "dog"}] * 3)
    with pytest.raises(UserError, match="`pets` has at least 3 documents"):
        project.load()
    project.load(existing=Existing(beside=True))
    assert len(project.host.pages("pets")) == 27
    project.load(restart=True)
    assert len(project.host.pages("pets")) == 27
    assert read_answers(project.workspace)["pets"].what == "beside"
    shown = shown_answers(project)
    beside = "kept alongside what is loaded"
    assert shown == ({"pets": {"what": "beside", "by": None, "done": False}}, {"pets": beside})


def shown_answers(project: Project) -> tuple[dict[str, Any], dict[str, str]]:
    """Answers as JSON and in words, which status and the report show alike."""
    standing = status(project.workspace, project.plan, lambda text: text)
    write_report(project.workspace, project.plan, project.target, 1.0)
    file, summary = report_files(project.workspace, project.plan)
    entries = (read_json(file) or {})["tables"].values()
    given = {e["target"]: e["existing"] for e in entries if e["existing"]}
    tables = standing.to_json()["tables"].items()
    assert {name: table["existing"] for name, table in tables if table["existing"]} == given
    had = re.findall(r"documents that (\w+) had before its first load: (.*)", as_text(standing))
    section = summary.read_text("utf-8").partition("## Documents from before the first load\n")[2]
    assert re.findall(r"- (\w+): (.*)", section.partition("##")[0]) == had
    return given, dict(had)


def test_each_answer_is_shown_by_status_and_report(project: Project) -> None:
    stage_animals(project)
    assert shown_answers(project) == ({}, {})
    keep_answer(project.workspace, "teams", Answer(what="adopt", done=True))
    keep_answer(project.workspace, "people", Answer(what="adopt", by="legacyId", done=True))
    keep_answer(project.workspace, "pets", Answer(what="adopt", by="legacyId"))
    given, words = shown_answers(project)
    assert given["people"] == {"what": "adopt", "by": "legacyId", "done": True}
    assert words == {
        "teams": "adopted",
        "people": "adopted by legacyId",
        "pets": "to be adopted by legacyId; the next load completes this",
    }


def test_a_table_that_the_ledger_knows_is_not_asked_about(
    make: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without acks its ledger says so; with acks nobody is asked."""
    stage_animals(make("first")).load()
    other = stage_animals(make("data"))
    assert other.load().tables["pets"].counts["unchanged"] == 24
    other.stage("pets", {**ANIMALS, "c90": {"owner": "p00", "kind": "cat"}})
    monkeypatch.setattr("stages.load.existing._page", lambda *_, **__: pytest.fail("a call"))
    other.load()
    assert len(other.documents("pets")) == 25


def test_at_most_a_thousand_are_counted(project: Project) -> None:
    stage_animals(project)
    project.load("teams", "people")
    owner = project.ledger("people")["p00"]["documentId"]
    for _ in range(2):
        project.add("pets", [{"owner": owner, "kind": "cat"}] * 600)
    with pytest.raises(UserError, match=r"at least 1,000 documents \(of a sample of 200"):
        project.load()


def test_an_adoption_that_is_killed_is_done_again(
    forgotten: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger knows some rows by then: their table is not taken for one that it knows."""

    def killed(table: Any) -> None:
        if table.name == "people":
            raise Killed
        write(table)

    write = adopting._write_ledger
    with monkeypatch.context() as patch:
        patch.setattr(adopting, "_write_ledger", killed)
        with pytest.raises(Killed):
            forgotten.load("teams", "people", existing=ADOPT)
    assert forgotten.ledger("teams") and not forgotten.ledger("people")
    result = forgotten.load("teams", "people")
    assert result.tables["people"].counts["unchanged"] == 12
    assert len(forgotten.host.pages("people")) == 12

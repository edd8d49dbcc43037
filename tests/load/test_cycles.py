"""Tables that refer to one another, or to themselves: two passes, and each document once."""

from __future__ import annotations

from typing import Any

import pytest

from stages.convex.client import Deployment, Kind
from stages.load import run, settle, table_load
from stages.load.context import TableContext
from stages.state.manifests import LoadManifest
from stages.status import status
from tests.load.project import Project

TEAMS: dict[str, dict[str, Any]] = {
    f"t{n}": {"name": f"Team {n}", "lead": f"p{n:02}" if n else None} for n in range(4)
}
# Everybody's manager comes after them, but for the last, who manages themselves.
PEOPLE: dict[str, dict[str, Any]] = {
    f"p{n:02}": {"name": f"Person {n}", "team": f"t{n % 4}", "manager": f"p{min(n + 1, 24):02}"}
    for n in range(25)
} | {"p99": {"name": "Nobody's", "team": "t0", "manager": None}}


def expected(rows: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {key: {k: v for k, v in row.items() if v is not None} for key, row in rows.items()}


@pytest.fixture
def staged(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setattr(run, "MOST_DOCUMENTS", 7)
    project.stage("teams", TEAMS)
    project.stage("people", PEOPLE)
    return project


def require_loaded(project: Project) -> None:
    assert project.documents("teams") == expected(TEAMS)
    assert project.documents("people") == expected(PEOPLE)


def test_a_cycle_is_loaded_in_two_passes(staged: Project) -> None:
    result = staged.load()
    require_loaded(staged)
    for name, rows in (("teams", TEAMS), ("people", PEOPLE)):
        manifest = result.tables[name]
        # Completed in the second pass, and counted once.
        assert manifest.counts["inserted"] == manifest.documents == len(rows)
        assert manifest.counts["replaced"] == 0
        assert manifest.status == "complete"
    first = staged.ledger("people")
    assert not any(row["digest"].startswith("pending:") for row in first.values())
    staged.load()
    assert "fresh, nothing to send" in staged.messages()
    assert staged.ledger("people") == first


class Killed(BaseException):
    """As good as kill -9: nobody is asked."""


def kill_at_answer(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """The answer of this number, counted from here, comes to nobody."""
    call_once, calls = Deployment.call_once, [0]

    def answered(self: Deployment, kind: Kind, function: str, args: str | bytes) -> bytes:
        answer = call_once(self, kind, function, args)
        if "bulkInsert" in function:
            calls[0] += 1
            if calls[0] == number:
                raise Killed
        return answer

    monkeypatch.setattr(Deployment, "call_once", answered)


def test_it_is_killed_at_every_second_answer(staged: Project) -> None:
    """Through both passes; what is sent again is unchanged, and the end is the same."""
    kills = 0
    while True:
        with pytest.MonkeyPatch.context() as patch:
            kill_at_answer(patch, 2)
            try:
                result = staged.load(in_flight=1)
                break
            except Killed:
                kills += 1
    assert kills >= 5
    require_loaded(staged)
    assert all(manifest.status == "complete" for manifest in result.tables.values())


def test_what_the_app_changes_between_the_passes_is_a_conflict(
    staged: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Killed as the second pass begins: one batch of teams and four of people are through.
    with pytest.MonkeyPatch.context() as patch:
        kill_at_answer(patch, 6)
        with pytest.raises(Killed):
            staged.load(in_flight=1)
    assert len(staged.documents("people")) == len(PEOPLE)
    table = status(staged.workspace, staged.plan, str).tables["people"]
    assert table.load is None and table.acknowledged == len(PEOPLE)
    staged.change("people", "p03", name="Changed by the app")
    result = staged.load()
    assert result.tables["people"].counts["conflict"] == 1
    assert staged.keys("people", "conflicts") == ["p03"]
    assert staged.documents("people")["p03"] == {"name": "Changed by the app", "team": "t3"}
    staged.load(overwrite=True)
    require_loaded(staged)
    assert staged.keys("people", "conflicts") == []


def test_a_document_with_several_acks_is_counted_once(
    staged: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a second load, killed after its first pass; ten new documents are refused."""
    staged.load()
    rows = {key: {**row, "name": f"{row['name']}!"} for key, row in PEOPLE.items()}
    staged.stage("people", rows | {f"n{n}": {"team": "t0"} for n in range(10)})

    def killed(table: TableContext, *args: Any, **options: Any) -> LoadManifest:
        manifest = settle.settle(table, *args, **options)
        if table.table.name == "people":
            raise Killed
        return manifest

    monkeypatch.setattr(table_load, "settle", killed)
    with pytest.raises(Killed):
        staged.load()
    assert staged.workspace.acks("people").read_bytes().count(b"\n") > len(PEOPLE) + 10
    table = status(staged.workspace, staged.plan, str).tables["people"]
    assert table.load is None and table.acknowledged == len(PEOPLE)


def test_lost_acks_do_not_take_a_cycle_apart(staged: Project) -> None:
    """A first pass leaves alone what is complete already."""
    staged.load()
    ledger, pages = staged.ledger("people"), staged.host.pages("people")
    result = staged.load(restart=True)
    assert staged.host.pages("people") == pages
    assert staged.ledger("people") == ledger
    counts = result.tables["people"].counts
    assert (counts["unchanged"], counts["replaced"]) == (len(PEOPLE), 0)


def test_a_first_pass_replaces_what_is_complete_without_a_second(staged: Project) -> None:
    """Also where no ack is left of it: nothing but the ledger knows what it was."""
    staged.load()
    rows = {**PEOPLE, "p99": {**PEOPLE["p99"], "name": "Edited"}}
    staged.stage("people", rows)
    result = staged.load(restart=True)
    assert result.tables["people"].counts["replaced"] == 1
    assert staged.documents("people") == expected(rows)


@pytest.mark.parametrize(
    ("key", "edit"),
    [("p05", {"manager": "p00"}), ("p99", {"name": "Edited"}), ("p99", {"manager": "p00"})],
)
def test_an_edited_row_of_a_cycle_is_replaced(
    staged: Project, key: str, edit: dict[str, str]
) -> None:
    staged.load()
    rows = {**PEOPLE, key: {**PEOPLE[key], **edit}}
    staged.stage("people", rows)
    counts = staged.load().tables["people"].counts
    assert (counts["inserted"], counts["replaced"]) == (len(PEOPLE) - 1, 1)
    assert staged.documents("people") == expected(rows)


def test_what_refers_to_one_that_is_not_loaded_waits(staged: Project) -> None:
    """p24's team is not staged: its people are there, without their manager, and are named."""
    rows = {**PEOPLE, "p24": {**PEOPLE["p24"], "team": "nowhere"}}
    staged.stage("people", rows)
    result = staged.load()
    manifest = result.tables["people"]
    assert manifest.status == "partial"
    assert manifest.counts["held_back"] == 2
    rejects = (staged.workspace.load("people") / "rejects.jsonl").read_text()
    assert '"sourceId": "p23"' in rejects and "people:p24 has no id" in rejects
    assert '"sourceId": "p24"' in rejects and "teams:nowhere has no id" in rejects
    assert "manager" not in staged.documents("people")["p23"]
    staged.stage("people", PEOPLE)
    staged.load()
    require_loaded(staged)

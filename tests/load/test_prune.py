"""`load --prune`: only what is gone from the source, and never a reference to nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.load.project import Project
from tests.load.test_once import PEOPLE, PETS, TEAMS, stage_all


@pytest.fixture
def loaded(project: Project) -> Project:
    stage_all(project).load()
    return project


def without(rows: dict[str, dict[str, Any]], *keys: str) -> dict[str, dict[str, Any]]:
    return {key: row for key, row in rows.items() if key not in keys}


def prune(project: Project, *tables: str) -> dict[str, int]:
    """Prune with consent; what was asked for, by table."""
    asked: list[dict[str, int]] = []

    def agree(counts: Any) -> bool:
        asked.append(dict(counts))
        return True

    project.load(*tables, prune=agree)
    return asked[0] if asked else {}


def dangling(project: Project) -> list[str]:
    """Fields that name a document that does not exist."""
    return [
        f"{table} {key}.{name}"
        for table in ("teams", "people", "pets")
        for key, row in project.documents(table).items()
        for name, value in row.items()
        if str(value).startswith("gone ")
    ]


def test_what_is_not_staged_any_more_is_named_and_pruned_if_asked(loaded: Project) -> None:
    left = without(PETS, "c001", "c002", "c003", "c004")
    loaded.stage("pets", left, rejects=["c004"])
    loaded.change("pets", "c002", kind="dog")
    manifest = loaded.load().tables["pets"]
    # c004 is still at the source, where it is rejected now: it is not for pruning.
    assert manifest.counts["removed"] == 3
    assert "c001, c002, c003 (" in loaded.messages() and "--prune" in loaded.messages()
    assert loaded.keys("pets", "removed") == ["c001", "c002", "c003"]
    assert len(loaded.documents("pets")) == 60
    questions: list[dict[str, int]] = []

    def refuse(counts: Any) -> bool:
        questions.append(dict(counts))
        return False

    loaded.load(prune=refuse)
    # The app has changed c002, which is known before anybody is asked.
    assert questions == [{"pets": 2}]
    assert "1 kept, changed by the app: c002" in loaded.messages()
    assert "1 kept, rejected now but still at the source" in loaded.messages()
    assert len(loaded.documents("pets")) == 60
    manifest = loaded.load(prune=lambda counts: True).tables["pets"]
    assert "2 deleted" in loaded.messages()
    assert manifest.counts["removed"] == 1
    assert set(loaded.documents("pets")) == set(left) | {"c002", "c004"}
    # It comes back at the source, and is loaded like any other.
    loaded.stage("pets", PETS)
    manifest = loaded.load().tables["pets"]
    assert manifest.counts["removed"] == 0
    assert set(loaded.documents("pets")) == set(PETS)


def test_only_a_rejected_row_is_nothing_to_prune(loaded: Project) -> None:
    loaded.stage("pets", without(PETS, "c004"), rejects=["c004"])
    assert loaded.load().tables["pets"].counts["removed"] == 0
    assert "--prune" not in loaded.messages()
    assert prune(loaded) == {}
    assert "nothing to prune" in loaded.messages()


def test_a_parent_whose_child_is_rejected_now_is_kept_and_named(loaded: Project) -> None:
    loaded.stage("people", without(PEOPLE, "p03"))
    of_p03 = [key for key, row in PETS.items() if row["owner"] == "p03"]
    loaded.stage("pets", without(PETS, *of_p03), rejects=of_p03)
    assert prune(loaded) == {}
    assert (
        "people: 1 kept, since documents that stay refer to them: p03 "
        "(see pets c003, pets c015, pets c027, pets c039, pets c051)"
    ) in loaded.messages()
    assert "p03" in loaded.documents("people") and not dangling(loaded)


def test_children_that_go_too_do_not_keep_their_parent(loaded: Project) -> None:
    loaded.stage("people", without(PEOPLE, "p03"))
    of_p03 = [key for key, row in PETS.items() if row["owner"] == "p03"]
    loaded.stage("pets", without(PETS, *of_p03))
    assert prune(loaded) == {"people": 1, "pets": 5}
    assert set(loaded.documents("people")) == set(PEOPLE) - {"p03"}
    assert set(loaded.documents("pets")) == set(PETS) - set(of_p03)
    assert not dangling(loaded)


def test_a_parent_is_kept_where_only_its_own_table_is_pruned(loaded: Project) -> None:
    loaded.stage("people", without(PEOPLE, "p03"))
    of_p03 = [key for key, row in PETS.items() if row["owner"] == "p03"]
    loaded.stage("pets", without(PETS, *of_p03))
    assert prune(loaded, "people") == {}
    assert "p03" in loaded.documents("people") and not dangling(loaded)
    # The children first, then the parent.
    assert prune(loaded, "pets") == {"pets": 5}
    assert prune(loaded, "people") == {"people": 1}
    assert not dangling(loaded)


def test_what_a_kept_document_refers_to_is_kept_too(loaded: Project) -> None:
    """A chain: the app has changed a pet of p03, so p03 stays, and so does its team."""
    loaded.stage("teams", without(TEAMS, "t0"))
    of_t0 = [key for key, row in PEOPLE.items() if row["team"] == "t0"]
    loaded.stage("people", without(PEOPLE, *of_t0))
    pets = [key for key, row in PETS.items() if row["owner"] in of_t0]
    loaded.stage("pets", without(PETS, *pets))
    loaded.change("pets", "c003", kind="dog")
    assert prune(loaded) == {"people": len(of_t0) - 1, "pets": len(pets) - 1}
    assert "t0" in loaded.documents("teams") and "p03" in loaded.documents("people")
    assert not dangling(loaded)


def test_a_document_that_the_app_made_keeps_what_it_refers_to(loaded: Project) -> None:
    owner = loaded.ledger("people")["p03"]["documentId"]
    (made,) = loaded.add("pets", [{"owner": owner, "kind": "dog"}])
    loaded.stage("people", without(PEOPLE, "p03"))
    of_p03 = [key for key, row in PETS.items() if row["owner"] == "p03"]
    loaded.stage("pets", without(PETS, *of_p03))
    assert prune(loaded) == {"pets": 5}
    assert f"p03 (see pets {made}, " in loaded.messages()


def test_documents_that_refer_to_each_other_go_together(project: Project) -> None:
    teams = TEAMS | {"t9": {"name": "Team 9", "lead": "p90"}}
    people = PEOPLE | {
        "p90": {"name": "Lead", "team": "t9", "manager": "p91"},
        "p91": {"name": "Manager", "team": "t9", "manager": "p90"},
        "p92": {"name": "Own manager", "team": "t1", "manager": "p92"},
    }
    project.stage("teams", teams)
    project.stage("people", people)
    project.load()
    project.stage("teams", TEAMS)
    project.stage("people", PEOPLE)
    assert prune(project) == {"teams": 1, "people": 3}
    assert set(project.documents("teams")) == set(TEAMS)
    assert set(project.documents("people")) == set(PEOPLE)


def test_a_change_by_the_app_keeps_all_that_refer_to_each_other(project: Project) -> None:
    teams = TEAMS | {"t9": {"name": "Team 9", "lead": "p90"}}
    people = PEOPLE | {"p90": {"name": "Lead", "team": "t9"}}
    project.stage("teams", teams)
    project.stage("people", people)
    project.load()
    project.stage("teams", TEAMS)
    project.stage("people", PEOPLE)
    project.change("people", "p90", name="Renamed")
    assert prune(project) == {}
    assert "t9" in project.documents("teams") and not dangling(project)

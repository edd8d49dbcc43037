"""Exactly once: what was deleted, changed, forgotten or lost, on either side."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from stages.errors import UserError
from stages.load import run
from stages.state.durable import remove
from tests.load.project import Project
from tests.load.test_cycles import Killed, kill_at_answer

TEAMS: dict[str, dict[str, Any]] = {f"t{n}": {"name": f"Team {n}"} for n in range(3)}
PEOPLE: dict[str, dict[str, Any]] = {
    f"p{n:02}": {"name": f"Person {n}", "team": f"t{n % 3}"} for n in range(12)
}
PETS: dict[str, dict[str, Any]] = {
    f"c{n:03}": {"owner": f"p{n % 12:02}", "kind": "cat"} for n in range(60)
}


def stage_all(project: Project) -> Project:
    project.stage("teams", TEAMS)
    project.stage("people", PEOPLE)
    project.stage("pets", PETS)
    return project


@pytest.fixture
def loaded(project: Project) -> Project:
    stage_all(project).load()
    return project


def test_a_document_deleted_in_convex_is_inserted_again(loaded: Project) -> None:
    loaded.delete("pets", "c007")
    assert len(loaded.documents("pets")) == 59
    manifest = loaded.load(restart=True).tables["pets"]
    assert (manifest.counts["inserted"], manifest.counts["unchanged"]) == (1, 59)
    assert loaded.documents("pets") == PETS


def test_a_lost_ledger_is_written_again_from_the_acks(loaded: Project) -> None:
    """Every row of it, the epoch too; not one document comes twice."""
    for row in loaded.host.pages("migrationLedger"):
        loaded.mutate("app:drop", {"documentId": row["_id"]})
    before = loaded.host.pages("pets")
    with pytest.raises(UserError, match="its ledger is lost") as refused:
        loaded.load()
    assert "stages load --restart" in (refused.value.hint or "")
    result = loaded.load(restart=True)
    assert (
        "pets: the ledger is lost, and written again from the acks: 60 adopted" in loaded.messages()
    )
    assert loaded.host.pages("pets") == before
    assert all(manifest.counts["inserted"] == 0 for manifest in result.tables.values())
    assert result.tables["pets"].counts["unchanged"] == 60
    assert loaded.documents("pets") == PETS


def test_a_parent_that_the_app_deleted_is_not_bound_to(loaded: Project) -> None:
    """Its id is known from an earlier run: it is asked for before anything is bound to it."""
    loaded.delete("people", "p03")
    new = {"c900": {"owner": "p03", "kind": "dog"}, "c901": {"owner": "p04", "kind": "dog"}}
    loaded.stage("pets", PETS | new)
    manifest = loaded.load("pets").tables["pets"]
    assert manifest.status == "partial"
    rejects = (loaded.workspace.load("pets") / "rejects.jsonl").read_text()
    assert '"sourceId": "c900"' in rejects
    assert "people:p03 is not in Convex any more" in rejects
    assert loaded.documents("pets")["c901"] == {"owner": "p04", "kind": "dog"}
    assert "c900" not in loaded.documents("pets")
    # Loaded again, it has another id, and all that refer to it follow.
    loaded.load(restart=True)
    assert loaded.documents("pets") == PETS | new


def test_what_this_run_did_is_shown_apart_from_what_is_in_convex(loaded: Project) -> None:
    loaded.stage("pets", PETS | {"c000": {"owner": "p00", "kind": "dog"}, "c900": PETS["c000"]})
    loaded.load()
    assert "pets: 2 sent: 1 inserted, 1 replaced (61 in Convex)" in loaded.messages()
    loaded.load(restart=True)
    assert "pets: 61 sent: 61 unchanged (61 in Convex)" in loaded.messages()


def test_another_batch_size_on_resume(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    stage_all(project)
    monkeypatch.setattr(run, "MOST_DOCUMENTS", 4)
    with pytest.MonkeyPatch.context() as patch:
        kill_at_answer(patch, 9)
        with pytest.raises(Killed):
            project.load(in_flight=2)
    some = len(project.ledger("pets"))
    assert 0 < some < 60
    monkeypatch.setattr(run, "MOST_DOCUMENTS", 25)
    project.load()
    assert project.documents("pets") == PETS


def test_two_loaders_at_once_from_two_data_folders(
    make: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No lock keeps them apart: the ledger does."""
    monkeypatch.setattr(run, "MOST_DOCUMENTS", 3)
    both = [stage_all(make(name)) for name in ("one", "other")]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda project: project.load(), both))
    for project in both:
        assert project.documents("pets") == PETS
        assert project.documents("people") == PEOPLE
    inserted = sum(
        (project.workspace.load("pets") / "acks.jsonl").read_text().count('"inserted"')
        for project in both
    )
    assert inserted == 60


def test_an_order_of_its_own_goes_one_batch_at_a_time(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`_order` says when each was created: Convex gives its creation times in that order."""
    import duckdb

    from stages.state.manifests import read_transform, write_manifest
    from stages.state.parts import write_parquet

    stage_all(project)
    monkeypatch.setattr(run, "MOST_DOCUMENTS", 5)
    folder = project.workspace.transform("pets")
    with duckdb.connect() as connection:
        rows = connection.sql(
            "SELECT *, NULL::DOUBLE AS _creation_time, "
            "row_number() OVER (ORDER BY md5(_source_id)) AS _order "
            f"FROM read_parquet('{folder / 'documents.parquet'}')"
        ).to_arrow_table()
    part = write_parquet(folder / "documents.parquet", rows.schema, rows.to_batches())
    manifest = read_transform(folder)
    assert manifest
    manifest.parts = [part]
    write_manifest(folder, manifest)
    project.load()
    assert "pets: in the order that the plan sets, one batch at a time" in project.messages()
    keys = {row["documentId"]: key for key, row in project.ledger("pets").items()}
    expected = rows.sort_by("_order")["_source_id"].to_pylist()
    assert [keys[d["_id"]] for d in project.host.pages("pets")] == expected


def test_acks_of_a_load_that_was_emptied_are_not_believed(loaded: Project) -> None:
    """Without its journal a table asks again, and keeps its ids."""
    before = (loaded.workspace.load("pets") / "ids.parquet").read_bytes()
    remove(loaded.workspace.load("pets") / "acks.jsonl")
    manifest = loaded.load().tables["pets"]
    assert manifest.counts["unchanged"] == 60
    assert (loaded.workspace.load("pets") / "ids.parquet").read_bytes() == before

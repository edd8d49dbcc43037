"""Verify asks the ledger which document is whose, and accounts for each row by itself."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.convex.schema import export_schema, load_schema
from stages.state.durable import remove
from stages.state.lock import data_lock
from stages.state.parts import write_parquet
from stages.state.workspace import manifest_file
from stages.verify.record import Proof
from stages.verify.run import VerifyOptions, verify
from tests.faults.support import host
from tests.load.project import TABLES, Project, make_convex
from tests.load.test_once import PEOPLE, PETS, TEAMS

STAGED = {"teams": TEAMS, "people": PEOPLE, "pets": PETS}
NO_CHANGES = pa.schema([(name, pa.string()) for name in ("source_id", "field", "rule")])


@pytest.fixture(scope="module")
def convex(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_convex(tmp_path_factory.mktemp("proven"))


@pytest.fixture(scope="module")
def exported(convex: Path) -> dict[str, object]:
    return export_schema(convex)


@pytest.fixture
def loaded(
    convex: Path, exported: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Project]:
    """Three tables with their models, all of it loaded."""
    # The schema is exported once: node takes half a second for it.
    monkeypatch.setattr("stages.convex.schema.export_schema", lambda folder: exported)
    (tmp_path / "convex").symlink_to(convex)
    with host(tmp_path / "host", None, convex) as running:
        project = Project(tmp_path, running)
        for table in TABLES:
            write_model(project, table)
            project.stage(table, STAGED[table])
            write_parquet(
                project.workspace.transform(table) / "changes.parquet", NO_CHANGES, iter(())
            )
        project.load()
        yield project


def write_model(project: Project, table: str) -> None:
    """The model gives every row, whatever becomes of it."""
    parents = {"people": ("team", "teams"), "pets": ("owner", "people")}
    field, parent = parents.get(table, ("lead", "people"))
    rows = ", ".join(
        f"('{key}', {repr(f'{parent}:{row[field]}') if field in row else 'NULL'})"
        for key, row in STAGED[table].items()
    )
    file = project.workspace.model(project.plan.tables[table].model)
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"SELECT * FROM (VALUES {rows}) t(_source_id, {field})", "utf-8")


def proofs(project: Project, sample: int | None = None) -> dict[str, Proof]:
    with data_lock(project.workspace):
        return verify(
            project.workspace,
            project.plan,
            load_schema(project.workspace),
            project.target,
            VerifyOptions(sample=sample),
            project.notes,
        ).tables


def counts(proof: Proof) -> dict[str, int]:
    return {kind: number for kind, number in proof.counts.items() if number}


def differences(project: Project, table: str) -> list[tuple[str, str, str]]:
    rows = pq.read_table(project.workspace.verify(table)).to_pylist()
    return [(row["kind"], row["source_id"], row["fields"]) for row in rows]


def permute_acks(project: Project, table: str) -> None:
    """Each source key gets the document of the next one; the load looks at its acks again."""
    file = project.workspace.load(table) / "acks.jsonl"
    acks = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    ids = [ack["documentId"] for ack in acks]
    for ack, document in zip(acks, [*ids[1:], ids[0]], strict=True):
        ack["documentId"] = document
    file.write_text("".join(json.dumps(ack) + "\n" for ack in acks), "utf-8")
    remove(manifest_file(project.workspace.load(table)))


def test_everything_is_verified(loaded: Project) -> None:
    found = proofs(loaded)
    assert {table: counts(proof) for table, proof in found.items()} == {
        table: {"verified": len(rows)} for table, rows in STAGED.items()
    }
    assert found["pets"].references == {
        "owner": {"source": 60, "bound": 60, "nulled": 0, "rejected": 0}
    }


@pytest.mark.parametrize("sample", [None, 40])
def test_references_bound_by_permuted_acks_are_changed(loaded: Project, sample: int | None) -> None:
    """What load sent is what its own ids say, and wrong: the ledger knows."""
    permute_acks(loaded, "people")
    loaded.load()
    assert loaded.documents("pets") != PETS, "load trusts its acks"
    found = proofs(loaded, sample)
    assert counts(found["people"]) == {"verified": 12, "mismatched": 12}
    assert counts(found["pets"]) == {"changed": sample or 60}
    assert {(kind, field) for kind, _, field in differences(loaded, "pets")} == {
        ("changed", "owner")
    }
    assert Counter(kind for kind, _, _ in differences(loaded, "people")) == {"mismatched": 12}
    assert "stages load --restart people" in loaded.messages()

    loaded.load(restart=True)
    assert loaded.documents("pets") == PETS
    assert not any(proof.wrong for proof in proofs(loaded).values())


def test_a_refused_replacement_is_changed(loaded: Project) -> None:
    loaded.stage("pets", PETS | {"c031": {"owner": "p01", "kind": "fish"}})
    loaded.load()
    assert loaded.documents("pets") == PETS, "the old document is still there"
    found = proofs(loaded)["pets"]
    assert counts(found) == {"verified": 59, "changed": 1}
    assert differences(loaded, "pets") == [("changed", "c031", "owner, kind")]
    assert found.references["owner"] == {"source": 60, "bound": 59, "nulled": 0, "rejected": 1}


def test_what_is_rejected_now_is_not_counted_where_it_was_loaded(loaded: Project) -> None:
    """Its old document still has its reference, which is no reference of a staged document."""
    staged = {key: row for key, row in PETS.items() if key != "c001"}
    loaded.stage("pets", staged, rejects=["c001"])
    loaded.load()
    found = proofs(loaded)["pets"]
    assert counts(found) == {"verified": 59, "removed": 1}
    assert found.references["owner"] == {"source": 60, "bound": 59, "nulled": 0, "rejected": 1}


def test_every_reference_that_is_unaccounted_for_is_in_the_file(loaded: Project) -> None:
    for key in ("c001", "c002"):
        loaded.delete("pets", key)
    found = proofs(loaded)["pets"]
    assert counts(found) == {"verified": 58, "missing": 2, "unaccounted": 2}
    assert sorted(differences(loaded, "pets")) == [
        ("missing", "c001", ""),
        ("missing", "c002", ""),
        ("unaccounted", "c001", "owner"),
        ("unaccounted", "c002", "owner"),
    ]

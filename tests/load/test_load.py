"""Load: parents first, exactly once, to the deployment that the acks speak of; and its report."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stages import sandbox
from stages.convex.client import Deployment
from stages.project.plan_reader import load_plan
from stages.project.settings import sandbox_target
from stages.state.fingerprints import hash_file
from tests.support.command_line import ROOT, Stages
from tests.support.project_copies import copy_data, copy_project, edit_model, edit_plan, loaded_once

PLAN = load_plan(ROOT / ".planning" / "migrations" / "plan.toml")
LOADED = [name for name in PLAN.tables if name != "formTemplates"]
REFERENCES = {
    "workspace_id": "workspaces",
    "contact_id": "contacts",
    "webinar_id": "webinars",
    "ari_conversation_id": "ariConversations",
    "payment_id": "ariPayments",
    "category_id": "ariKnowledgeCategories",
}


class Convex:
    """A deployment as its own functions show it."""

    def __init__(self, name: str) -> None:
        state = sandbox.status(ROOT)
        assert state
        self.deployment = Deployment(sandbox_target(name, state.deployments[name]))

    def documents(self, table: str) -> list[dict[str, Any]]:
        page = self.deployment.query(
            "migrate:readPage", {"table": table, "cursor": None, "numItems": 4096}
        )
        assert page["isDone"]
        documents: list[dict[str, Any]] = page["page"]
        return documents

    def ledger(self) -> dict[tuple[str, str], dict[str, Any]]:
        return {(row["table"], row["sourceId"]): row for row in self.documents("migrationLedger")}

    def by_source(self, table: str) -> dict[str, dict[str, Any]]:
        """Source id → document, by the ledger."""
        documents = {d["_id"]: d for d in self.documents(table)}
        return {
            source_id: documents[row["documentId"]]
            for (name, source_id), row in self.ledger().items()
            if name == table and row["documentId"] in documents
        }

    def meaning(self, table: str) -> dict[str, dict[str, Any]]:
        """The same with source keys for ids, so that two deployments can be compared."""
        keys = {row["documentId"]: key[1] for key, row in self.ledger().items()}
        for kind, name in {"workspaces": "slug", "contacts": "supabaseId"}.items():
            # Twins and one made in Convex have no key; no loaded document refers to them.
            keys |= {d["_id"]: str(d.get(name)) for d in self.documents(kind)}
        keys |= {d["_id"]: d["supabaseId"] for d in self.documents("ariConversations")}
        documents = {}
        for source_id, document in self.by_source(table).items():
            plain = {k: v for k, v in document.items() if not k.startswith("_")}
            documents[source_id] = {k: keys[v] if k in REFERENCES else v for k, v in plain.items()}
        return documents


@pytest.fixture(scope="module")
def first(extracted: Path) -> Stages:
    """Loaded through the functions."""
    return loaded_once(extracted)


@pytest.fixture(scope="module")
def second(extracted: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stages]:
    """Another target of a data folder that has one already, loaded through the HTTP action; each
    test leaves it verified."""
    folder = tmp_path_factory.mktemp("load")
    stages = Stages(
        copy_data(extracted, folder / "data"), "sandbox-load", copy_project(folder / "project")
    )
    stages.run("extract")
    stages.run("transform")
    stages.run("load", "--through", "http-action")
    yield stages
    stages.run("verify")


@pytest.fixture
def fresh(extracted: Path, tmp_path: Path) -> Stages:
    """What is transformed for the default deployment, which nothing is loaded to."""
    return Stages(
        copy_data(extracted, tmp_path / "data"), project=copy_project(tmp_path / "project")
    )


def counts(stages: Stages, table: str) -> dict[str, int]:
    rows_by_outcome: dict[str, int] = stages.manifest("load", table)["counts"]
    return {name: rows for name, rows in rows_by_outcome.items() if rows}


def documents(stages: Stages, table: str) -> int:
    return int(stages.manifest("transform", table)["documents"])


def verified(stages: Stages, *tables: str, code: int = 0) -> dict[str, dict[str, int]]:
    """What verify tells, by table; only what is not 0."""
    stages.run("verify", *tables, code=code)
    manifest = json.loads((stages.target_folder / "verify" / "manifest.json").read_text())
    return {t: {kind: n for kind, n in kinds.items() if n} for t, kinds in manifest.items()}


# ── two deployments, two channels ──────────────────────────────────────────────────────────────


def test_two_deployments_of_one_extract_verify(first: Stages, second: Stages) -> None:
    for stages in (first, second):
        proofs = verified(stages)
        assert set(proofs) == set(LOADED)
        for table in LOADED:
            expected = {"verified": documents(stages, table)} if documents(stages, table) else {}
            assert proofs[table] == expected
    assert {p.name for p in (second.data / "targets").iterdir()} == {"sandbox", "sandbox-load"}


def test_both_channels_load_the_same(first: Stages, second: Stages) -> None:
    """Document by document, with source keys in the place of ids."""
    by_functions, by_action = Convex("sandbox-loaded"), Convex("sandbox-load")
    for table in LOADED:
        expected = by_functions.meaning(table)
        assert len(expected) == documents(first, table)
        assert by_action.meaning(table) == expected, table
    assert first.manifest("load", "articles")["channel"] == "functions"
    assert second.manifest("load", "articles")["channel"] == "http-action"


def test_what_is_in_convex_is_what_was_staged(first: Stages) -> None:
    """Read back through another way than verify's own: values one by one, in Python."""
    convex = Convex("sandbox-loaded")
    rows = first.sql(
        "SELECT source_id, title, slug, excerpt, published_at, created_at, supabaseId "
        "FROM transform.articles"
    )
    loaded = convex.by_source("articles")
    assert set(loaded) == {row["source_id"] for row in rows}
    for row in rows:
        document = loaded[row["source_id"]]
        for name, value in row.items():
            if name != "source_id":
                assert document.get(name) == value, name
                assert (name in document) == (value is not None), "null is absent"


def test_parents_are_there_before_their_children(first: Stages) -> None:
    """Creation times: no document is older than the one that it refers to."""
    convex = Convex("sandbox-loaded")
    for child, parent in {
        "ariKnowledgeEntries": "ariKnowledgeCategories",
        "webinarRegistrations": "webinars",
        "ariAppointments": "ariPayments",
    }.items():
        field = next(name for name, table in REFERENCES.items() if table == parent)
        born = {d["_id"]: d["_creationTime"] for d in convex.documents(parent)}
        linked = [d for d in convex.documents(child) if field in d]
        assert len(linked) > 10
        assert all(born[d[field]] < d["_creationTime"] for d in linked)


def test_the_ledger_has_a_row_for_each_document(first: Stages) -> None:
    convex = Convex("sandbox-loaded")
    ledger = convex.ledger()
    epoch = json.loads((first.target_folder / "target.json").read_text())["epoch"]
    assert ledger.pop(("", "epoch"))["digest"] == epoch
    by_table: dict[str, int] = {}
    for table, _ in ledger:
        by_table[table] = by_table.get(table, 0) + 1
    assert by_table == {t: documents(first, t) for t in LOADED if documents(first, t)}
    for table in LOADED:
        assert len(convex.documents(table)) == documents(first, table), "and no other document"


# ── again ───────────────────────────────────────────────────────────────────────────────────


def state_of(convex: Convex) -> dict[str, Any]:
    return {name: convex.documents(name) for name in [*LOADED, "migrationLedger"]}


def test_a_second_load_sends_nothing_and_touches_nothing(second: Stages) -> None:
    convex = Convex("sandbox-load")
    second.run("load")
    before = state_of(convex)
    files = {
        f: (f.stat().st_mtime_ns, hash_file(f))
        for f in second.target_folder.rglob("*")
        if f.is_file()
    }
    messages = second.run("load").stderr
    assert messages.count("fresh, nothing to send") == len(LOADED)
    assert state_of(convex) == before
    assert files == {
        f: (f.stat().st_mtime_ns, hash_file(f))
        for f in second.target_folder.rglob("*")
        if f.is_file()
    }


def test_forgotten_acks_are_asked_of_the_ledger(second: Stages) -> None:
    convex = Convex("sandbox-load")
    before = state_of(convex)
    ids = second.target_folder / "load" / "webinars" / "ids.parquet"
    content = hash_file(ids)
    family = ("webinars", "webinarRegistrations", "ariScoringConfig")
    second.run("load", "--restart", *family)
    assert state_of(convex) == before
    for table in family:
        expected = {"unchanged": documents(second, table)} if documents(second, table) else {}
        assert counts(second, table) == expected
    assert hash_file(ids) == content


def test_an_edited_row_is_replaced_and_no_other(second: Stages) -> None:
    convex = Convex("sandbox-load")
    before = convex.by_source("webinars")
    source_id = sorted(before)[3]
    old = "    title,"
    new = f"    title || CASE id::VARCHAR WHEN '{source_id}' THEN '!' ELSE '' END AS title,"
    edit_model(second.project, "webinars", old, new)
    second.run("transform")
    assert "has changed" not in second.run("load").stderr
    after = convex.by_source("webinars")
    assert counts(second, "webinars")["replaced"] == 1
    assert after[source_id]["title"] == before[source_id]["title"] + "!"
    assert after[source_id]["_id"] == before[source_id]["_id"]
    assert {k: v for k, v in after.items() if k != source_id} == {
        k: v for k, v in before.items() if k != source_id
    }
    edit_model(second.project, "webinars", new, old)
    second.run("transform")
    second.run("load")
    assert convex.by_source("webinars") == before


def change_in_convex(convex: Convex, table: str, source_id: str, field: str, value: Any) -> None:
    """Change a document behind the ledger row's back, as the application would.

    The ledger takes it for another source key's, whose row alone learns of the new content.
    """
    row = convex.ledger()[(table, source_id)]
    (document,) = [d for d in convex.documents(table) if d["_id"] == row["documentId"]]
    changed = {k: v for k, v in document.items() if not k.startswith("_")} | {field: value}
    mutate = convex.deployment.mutation
    entry = {"sourceId": f"app:{source_id}", "digest": "a", "documentId": document["_id"]}
    assert mutate("migrate:adopt", {"table": table, "records": [entry]})["adopted"] == 1
    record = {"sourceId": f"app:{source_id}", "digest": f"b{value}", "document": changed}
    function = f"migrate:bulkInsert{table[0].upper()}{table[1:]}"
    assert mutate(function, {"records": [record]})["replaced"] == 1


def test_what_the_application_changed_is_a_conflict_and_left_alone(second: Stages) -> None:
    convex = Convex("sandbox-load")
    source_id = sorted(convex.by_source("ariFlowStages"))[0]
    before = convex.by_source("ariFlowStages")[source_id]
    change_in_convex(convex, "ariFlowStages", source_id, "goal", "changed by the app")
    proof = verified(second, "ariFlowStages", code=1)["ariFlowStages"]
    assert proof["changed"] == 1 and proof["verified"] == documents(second, "ariFlowStages") - 1
    # As long as the staged row stays as it is, nobody has to decide.
    second.run("load", "--restart", "ariFlowStages")
    assert counts(second, "ariFlowStages") == {"unchanged": documents(second, "ariFlowStages")}
    # The row changes at the source, too: then it is a conflict.
    edit_model(second.project, "ariFlowStages", "    goal,", "    goal || '!' AS goal,")
    second.run("transform", "ariFlowStages")
    second.run("load", "ariFlowStages")
    rows = documents(second, "ariFlowStages")
    assert counts(second, "ariFlowStages") == {"replaced": rows - 1, "conflict": 1}
    assert convex.by_source("ariFlowStages")[source_id]["goal"] == "changed by the app"
    report = second.report()["tables"]["ari_flow_stages"]
    assert (report["migrated"], report["loaded"]["conflict"]) == (rows, 1)
    # Told to, the loader writes over it.
    second.run("load", "--overwrite", "ariFlowStages")
    assert counts(second, "ariFlowStages")["replaced"] == rows
    assert convex.by_source("ariFlowStages")[source_id]["goal"] == before["goal"] + "!"
    edit_model(second.project, "ariFlowStages", "    goal || '!' AS goal,", "    goal,")
    second.run("transform", "ariFlowStages")
    second.run("load", "--overwrite", "ariFlowStages")
    assert convex.by_source("ariFlowStages")[source_id] == before
    assert "changed" not in verified(second, "ariFlowStages")["ariFlowStages"]


def test_what_is_gone_from_convex_is_missed_and_can_be_loaded_again(second: Stages) -> None:
    """Removed with its ledger row: missing; what refers to it dangles."""
    convex = Convex("sandbox-load")
    entries = convex.by_source("ariKnowledgeEntries")
    categories = convex.by_source("ariKnowledgeCategories")
    used = {e["category_id"] for e in entries.values() if "category_id" in e}
    source_id = sorted(key for key, c in categories.items() if c["_id"] in used)[0]
    children = [
        key for key, e in entries.items() if e.get("category_id") == categories[source_id]["_id"]
    ]
    removed = convex.deployment.mutation(
        "migrate:remove",
        {"table": "ariKnowledgeCategories", "records": [{"sourceId": source_id}]},
    )
    assert removed["removed"] == 1
    proofs = verified(second, "ariKnowledgeCategories", "ariKnowledgeEntries", code=1)
    assert proofs["ariKnowledgeCategories"]["missing"] == 1
    assert proofs["ariKnowledgeEntries"]["dangling"] == len(children)
    second.run("load", "--restart", "ari_knowledge_*")
    assert counts(second, "ariKnowledgeCategories")["inserted"] == 1
    assert counts(second, "ariKnowledgeEntries")["replaced"] == len(children)
    again = convex.by_source("ariKnowledgeCategories")[source_id]
    assert all(
        convex.by_source("ariKnowledgeEntries")[key]["category_id"] == again["_id"]
        for key in children
    )


def test_what_a_load_is_told_is_checked_before_anything(second: Stages) -> None:
    """Nobody can be asked here, so that --prune needs the deployment's name beforehand."""
    refused = second.run("load", "--prune", code=2).stderr
    assert "--prune deletes documents of" in refused and "stages load --prune --yes" in refused
    assert (
        "--max-rate fast is not a rate" in second.run("load", "--max-rate", "fast", code=2).stderr
    )
    dry = second.run("load", "--dry-run", "--through", "import", code=2).stderr
    assert "--dry-run is not for --through import" in dry
    other = second.run("load", "--prune", "--yes", "calm-fox-7", code=2).stderr
    assert "not `calm-fox-7`" in other


def test_a_dry_run_tells_that_nothing_would_be_sent(second: Stages) -> None:
    second.run("load")
    forecast = second.json("load", "--dry-run")
    assert set(forecast["tables"]) == set(LOADED)
    assert forecast["total"]["unchanged"] == sum(documents(second, table) for table in LOADED)
    assert (forecast["total"]["inserted"], forecast["total"]["replaced"]) == (0, 0)
    assert forecast["total"]["stored"] > forecast["total"]["bytes"] == 0
    assert forecast["rejects"]


# ── which deployment this is ────────────────────────────────────────────────────────────────


@pytest.fixture
def identity(second: Stages) -> Iterator[Callable[..., None]]:
    """Edits target.json, and puts it back."""
    file = second.target_folder / "target.json"
    before = file.read_text("utf-8")

    def change(**changes: str) -> None:
        file.write_text(json.dumps({**json.loads(before), **changes}))

    yield change
    file.write_text(before, "utf-8")


@pytest.mark.parametrize("command", ["load", "load --through http-action", "verify"])
def test_another_epoch_is_refused(
    second: Stages, identity: Callable[..., None], command: str
) -> None:
    """The deployment was reset or restored: local acks would be believed wrongly."""
    convex = Convex("sandbox-load")
    before = convex.documents("migrationLedger")
    identity(epoch="0" * 32)
    done = second.run(*command.split(), code=2)
    epoch = convex.ledger()[("", "epoch")]["digest"]
    assert epoch in done.stderr and "0" * 32 in done.stderr
    assert "stages load --restart" in done.stderr and "--target" in done.stderr
    assert convex.documents("migrationLedger") == before


def test_restart_takes_the_ledger_as_it_is(second: Stages, identity: Callable[..., None]) -> None:
    """Of all tables only: the acks of the others would still be of the other ledger."""
    identity(epoch="0" * 32)
    assert "0" * 32 in second.run("load", "--restart", "articles", code=2).stderr
    second.run("load", "--restart")
    kept = json.loads((second.target_folder / "target.json").read_text())["epoch"]
    assert kept == Convex("sandbox-load").ledger()[("", "epoch")]["digest"]


@pytest.mark.parametrize("command", ["extract", "load", "verify"])
def test_another_deployment_is_refused(
    second: Stages, identity: Callable[..., None], command: str
) -> None:
    identity(deployment="calm-fox-7")
    done = second.run(command, code=2)
    assert "belongs to the deployment `calm-fox-7`" in done.stderr
    assert "--target NAME" in done.stderr and "stages clean --target-folder" in done.stderr


def test_a_fresh_deployment_under_the_old_name_is_refused(fresh: Stages) -> None:
    """Its ledger has no epoch at all; nothing is written to it."""
    state = sandbox.status(ROOT)
    assert state
    file = fresh.target_folder / "target.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "epoch": "f" * 32}))
    before = Convex("sandbox").documents("migrationLedger")
    for command in ("load", "verify"):
        done = fresh.run(command, code=2)
        assert "of epoch none, the acks here are of " + "f" * 32 in done.stderr
    assert Convex("sandbox").documents("migrationLedger") == before == []


# ── what is not loaded ──────────────────────────────────────────────────────────────────────


def test_rejects_over_the_limit_are_not_loaded_past(fresh: Stages) -> None:
    edit_plan(fresh.project, 'max_rejects = "15%"', "max_rejects = 10")
    done = fresh.run("load", code=1)
    assert "in all: 78 of 848 rejected, the plan allows 10" in done.stderr
    assert "--accept-rejects" in done.stderr
    assert not (fresh.target_folder / "load").exists()
    assert Convex("sandbox").documents("migrationLedger") == []


@pytest.mark.parametrize("what", ["model", "extract"])
def test_what_is_stale_is_not_loaded(fresh: Stages, what: str) -> None:
    if what == "model":
        edit_model(fresh.project, "webinars", "    title,", "    title || '!' AS title,")
    else:
        manifest = fresh.data / "extract" / "webinars" / "manifest.json"
        content = json.loads(manifest.read_text())
        content["parts"][0]["sha256"] = "0" * 64
        manifest.write_text(json.dumps(content))
    done = fresh.run("load", code=1)
    assert "has changed since `webinars` was transformed" in done.stderr
    assert "run: stages transform webinars" in done.stderr
    assert not (fresh.target_folder / "load").exists()


def test_damaged_documents_are_not_loaded(fresh: Stages) -> None:
    file = fresh.target_folder / "transform" / "webinars" / "documents.parquet"
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes(content)
    done = fresh.run("load", code=1)
    assert "has other content than its manifest says" in done.stderr
    assert "make it again with: stages transform webinars --restart" in done.stderr


def test_children_wait_for_their_parents(extracted: Path, tmp_path: Path) -> None:
    """Asked for alone, a child that has no parent in Convex is held back; later it follows."""
    stages = Stages(
        copy_data(extracted, tmp_path / "data"), "sandbox-held", copy_project(tmp_path / "project")
    )
    edit_plan(stages.project, 'max_rejects = "15%"', "max_rejects = 10")
    stages.run("extract")
    stages.run("transform", "ariKnowledgeEntries", code=1)
    with_category = stages.sql(
        "select count(*) AS n from transform.ariKnowledgeEntries where category_id is not null"
    )[0]["n"]
    all_entries = documents(stages, "ariKnowledgeEntries")
    assert 0 < with_category < all_entries
    done = stages.run("load", "ari_knowledge_entries", "--accept-rejects", code=1)
    assert "not all is loaded: ariKnowledgeEntries" in done.stderr
    assert counts(stages, "ariKnowledgeEntries") == {
        "inserted": all_entries - with_category,
        "held_back": with_category,
    }
    shown = stages.run("rejects", "ariKnowledgeEntries", "--rule", "held_back").stdout
    assert f"held_back: {with_category} (load)" in shown
    stages.run("load", "ari_knowledge_categories", "ariKnowledgeEntries", "--accept-rejects")
    assert counts(stages, "ariKnowledgeEntries") == {"inserted": all_entries}
    convex = Convex("sandbox-held")
    assert len(convex.documents("ariKnowledgeEntries")) == all_entries
    assert convex.documents("articles") == [], "only what was asked for"

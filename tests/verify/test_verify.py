"""Verify: every kind of difference is found, named and counted; where references went; samples."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from stages.convex import pages
from stages.convex.schema import load_schema
from stages.progress import Silent
from stages.project.plan_reader import load_plan
from stages.state.workspace import Workspace
from stages.verify.run import VerifyOptions, verify
from tests.verify.conftest import Moved


@pytest.fixture(scope="module")
def whole(deployed: Moved) -> Moved:
    """Loaded and verified once; each test leaves it so."""
    deployed.stages.run("load")
    deployed.stages.run("verify")
    return deployed


def report_of(moved: Moved) -> dict[str, Any]:
    """The tables of the report, as the last command has written it."""
    file = moved.stages.project / load_plan(paths_of(moved).plan).report_json
    tables: dict[str, Any] = json.loads(file.read_text("utf-8"))["tables"]
    return tables


def paths_of(moved: Moved) -> Workspace:
    return Workspace(project=moved.stages.project, data=moved.stages.data, target="default")


# ── differences ─────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def edited(whole: Moved) -> Iterator[tuple[Moved, str]]:
    """The application has changed an article."""
    key = sorted(whole.documents("articles"))[4]
    document = whole.documents("articles")[key]
    whole.edit(document, title="by the app", excerpt="by the app")
    yield whole, key
    whole.edit(document, title=document["title"], excerpt=document.get("excerpt"))
    whole.stages.run("verify", "articles")


def test_a_changed_document_is_named_with_its_fields(edited: tuple[Moved, str]) -> None:
    moved, key = edited
    done = moved.stages.run("verify", "articles", code=1)
    assert "articles: 1 changed" in done.stderr and "<table>.parquet" in done.stderr
    assert moved.counts("articles") == {"verified": 33, "changed": 1}
    assert moved.differences("articles") == [("changed", key, "title, excerpt")]
    assert "articles: 1 changed" in moved.next()
    report = moved.stages.json("report")["tables"]["articles"]
    assert report["errors"] == ["verify: 1 changed"]


def test_show_has_what_is_staged_and_what_the_app_wrote(edited: tuple[Moved, str]) -> None:
    moved, key = edited
    shown = moved.stages.json("show", "articles", key)
    assert shown["differs"] == ["title", "excerpt"]
    assert shown["now"]["title"] == "by the app" != shown["bound"]["title"]
    text = moved.stages.run("show", "articles", key).stdout
    assert "Convex has other values in title, excerpt" in text
    assert "title" in (last := text.partition("Convex has now")[2]) and '"by the app"' in last


def test_a_copy_is_a_duplicate_and_another_document_only_unowned(whole: Moved) -> None:
    document = next(iter(whole.documents("articles").values()))
    inserted = [
        whole.insert("articles", document),
        whole.insert("articles", {**document, "slug": "another"}),
    ]
    whole.stages.run("verify", "articles", code=1)
    assert whole.counts("articles") == {"verified": 34, "unowned": 2, "duplicate": 1}
    whole.drop(inserted[0])
    whole.stages.run("verify", "articles")
    assert whole.counts("articles") == {"verified": 34, "unowned": 1}
    whole.drop(inserted[1])
    whole.stages.run("verify", "articles")
    assert whole.counts("articles") == {"verified": 34}


def test_what_is_gone_is_missing_and_what_refers_to_it_dangles(whole: Moved) -> None:
    payments, appointments = whole.documents("ariPayments"), whole.documents("ariAppointments")
    used = {d["payment_id"] for d in appointments.values() if "payment_id" in d}
    key = next(key for key, d in sorted(payments.items()) if d["_id"] in used)
    children = sorted(
        k for k, d in appointments.items() if d.get("payment_id") == payments[key]["_id"]
    )
    whole.drop(payments[key]["_id"])
    whole.stages.run("verify", "ariPayments", "ariAppointments", code=1)
    assert whole.counts("ariPayments")["missing"] == 1
    assert ("missing", key, "") in whole.differences("ariPayments")
    assert whole.counts("ariAppointments")["dangling"] == len(children)
    assert whole.differences("ariAppointments") == [
        ("dangling", child, "payment_id") for child in children
    ]
    whole.stages.run("load", "--restart", "ariPayments", "ariAppointments")
    whole.stages.run("verify", "ariPayments", "ariAppointments")


# ── references ──────────────────────────────────────────────────────────────────────────────


def test_every_reference_of_the_source_is_accounted_for(whole: Moved) -> None:
    """Source columns are counted here by another way: SQL over the extract."""
    for table, source, columns in (
        ("ariAppointments", "ari_appointments", ("payment_id", "ari_conversation_id")),
        ("ariKnowledgeEntries", "ari_knowledge_entries", ("category_id", "workspace_id")),
        ("webinarRegistrations", "webinar_registrations", ("webinar_id", "contact_id")),
    ):
        accounts = whole.references(table)
        for name in columns:
            counts = accounts[name]
            (row,) = whole.stages.sql(f"SELECT count({name}) AS n FROM extract.{source}")
            documents = [d for d in whole.host.pages(table) if name in d]
            assert (counts["source"], counts["bound"]) == (row["n"], len(documents))
            assert counts["source"] == counts["bound"] + counts["nulled"] + counts["rejected"]
    assert whole.references("ariAppointments")["payment_id"]["nulled"] == 5
    assert all(whole.references("ariAppointments")["payment_id"].values())
    report = whole.stages.json("report")["tables"]["ari_appointments"]
    assert report["references"] == whole.references("ariAppointments")
    summary = whole.stages.run("report").stdout
    assert "| ari_appointments | payment_id | 34 | 27 | 5 | 2 |" in summary


def test_a_reference_that_is_lost_is_unaccounted(whole: Moved) -> None:
    appointments = whole.documents("ariAppointments")
    key, document = next((k, d) for k, d in sorted(appointments.items()) if "payment_id" in d)
    with_payment = {k: v for k, v in document.items() if not k.startswith("_")}
    # A patch can't take a field away over HTTP: the document is written anew, without it.
    inserted = whole.insert(
        "ariAppointments", {**with_payment, "payment_id": document["payment_id"]}
    )
    whole.drop(inserted)
    whole.drop(document["_id"])
    whole.stages.run("verify", "ariAppointments", code=1)
    assert whole.counts("ariAppointments") == {
        "verified": len(appointments) - 1,
        "missing": 1,
        "unaccounted": sum(name in document for name in whole.references("ariAppointments")),
    }
    whole.stages.run("load", "--restart", "ariAppointments")
    whole.stages.run("verify", "ariAppointments")
    assert key in whole.documents("ariAppointments")


def test_what_a_model_gave_is_not_counted_once_it_has_changed(whole: Moved) -> None:
    model = whole.stages.project / ".planning" / "migrations" / "models" / "articles.sql"
    before = model.read_text("utf-8")
    model.write_text(before.replace("    title,", "    title || '!' AS title,"), "utf-8")
    done = whole.stages.run("verify", "articles")
    assert "articles: references are not counted, its model has changed" in done.stderr
    model.write_text(before, "utf-8")
    whole.stages.run("verify", "articles")
    assert whole.references("articles")


# ── in a hurry ──────────────────────────────────────────────────────────────────────────────


def in_sample_order(moved: Moved, table: str) -> list[str]:
    return sorted(moved.documents(table), key=lambda k: (hashlib.md5(k.encode()).hexdigest(), k))


@pytest.mark.parametrize(("place", "in_sample"), [(0, True), (7, True), (8, False), (-1, False)])
def test_a_sample_is_always_the_same_documents(whole: Moved, place: int, in_sample: bool) -> None:
    key = in_sample_order(whole, "webinars")[place]
    document = whole.documents("webinars")[key]
    whole.edit(document, title="by the app")
    done = whole.stages.run("verify", "--sample", "8", "webinars", code=1 if in_sample else 0)
    whole.edit(document, title=document["title"])
    if in_sample:
        assert "7 verified of a sample of 8, 1 changed" in done.stderr
        assert whole.differences("webinars") == [("changed", key, "title")]
        assert whole.counts("webinars") == {"verified": 7, "changed": 1}
    else:
        assert "8 verified of a sample of 8" in done.stderr
        assert whole.counts("webinars") == {"verified": 21}, "the proof of the whole is kept"
    whole.stages.run("verify", "webinars")


def test_a_sample_finds_what_is_missing_and_what_dangles(whole: Moved) -> None:
    webinars = whole.documents("webinars")
    registrations = whole.documents("webinarRegistrations")
    first = registrations[in_sample_order(whole, "webinarRegistrations")[0]]
    whole.drop(first["webinar_id"])
    whole.stages.run("verify", "--sample", "300", "webinars", "webinarRegistrations", code=1)
    assert whole.counts("webinars") == {"verified": len(webinars) - 1, "missing": 1}
    dangling = [d for d in registrations.values() if d["webinar_id"] == first["webinar_id"]]
    assert whole.counts("webinarRegistrations")["dangling"] == len(dangling)
    whole.stages.run("load", "--restart", "webinars", "webinarRegistrations")
    whole.stages.run("verify", "webinars", "webinarRegistrations")


# ── the source ──────────────────────────────────────────────────────────────────────────────


def test_the_source_is_counted_again(whole: Moved) -> None:
    done = whole.stages.run("verify", "--source", "articles")
    assert "source    articles                 unchanged" in done.stderr
    assert "webinars" not in done.stderr


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("rows", 39, "articles: 40 rows instead of 39"),
        ("last", ["00000000-0000-0000-0000-000000000000"], "articles: another greatest key"),
    ],
)
def test_a_source_that_has_moved_ends_with_1(
    whole: Moved, name: str, value: object, words: str
) -> None:
    """As if the extract had been of another moment."""
    file = whole.stages.data / "extract" / "articles" / "manifest.json"
    before = file.read_text("utf-8")
    manifest = json.loads(before)
    (manifest["parts"][-1] if name == "last" else manifest)[name] = value
    file.write_text(json.dumps(manifest), "utf-8")
    done = whole.stages.run("verify", "--source", "articles", code=1)
    assert words in done.stderr and "stages extract --restart" in done.stderr
    assert whole.counts("articles") == {"verified": 34}
    # It is remembered: nobody has to look again.
    assert whole.next() == "stages extract --restart articles"
    seen = whole.stages.json("status")["tables"]["articles"]["extract"]["moved"]
    assert f"articles: {', '.join(seen['what'])}" == words
    assert f"the source has moved since articles was extracted: {words.split(': ')[1]}" in (
        whole.stages.run("status").stdout
    )
    (error,) = report_of(whole)["articles"]["errors"]
    assert error.endswith(f"{words.split(': ')[1]} (seen {seen['seen']})")
    assert "and the source has moved since" in whole.stages.run("load", "articles").stderr

    done = whole.stages.run("extract", "articles")
    assert "the source has moved" in done.stderr
    done = whole.stages.run("extract", "--fail-if-moved", "articles", code=1)
    assert words in done.stderr and "stages extract --restart articles" in done.stderr
    file.write_text(before, "utf-8")
    whole.stages.run("extract", "--fail-if-moved", "articles")
    whole.stages.run("report")
    assert whole.next().startswith("nothing")


# ── age ─────────────────────────────────────────────────────────────────────────────────────


def test_another_load_makes_a_proof_old(moved: Moved) -> None:
    assert moved.next().startswith("nothing")
    file = moved.stages.target_folder / "load" / "articles" / "manifest.json"
    manifest = json.loads(file.read_text("utf-8"))
    manifest["ids"]["sha256"] = "0" * 64
    before = file.read_text("utf-8")
    file.write_text(json.dumps(manifest), "utf-8")
    assert moved.next() == "stages verify"
    assert moved.stages.json("report")["tables"]["articles"]["verified"] is None
    file.write_text(before, "utf-8")
    assert moved.next().startswith("nothing")


def test_small_pages_and_chunks_give_the_same(
    whole: Moved, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a table of any size is read: a page at a time, emptied before the next."""
    workspace = paths_of(whole)
    plan, schema = load_plan(workspace.plan), load_schema(workspace)
    options = VerifyOptions(tables=("ariPayments", "ariAppointments"))
    at_once = verify(workspace, plan, schema, whole.target, options, Silent())
    monkeypatch.setattr(pages, "PAGE", 7)
    monkeypatch.setattr(pages, "ARRIVED_BYTES", 1)
    bit_by_bit = verify(workspace, plan, schema, whole.target, options, Silent())
    assert bit_by_bit == at_once
    assert at_once.tables["ariPayments"].counts["verified"] == 91
    assert not any(proof.wrong for proof in at_once.tables.values())

"""Running again when nothing changed, something changed, or something was lost or damaged."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from stages import sandbox
from tests.faults.conftest import copy_project
from tests.faults.proxy import Faults, proxied
from tests.faults.support import TABLES, Documents, Host, documents, host, ledger
from tests.support.command_line import Stages


def touched(stages: Stages) -> dict[str, tuple[int, int, str]]:
    """(inode, modification time, content hash) of every staged file and both reports."""
    files = (f for top in (stages.data, stages.project / ".planning") for f in top.rglob("*"))
    return {
        str(file): (
            file.stat().st_ino,
            file.stat().st_mtime_ns,
            hashlib.sha256(file.read_bytes()).hexdigest(),
        )
        for file in files
        if file.is_file() and file.name != ".lock"
    }


def test_nothing_has_changed(again: Stages, loaded: tuple[Stages, Host]) -> None:
    """All three stages touch no file and send nothing, over either transport."""
    # First run: the views name another folder, and the copied files are checked once.
    for command in ("extract", "transform", "load"):
        again.run(command)
    before = touched(again)
    assert len(before) > 100
    faults = Faults()
    with proxied(loaded[1].url, faults) as address:
        again.environment = loaded[1].settings(convex=address)
        for words in (["extract"], ["extract", "--via", "rest"], ["transform"], ["load"]):
            again.run(*words)
            assert touched(again) == before, words
    only_asked(faults)


def only_asked(faults: Faults) -> None:
    """Assert that only the deployed functions and the ledger's epoch were asked for."""
    assert len(faults.calls) == 3
    for _, path, body in faults.calls:
        asked = path == "/api/query" and b'"path": "_system/' in body
        epoch = path == "/api/mutation" and b'"migrate:epoch"' in body and b'"claim"' not in body
        assert asked or epoch, body


# ── lost records of a load ──────────────────────────────────────────────────────────────────


def without_acks(folder: Path) -> list[str]:
    (folder / "webinars" / "acks.jsonl").unlink()
    return []


def without_one_table(folder: Path) -> list[str]:
    shutil.rmtree(folder / "webinars")
    return []


def without_anything(folder: Path) -> list[str]:
    shutil.rmtree(folder)
    return []


def restarted(folder: Path) -> list[str]:
    return ["--restart"]


def torn(folder: Path) -> list[str]:
    """As after a kill in the middle of the last write, before the manifest."""
    acks = folder / "webinars" / "acks.jsonl"
    acks.write_bytes(acks.read_bytes()[:-40])
    (folder / "webinars" / "manifest.json").unlink()
    return []


@pytest.mark.parametrize(
    "lose,asked",
    [
        (without_acks, 21),
        (without_one_table, 21),
        (without_anything, 770),
        (restarted, 770),
        (torn, 1),
    ],
)
def test_lost_answers_are_asked_for_again(
    lose: Callable[[Path], list[str]], asked: int, again: Stages, loaded: tuple[Stages, Host]
) -> None:
    """The ledger answers `unchanged`; no document is duplicated."""
    deployment = loaded[1]
    before, kept = ledger(deployment), documents(deployment)
    ids = ids_of(again)
    again.run("load", *lose(again.target_folder / "load"))
    assert ledger(deployment) == before
    assert documents(deployment) == kept
    assert ids_of(again) == ids
    counts = [again.manifest("load", table)["counts"] for table in TABLES]
    assert sum(each["unchanged"] for each in counts) == asked
    assert sum(each["inserted"] for each in counts) == 770 - asked
    for table in TABLES:
        acks = (again.target_folder / "load" / table / "acks.jsonl").read_bytes()
        assert acks.count(b"\n") == again.manifest("load", table)["documents"]


def ids_of(stages: Stages) -> dict[str, bytes]:
    """The ids of each table's documents, as the bytes of ids.parquet."""
    folder = stages.target_folder / "load"
    return {table: (folder / table / "ids.parquet").read_bytes() for table in TABLES}


# ── a source that moves ─────────────────────────────────────────────────────────────────────


def test_rows_that_were_edited_and_deleted(own_source: sandbox.State, tmp_path: Path) -> None:
    """`extract` reports that the source has moved; with `--restart`, changes reach Convex."""
    with host(tmp_path / "host", own_source) as deployment:
        stages = Stages(
            tmp_path / "data", "default", copy_project(tmp_path / "project"), deployment.settings()
        )
        for command in ("extract", "transform", "load"):
            stages.run(command)
        before = documents(deployment)
        edited = first_key(before, "articles")
        deleted = first_key(before, "ariAiComparison")
        with psycopg.connect(own_source.source.db_url) as connection:
            connection.execute(
                "UPDATE articles SET title = title || ' – edited' WHERE id = %s", [edited]
            )
            connection.execute("DELETE FROM ari_ai_comparison WHERE id = %s", [deleted])

        kept = extracts(stages)
        said = stages.run("extract").stderr
        moved = {line.split()[1] for line in said.splitlines() if "the source has moved" in line}
        assert moved == {"articles", "ari_ai_comparison"}
        assert "--restart" in said
        written = {name for name, stamp in extracts(stages).items() if stamp != kept.get(name)}
        folder = stages.data / "extract"
        # Only the fact that they have moved is recorded; their rows stay as they are.
        assert written == {str(folder / name / "manifest.json") for name in moved}

        for again in (["extract", "--restart"], ["transform"], ["load"]):
            stages.run(*again)
        counts = {table: stages.manifest("load", table)["counts"] for table in TABLES}
        assert {t: n["replaced"] for t, n in counts.items() if n["replaced"]} == {"articles": 1}
        assert {t: n["removed"] for t, n in counts.items() if n["removed"]} == {
            "ariAiComparison": 1
        }
        assert not any(n["unchanged"] or n["conflict"] for n in counts.values())
        stages.run("verify")
        manifest = stages.manifest("verify")
        assert manifest["ariAiComparison"].pop("removed") == 1
        for table, kinds in manifest.items():
            assert not any(n for kind, n in kinds.items() if kind != "verified"), table
        expected = {table: dict(by_key) for table, by_key in before.items()}
        changed = dict(expected["articles"][f"articles:{edited}"])
        changed["title"] += " – edited"
        expected["articles"][f"articles:{edited}"] = changed
        assert documents(deployment) == expected


def first_key(by_table: Documents, table: str) -> str:
    """The source key of some document."""
    return min(by_table[table]).removeprefix(f"{table}:")


def extracts(stages: Stages) -> dict[str, Any]:
    folder = str(stages.data / "extract")
    return {
        name: stamp
        for name, stamp in touched(stages).items()
        if name.startswith(folder) and not name.endswith("extract-times.json")
    }


# ── damage ──────────────────────────────────────────────────────────────────────────────────


def truncate(file: Path) -> str:
    file.write_bytes(file.read_bytes()[:-100])
    return "bytes instead of"


def garble(file: Path) -> str:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)
    return "has other content than its manifest says"


def delete(file: Path) -> str:
    file.unlink()
    return "is missing"


Harm = Callable[[Path], str]
HARMS = pytest.mark.parametrize("harm", [truncate, garble, delete])


@HARMS
def test_a_damaged_part_of_the_extract(harm: Harm, ready: Stages) -> None:
    """Transform names the part and what to run; extract names it too, and reads it again."""
    part = ready.data / "extract" / "articles" / "part-00000.parquet"
    whole = part.read_bytes()
    wrong = harm(part)
    refused = ready.run("transform", code=1).stderr
    assert str(part) in refused
    assert wrong in refused
    assert "stages extract articles" in refused
    said = ready.run("extract").stderr
    assert f"articles: part-00000.parquet {part_words(wrong)}" in " ".join(said.split())
    assert part.read_bytes() == whole
    assert [file.name for file in sorted(part.parent.glob("part-*"))] == [part.name]


def part_words(wrong: str) -> str:
    """How the sentence continues after the part's name."""
    return "has" if wrong.startswith("bytes") else wrong


@pytest.mark.parametrize("harm", [truncate, garble])
def test_damaged_documents(harm: Harm, ready: Stages, deployment: Host) -> None:
    """Load sends nothing, and says what to run, which recreates the same bytes."""
    file = ready.target_folder / "transform" / "consultantSlots" / "documents.parquet"
    whole = file.read_bytes()
    wrong = harm(file)
    refused = ready.run("load", code=1).stderr
    assert str(file) in refused
    assert wrong in refused
    assert "stages transform consultantSlots" in refused
    assert not deployment.pages("migrationLedger")
    said = ready.run("transform", "consultantSlots").stderr
    assert "documents.parquet" in said
    assert wrong in said
    assert file.read_bytes() == whole


@pytest.mark.parametrize("harm", [truncate, garble])
def test_damaged_keys(harm: Harm, ready: Stages, deployment: Host) -> None:
    """Ids of reference tables: a load with wrong ids would bind documents to the wrong ones."""
    file = ready.target_folder / "transform" / "_keys" / "contacts.parquet"
    whole = file.read_bytes()
    wrong = harm(file)
    refused = ready.run("load", code=1).stderr
    assert str(file) in refused
    assert wrong in refused
    assert "stages transform" in refused
    assert not deployment.pages("migrationLedger")
    said = ready.run("transform").stderr
    assert "contacts.parquet" in said
    assert file.read_bytes() == whole


def test_a_damaged_reference_table(ready: Stages) -> None:
    """Transform stops; extract reads the table from Convex again."""
    part = ready.target_folder / "reference" / "contacts" / "part-00000.parquet"
    wrong = truncate(part)
    refused = ready.run("transform", code=1).stderr
    assert str(part) in refused
    assert wrong in refused
    assert "stages extract" in refused
    ready.run("extract")
    ready.run("transform")


def test_damaged_ids(again: Stages, loaded: tuple[Stages, Host]) -> None:
    """Ids of loaded documents are rebuilt from the acks, without sending anything."""
    file = again.target_folder / "load" / "webinars" / "ids.parquet"
    whole = file.read_bytes()
    wrong = truncate(file)
    refused = again.run("load", "webinarRegistrations", code=1).stderr
    assert str(file) in refused
    assert wrong in refused
    assert "stages load webinars" in refused
    faults = Faults()
    with proxied(loaded[1].url, faults) as address:
        again.environment = loaded[1].settings(convex=address)
        again.run("load")
    only_asked(faults)
    assert file.read_bytes() == whole


@HARMS
def test_damaged_forms_of_rows(harm: Harm, ready: Stages) -> None:
    """schema.parquet of an extract and a reference table, which views need if there are no rows."""
    for folder in (ready.data / "extract" / "webinars", ready.target_folder / "reference/contacts"):
        form = folder / "schema.parquet"
        whole = form.read_bytes()
        harm(form)
        if form.exists():
            form.write_bytes(b"\x00" * 90)
        refused = ready.run("transform", "--restart", code=1).stderr
        assert f"{form} is missing or damaged" in refused
        assert "make it again with: stages extract" in refused
        ready.run("extract")
        assert form.read_bytes() == whole
        ready.run("transform")

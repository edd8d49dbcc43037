"""`load --through import`: complete, killed midway, and with existing documents.

The deployment has stand-ins for the import's endpoints (stages/sandbox/host/imports.ts).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from stages import sandbox
from stages.convex import client, ids
from stages.convex.schema import Schema
from stages.convex.snapshots import Snapshots, assigned_numbers
from stages.state.durable import read_json
from tests.faults.support import (
    KEY,
    KILLED,
    PLAN,
    TABLES,
    Documents,
    Host,
    documents,
    drive,
    host,
    ledger,
    require_green,
)
from tests.support.command_line import ROOT, Stages
from tests.support.snapshot_zip import read_snapshot

IMPORT = ("load", "--through", "import")
CONVEX = ROOT / "node_modules" / ".bin" / "convex"


def exported(stages: Stages) -> dict[str, Any]:
    text = (stages.target_folder / "schema.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)["exported"]
    return schema


def numbers(stages: Stages) -> dict[str, int]:
    return assigned_numbers(Schema(exported(stages)))


def judged(file: Path, stages: Stages) -> dict[str, list[dict[str, Any]]]:
    """The documents of a ZIP; ids of reference tables are the sandbox's own."""
    own = {name: n for name, n in numbers(stages).items() if name not in PLAN.references}
    return read_snapshot(file, exported(stages), own)


def require_minted(deployment: Host, stages: Stages) -> None:
    """Assert that each document has the id made from its source key."""
    known = numbers(stages)
    for row in ledger(deployment):
        wanted = ids.mint(known[row["table"]], row["table"], row["sourceId"])
        assert row["documentId"] == wanted, row


def snapshots(deployment: Host) -> Snapshots:
    return Snapshots(client.Deployment(deployment.target()))


@pytest.fixture(scope="module")
def sent(loaded: tuple[Stages, Host]) -> Documents:
    """The documents that the functions load, without ids."""
    return documents(loaded[1])


# ── complete imports, and kills ─────────────────────────────────────────────────────────────


def test_an_import_is_what_the_functions_load(
    ready: Stages, deployment: Host, sent: Documents
) -> None:
    """Later commands find it: verify, load, sql, import."""
    ready.run(*IMPORT)
    assert documents(deployment) == sent
    require_minted(deployment, ready)
    require_green(ready)
    assert not (ready.target_folder / "import" / "snapshot.zip").exists()
    for again in (("load",), IMPORT):
        messages = ready.run(*again).stderr
        assert messages.count("fresh") == len(TABLES), messages
    # The source UUID can be read from the id.
    rows = ready.sql(
        "SELECT count(*) AS n FROM load.webinars WHERE source_uuid(convex_id) = source_id::UUID"
    )
    assert rows[0]["n"] == len(sent["webinars"]) > 0
    # A changed row goes through the functions, to the same document.
    acks = ready.target_folder / "load" / "webinars" / "acks.jsonl"
    first, *rest = acks.read_text("utf-8").splitlines(keepends=True)
    acks.write_text(json.dumps({**json.loads(first), "digest": "old"}) + "\n" + "".join(rest))
    (ready.target_folder / "load" / "webinars" / "manifest.json").unlink()
    assert "1 sent: " in ready.run("load", "webinars").stderr
    require_minted(deployment, ready)


# The steps at which the import is killed, in order, and the status that each kill leaves.
KILLS = [
    ("os.rename {data}/targets/default/import/.snapshot.zip.tmp", None),
    ("answered upload_part", "uploading"),
    ("answered finish_upload", "uploading"),
    ("answered state waiting_for_confirmation", "uploaded"),
    ("answered perform", "performing"),
    ("answered state completed", "performing"),
    ("open {data}/targets/default/load/webinarRegistrations/.ids.parquet.tmp", "imported"),
    ("answered migrate:adopt", "imported"),
    ("torn {data}/targets/default/load/articles/acks.jsonl", "imported"),
    ("os.remove {data}/targets/default/import/snapshot.zip", "adopted"),
]


def test_an_import_that_is_killed_again_and_again(
    ready: Stages, deployment: Host, sent: Documents
) -> None:
    """Nothing that the deployment has is sent again, and no other load is allowed meanwhile."""
    for fatal, status in KILLS:
        killed = drive(ready, fatal.format(data=ready.data), *IMPORT)
        assert killed.code == KILLED, f"{fatal}: {killed.messages}"
        state = read_json(ready.target_folder / "import" / "manifest.json")
        assert (state and state["status"]) == status, fatal
        uploads = any(step.startswith("answered upload_part") for step in killed.steps)
        assert uploads == (status == "uploading" or "waiting" in fatal), fatal
        if fatal in ("answered upload_part", "answered migrate:adopt"):
            refused = ready.run("load", "webinars", code=2).stderr
            assert "`webinars` is being imported" in refused
            assert "stages load --through import" in refused
            assert ready.json("status")["next"] == "stages load --through import"
    ready.run(*IMPORT)
    assert documents(deployment) == sent
    require_minted(deployment, ready)
    require_green(ready)


def test_an_import_that_fails_says_why_and_begins_anew(ready: Stages, deployment: Host) -> None:
    """In this case because somebody cancelled it."""
    drive(ready, "answered state waiting_for_confirmation", *IMPORT)
    state = json.loads((ready.target_folder / "import" / "manifest.json").read_text())
    snapshots(deployment).cancel(state["importId"])
    failed = ready.run(*IMPORT, code=1).stderr
    assert "the import failed: Import was canceled" in failed
    ready.run(*IMPORT)
    require_green(ready)


def test_restart_takes_back_what_nobody_confirmed(ready: Stages, deployment: Host) -> None:
    drive(ready, "answered state waiting_for_confirmation", *IMPORT)
    state = json.loads((ready.target_folder / "import" / "manifest.json").read_text())
    ready.run(*IMPORT, "webinars", "--restart")
    assert snapshots(deployment).state(state["importId"]).words == "Import was canceled"
    assert deployment.pages("webinars") and not deployment.pages("articles")
    ready.run("verify", "webinars")


def test_other_tables_or_rows_do_not_slip_into_an_import_under_way(ready: Stages) -> None:
    drive(ready, "answered state completed", *IMPORT)
    assert "have changed since the import" in ready.run(*IMPORT, "webinars", code=2).stderr
    assert "--mode require-empty is under way" in ready.run(
        *IMPORT, "--mode", "append", code=2
    ).stderr  # fmt: skip


# ── existing documents ──────────────────────────────────────────────────────────────────────


def test_what_is_there_is_neither_doubled_nor_lost(ready: Stages, deployment: Host) -> None:
    tables = ("webinars", "webinarRegistrations")
    ready.run("load", *tables)
    before = deployment.pages("webinars")
    rows = len(before)
    messages = ready.run(*IMPORT, *tables, code=2).stderr
    assert f"already has documents: {rows:,} of webinars, " in messages
    messages = ready.run(*IMPORT, *tables, "--mode", "append", code=2).stderr
    assert "has documents of `webinar" in messages and "would be appended" in messages
    messages = ready.run(*IMPORT, *tables, "--mode", "replace", code=2).stderr
    assert f"would lose documents: {rows:,} of webinars, " in messages
    assert "--yes faults" in messages
    ready.run(*IMPORT, *tables, "--mode", "replace", "--yes", "someone", code=2)
    assert deployment.pages("webinars") == before

    messages = ready.run(*IMPORT, *tables, "--mode", "replace", "--yes", "faults").stderr
    (export,) = (ready.target_folder / "exports").iterdir()
    assert str(export) in messages
    with ZipFile(export) as archive:
        kept = archive.read("webinars/documents.jsonl").decode().splitlines()
    assert [json.loads(line)["_id"] for line in kept] == [d["_id"] for d in before]
    after = deployment.pages("webinars")
    assert len(after) == rows
    assert not {d["_id"] for d in after} & {d["_id"] for d in before}
    require_minted(deployment, ready)
    ready.run("verify", *tables)


def test_a_second_import_of_the_same_rows_replaces_them(ready: Stages, deployment: Host) -> None:
    ready.run(*IMPORT, "webinars")
    before = {d["_id"] for d in deployment.pages("webinars")}
    ready.run(*IMPORT, "webinars", "--mode", "replace", "--yes", "faults")
    assert {d["_id"] for d in deployment.pages("webinars")} == before
    ready.run("verify", "webinars")


# ── a file, and the Convex CLI ──────────────────────────────────────────────────────────────


def test_the_cli_of_convex_imports_the_file(
    ready: Stages, deployment: Host, sent: Documents, tmp_path: Path
) -> None:
    """It follows the import over a WebSocket; after it, our own import only writes the ledger."""
    file = tmp_path / "snapshot.zip"
    messages = ready.run(*IMPORT, "--to", str(file)).stderr
    assert f"CONVEX_SELF_HOSTED_URL={deployment.url} npx convex import {file} (with " in messages
    assert "then write its ledger with: stages load --through import" in messages
    assert "--replace" not in messages
    tables = judged(file, ready)
    assert {name: len(rows) for name, rows in tables.items()} == {
        name: len(rows) for name, rows in sent.items()
    }
    place = tmp_path / "place"
    place.mkdir()
    shutil.copy(ROOT / "package.json", place)
    (place / "node_modules").symlink_to(ROOT / "node_modules")
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(place),
        "CONVEX_SELF_HOSTED_URL": deployment.url, "CONVEX_SELF_HOSTED_ADMIN_KEY": KEY,
    }  # fmt: skip
    result = subprocess.run(
        [str(CONVEX), "import", "--yes", str(file)],
        cwd=place, env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    rows = sum(len(documents) for documents in tables.values())
    assert result.returncode == 0, result.stderr
    assert f"Added {rows} documents" in result.stderr
    assert ledger(deployment) == []

    # The user forgets the second step: whatever is advised or done instead duplicates no document.
    assert ready.json("status")["next"] == "stages load --through import"
    refused = ready.run("load", code=2).stderr
    assert "`webinars` has at least " in refused
    assert "have ids that an import makes from these source keys" in refused
    assert "second step is missing" in refused
    assert "stages load --through import; or" in refused
    assert sum(len(deployment.pages(name)) for name in tables) == rows

    again = drive(ready, 0, *IMPORT)
    assert again.code == 0, again.messages
    assert "under the ids of this import" in again.messages
    assert not any(step.startswith("answered upload_part") for step in again.steps)
    assert documents(deployment) == sent
    require_green(ready)


def test_a_file_for_a_table_with_documents(ready: Stages, tmp_path: Path) -> None:
    """Convex's own command replaces them only if requested; the next step is named."""
    file = tmp_path / "a snapshot.zip"
    messages = ready.run(*IMPORT, "webinars", "--to", str(file), "--mode", "replace").stderr
    assert f"npx convex import '{file}' --replace" in messages
    assert "stages load --through import webinars" in messages
    assert ready.json("status")["next"] == "stages load --through import webinars"
    ready.run("load")
    assert "verify" in ready.json("status")["next"]


def test_documents_of_an_import_are_adopted(ready: Stages, deployment: Host) -> None:
    """After the ledger and the target's staged files are gone."""
    ready.run(*IMPORT)
    before = {name: deployment.pages(name) for name in TABLES}
    ready.run("clean", "--ledger", "--yes")
    ready.run("clean", "--target-folder", "--yes")
    ready.run("extract")
    ready.run("transform")
    refused = ready.run("load", code=2).stderr
    assert "stages load --through import; or" in refused
    assert {name: deployment.pages(name) for name in TABLES} == before
    ready.run("load", "--adopt", "--beside-existing", code=2)
    ready.run("load", "--adopt-by", "slug", code=2)
    ready.run("load", "--adopt", "--dry-run", code=2)
    messages = ready.run("load", "--adopt").stderr
    assert f"webinars: {len(before['webinars'])} existing documents adopted, 0 of them" in messages
    assert {name: deployment.pages(name) for name in TABLES} == before
    require_green(ready)


def test_a_file_can_be_written_without_a_deployment(ready: Stages, tmp_path: Path) -> None:
    ready.environment = {
        name: value for name, value in ready.environment.items() if "CONVEX" not in name
    }
    file = tmp_path / "snapshot.zip"
    messages = ready.run(*IMPORT, "--to", str(file)).stderr
    assert "numbers of a new deployment, from 10001" in messages
    assert set(judged(file, ready)) == set(TABLES)


def test_options_of_the_other_road_are_refused(ready: Stages) -> None:
    for options, word in (
        (("load", "--mode", "append"), "--mode"),
        (("load", "--to", "x.zip"), "--to"),
        ((*IMPORT, "--overwrite"), "--overwrite"),
        ((*IMPORT, "--prune"), "--prune"),
        ((*IMPORT, "--max-rate", "2MiB"), "--max-rate"),
        ((*IMPORT, "--adopt"), "--adopt"),
        ((*IMPORT, "--beside-existing"), "--beside-existing"),
    ):
        assert f"{word} is" in ready.run(*options, code=2).stderr


def test_a_deployment_that_is_another_one_now(
    ready: Stages, supabase: sandbox.State, tmp_path: Path
) -> None:
    """The new deployment does not know the import under way; nothing is sent to it."""
    drive(ready, "answered state completed", *IMPORT)
    with host(tmp_path / "other", supabase) as other:
        ready.environment = other.settings()
        messages = ready.run(*IMPORT, code=2).stderr
        assert "reset or restored" in messages
        assert other.pages("webinars") == []

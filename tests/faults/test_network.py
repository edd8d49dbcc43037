"""Three in ten requests fail, between stages and either side: the result is the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.faults.proxy import AFTER, BEFORE, Faults, proxied
from tests.faults.support import PLAN, TABLES, Host, documents, drive, ledger, require_green
from tests.support.command_line import Stages

SHARE = 0.3


def staged_bytes(data: Path, pattern: str) -> dict[str, bytes]:
    """Files by their path under `data`."""
    return {str(file.relative_to(data)): file.read_bytes() for file in sorted(data.glob(pattern))}


def require_same_documents(stages: Stages, deployment: Host) -> None:
    """Assert that every staged document is in Convex exactly once, and nothing else is."""
    require_green(stages)
    staged = {table: stages.manifest("transform", table)["documents"] for table in TABLES}
    counts = {table: len(loaded) for table, loaded in documents(deployment).items()}
    assert counts == staged


@pytest.mark.parametrize("channel", ["functions", "http-action"])
def test_a_load_through_a_broken_network(channel: str, ready: Stages, deployment: Host) -> None:
    faults = Faults(share=SHARE, seed=3)
    upstream = deployment.url if channel == "functions" else deployment.site_url
    with proxied(upstream, faults) as address:
        behind = {"convex" if channel == "functions" else "site": address}
        ready.environment = deployment.settings(**behind)
        # In small batches, so that more can go wrong.
        ran = drive(ready, 0, "load", "--through", channel)
        assert ran.code == 0, ran.messages
    assert sum(faults.done[kind] for kind in BEFORE) >= 3, faults.done
    assert sum(faults.done[kind] for kind in AFTER) >= 3, faults.done
    ready.environment = deployment.settings()
    require_same_documents(ready, deployment)
    # Requests that were carried out and sent again are reported as `unchanged`.
    counts = [ready.manifest("load", table)["counts"] for table in TABLES]
    assert sum(each["unchanged"] for each in counts) > 0
    assert sum(each["inserted"] + each["unchanged"] for each in counts) == len(ledger(deployment))


@pytest.mark.parametrize("kind", ["lost", "500 after", "cut", "short"])
def test_no_answer_comes_back_at_first(kind: str, ready: Stages, deployment: Host) -> None:
    """Each request is carried out, and its first three responses fail in the same way."""
    faults = Faults(share=1.0, kinds=[kind])
    with proxied(deployment.url, faults) as address:
        ready.environment = deployment.settings(convex=address)
        ran = drive(ready, 0, "load", "consultantSlots")
        assert ran.code == 0, ran.messages
    assert faults.done[kind] == 3 * faults.done["none"] > 0
    counts = ready.manifest("load", "consultantSlots")["counts"]
    assert counts["unchanged"] == len(ledger(deployment)) == 44
    assert len(documents(deployment)["consultantSlots"]) == 44


def test_rest_through_a_broken_network(runner: Stages, deployment: Host, staged: Path) -> None:
    faults = Faults(share=SHARE, seed=5)
    source = deployment.source
    with proxied(source.url, faults) as address:
        runner.environment = deployment.settings(supabase=address)
        runner.run("extract", "--via", "rest")
    assert sum(faults.done.values()) - faults.done["none"] >= 10, faults.done
    parts = staged_bytes(runner.data, "extract/*/*.parquet")
    assert parts == staged_bytes(staged, "extract/*/*.parquet")
    assert len(parts) > 20


def test_reading_convex_through_a_broken_network(
    again: Stages, loaded: tuple[Stages, Host], staged: Path
) -> None:
    """Reads the reference tables, and verifies."""
    faults = Faults(share=SHARE, seed=7)
    with proxied(loaded[1].url, faults) as address:
        again.environment = loaded[1].settings(convex=address)
        again.run("extract", "--restart")
        require_green(again)
    assert sum(faults.done.values()) - faults.done["none"] >= 5, faults.done
    for table in PLAN.references:
        part = Path("targets/default/reference", table, "part-00000.parquet")
        mine, quiet = (
            # The staged data came from an earlier deployment, with other creation times.
            pq.read_table(data / part).drop_columns("_creationTime")
            for data in (again.data, staged)
        )
        assert mine.equals(quiet), table


# Requests before a first load sends anything: what is deployed, the epoch, a page of each table.
ASKED = 3 + 11


def test_convex_is_lost_on_the_way(ready: Stages, deployment: Host) -> None:
    """An outage that outlasts every attempt: exit 3, and the same command continues."""
    with proxied(deployment.url, Faults(down_after=ASKED + 9)) as address:
        ready.environment = deployment.settings(convex=address)
        stopped = drive(ready, 0, "load")
        assert stopped.code == 3, stopped.messages
        assert "run again: stages load" in stopped.messages
    some = len(ledger(deployment))
    assert 0 < some < 700
    kept = acknowledged(ready)
    assert 0 < len(kept) <= some
    ready.environment = deployment.settings()
    ready.run("load")
    require_same_documents(ready, deployment)
    assert acknowledged(ready)[: len(kept)] == kept or set(kept) < set(acknowledged(ready))


def test_a_deployment_that_restarts(ready: Stages, deployment: Host) -> None:
    """Requests under way are carried out but never answered, then the server is down, then the same
    run continues."""
    # Fewer faults than a request has attempts, so that no request can meet them all.
    faults = Faults(down_after=ASKED + 9, back_after=7)
    with proxied(deployment.url, faults) as address:
        ready.environment = deployment.settings(convex=address)
        ran = drive(ready, 0, "load")
        assert ran.code == 0, ran.messages
    assert faults.done["lost"] == 3 and faults.done["reset"] == 4
    counts = [ready.manifest("load", table)["counts"] for table in TABLES]
    assert sum(each["unchanged"] for each in counts) > 0
    ready.environment = deployment.settings()
    require_same_documents(ready, deployment)


def acknowledged(stages: Stages) -> list[tuple[str, str]]:
    """(source key, document id) of every ack."""
    files = sorted((stages.target_folder / "load").glob("*/acks.jsonl"))
    lines = [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]
    return [(line["sourceId"], line["documentId"]) for line in lines]


def test_supabase_is_lost_on_the_way(runner: Stages, deployment: Host, staged: Path) -> None:
    """Parts that were read are kept; the rest is read by the same command later."""
    with proxied(deployment.source.url, Faults(down_after=60)) as address:
        runner.environment = deployment.settings(supabase=address)
        stopped = drive(runner, 0, "extract", "--via", "rest")
        assert stopped.code == 3, stopped.messages
        assert "run again" in stopped.messages
    parts = runner.data.glob("extract/*/part-*.parquet")
    kept = {file: (file.stat().st_ino, file.stat().st_mtime_ns) for file in parts}
    assert kept
    runner.environment = deployment.settings()
    resumed = drive(runner, 0, "extract", "--via", "rest")
    assert resumed.code == 0, resumed.messages
    assert {file: (file.stat().st_ino, file.stat().st_mtime_ns) for file in kept} == kept
    assert len(list(runner.data.glob("extract/*/part-*.parquet"))) > len(kept)
    for table in PLAN.sources:
        # The parts differ, but not the rows or their order.
        assert rows(runner.data / "extract" / table) == rows(staged / "extract" / table), table


def rows(folder: Path) -> list[dict[str, Any]]:
    """The rows of a table's parts, in the order of the manifest."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    files = [folder / part["file"] for part in manifest["parts"]]
    return [row for file in files for row in pq.read_table(file).to_pylist()]

"""`kill -9` of any stage at any step, then the same command again: the result is as in a quiet run.

Steps are exact (see killed.py): each change to a file, a torn line, a response not yet recorded.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pytest

from stages import sandbox
from tests.faults.conftest import copy_project
from tests.faults.support import (
    KILLED,
    TABLES,
    Documents,
    Drive,
    Host,
    documents,
    drive,
    host,
    ledger,
    require_green,
)
from tests.support.command_line import Stages

STAGES = ("extract", "transform", "load")
# Where each stage, and then its resumption, is killed: a kind of step and its position as a
# fraction of those left, or a prefix of a step's name.
Kill = tuple[str, float] | str
CHAINS: dict[str, dict[str, list[Kill]]] = {
    "begin": {
        "extract": [("open", 0.0), ("os.rename", 0.2)],
        "transform": [("os.mkdir", 0.2)],
        "load": [("os.rename", 0.0), ("torn", 0.0)],
    },
    "early": {
        "extract": [("os.rename", 0.25), ("os.rename", 0.7)],
        "transform": [("open", 0.3)],
        "load": [("answered", 0.15), ("answered", 0.3)],
    },
    "middle": {
        "extract": [("open", 0.5)],
        "transform": [("os.rename", 0.55), ("os.rename", 0.6)],
        "load": [("torn", 0.5), ("appended", 0.5)],
    },
    "end": {
        # Everything is done, except the last table, the database of views, or a report. By name if
        # possible, as the number of steps before it varies slightly. The very last removal marks
        # that no command is running any more.
        "extract": [("os.remove", 0.97)],
        "transform": ["os.remove {data}/targets/default/transform/formTemplates"],
        "load": [("os.remove", 0.97), "open {planning}/phases/05-data-migration/.05-02-SUMMARY.md"],
    },
}


# Files with times and transports, or fingerprints that depend on the `_creationTime` of reference
# tables.
OF_THIS_RUN = (
    "times.json", "extract-times.json", "target.json", "stages.duckdb", "ids.parquet",
    "report.json",  # the hash of a report, which contains times
)  # fmt: skip
MOMENTS = (
    "From Supabase", "To faults, at", "| extract |", "| transform |", "| load |", "| verify |",
)  # fmt: skip
MOVING = ("finished", "snapshots", "transport", "made_from", "ids")


@dataclass(frozen=True)
class Quiet:
    """An undisturbed run: its steps, its files after each stage, its documents."""

    steps: dict[str, list[str]]
    files: dict[str, dict[str, Any]]
    documents: Documents
    acks: int


def files(stages: Stages) -> dict[str, Any]:
    """Every staged file and report, reduced to what must not depend on how a run went."""
    essences: dict[str, Any] = {}
    for top in (stages.data, stages.project / ".planning"):
        for file in top.rglob("*"):
            name = str(file.relative_to(top))
            # A run that is killed at its end adds no line to the history.
            if file.is_file() and file.name not in (".lock", "history.jsonl"):
                essences[name] = _essence(file, stages)
    return essences


def _essence(file: Path, stages: Stages) -> Any:
    """The content of a file without times, ids and the location of folders."""
    if file.name in OF_THIS_RUN:
        return None
    if file.name == "stages.sql":
        return file.read_text("utf-8").replace(str(stages.project.parent), "")
    if file.name == "05-02-SUMMARY.md":
        lines = file.read_text("utf-8").splitlines()
        return [line for line in lines if not line.startswith(MOMENTS)]
    if file.name == "acks.jsonl":
        return {json.loads(line)["sourceId"] for line in file.read_text("utf-8").splitlines()}
    if file.name == "data-migration-report.json":
        report = json.loads(file.read_bytes())
        for entry in report["tables"].values():
            # If a response was lost, the retry answers `unchanged`.
            entry["loaded"] = sum(entry.get("loaded", {}).values())
        # A resumed extract uses a new snapshot, and reports that.
        moving = ("timestamp", "duration_seconds", "stages", "snapshot")
        return {k: v for k, v in report.items() if k not in moving}
    if file.parent.parent.name == "reference" and file.suffix == ".parquet":
        return pq.read_table(file).drop_columns("_creationTime").to_pylist()
    if file.suffix == ".json" and file.is_relative_to(stages.data):
        manifest = json.loads(file.read_bytes())
        for part in manifest.get("parts", ()):
            part.pop("stat", None)  # when it was written
        return {k: v for k, v in manifest.items() if k not in MOVING} | _settled(manifest, file)
    return file.read_bytes()


def _settled(manifest: dict[str, Any], file: Path) -> dict[str, Any]:
    """Parts of a manifest in a normalized form."""
    if file.parent.parent.name == "reference":
        return {"parts": [part["rows"] for part in manifest["parts"]]}
    if "counts" in manifest:
        counts = dict(manifest["counts"])
        counts["inserted"] += counts.pop("unchanged")
        return {"counts": counts}
    return {}


def acks(stages: Stages) -> dict[str, bytes]:
    """The journal of each table that has one."""
    folder = stages.target_folder / "load"
    return {file.parent.name: file.read_bytes() for file in folder.glob("*/acks.jsonl")}


def closed_parts(stages: Stages) -> dict[Path, tuple[int, int]]:
    """Parts named in a manifest → (inode, modification time)."""
    return {
        part: (part.stat().st_ino, part.stat().st_mtime_ns)
        for manifest in (stages.data / "extract").glob("*/manifest.json")
        for named in json.loads(manifest.read_bytes())["parts"]
        for part in [manifest.parent / named["file"]]
    }


@pytest.fixture(scope="module")
def quiet(supabase: sandbox.State, tmp_path_factory: pytest.TempPathFactory) -> Quiet:
    folder = tmp_path_factory.mktemp("quiet")
    with host(folder / "host", supabase) as deployment:
        stages = Stages(
            folder / "data", "default", copy_project(folder / "project"), deployment.settings()
        )
        runs: dict[str, Drive] = {}
        seen: dict[str, dict[str, Any]] = {}
        for stage in STAGES:
            runs[stage] = drive(stages, 0, stage)
            assert runs[stage].code == 0, runs[stage].messages
            seen[stage] = files(stages)
        require_green(stages)
        lines = sum(journal.count(b"\n") for journal in acks(stages).values())
        return Quiet(
            {stage: run.steps for stage, run in runs.items()}, seen, documents(deployment), lines
        )


def test_the_quiet_run_has_something_between_its_steps(quiet: Quiet) -> None:
    """Otherwise the kills below would prove little."""
    parts = [
        name for name in quiet.files["extract"] if name.startswith("extract/ari_payments/part")
    ]
    assert len(parts) > 3
    assert quiet.acks == sum(len(table) for table in quiet.documents.values()) > 700
    kinds = {stage: {step.split()[0] for step in steps} for stage, steps in quiet.steps.items()}
    assert kinds["extract"] >= {"open", "os.rename", "os.mkdir", "os.remove"}
    assert kinds["load"] >= {"answered", "torn", "appended", "open", "os.rename", "os.remove"}
    assert sum(step.startswith("answered migrate:bulk") for step in quiet.steps["load"]) > 40


def number_of(steps: list[str], kind: str, share: float) -> int:
    """The number of a step, given its kind and its relative position among steps of that kind."""
    numbers = [n for n, step in enumerate(steps, 1) if step.split()[0] == kind]
    return numbers[round(share * (len(numbers) - 1))]


@pytest.mark.parametrize("chain", CHAINS)
def test_every_stage_killed_and_done_again(
    chain: str, quiet: Quiet, runner: Stages, deployment: Host
) -> None:
    kills = 0
    for stage in STAGES:
        steps = quiet.steps[stage]
        for kill in CHAINS[chain][stage]:
            if isinstance(kill, str):
                fatal: int | str = kill.format(
                    data=runner.data, planning=runner.project / ".planning"
                )
            else:
                fatal = number_of(steps, *kill)
            killed = drive(runner, fatal, stage)
            assert killed.code == KILLED, f"{stage} at {fatal} of {len(steps)}: {killed.messages}"
            kills += stage == "load"
            # A resumed run has fewer steps: the fraction refers to what is roughly left.
            steps = steps[len(killed.steps) :]
        before, journals = closed_parts(runner), acks(runner)
        resumed = drive(runner, 0, stage)
        assert resumed.code == 0, f"{stage} again: {resumed.messages}"
        assert before.items() <= closed_parts(runner).items(), "a closed part was read again"
        assert files(runner) == quiet.files[stage]
        for table, journal in journals.items():
            whole = journal[: journal.rfind(b"\n") + 1]
            assert acks(runner)[table].startswith(whole), "answers that were kept are gone"
    require_green(runner)
    assert documents(deployment) == quiet.documents
    # Only batches in flight at a kill, or not yet recorded, are sent twice: four batches in flight
    # and four waiting, of twenty documents each.
    again = [
        line for journal in acks(runner).values() for line in journal.splitlines()
        if json.loads(line)["did"] != "inserted"
    ]  # fmt: skip
    assert len(again) <= kills * 160


def appeared(pattern: str, folder: Path) -> Callable[[], bool]:
    """Return a function that checks whether a non-empty file exists."""
    return lambda: any(file.stat().st_size for file in folder.glob(pattern))


def test_killed_from_outside(runner: Stages, deployment: Host, staged: Path) -> None:
    """The plain commands, killed by another process as soon as a first result appears."""
    firsts = {
        "extract": "extract/*/part-00000.parquet",
        "transform": "targets/default/transform/*/documents.parquet",
        "load": "targets/default/load/*/acks.jsonl",
    }
    for stage, pattern in firsts.items():
        seen = appeared(pattern, runner.data)
        process = runner.start(stage)
        while not seen() and process.poll() is None:
            time.sleep(0.0005)
        process.kill()
        assert process.wait() == KILLED, f"{stage} had ended already"
        runner.run(stage)
    for file in (staged / "targets" / "default" / "transform").glob("*/documents.parquet"):
        mine = runner.target_folder / "transform" / file.parent.name / file.name
        assert mine.read_bytes() == file.read_bytes()
    require_green(runner)
    counts = [runner.manifest("load", table)["counts"] for table in TABLES]
    assert sum(n["inserted"] + n["unchanged"] for n in counts) == len(ledger(deployment))
    documents(deployment)


def test_a_restarted_extract_is_killed(quiet: Quiet, ready: Stages, tmp_path: Path) -> None:
    """It reads into a separate folder and swaps at the end; after a kill, a plain extract continues
    it."""
    shutil.copytree(ready.data, tmp_path / "before")
    counted = drive(ready, 0, "extract", "--restart")
    assert counted.code == 0, counted.messages
    # While it reads, and while it swaps.
    for kill in (("os.rename", 0.4), ("os.remove", 0.6)):
        shutil.rmtree(ready.data)
        shutil.copytree(tmp_path / "before", ready.data)
        killed = drive(ready, number_of(counted.steps, *kill), "extract", "--restart")
        assert killed.code == KILLED, killed.messages
        resumed = drive(ready, 0, "extract")
        assert resumed.code == 0, resumed.messages
        assert not (ready.data / "extract.next").exists()
        contents = files(ready)
        for name, before in quiet.files["extract"].items():
            assert name.startswith("stages.") or contents[name] == before, name
        read = {name for name in contents if name.startswith("extract/")}
        assert read == {name for name in quiet.files["extract"] if name.startswith("extract/")}


def test_a_load_that_forgets_is_killed(quiet: Quiet, ready: Stages, deployment: Host) -> None:
    """A deployment that was reset: wherever `load --restart` is killed, no old ack is trusted."""
    ready.run("load")
    deployment.stop()
    deployment.start()
    ready.environment = deployment.settings()
    # While it forgets one table after another, and then the epoch, it knows that it is not done.
    for fatal in (9, f"os.rename {ready.target_folder}/.target.json"):
        assert drive(ready, fatal, "load", "--restart").code == KILLED
        refused = drive(ready, 0, "load")
        assert refused.code == 2, refused.messages
        assert "stages load --restart" in refused.messages
    assert drive(ready, "answered migrate:epoch", "load", "--restart").code == KILLED
    plain = drive(ready, 0, "load")
    assert plain.code == 0, plain.messages
    require_green(ready)
    assert documents(deployment) == quiet.documents


def test_rows_go_between_a_kill_and_the_resumption(
    own_source: sandbox.State, tmp_path: Path
) -> None:
    """The last part was closed, but not yet named in a manifest; its rows are deleted at the
    source. They must not come back from the leftover file."""
    command = ("extract", "ari_payments", "--jobs", "1")
    with host(tmp_path / "host", own_source) as deployment:
        project = copy_project(tmp_path / "project")
        quiet = Stages(tmp_path / "quiet", "default", project, deployment.settings())
        counted = drive(quiet, 0, *command)
        assert counted.code == 0, counted.messages
        name = f"os.rename {quiet.data}/extract/ari_payments/.part-"
        closed = [n for n, step in enumerate(counted.steps, 1) if step.startswith(name)]
        assert len(closed) > 3

        stages = Stages(tmp_path / "data", "default", project, deployment.settings())
        assert drive(stages, closed[-1] + 1, *command).code == KILLED
        named = json.loads((stages.data / "extract/ari_payments/manifest.json").read_bytes())
        assert len(named["parts"]) == len(closed) - 1
        with psycopg.connect(own_source.source.db_url) as connection:
            connection.execute(
                "DELETE FROM ari_payments WHERE id::text > %s", named["parts"][-1]["last"]
            )
            left = connection.execute("SELECT count(*) FROM ari_payments").fetchone()
        assert left
        resumed = drive(stages, 0, *command)
        assert resumed.code == 0, resumed.messages
        assert stages.sql("SELECT count(*) AS n FROM extract.ari_payments") == [{"n": left[0]}]

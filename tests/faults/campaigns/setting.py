"""What a campaign starts with: a source, staged data from it, and its own deployments."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from stages import sandbox
from tests.faults import killed
from tests.faults.campaigns.outcome import Content, Outcome, content
from tests.faults.conftest import copy_project
from tests.faults.support import PLAN, TABLES, Host, host
from tests.support.command_line import ROOT, Stages

Ran = subprocess.CompletedProcess[str]


@dataclass
class Trial:
    """A project with its own data and its own deployment."""

    folder: Path
    stages: Stages
    deployment: Host

    def small(self, *command: str) -> list[str]:
        """A command line that uses small parts and batches, and is not killed."""
        program = [sys.executable, str(Path(killed.__file__)), "0", str(self.folder / "steps.log")]
        return [*program, "--", *self.stages.command(*command)[3:]]

    def env(self) -> dict[str, str]:
        return {**self.stages.env(), "STAGES_WATCHED": str(self.folder / "nothing")}

    def run(
        self, *command: str, before: Sequence[str] = (), env: dict[str, str] | None = None
    ) -> Ran:
        """Run a command with small parts; `before` is a command prefix, such as a limit."""
        return subprocess.run(
            [*before, *self.small(*command)], cwd=ROOT, env={**self.env(), **(env or {})},
            capture_output=True, text=True, errors="replace", check=False, timeout=300,
        )  # fmt: skip

    def require(self, *command: str) -> None:
        """Run a command undisturbed; it must succeed."""
        ran = self.run(*command)
        assert ran.returncode == 0, ran.stdout + ran.stderr

    def kill(self, delay: float, *command: str) -> tuple[bool, Ran]:
        """Run `kill -9` `delay` seconds after the first line; returns whether it was killed."""
        out, err = self.folder / "killed.out", self.folder / "killed.err"
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(
                self.small(*command), cwd=ROOT, env=self.env(), stdout=stdout, stderr=stderr
            )
            while process.poll() is None and not err.stat().st_size:
                time.sleep(0.001)
            try:
                process.wait(delay)
            except subprocess.TimeoutExpired:
                process.kill()
            code = process.wait()
        words = out.read_text("utf-8", "replace"), err.read_text("utf-8", "replace")
        return code == -9, subprocess.CompletedProcess(command, code, *words)


@dataclass
class Setting:
    """Staged data to copy, and what a quiet run leaves in Convex."""

    folder: Path
    supabase: sandbox.State
    chance: random.Random
    staged: Path
    content: Content = field(default_factory=dict)
    # Outcomes of finished campaigns, and of the current one.
    outcomes: list[Outcome] = field(default_factory=list)
    _number: int = 0

    def stage(self) -> None:
        """Extract and transform into `staged`, then load once to record the expected content."""
        with self.trial("quiet") as trial:
            for command in ("extract", "transform"):
                trial.require(command)
            shutil.copytree(trial.stages.data, self.staged)
            trial.require("load")
            self.content = dict(content(trial.deployment))

    def outcome(self, campaign: str, case: str) -> Outcome:
        """Add a new line to the table."""
        self.outcomes.append(Outcome(campaign, case))
        return self.outcomes[-1]

    @contextmanager
    def trial(self, name: str = "", *, data: Path | None = None) -> Iterator[Trial]:
        """A new project with a new deployment; `data` is copied into it."""
        self._number += 1
        folder = self.folder / f"{name or 'trial'}-{self._number}"
        with host(folder / "host", self.supabase) as deployment:
            project = copy_project(folder / "project")
            # If a single table is loaded, its share of rejects may exceed the total limit.
            plan = project / ".planning" / "migrations" / "plan.toml"
            plan.write_text(plan.read_text("utf-8").replace('"15%"', '"100%"'), "utf-8")
            stages = Stages(folder / "data", "default", project, deployment.settings())
            if data:
                shutil.copytree(data, stages.data)
            yield Trial(folder, stages, deployment)
        shutil.rmtree(folder)

    def extracted(self, data: Path) -> list[tuple[str, Any]]:
        """Every extracted row by table and key."""
        rows = []
        for table in PLAN.sources:
            folder = data / "extract" / table
            manifest = json.loads((folder / "manifest.json").read_bytes())
            for part in manifest.get("parts", []):
                for row in pq.read_table(folder / part["file"]).to_pylist():
                    rows.append((f"{table}:{[row[name] for name in manifest['key']]}", row))
        return rows

    def transformed(self, data: Path) -> list[tuple[str, Any]]:
        """Every document and every reject by table and key."""
        rows = []
        for table in TABLES:
            folder = data / "targets" / "default" / "transform" / table
            for name, key in (("documents", "_source_id"), ("rejects", "source_id")):
                table_rows = pq.read_table(folder / f"{name}.parquet")
                for row in table_rows.to_pylist():
                    rows.append((f"{table} {name}:{row[key]}", row))
        return rows

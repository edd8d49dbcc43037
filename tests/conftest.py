"""One sandbox for the whole run, of its own, and a runner for the real command line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from small import Small

from stages import sandbox
from stages.plan import SETTING_NAMES

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Stages:
    """The command line with a data folder and a target, as a user would run it."""

    data: Path
    target: str = "sandbox"
    project: Path = ROOT
    environment: dict[str, str] = field(default_factory=dict)

    def command(self, *args: str) -> list[str]:
        return [
            sys.executable, "-m", "stages", "--project", str(self.project),
            "--data", str(self.data), "--target", self.target, *args,
        ]  # fmt: skip

    def env(self) -> dict[str, str]:
        clean = {k: v for k, v in os.environ.items() if k not in SETTING_NAMES}
        return {**clean, **self.environment}

    def run(self, *args: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run a command to its end and check its exit code."""
        done = subprocess.run(
            self.command(*args), cwd=ROOT, env=self.env(), capture_output=True, text=True,
            check=False, timeout=300,
        )  # fmt: skip
        if code is not None:
            assert done.returncode == code, f"{args}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def start(self, *args: str) -> subprocess.Popen[bytes]:
        """Start a command, to be killed."""
        return subprocess.Popen(
            self.command(*args), cwd=ROOT, env=self.env(),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def json(self, *args: str) -> Any:
        return json.loads(self.run(*args, "--json").stdout)

    def sql(self, query: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.json("sql", query)
        return rows

    @property
    def target_folder(self) -> Path:
        return self.data / "targets" / self.target

    def manifest(self, *parts: str) -> dict[str, Any]:
        text = self.target_folder.joinpath(*parts, "manifest.json").read_text("utf-8")
        manifest: dict[str, Any] = json.loads(text)
        return manifest


@pytest.fixture(scope="session")
def sandbox_root() -> Iterator[Path]:
    """A sandbox folder that Postgres' own user may enter; gone, with its processes, at the end."""
    base = "/var/tmp" if Path("/var/tmp").is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="stages-test-", dir=base))
    folder.chmod(0o755)
    before = os.environ.get("STAGES_SANDBOX")
    os.environ["STAGES_SANDBOX"] = str(folder / "box")
    try:
        yield folder
    finally:
        sandbox.reset(ROOT)
        if before is None:
            os.environ.pop("STAGES_SANDBOX")
        else:
            os.environ["STAGES_SANDBOX"] = before
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def supabase(sandbox_root: Path) -> sandbox.State:
    """The sandbox with its default deployment."""
    return sandbox.up(ROOT, ["sandbox"])


@pytest.fixture(scope="session")
def extracted(supabase: sandbox.State, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with everything extracted and transformed, to be copied and not changed."""
    data = tmp_path_factory.mktemp("extracted") / "data"
    stages = Stages(data)
    stages.run("extract")
    stages.run("transform")
    return data


@pytest.fixture
def stages(supabase: sandbox.State, tmp_path: Path) -> Stages:
    """The command line with an empty data folder."""
    return Stages(tmp_path / "data")


@pytest.fixture
def small(tmp_path: Path) -> Small:
    """A migration of a few rows to write a plan, models and a schema for."""
    return Small(tmp_path)

"""A runner for the real command line, as a user would call it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stages.project.plan import SETTING_NAMES
from tests.support import forked_python

ROOT = Path(__file__).resolve().parents[2]


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
        """Run a command to its end and check its exit code.

        Commands in its messages are shown without this runner's global options, unlike in `raw`.
        """
        done = self.raw(*args)
        if code is not None:
            assert done.returncode == code, f"{args}: {done.returncode}\n{done.stdout}{done.stderr}"
        done.stdout, done.stderr = self.plain(done.stdout), self.plain(done.stderr)
        return done

    def plain(self, text: str) -> str:
        options = {"--project": self.project, "--data": self.data, "--target": self.target}
        for name, value in options.items():
            text = text.replace(f" {name} {shlex.quote(str(value))}", "")
        return text

    def raw(self, *args: str, typed: str = "", umask: int = -1) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; `typed` is its stdin."""
        return forked_python.run(
            self.command(*args)[1:], cwd=ROOT, env=self.env(), timeout=300, typed=typed, umask=umask
        )

    def start(self, *args: str) -> subprocess.Popen[bytes]:
        """Start a command that the test will kill."""
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

    def report_file(self, file: str) -> Path:
        """A file of the report: the target's own if there is one, otherwise the default one."""
        path = self.project / ".planning" / file
        of_target = path.with_name(f"{path.stem}.{self.target}{path.suffix}")
        return of_target if of_target.exists() else path

    def report(self) -> dict[str, Any]:
        """The JSON of the report."""
        text = self.report_file("migrations/data-migration-report.json").read_text("utf-8")
        report: dict[str, Any] = json.loads(text)
        return report

    def manifest(self, *parts: str) -> dict[str, Any]:
        text = self.target_folder.joinpath(*parts, "manifest.json").read_text("utf-8")
        manifest: dict[str, Any] = json.loads(text)
        return manifest

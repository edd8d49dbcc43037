"""The migration of tests/state/staged, to go on with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

from stages import Migration
from stages.state.workspace import Workspace
from tests.faults.support import Host, host
from tests.state.make_staged import STAGED, TABLES, make_project, settings
from tests.support.command_line import Stages

# A source that nobody asks.
NOBODY = "postgresql://nobody@127.0.0.1:1/nothing"
RECORDS = (
    "source.json", "extract-times.json", "extract/pets/manifest.json",
    "targets/default/target.json", "targets/default/times.json", "targets/default/schema.json",
    "targets/default/report.json", "targets/default/reference/teams/manifest.json",
    "targets/default/transform/pets/manifest.json", "targets/default/transform/_keys/teams.json",
    "targets/default/load/people/manifest.json", "targets/default/verify/manifest.json",
    "targets/default/verify/people.json",
)  # fmt: skip


@dataclass(frozen=True)
class HalfWay:
    """Its command line and its API, before the deployment that it was left at."""

    stages: Stages
    deployment: Host

    @property
    def migration(self) -> Migration:
        return Migration(
            self.stages.project, data=self.stages.data, environment=self.stages.environment
        )

    @property
    def workspace(self) -> Workspace:
        return self.migration.workspace

    def pages(self) -> dict[str, list[dict[str, object]]]:
        """All that is in Convex."""
        return {table: self.deployment.pages(table) for table in TABLES}


@contextmanager
def half_way(folder: Path) -> Iterator[HalfWay]:
    """The migration in a folder, and a deployment of its own."""
    project = folder / "project"
    convex = make_project(project)
    with ZipFile(STAGED / "staged.zip") as archive:
        archive.extractall(folder)
    with host(folder / "host", None, convex, seed=folder / "convex.jsonl") as deployment:
        environment = {**settings(deployment), "SUPABASE_DB_URL": NOBODY}
        yield HalfWay(Stages(folder / "data", "default", project, environment), deployment)

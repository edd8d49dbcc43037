"""A deployment with an HTTP action, and a project with staged documents before it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stages.convex.schema import Schema, export_schema
from stages.probe.deployment import ProbedDeployment
from stages.project.settings import Secret
from tests.faults.support import SECRET, Host, host
from tests.load.project import Project, make_convex
from tests.probe.own_source import database, front, plan, project, source
from tests.support.command_line import ROOT

__all__ = ["database", "front", "plan", "project", "source"]  # fixtures of a source
TEAMS = {"p1": {"name": "Ann"}, "p2": {"name": "Bob"}, "p3": {"name": "Cy"}, "p4": {"name": "Di"}}
Probed = Callable[..., ProbedDeployment]


@pytest.fixture(scope="session")
def routed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    convex = make_convex(tmp_path_factory.mktemp("probing"))
    shutil.copy(ROOT / "convex" / "http.ts", convex / "http.ts")
    return convex


@pytest.fixture(scope="session")
def exported(routed: Path) -> Schema:
    return Schema(export_schema(routed))


@pytest.fixture(scope="session")
def development(routed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with host(tmp_path_factory.mktemp("probing-host"), None, routed) as running:
        yield running


@pytest.fixture(scope="session")
def staged(routed: Path, exported: Schema, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Four teams are staged, and nothing is loaded."""
    folder = tmp_path_factory.mktemp("probed")
    (folder / "convex").symlink_to(routed)
    project = Project(folder, None)  # type: ignore[arg-type]
    assert project.plan
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stages.convex.schema.export_schema", lambda _: exported.exported)
        project.stage("teams", TEAMS)
    return project


@pytest.fixture
def probed(development: Host, staged: Project, exported: Schema) -> Iterator[Probed]:
    """A probe's deployment; addresses may be those of a stand-in."""
    opened = []

    def open_one(api: str = "", site: str = "", *, sandbox: bool = False) -> ProbedDeployment:
        target = replace(
            development.target(api),
            site_url=site or development.site_url,
            secret=Secret(SECRET),
            sandbox=sandbox,
        )
        opened.append(ProbedDeployment(staged.workspace, staged.plan, exported, target))
        return opened[-1]

    yield open_one
    for each in opened:
        each.close()

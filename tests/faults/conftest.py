"""A project, a deployment and staged data for each fault test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from stages import sandbox
from tests.faults.support import Host, host, require_green
from tests.support.command_line import ROOT, Stages
from tests.support.project_copies import copy_planning
from tests.support.sandboxes import own_source


def copy_project(folder: Path) -> Path:
    """Copy the shipped plan and models, without reports; convex/ links to the repository's."""
    copy_planning(folder)
    (folder / "convex").symlink_to(ROOT / "convex")
    return folder


@pytest.fixture
def deployment(supabase: sandbox.State, tmp_path: Path) -> Iterator[Host]:
    """An empty Convex deployment."""
    with host(tmp_path / "host", supabase) as convex:
        yield convex


@pytest.fixture
def runner(deployment: Host, tmp_path: Path) -> Stages:
    """The command line for a separate project, with its settings in the environment."""
    return Stages(
        tmp_path / "data", "default", copy_project(tmp_path / "project"), deployment.settings()
    )


@pytest.fixture(scope="session")
def staged(supabase: sandbox.State, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with everything extracted and transformed for any `deployment`."""
    folder = tmp_path_factory.mktemp("staged")
    with host(folder / "host", supabase) as convex:
        project = copy_project(folder / "project")
        stages = Stages(folder / "data", "default", project, convex.settings())
        stages.run("extract")
        stages.run("transform")
    return stages.data


@pytest.fixture
def ready(runner: Stages, staged: Path) -> Stages:
    """`runner` with everything staged and nothing loaded."""
    shutil.copytree(staged, runner.data)
    return runner


@pytest.fixture(scope="session")
def loaded(
    supabase: sandbox.State, staged: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Stages, Host]]:
    """Everything loaded and verified; copy its data, don't change it."""
    folder = tmp_path_factory.mktemp("loaded")
    shutil.copytree(staged, folder / "data")
    with host(folder / "host", supabase) as deployment:
        stages = Stages(
            folder / "data", "default", copy_project(folder / "project"), deployment.settings()
        )
        stages.run("load")
        require_green(stages)
        yield stages, deployment


@pytest.fixture
def again(loaded: tuple[Stages, Host], tmp_path: Path) -> Stages:
    """A copy of the loaded project, with the same deployment."""
    stages, _ = loaded
    shutil.copytree(stages.data, tmp_path / "data", copy_function=shutil.copy2)
    shutil.copytree(stages.project, tmp_path / "project", symlinks=True)
    return Stages(tmp_path / "data", "default", tmp_path / "project", stages.environment)


@pytest.fixture(scope="session", name="own_source")
def _own_source(sandbox_root: Path) -> Iterator[sandbox.State]:
    """A separate source whose rows may be changed: other tests rely on theirs."""
    with own_source(sandbox_root / "own", ROOT, ["sandbox"]) as state:
        yield state

"""A project of its own for each test, before an empty deployment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stages.convex.client import Deployment
from stages.convex.schema import export_schema
from stages.errors import StagesError, Transient
from stages.retry import Backoff
from tests.faults.support import Host, host
from tests.load.project import Project, make_convex


@pytest.fixture(scope="session")
def convex(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_convex(tmp_path_factory.mktemp("loading"))


@pytest.fixture(scope="session")
def exported(convex: Path) -> dict[str, object]:
    return export_schema(convex)


@pytest.fixture(scope="session")
def running(convex: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with host(tmp_path_factory.mktemp("loading-host"), None, convex) as running:
        yield running


@pytest.fixture
def deployment(running: Host) -> Host:
    """An empty deployment: the same host, emptied, which takes a tenth of a new one's time."""
    try:
        with Deployment(running.target(), backoff=Backoff(attempts=1)) as emptied:
            emptied.mutation("app:clear", {})
    except StagesError:
        # It was stopped, or has more than one transaction deletes.
        running.stop()
        running.start()
    return running


@pytest.fixture
def make(
    deployment: Host,
    convex: Path,
    exported: dict[str, object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str], Project]:
    """Projects with data folders of their own before the one deployment."""
    # The schema is exported once: node takes half a second for it.
    monkeypatch.setattr("stages.convex.schema.export_schema", lambda folder: exported)
    monkeypatch.setattr(Backoff, "delay", _soon)
    (tmp_path / "convex").symlink_to(convex)

    def make_project(data: str) -> Project:
        project = Project(tmp_path, deployment, data)
        assert project.plan
        return project

    return make_project


def _soon(self: Backoff, attempt: int, error: Transient) -> float:
    return 0.01


@pytest.fixture
def project(make: Callable[[str], Project]) -> Project:
    return make("data")

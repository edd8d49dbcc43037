"""A project of its own for each test, and an open Migration of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from stages import Migration
from tests.api.support import SETTINGS
from tests.support.project_copies import copy_data, copy_project


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return copy_project(tmp_path / "project")


@pytest.fixture
def transformed(extracted: Path, project: Path) -> Migration:
    """The twelve tables, extracted and transformed."""
    data = copy_data(extracted, project.parent / "data")
    return Migration(project, data=data, target="sandbox", environment={})


@pytest.fixture
def production(transformed: Migration) -> Migration:
    """The same, with settings of a production deployment, which no test reaches."""
    shutil.copytree(
        transformed.workspace.target_folder, transformed.workspace.data / "targets" / "default"
    )
    return Migration(
        transformed.project,
        data=transformed.workspace.data,
        target="default",
        environment=SETTINGS,
    )

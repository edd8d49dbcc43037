"""A stand-in for the built page, and projects to show."""

from __future__ import annotations

from pathlib import Path

import pytest

from stages import Migration
from stages.page import html
from tests.page.support import people, stand_in
from tests.support.project_copies import loaded_once
from tests.support.tiny_project import Small


@pytest.fixture
def assets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A script and a style in place of the build."""
    folder = stand_in(tmp_path / "assets")
    monkeypatch.setattr(html, "assets_folder", lambda: folder)
    return folder


@pytest.fixture
def moved(extracted: Path) -> Migration:
    """The twelve tables, loaded and verified; read-only."""
    stages = loaded_once(extracted)
    return Migration(stages.project, data=stages.data, target=stages.target, environment={})


@pytest.fixture
def small_page(small: Small) -> Migration:
    """People and pets: see tests/page/support.py."""
    return people(small)

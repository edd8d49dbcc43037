"""Functions that were written for another plan: a load names the table before anything is sent."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from stages.check.run import _known_tables
from stages.convex.schema import load_schema
from stages.errors import StagesError
from stages.init.typescript import loading_functions
from tests.faults.support import host
from tests.load.project import Project


def test_a_table_that_the_deployed_functions_do_not_know(
    convex: Path, project: Project, tmp_path: Path
) -> None:
    project.stage("teams", {"t1": {"name": "Red"}})
    older = tmp_path / "older" / "convex"
    shutil.copytree(convex, older)
    (older / "migrate.ts").write_text(loading_functions(("people", "pets"), ()), "utf-8")
    (older.parent / "node_modules").symlink_to(convex.parent / "node_modules")
    with host(tmp_path / "other", None, older) as running:
        project.address = running.url
        with pytest.raises(StagesError) as error:
            project.load("teams")
        (checked,) = _known_tables(project.plan, load_schema(project.workspace), project.target)
    assert checked.detail == "the functions were written for a plan without teams"
    assert not checked.ok and "stages init --update" in (checked.hint or "")
    assert "were written for a plan without `teams`" in error.value.message
    assert error.value.hint and "stages init --update" in error.value.hint
    assert not project.workspace.load("teams").exists()

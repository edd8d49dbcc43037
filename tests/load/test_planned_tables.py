"""Functions that were written for another plan: a load names the table before anything is sent."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from stages.check.run import _known_tables
from stages.convex.client import Channel
from stages.convex.schema import Schema, load_schema
from stages.errors import StagesError
from stages.init.typescript import loading_functions
from stages.project.settings import Secret, Target
from stages.readiness import require_ready
from tests.faults.support import SECRET, host
from tests.load.project import Project
from tests.support.command_line import ROOT


@pytest.mark.parametrize("channel", get_args(Channel))
def test_a_table_that_the_deployed_functions_do_not_know(
    convex: Path, project: Project, tmp_path: Path, channel: Channel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Also where the HTTP action is the only way in, whose `epoch` names the tables."""
    project.stage("teams", {"t1": {"name": "Red"}})
    older = tmp_path / "older" / "convex"
    shutil.copytree(convex, older)
    shutil.copy(ROOT / "convex" / "http.ts", older)
    (older / "migrate.ts").write_text(loading_functions(("people", "pets"), ()), "utf-8")
    (older.parent / "node_modules").symlink_to(convex.parent / "node_modules")
    with host(tmp_path / "other", None, older) as running:
        target = replace(project.target, url=running.url, site_url=running.site_url)
        if channel == "http-action":
            target = replace(target, admin_key=None, secret=Secret(SECRET))
        monkeypatch.setattr(Project, "target", target)
        with pytest.raises(StagesError) as error:
            project.load("teams")
        schema = load_schema(project.workspace)
        (checked,) = _known_tables(project.plan, schema, target, channel)
        if channel == "http-action":
            passes_the_gate(project, schema, target)
    assert checked.detail == "the functions were written for a plan without teams"
    assert not checked.ok and "stages init --update" in (checked.hint or "")
    assert "were written for a plan without `teams`" in error.value.message
    assert error.value.hint and "stages init --update" in error.value.hint
    assert not project.workspace.load("teams").exists()


def passes_the_gate(project: Project, schema: Schema, target: Target) -> None:
    """What is deployed is not listed to those without the admin key: the load itself asks."""
    require_ready(project.plan, schema, target, ["teams"])

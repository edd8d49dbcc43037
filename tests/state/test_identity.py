"""Whose a data folder is: one source, and for each target one deployment."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from stages import Migration, Stopped
from stages.retry import Backoff
from stages.sandbox import State
from tests.support.command_line import Stages
from tests.support.project_copies import copy_project

OTHER = "zyxwvutsrqponmlkjihg"


def test_another_source_is_refused(extracted: Path, supabase: State, tmp_path: Path) -> None:
    """A data folder belongs to one source; both values and two ways on are named."""
    data = tmp_path / "data"
    shutil.copytree(extracted, data)
    stages = Stages(data, project=copy_project(tmp_path / "project"))
    identity = json.loads((data / "source.json").read_text())
    (data / "source.json").write_text(json.dumps({**identity, "ref": OTHER}))
    done = stages.run("extract", code=2)
    assert f"belongs to the source `{OTHER}`, the settings name `{supabase.source.ref}`" in (
        done.stderr
    )
    assert "--data DIR" in done.stderr and "stages clean --staged" in done.stderr


def test_same_name_but_another_database_is_refused(
    extracted: Path, supabase: State, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(extracted, data)
    stages = Stages(data, project=copy_project(tmp_path / "project"))
    identity = json.loads((data / "source.json").read_text())
    assert identity["system_identifier"]
    (data / "source.json").write_text(json.dumps({**identity, "system_identifier": "1"}))
    done = stages.run("extract", code=2)
    assert "belongs to the source `1`" in done.stderr
    assert "(system_identifier)" in done.stderr


def test_a_typo_in_an_address_claims_no_folder(
    supabase: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder becomes a source's, and a target's, with its first answer."""
    monkeypatch.setattr(Backoff, "delay", lambda *_: 0.01)
    project, data = copy_project(tmp_path / "project"), tmp_path / "data"
    convex = supabase.deployments["sandbox"]
    right = {
        "SUPABASE_URL": supabase.source.url,
        "SUPABASE_SERVICE_ROLE_KEY": supabase.source.service_role_key,
        "CONVEX_URL": convex.url,
        "CONVEX_DEPLOY_KEY": convex.admin_key,
    }

    def extract(**wrong: str) -> None:
        settings = {**right, **wrong}
        with pytest.raises(Stopped):
            Migration(project, data=data, target="default", environment=settings).extract()

    extract(SUPABASE_URL="http://127.0.0.1:9")
    extract(SUPABASE_URL="", SUPABASE_DB_URL="postgresql://u:p@127.0.0.1:9/x")
    assert not (data / "source.json").exists()
    extract(CONVEX_URL="http://127.0.0.1:9", CONVEX_DEPLOY_KEY="dev:sad-mole-9|s")
    stages = Stages(data, "default", project)
    assert not (stages.target_folder / "target.json").exists()
    stages.environment = right
    stages.run("extract")
    assert json.loads((stages.data / "source.json").read_text())["ref"]
    identity = json.loads((stages.target_folder / "target.json").read_text())
    assert identity["deployment"] == convex.name

"""Projects to look into."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from stages import Migration
from tests.support.project_copies import copy_data, copy_project
from tests.support.shipped_sample import row_id
from tests.support.tiny_project import STRING, Small

NOBODY = {
    "SUPABASE_DB_URL": "postgresql://u:p@127.0.0.1:9/postgres",
    "CONVEX_URL": "http://127.0.0.1:9",
    "CONVEX_DEPLOY_KEY": "dev|s",
}


@pytest.fixture
def transformed(extracted: Path, tmp_path: Path) -> Migration:
    """The twelve tables, extracted and transformed, to be edited."""
    project = copy_project(tmp_path / "project")
    return Migration(
        project,
        data=copy_data(extracted, tmp_path / "data"),
        target="sandbox",
        environment={},
    )


@pytest.fixture
def small_keys(small: Small, monkeypatch: pytest.MonkeyPatch) -> Migration:
    """Two tables with keys that a shell would take apart."""
    tables = "[tables.people]\nsource = 'people'\n[tables.pets]\nsource = 'pets'\n"
    small.write("plan.toml", f"{tables}[targets.small]\nconvex_url = 'SMALL_URL'\n")
    for table in ("people", "pets"):
        small.model(table, f"SELECT key(id) AS _source_id, name FROM extract.{table}")
        small.schema(table, {"name": STRING})
    small.extract("people", pa.table({"id": ["a 'b"], "name": ["Ada"]}), ["id"])
    small.extract("pets", pa.table({"id": ["x"], "name": ["Rex"]}), ["id"])
    small.transform()
    monkeypatch.chdir(small.workspace.project)
    return Migration(target=small.workspace.target, environment={})


@pytest.fixture
def unreachable(transformed: Migration) -> Migration:
    """The same with one document that is loaded, as the acks say, to where nobody answers."""
    workspace = transformed.workspace
    shutil.copytree(workspace.target_folder, workspace.targets / "default")
    nobody = Migration(
        transformed.project, data=workspace.data, target="default", environment=NOBODY
    )
    nobody.workspace.identity.unlink()
    file = nobody.workspace.acks("articles")
    file.parent.mkdir(parents=True)
    ack = {"sourceId": row_id("articles", 1), "documentId": "k1", "did": "inserted", "digest": "d"}
    file.write_text(json.dumps(ack) + "\n", "utf-8")
    return nobody

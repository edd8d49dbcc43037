"""A model is read in one way, whatever follows its SELECT."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from stages.project.models import read_model
from stages.state.workspace import Workspace


@pytest.mark.parametrize(
    "end", ["", ";", "; -- done", "\n-- a comment", ";\n-- one\n-- two\n", " -- ; no end"]
)
def test_what_follows_the_select_does_no_harm(tmp_path: Path, end: str) -> None:
    workspace = Workspace(project=tmp_path, data=tmp_path / "data", target="x")
    workspace.migrations.mkdir(parents=True)
    (workspace.migrations / "rows.sql").write_text(f"SELECT 1 AS _source_id{end}", "utf-8")
    model = read_model(workspace, "rows.sql")
    with duckdb.connect() as connection:
        assert connection.execute(f"SELECT count(*) FROM ({model.text})").fetchall() == [(1,)]

"""JSON files of an extract that were cut: what they say is found out again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stages.clean import extracted_files
from stages.errors import StagesError
from tests.extract.support import Database, Project, make_rows


@pytest.fixture
def read(database: Database, project: Project, cut_small: None) -> Iterator[Project]:
    """A table of some parts that is read."""
    make_rows(database, 3000, width=2)
    project.plan(rows={"table": "big.rows"})
    project.extract("postgres")
    yield project
    database.sql("DROP TABLE big.rows")


def cut(project: Project, name: str) -> None:
    file = project.workspace.data / name
    file.write_bytes(file.read_bytes()[:30])


def test_a_table_whose_manifest_is_cut_is_read_anew(read: Project) -> None:
    files = {name: content for name, (_, _, content) in read.files("rows").items()}
    cut(read, "extract/rows/manifest.json")
    with pytest.raises(StagesError, match="is damaged") as damaged:
        read.extracted("rows")
    assert damaged.value.hint == "read the table again with: stages extract rows"
    read.extract("postgres")
    assert "is damaged" in read.heard.text and "reading it again" in read.heard.text
    assert {name: content for name, (_, _, content) in read.files("rows").items()} == files
    assert read.manifest("rows")["status"] == "complete"


def test_whose_rows_they_are_is_asked_again_by_a_restart(read: Project) -> None:
    cut(read, "source.json")
    with pytest.raises(StagesError, match="is damaged") as damaged:
        read.extract("postgres")
    assert damaged.value.hint == "read all of the source again with: stages extract --restart"
    read.extract("postgres", restart=True)
    assert read.extract("postgres").tables["rows"]["status"] == "unchanged"
    kept = read.workspace.data / "source.json.damaged"
    assert kept.exists() and kept in extracted_files(read.workspace)


def test_a_restart_whose_list_is_cut_is_begun_anew(read: Project) -> None:
    folder = read.workspace.next_extracts
    folder.mkdir()
    read.workspace.restarted.write_bytes(b'{"tables": ["ro')
    with pytest.raises(StagesError, match="is damaged") as damaged:
        read.extract("postgres")
    assert "stages extract --restart" in (damaged.value.hint or "")
    read.extract("postgres", restart=True)
    assert not folder.exists()
    assert read.extract("postgres").tables["rows"]["status"] == "unchanged"

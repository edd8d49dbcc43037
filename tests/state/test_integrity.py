"""A part is read again only where it was written to, and wherever that is asked for."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from stages.errors import StagesError
from stages.state import integrity
from stages.state.fingerprints import content_hash, fingerprint, hash_file
from stages.state.imports import ImportManifest, read_import
from stages.state.integrity import find_damage, forget_stats
from stages.state.manifests import Part, TransformManifest, read_transform, write_manifest
from stages.state.parts import write_parquet
from stages.state.records import write_record
from stages.state.sides import SidesFile
from stages.state.workspace import Workspace, form_file
from stages.views import connect
from tests.support.tiny_project import Small

ROWS = pa.table({"id": ["a", "b", "c"]})


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names of files that were read to their end."""
    names: list[str] = []

    def note(file: Path) -> str:
        names.append(file.name)
        return hash_file(file)

    monkeypatch.setattr(integrity, "hash_file", note)
    yield names


def part_in(folder: Path) -> Part:
    return write_parquet(folder / "documents.parquet", ROWS.schema, ROWS.to_batches())


def test_a_part_that_nobody_wrote_to_is_not_read(tmp_path: Path, hashed: list[str]) -> None:
    assert find_damage(tmp_path, part_in(tmp_path)) is None
    assert not hashed


@pytest.mark.parametrize("dated_back", [False, True])
def test_a_part_that_was_written_to_is_read(
    tmp_path: Path, hashed: list[str], dated_back: bool
) -> None:
    """Also one of the same size, whose time of writing was set back."""
    part, file = part_in(tmp_path), tmp_path / "documents.parquet"
    before, content = file.stat(), bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    time.sleep(0.02)  # longer than a tick of the clock by which files are dated
    file.write_bytes(content)
    if dated_back:
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert find_damage(tmp_path, part) == "has other content than its manifest says"
    assert hashed == ["documents.parquet"]


def test_a_copy_is_read_once(tmp_path: Path, hashed: list[str]) -> None:
    part = part_in(tmp_path / "one")
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / part.file).write_bytes((tmp_path / "one" / part.file).read_bytes())
    assert find_damage(tmp_path / "two", part) is None
    assert find_damage(tmp_path / "two", part) is None
    assert len(hashed) == 1


def test_when_a_part_was_written_is_no_part_of_its_content(tmp_path: Path) -> None:
    one, two = part_in(tmp_path / "one"), part_in(tmp_path / "two")
    assert one.stat != two.stat
    assert fingerprint([one]) == fingerprint([two])
    assert content_hash([one]) == content_hash([two])
    # As it was before there were times.
    plain = {name: getattr(one, name) for name in ("file", "rows", "bytes", "sha256")}
    assert fingerprint([one]) == fingerprint([plain])


def test_all_are_read_where_that_is_asked_for(tmp_path: Path, hashed: list[str]) -> None:
    workspace = Workspace(project=tmp_path, data=tmp_path / "data", target="t")
    folder = workspace.transform("pets")
    part = part_in(folder)
    write_manifest(folder, TransformManifest(
        table="pets", source="pets", status="complete", made_from="", source_rows=3, documents=3,
        rejects=0, changes=0, parts=[part],
    ))  # fmt: skip
    write_record(workspace.sides, SidesFile())
    (workspace.transforms / ".DS_Store").write_text("")
    file = part_in(workspace.imports)
    write_manifest(workspace.imports, ImportManifest(
        status="imported", made_from="", mode="append", documents=3, tables={}, file=file,
    ))  # fmt: skip
    forget_stats(workspace)
    state = read_import(workspace)
    assert state and state.file and state.file.stat is None
    manifest = read_transform(folder)
    assert manifest
    assert find_damage(folder, manifest.parts[0]) is None
    assert hashed == ["documents.parquet"]


def test_require_whole_names_the_part(tmp_path: Path) -> None:
    part = part_in(tmp_path)
    (tmp_path / part.file).unlink()
    with pytest.raises(StagesError, match="is missing"):
        integrity.require_whole(tmp_path, [part], "stages transform")


def test_a_damaged_form_of_a_table_without_a_key_leaves_out_its_view_alone(small: Small) -> None:
    small.extract("log", pa.table({"line": ["a"]}), [])
    small.extract("users", pa.table({"id": [1]}), ["id"])
    small.write("plan.toml", "[tables.log]\n[tables.users]\n")
    form_file(small.workspace.extract("log")).write_bytes(b"PAR1")
    with connect(small.workspace, small.plan, locked=False) as connection:
        views = connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal")
        assert views.fetchall() == [("users",)]

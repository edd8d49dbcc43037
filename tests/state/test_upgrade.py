"""Going on with a migration that earlier stages have left half-way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.state.half_way import RECORDS, HalfWay, half_way


@pytest.fixture
def left(sandbox_root: Path, tmp_path: Path) -> Iterator[HalfWay]:
    with half_way(tmp_path) as migration:
        yield migration


def test_a_migration_goes_on_where_earlier_stages_left_it(left: HalfWay) -> None:
    """What is stale is named with its reason; what was loaded is not sent again, nor replaced."""
    stages, before = left.stages, left.pages()
    documents = {
        name: (stages.target_folder / "transform" / name / "documents.parquet").read_bytes()
        for name in ("people", "pets")
    }
    assert not any("format" in json.loads((stages.data / name).read_text()) for name in RECORDS)

    standing = stages.json("status")
    assert {name: each["extract"]["status"] for name, each in standing["tables"].items()} == {
        "people": "complete", "pets": "complete",
    }  # fmt: skip
    assert {name: each["transform"]["stale"] for name, each in standing["tables"].items()} == {
        "people": "stages itself", "pets": "stages itself",
    }  # fmt: skip
    assert standing["tables"]["people"]["verify"]["verified"] == 6
    assert standing["next"].startswith("stages ") and "transform" in standing["next"]
    refused = stages.run("load", code=1).stderr
    assert "stages itself has changed since `people` was transformed" in refused

    stages.run("transform")
    for name, content in documents.items():
        made = stages.target_folder / "transform" / name / "documents.parquet"
        assert made.read_bytes() == content
    loaded = stages.run("load").stderr
    assert "fresh, nothing to send" in loaded
    counts = stages.manifest("load", "pets")["counts"]
    # One batch was sent, and its answer lost.
    assert (counts["inserted"], counts["unchanged"], counts["replaced"]) == (8, 3, 0)
    after = left.pages()
    for table, pages in before.items():
        assert after[table][: len(pages)] == pages
    assert len(after["pets"]) == 11
    stages.run("verify")
    assert stages.json("status")["finished"]
    formats = {name: json.loads((stages.data / name).read_text())["format"] for name in (
        "targets/default/load/pets/manifest.json", "targets/default/transform/pets/manifest.json",
    )}  # fmt: skip
    assert set(formats.values()) == {1}


def test_a_newer_format_is_refused(left: HalfWay) -> None:
    stages = left.stages
    file = stages.data / "extract" / "pets" / "manifest.json"
    stored = file.read_text()
    file.write_text(json.dumps({"format": 2, "all": "is otherwise"}))
    for command in ("status", "transform", "report"):
        refused = stages.run(command, code=2).stderr
        assert "is of format 2, and this version of stages reads up to 1" in refused
        assert "upgrade stages" in refused and "Traceback" not in refused
    file.write_text(stored)
    assert stages.json("status")

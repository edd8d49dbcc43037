"""JSON files that were cut, emptied, or written by something else: what each command does then."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stages import Migration
from stages.errors import StagesError, UserError
from stages.state.manifests import FileStat, read_transform, write_manifest
from stages.state.probes import Probe, read_probe
from stages.state.records import Record
from tests.state.half_way import RECORDS, HalfWay, half_way
from tests.support.forked_python import import_stages

# Records that are not in the folder as it was left.
OTHERS = {
    "extract-failures.json": {"extract": {"pets": {"reason": "r", "hint": None, "at": "t"}}},
    "targets/default/failures.json": {"load": {"pets": {"reason": "r", "hint": None, "at": "t"}}},
    "targets/default/rollback.json": {"tables": ["pets"]},
    "targets/default/transform/_sides.json": {
        "sides": {"a": {"made_from": "", "rows": 1, "orphans": 0}}
    },
    "targets/default/import/file.json": {"file": "f", "tables": ["pets"], "next": "stages load"},
    "targets/default/import/manifest.json": {
        "status": "uploading", "made_from": "", "mode": "append", "documents": 1,
        "tables": {"pets": {"number": 1, "documents": 1}},
    },
}  # fmt: skip
CACHES = (
    "schema.json", "report.json", "times.json", "_sides.json", "rollback.json",
    "verify/manifest.json", "verify/people.json",
)  # fmt: skip


def damages(content: bytes) -> dict[str, bytes]:
    """How a file may be damaged → what it holds then."""
    keys = [name for name in json.loads(content) if name != "format"]
    noise = random.Random(7)
    return {
        "emptied": b"",
        "cut": content[: len(content) // 2],
        "noise": noise.randbytes(max(len(content), 64)),
        "a list": b"[]",
        "no keys": b"{}",
        "numbers": json.dumps(dict.fromkeys(keys, 7)).encode(),
        "lists": json.dumps({key: [{}] for key in keys}).encode(),
        "nested": b'{"rows": ' + b"[" * 100_000,
    }


READING: dict[str, Callable[[Migration], object]] = {
    "status": lambda m: m.status(),
    "report": lambda m: m.report(),
    "rejects": lambda m: m.rejects(),
    "sql": lambda m: m.sql("FROM load.people").fetchall(),
    "transform": lambda m: m.transform(),
}
# With every kind of damage; the others with one.
THOROUGH = ("status", "transform")


@pytest.fixture(scope="module")
def left(sandbox_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HalfWay]:
    with half_way(tmp_path_factory.mktemp("damage")) as migration:
        migration.migration.transform()
        migration.migration.load()
        shutil.copytree(migration.stages.data, migration.stages.data.with_name("whole"))
        yield migration


@pytest.fixture
def whole(left: HalfWay) -> HalfWay:
    """The folder, whole again."""
    shutil.rmtree(left.stages.data)
    shutil.copytree(left.stages.data.with_name("whole"), left.stages.data)
    return left


@pytest.mark.parametrize("record", [*RECORDS, *OTHERS])
def test_a_damaged_record_is_named_with_the_command_that_makes_it_anew(
    whole: HalfWay, record: str
) -> None:
    """Never an error of Python, and never a hint to remove what is not made anew."""
    file = whole.stages.data / record
    if record in OTHERS:
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(OTHERS[record]))
    content = file.read_bytes()
    acks = whole.workspace.acks("pets").read_bytes()
    named = False
    for name, damage in damages(content).items():
        for reading, read in READING.items():
            if name != "cut" and reading not in THOROUGH:
                continue
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(damage)
            try:
                read(whole.migration)
            except StagesError as error:
                named = True
                assert "is damaged" in error.message, (name, reading, error.message)
                assert str(file) in error.message
                assert "stages " in (error.hint or "") and "remove" not in (error.hint or "")
                assert not record.endswith(CACHES), (name, reading)
    assert named or record.endswith(CACHES), "damage that nobody notices is taken for content"
    assert whole.workspace.acks("pets").read_bytes() == acks


def test_every_record_has_a_way_on() -> None:
    """Nothing is ready beside these tests for a record that is added later."""
    import_stages()
    below = list(Record.__subclasses__())
    for kind in below:
        below += kind.__subclasses__()
        assert kind.way_on(Path("data/extract/pets/manifest.json")), kind


def test_what_a_probe_wrote_down_may_be_damaged(whole: HalfWay) -> None:
    whole.workspace.probe.write_bytes(b"{")
    assert read_probe(whole.workspace) == Probe()


def test_a_cut_cache_of_the_schema_is_made_anew(whole: HalfWay) -> None:
    """It once had its folder removed, with the acks and the exports in it."""
    file = whole.workspace.schema
    content = file.read_bytes()

    def standing() -> object:
        status = whole.migration.status()
        return status.next, {name: each.transform for name, each in status.tables.items()}

    before = standing()
    for damage in (content[:100], b""):
        file.write_bytes(damage)
        assert standing() == before
        assert json.loads(file.read_bytes())["exported"] == json.loads(content)["exported"]


MADE_ANEW: dict[str, Callable[[Migration], object]] = {
    "targets/default/transform/pets/manifest.json": lambda m: m.transform(),
    "targets/default/transform/_keys/teams.json": lambda m: m.transform(),
    "targets/default/load/people/manifest.json": lambda m: m.load(),
    "targets/default/load/pets/manifest.json": lambda m: m.load(),
    "targets/default/verify/manifest.json": lambda m: m.verify(),
    "targets/default/verify/people.json": lambda m: m.verify(),
    "targets/default/target.json": lambda m: m.load(restart=True),
    "targets/default/failures.json": lambda m: m.load(),
}


@pytest.mark.parametrize("record", MADE_ANEW)
def test_the_command_makes_a_damaged_record_anew(whole: HalfWay, record: str) -> None:
    """And nothing in Convex is lost, doubled or altered."""
    file = whole.stages.data / record
    if record in OTHERS:
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(OTHERS[record]))
    before = whole.pages()
    file.write_bytes(file.read_bytes()[:40])
    MADE_ANEW[record](whole.migration)
    assert whole.pages() == before
    made = json.loads(file.read_bytes())
    # The counts of a verify have tables alone for keys; each table's own file has the number.
    assert made["format"] == 1 if record != "targets/default/verify/manifest.json" else made
    tables = whole.migration.status().tables
    assert all(each.load and each.load.status == "complete" for each in tables.values())


def test_an_import_that_nobody_can_read_is_begun_anew(whole: HalfWay) -> None:
    """What other loads have brought is refused as ever, and stays."""
    file = whole.stages.data / "targets/default/import/manifest.json"
    file.parent.mkdir()
    file.write_bytes(b"{")
    exports = whole.workspace.exports
    exports.mkdir()
    before = whole.pages()
    with pytest.raises(StagesError, match="is damaged") as damaged:
        whole.migration.load()
    assert "load --through import --restart" in (damaged.value.hint or "")
    with pytest.raises(UserError, match="already has documents"):
        whole.migration.load(through="import", restart=True)
    assert whole.pages() == before
    assert not file.exists() and exports.exists()
    whole.migration.load()


def test_check_files_reads_what_nobody_has_written_to(whole: HalfWay) -> None:
    """A disk that has lost a bit by itself changes no time."""
    folder = whole.workspace.transform("pets")
    file = whole.workspace.documents("pets")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    manifest = read_transform(folder)
    assert manifest
    manifest.parts[0].stat = FileStat.of(file.stat())
    write_manifest(folder, manifest)
    whole.stages.run("load")
    refused = whole.stages.run("load", "--check-files", code=1).stderr
    assert "documents.parquet has other content than its manifest says" in refused
    assert "stages transform pets --restart" in refused
    whole.stages.run("transform", "--check-files")
    whole.stages.run("load", "--check-files")

"""The parts of an upload: what may be sent again, and where; the deployment is a stub."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from stages.convex import snapshots
from stages.convex.snapshots import Snapshots
from stages.errors import StagesError, Stopped, Transient
from stages.load.importing import upload
from stages.progress import Silent
from stages.retry import Backoff
from stages.state.fingerprints import hash_file
from stages.state.imports import ImportManifest, read_import
from stages.state.manifests import Part, write_manifest
from stages.state.workspace import Workspace

CONTENT = bytes(range(256)) * 10


@dataclass
class Stub:
    """Keeps parts as storage does: by their number in the cloud, else behind one another.

    `faults`: how each part that is sent fails, in turn: `lost` is kept and not answered, `down` is
    not kept. `uploads`: token → parts.
    """

    parts_may_be_repeated: bool
    faults: list[str] = field(default_factory=list)
    uploads: dict[str, list[tuple[int, bytes]]] = field(default_factory=dict)
    finished: list[bytes] = field(default_factory=list)

    def start_upload(self) -> str:
        token = f"token {len(self.uploads) + 1}"
        self.uploads[token] = []
        return token

    def upload_part(self, token: str, number: int, data: bytes) -> str:
        fault = self.faults.pop(0) if self.faults else ""
        if fault != "down":
            self.uploads[token].append((number, data))
        if fault:
            raise Transient("the connection is gone")
        return f"part {number}"

    def finish_upload(self, token: str, parts: list[Any], mode: str) -> str:
        kept = self.uploads[token]
        if self.parts_may_be_repeated:
            kept = sorted(dict(kept).items())
        assert parts == [f"part {n + 1}" for n in range(len(parts))]
        self.finished.append(b"".join(data for _, data in kept))
        return "the import"


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setattr(upload, "PART_BYTES", 1000)
    monkeypatch.setattr(Backoff, "delay", lambda *_: 0.0)
    workspace_here = Workspace(project=tmp_path, data=tmp_path / "data", target="here")
    workspace_here.imports.mkdir(parents=True)
    (workspace_here.imports / "snapshot.zip").write_bytes(CONTENT)
    return workspace_here


def begun(workspace: Workspace) -> ImportManifest:
    file = workspace.imports / "snapshot.zip"
    part = Part(file=file.name, rows=1, bytes=len(CONTENT), sha256=hash_file(file))
    state = ImportManifest(
        status="uploading", made_from="", mode="append", documents=1, tables={}, file=part
    )
    write_manifest(workspace.imports, state)
    return state


def send(workspace: Workspace, stub: Stub, state: ImportManifest) -> ImportManifest:
    file = workspace.imports / "snapshot.zip"
    return upload.upload(workspace, cast("Snapshots", stub), file, state, Silent())


@pytest.mark.parametrize("cloud", [True, False])
def test_parts_go_one_after_the_other(workspace: Workspace, cloud: bool) -> None:
    stub = Stub(cloud)
    state = send(workspace, stub, begun(workspace))
    assert (state.status, state.import_id) == ("uploaded", "the import")
    assert read_import(workspace) == state
    assert stub.finished == [CONTENT]
    assert [number for number, _ in stub.uploads["token 1"]] == [1, 2, 3]


@pytest.mark.parametrize("fault", ["lost", "down"])
@pytest.mark.parametrize("cloud", [True, False])
def test_a_part_that_fails(workspace: Workspace, cloud: bool, fault: str) -> None:
    """The cloud tells parts by their number. Elsewhere nobody knows if it was kept: all anew."""
    stub = Stub(cloud, ["", fault])
    send(workspace, stub, begun(workspace))
    assert stub.finished == [CONTENT]
    assert len(stub.uploads) == (1 if cloud else 2)


@pytest.mark.parametrize("cloud", [True, False])
def test_an_upload_that_was_stopped(workspace: Workspace, cloud: bool) -> None:
    """The cloud's goes on behind its last part; elsewhere a new one begins."""
    stub = Stub(cloud, ["", *["down"] * 100])
    with pytest.raises(Stopped, match="the connection is gone"):
        send(workspace, stub, begun(workspace))
    stub.faults.clear()
    stopped = read_import(workspace)
    assert stopped
    before = len(stub.uploads)
    send(workspace, stub, stopped)
    assert stub.finished == [CONTENT]
    assert len(stub.uploads) == before + (0 if cloud else 1)
    if cloud:
        assert [number for number, _ in stub.uploads["token 1"]] == [1, 2, 3]


def test_a_damaged_file_is_not_sent(workspace: Workspace) -> None:
    state = begun(workspace)
    (workspace.imports / "snapshot.zip").write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(StagesError, match="other content"):
        send(workspace, Stub(True), state)


def test_a_part_is_as_large_as_storage_wants() -> None:
    assert snapshots.PART_BYTES >= 5 << 20
    assert snapshots.MOST_PARTS < 10_000

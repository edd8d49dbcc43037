"""What is written is private from the start, and the process keeps its own umask."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from stages.errors import Stopped, UserError
from stages.state.durable import make_folder, open_private, write_text
from stages.state.journal import Journal
from stages.state.lock import data_lock
from stages.state.workspace import Workspace


@pytest.fixture(params=[0o000, 0o077], autouse=True)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """One that gives everything to everybody, and one that gives nothing."""
    before = os.umask(request.param)
    try:
        yield request.param
        after = os.umask(request.param)
        assert after == request.param
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_folders_are_private_with_their_new_parents(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o755)
    make_folder(shared / "a" / "b")
    assert mode(shared / "a" / "b") == mode(shared / "a") == 0o700
    assert mode(shared) == 0o755
    make_folder(shared / "a" / "b")


def test_files_are_private(tmp_path: Path) -> None:
    with open_private(tmp_path / "part", "wb") as handle:
        handle.write(b"rows")
        assert mode(tmp_path / "part") == 0o600
    write_text(tmp_path / "text", "text")
    Journal(tmp_path / "journal").close()
    assert mode(tmp_path / "text") == mode(tmp_path / "journal") == 0o600


def workspace(folder: Path) -> Workspace:
    return Workspace(project=folder, data=folder / "data", target="t")


def test_the_lock_keeps_out_every_other_writer(tmp_path: Path) -> None:
    """Of this thread, of another one, until it is let go."""
    refused: list[Stopped] = []

    def write() -> None:
        try:
            with data_lock(workspace(tmp_path)):
                pass
        except Stopped as stopped:
            refused.append(stopped)

    with data_lock(workspace(tmp_path)):
        assert mode(tmp_path / "data" / ".lock") == 0o600
        assert mode(tmp_path / "data") == mode(tmp_path / "data" / "tmp") == 0o700
        write()
        thread = Thread(target=write)
        thread.start()
        thread.join()
    assert len(refused) == 2
    assert "another stages command is writing to" in refused[0].message
    write()
    assert len(refused) == 2


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with (
        pytest.raises(UserError, match="can't be written: Not a directory"),
        data_lock(workspace(tmp_path)),
    ):
        pass

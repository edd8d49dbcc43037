"""convex.json says where a project's functions are, and may be anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from stages.errors import FileError
from stages.state.workspace import functions_folder


def test_it_is_what_convex_json_says(tmp_path: Path) -> None:
    assert functions_folder(tmp_path) == tmp_path / "convex"
    (tmp_path / "convex.json").write_text('{"functions": "src/convex/"}', "utf-8")
    assert functions_folder(tmp_path) == tmp_path / "src" / "convex"


@pytest.mark.parametrize("data", [b"{", b"[]", b"\xff\xfe{", b"[" * 100_000])
def test_what_is_no_such_file_is_named(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "convex.json"
    file.write_bytes(data)
    with pytest.raises(FileError, match="is not as Convex writes it") as error:
        functions_folder(tmp_path)
    assert error.value.file == file


def test_what_can_not_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "convex.json").mkdir()
    with pytest.raises(FileError, match="can't be read"):
        functions_folder(tmp_path)

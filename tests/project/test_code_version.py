"""The hash of the code is another once anything is that makes documents."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from stages.project import code_version

PATTERNS = ("transform/*.py", "transform/sql/*.sql", *code_version.SHARED)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_changed_file_is_another_hash(
    pattern: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "stages"
    shutil.copytree(code_version.PACKAGE, package)
    monkeypatch.setattr(code_version, "PACKAGE", package)
    before = code_version.code_hash.__wrapped__()
    (file, *_) = package.glob(pattern)
    assert code_version.code_hash.__wrapped__() == before
    file.write_bytes(file.read_bytes() + b"\n")
    assert code_version.code_hash.__wrapped__() != before

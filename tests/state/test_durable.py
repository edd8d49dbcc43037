"""Small files: written whole, and over whatever is there."""

from __future__ import annotations

from pathlib import Path

from stages.state.durable import write_text


def test_a_file_that_is_no_text_is_written_over(tmp_path: Path) -> None:
    file = tmp_path / "stages.sql"
    file.write_bytes(b"SELECT '\xe2\x28'")
    write_text(file, "SELECT 1")
    assert file.read_bytes() == b"SELECT 1"
    before = file.stat().st_mtime_ns
    write_text(file, "SELECT 1")
    assert file.stat().st_mtime_ns == before

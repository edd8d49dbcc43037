"""docs/how-to/drift.md prints what its commands print."""

from __future__ import annotations

from pathlib import Path

from stages import sandbox
from tests.init.drift_page import PAGE, filled


def test_the_page_has_what_is_printed(torture: sandbox.State, tmp_path: Path) -> None:
    """`make docs` writes it."""
    assert filled(torture, tmp_path / "blog") == PAGE.read_text("utf-8")

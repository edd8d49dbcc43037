"""docs/reference/files.md is up to date with stages/state/workspace.py."""

from __future__ import annotations

from tests.docs.files_page import PAGE, page


def test_it_names_what_workspace_names() -> None:
    assert PAGE.read_text("utf-8") == page()
    assert "| `…/load/articles/acks.jsonl` |" in page()

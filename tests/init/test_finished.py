"""The models of the first migration are those of init, with its choices taken."""

from __future__ import annotations

from pathlib import Path

from stages import sandbox
from tests.init.finished import PAGE, ROOT, diff, section

MODELS = ROOT / ".planning" / "migrations" / "models"


def test_docs_show_the_diff_of_today(supabase: sandbox.State, tmp_path: Path) -> None:
    text = diff(supabase, tmp_path / "project")
    assert PAGE.read_text("utf-8") == section(text), "make docs"
    # Small: a line in five, each a choice that init had offered or an updated_at that may be null.
    changed = [line for line in text.splitlines() if line.startswith("+ ")]
    lines = sum(len(file.read_text("utf-8").splitlines()) for file in MODELS.glob("*.sql"))
    assert len(changed) * 5 <= lines
    offered = "".join(
        file.read_text("utf-8") for file in (tmp_path / "project").rglob("models/*.sql")
    )
    for line in changed:
        assert f"--   or: {line[1:].strip().rstrip(',')}" in offered


def test_key_models_find_the_same_documents_by_the_same_columns(
    supabase: sandbox.State, tmp_path: Path
) -> None:
    diff(supabase, tmp_path / "project")
    keys = tmp_path / "project" / ".planning" / "migrations" / "keys"
    for table, rule in (
        ("workspaces", "slug"),
        ("contacts", "workspace and phone"),
        ("ariConversations", "workspace and contact"),
    ):
        text = (keys / f"{table}.sql").read_text("utf-8")
        shipped = (ROOT / ".planning" / "migrations" / "keys" / f"{table}.sql").read_text("utf-8")
        assert f"'{rule}' AS rule" in text and f"'{rule}' AS rule" in shipped

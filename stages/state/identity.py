"""Whose rows a folder holds: settings that name another source or target are refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stages.errors import UserError
from stages.state.durable import read_json, write_json

# `ledger` in target.json: it was emptied when the migration was over.
CLEARED = "cleared"


def refuse_other(path: Path, seen: Mapping[str, Any], what: str, ways: str) -> None:
    """Compare who is named, or answers, with who was there before. Nothing is written.

    A value that only one side knows is no difference. Raises UserError with both values and the
    two ways on.
    """
    stored = read_json(path) or {}
    for name, value in seen.items():
        if value is not None and stored.get(name) not in (None, value):
            raise UserError(
                f"{path.parent} belongs to {what} `{stored[name]}`, the settings name `{value}` "
                f"({name})",
                ways,
            )


def record_identity(path: Path, seen: Mapping[str, Any]) -> None:
    """Write down who has answered: from now on the folder is theirs. A known value stays.

    Only after an answer, so that a typo in an address claims no folder.
    """
    stored = read_json(path) or {}
    known = {**stored, **{name: value for name, value in seen.items() if value is not None}}
    if known != stored:
        write_json(path, known)

"""Whose rows a folder holds: settings that name another source or target are refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stages.errors import UserError
from stages.state.durable import read_json, write_json
from stages.state.manifests import Manifest


def require_identity(path: Path, seen: Mapping[str, Any], what: str, ways: str) -> Manifest:
    """Compare who is there with who was there; the first time, write it down.

    A value that only one side knows is learned, not a difference. Raises UserError with both
    values and the two ways on.
    """
    stored = read_json(path) or {}
    for name, value in seen.items():
        if value is not None and stored.get(name) not in (None, value):
            raise UserError(
                f"{path.parent} belongs to {what} `{stored[name]}`, the settings name `{value}` "
                f"({name})",
                ways,
            )
    merged = {**stored, **{name: value for name, value in seen.items() if value is not None}}
    write_json(path, merged)
    return merged

"""The manifest of one table's folder. A part counts only once its manifest names it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stages.state.durable import read_json, write_json
from stages.state.workspace import manifest_file

Manifest = dict[str, Any]


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of one table's folder, or None."""
    return read_json(manifest_file(folder))


def write_manifest(folder: Path, value: Mapping[str, Any]) -> None:
    """Write the manifest of one table's folder, durably."""
    write_json(manifest_file(folder), value)

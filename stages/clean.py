"""Remove staged files, which hold personal data. Nothing in Supabase or Convex is touched."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from stages.checkpoint import read_json, remove
from stages.paths import Paths

if TYPE_CHECKING:
    from stages.sandbox import State


def staged_files(paths: Paths) -> list[Path]:
    """Everything that the stages wrote under data/."""
    there = [
        paths.extracts,
        paths.next_extracts,
        paths.data / "targets",
        paths.source,
        paths.database,
        paths.database.with_suffix(".sql"),
    ]
    return [path for path in there if path.exists()]


def target_files(paths: Paths) -> list[Path]:
    """What belongs to one target only."""
    return [paths.target_folder] if paths.target_folder.exists() else []


def remove_all(files: Iterable[Path]) -> None:
    """Remove files and folders."""
    for file in files:
        remove(file)


def renew_sandbox_targets(paths: Paths, state: State) -> list[str]:
    """Remove the target folders of sandbox deployments that are gone: their documents are, too.

    Returns their names. Folders of real deployments are never touched.
    """
    renewed = []
    for name, deployment in state.deployments.items():
        folder = paths.data / "targets" / name
        identity = read_json(folder / "target.json")
        if identity and identity.get("sandbox") and identity["deployment"] != deployment.name:
            shutil.rmtree(folder)
            renewed.append(name)
    return renewed

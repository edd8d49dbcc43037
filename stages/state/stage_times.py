"""When each stage last did something for a target, and when it ended.

A run that finds everything fresh leaves these times as they are.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stages.state.durable import read_json, write_json
from stages.state.workspace import Workspace


def stage_times(workspace: Workspace) -> dict[str, Any]:
    """Stage → {started, ended} in UTC."""
    return {**(read_json(workspace.extract_times) or {}), **(read_json(workspace.times) or {})}


class StageTimer:
    """Started with a stage; `stop` at its end keeps both moments if the stage wrote a manifest."""

    def __init__(self, workspace: Workspace, stage: str) -> None:
        self._workspace, self._stage = workspace, stage
        self._before = _written(workspace, stage)
        self._started, self._clock = _now(), time.monotonic()

    def stop(self) -> float:
        """The seconds that the stage took."""
        workspace, stage = self._workspace, self._stage
        if _written(workspace, stage) != self._before:
            file = workspace.extract_times if stage == "extract" else workspace.times
            times = {"started": self._started, "ended": _now()}
            write_json(file, {**(read_json(file) or {}), stage: times})
        return time.monotonic() - self._clock


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _written(workspace: Workspace, stage: str) -> dict[Path, int]:
    """Manifests that the stage has written, with their times."""
    # A rollback removes those of the loads.
    folders = {"extract": workspace.extracts, "rollback": workspace.target_folder / "load"}
    folder = folders.get(stage, workspace.target_folder / stage)
    return {file: file.stat().st_mtime_ns for file in folder.glob("**/*.json")}

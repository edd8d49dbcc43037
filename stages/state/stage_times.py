"""When each stage last did something for a target, and when it ended.

A run that finds everything fresh leaves these times as they are.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from stages.state.records import Record, read_whole, write_record
from stages.state.workspace import Workspace, records_under

TimedStage = Literal["extract", "transform", "load", "verify", "rollback"]


class Times(msgspec.Struct, kw_only=True, frozen=True):
    """When a stage started and ended, in UTC."""

    started: str
    ended: str


class TimesFile(Record, kw_only=True, omit_defaults=True):
    """The times of each stage that has run; if the file is damaged, none are known."""

    extract: Times | None = None
    transform: Times | None = None
    load: Times | None = None
    verify: Times | None = None
    rollback: Times | None = None

    @classmethod
    def way_on(cls, file: Path) -> str:
        return "run the stages again: stages extract"


def stage_times(workspace: Workspace) -> dict[str, dict[str, str]]:
    """Stage → {started, ended} in UTC."""
    files = (workspace.extract_times, workspace.times)
    stored = [read_whole(TimesFile, file) or TimesFile() for file in files]
    return {
        stage: msgspec.structs.asdict(times)
        for each in stored
        for stage, times in msgspec.structs.asdict(each).items()
        if times is not None
    }


class StageTimer:
    """Starts with a stage; `stop` at its end records both times if the stage wrote a manifest."""

    def __init__(self, workspace: Workspace, stage: TimedStage) -> None:
        self._workspace, self._stage = workspace, stage
        self._before = _written(workspace, stage)
        self._started, self._clock = _now(), time.monotonic()

    @property
    def wrote(self) -> bool:
        """Whether the stage has written, or removed, a manifest since it started."""
        return _written(self._workspace, self._stage) != self._before

    def stop(self) -> float:
        """Return the seconds that the stage took."""
        workspace, stage = self._workspace, self._stage
        if self.wrote:
            file = workspace.extract_times if stage == "extract" else workspace.times
            times = Times(started=self._started, ended=_now())
            stored = read_whole(TimesFile, file) or TimesFile()
            write_record(file, msgspec.structs.replace(stored, **{stage: times}))
        return time.monotonic() - self._clock


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _written(workspace: Workspace, stage: str) -> dict[Path, int]:
    """Manifests that the stage has written, with their modification times."""
    # A rollback removes the manifests of loads.
    folders = {"extract": workspace.extracts, "rollback": workspace.loads}
    folder = folders.get(stage, workspace.target_folder / stage)
    return {file: file.stat().st_mtime_ns for file in records_under(folder)}

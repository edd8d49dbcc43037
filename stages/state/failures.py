"""Why a table failed, by stage: kept until that stage succeeds for the table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from msgspec import field

from stages.state.records import Record, read_record, read_whole, write_record
from stages.state.workspace import Workspace

Stage = Literal["extract", "transform", "load"]
STAGES: tuple[Stage, ...] = ("extract", "transform", "load")


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a table failed in its last run through a stage, what to do about it, and when (UTC)."""

    reason: str
    hint: str | None
    at: str


class FailuresFile(Record, kw_only=True, omit_defaults=True):
    """Failures by name, for each stage whose failures the file holds."""

    extract: dict[str, Failure] = field(default_factory=dict)
    transform: dict[str, Failure] = field(default_factory=dict)
    load: dict[str, Failure] = field(default_factory=dict)

    @classmethod
    def way_on(cls, file: Path) -> str:
        return "see what still fails with: stages extract; stages transform; stages load"


def read_failures(workspace: Workspace, stage: Stage) -> dict[str, Failure]:
    """What failed in the last run of each table; for an extract, by source."""
    return _of(read_record(FailuresFile, _file(workspace, stage)) or FailuresFile(), stage)


def record_failure(
    workspace: Workspace, stage: Stage, name: str, reason: str, hint: str | None
) -> None:
    """Record why a table failed; the same reason again keeps its time."""
    file, stored = _stored(workspace, stage)
    failures = _of(stored, stage)
    if name not in failures or failures[name].reason != reason:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        failures[name] = Failure(reason=reason, hint=hint, at=at)
        write_record(file, stored)


def forget_failures(workspace: Workspace, stage: Stage, names: Iterable[str]) -> None:
    """Drop the failures of tables that a stage has succeeded for."""
    file, stored = _stored(workspace, stage)
    failures, succeeded = _of(stored, stage), set(names)
    for name in succeeded & failures.keys():
        del failures[name]
    if file.exists():
        write_record(file, stored)


def _file(workspace: Workspace, stage: Stage) -> Path:
    """An extract belongs to the source; the other stages, to the target."""
    return workspace.extract_failures if stage == "extract" else workspace.failures


def _stored(workspace: Workspace, stage: Stage) -> tuple[Path, FailuresFile]:
    """The file, and what it holds. A damaged one is started from scratch: a stage that runs finds
    out again what fails."""
    file = _file(workspace, stage)
    return file, read_whole(FailuresFile, file) or FailuresFile()


def _of(stored: FailuresFile, stage: Stage) -> dict[str, Failure]:
    by_name: dict[str, Failure] = getattr(stored, stage)
    return by_name

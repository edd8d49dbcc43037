"""What kept a table from going on, by stage: kept until that stage succeeds for the table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from stages.state.durable import read_json, write_json
from stages.state.workspace import Workspace

Stage = Literal["extract", "transform", "load"]
STAGES: tuple[Stage, ...] = ("extract", "transform", "load")


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a table failed in its last run through a stage, what to do about it, and when (UTC)."""

    reason: str
    hint: str | None
    at: str


def read_failures(workspace: Workspace, stage: Stage) -> dict[str, Failure]:
    """What failed in the last run of each table; of an extract, by source."""
    stored = (read_json(_file(workspace, stage)) or {}).get(stage, {})
    return {name: Failure(**failure) for name, failure in stored.items()}


def record_failure(
    workspace: Workspace, stage: Stage, name: str, reason: str, hint: str | None
) -> None:
    """Keep why a table failed; the same reason again keeps its time."""
    failures = read_failures(workspace, stage)
    if name not in failures or failures[name].reason != reason:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        failure = Failure(reason=reason, hint=hint, at=at)
        _write(workspace, stage, {**failures, name: failure})


def forget_failures(workspace: Workspace, stage: Stage, names: Iterable[str]) -> None:
    """Drop the failures of tables that a stage has succeeded for."""
    failures, succeeded = read_failures(workspace, stage), set(names)
    left = {name: failure for name, failure in failures.items() if name not in succeeded}
    if left != failures:
        _write(workspace, stage, left)


def _file(workspace: Workspace, stage: Stage) -> Path:
    """An extract belongs to the source; the other stages, to the target."""
    return workspace.extract_failures if stage == "extract" else workspace.failures


def _write(workspace: Workspace, stage: Stage, failures: dict[str, Failure]) -> None:
    file = _file(workspace, stage)
    stored = {name: asdict(failure) for name, failure in failures.items()}
    write_json(file, {**(read_json(file) or {}), stage: stored})

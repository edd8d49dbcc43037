"""Where the report of each target is: the plan's paths are those of the default target."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from stages.project.plan import Plan
from stages.state.durable import read_json
from stages.state.workspace import Workspace


def report_files(workspace: Workspace, plan: Plan) -> tuple[Path, Path]:
    """The JSON and the summary: `report.json`, or `report.production.json` for another target."""
    files = (workspace.project / plan.report_json, workspace.project / plan.report_summary)
    if workspace.is_default_target:
        return files
    json, summary = (file.with_name(_of_target(file, workspace.target)) for file in files)
    return json, summary


def is_report(workspace: Workspace, plan: Plan, file: Path) -> bool:
    """Whether a file beside the plan is the JSON of some target's report."""
    report = (workspace.project / plan.report_json).resolve()
    of_target = Path(_of_target(report, "*"))
    resolved = file.resolve()
    return resolved == report or (
        resolved.parent == report.parent and resolved.match(str(of_target))
    )


def _of_target(file: Path, target: str) -> str:
    return f"{file.stem}.{target}{file.suffix}"


class _Entry(msgspec.Struct):
    status: str
    migrated: int


class _Report(msgspec.Struct):
    tables: dict[str, _Entry]


def read_report(file: Path) -> dict[str, Any] | None:
    """The JSON of a report; None if there is none, or it has another form."""
    stored = read_json(file)
    try:
        msgspec.convert(stored, _Report)
    except msgspec.ValidationError:
        return None
    return stored

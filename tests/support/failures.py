"""What status, rejects and the report show of a table, for failures that are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stages.project.plan import Plan
from stages.rejects import as_text as rejects_as_text
from stages.rejects import list_rejects
from stages.report.build import write_report
from stages.report.files import report_files
from stages.state.durable import read_json
from stages.state.failures import Failure, Stage
from stages.state.workspace import Workspace
from stages.status import Status, as_text, status


@dataclass(frozen=True)
class Shown:
    """Each for people and as data; `entry` is the table's in the report."""

    status: Status
    failures: Mapping[Stage, Failure]
    text: str
    rejects: str
    entry: dict[str, Any]
    summary: str


def shown(workspace: Workspace, plan: Plan, table: str) -> Shown:
    """What is shown of a table now; status as JSON has its failures too."""
    standing = status(workspace, plan, lambda text: text)
    failures = standing.tables[table].failures
    assert list(standing.to_json()["tables"][table]["failures"]) == list(failures)
    assert write_report(workspace, plan, None, 0.0) is None
    file, summary = report_files(workspace, plan)
    return Shown(
        status=standing,
        failures=failures,
        text=as_text(standing),
        rejects=rejects_as_text(list_rejects(workspace, plan, plan.tables.values(), None)),
        entry=(read_json(file) or {})["tables"][table],
        summary=summary.read_text("utf-8"),
    )

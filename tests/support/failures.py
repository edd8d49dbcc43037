"""What status, rejects and the report show for a table with recorded failures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stages.project.plan import Plan
from stages.reject_lines import as_text as rejects_as_text
from stages.rejects import list_rejects
from stages.report.build import write_report
from stages.report.files import report_files
from stages.standing import Status
from stages.state.durable import read_json
from stages.state.failures import Failure, Stage
from stages.state.workspace import Workspace
from stages.status import status
from stages.status_lines import as_text


@dataclass(frozen=True)
class Shown:
    """The outputs as text and as data; `entry` is the table's entry in the report."""

    status: Status
    failures: Mapping[Stage, Failure]
    text: str
    rejects: str
    entry: dict[str, Any]
    summary: str


def shown(workspace: Workspace, plan: Plan, table: str) -> Shown:
    """What is shown for a table now; asserts that the status as JSON has its failures too."""
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

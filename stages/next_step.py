"""The state of a migration in one sentence, and the next command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stages.errors import OverLimit
from stages.load.importing.import_state import open_import
from stages.project.plan import Plan
from stages.standing import ExtractStatus, TableStatus
from stages.state.failures import Failure, Stage
from stages.state.identity import CLEARED, read_target
from stages.state.imports import HandedOver
from stages.state.manifests import Moved, read_load
from stages.state.rolled_back import rollback_begun
from stages.state.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Step:
    """The state of a migration in one sentence, and the next command."""

    verdict: str
    command: str
    finished: bool = False


def step_after(workspace: Workspace, plan: Plan) -> Step | None:
    """Return the step if an import or rollback is unfinished or the ledger is emptied, or None."""
    if open_import(workspace):
        return Step(verdict="an import is under way", command="stages load --through import")
    if read_target(workspace).ledger == CLEARED:
        return Step(
            verdict="the ledger is emptied",
            command="stages verify --final",
        )
    # A later load may have superseded it.
    begun = rollback_begun(workspace, plan.tables)
    left = [name for name in begun if not read_load(workspace.load(name))]
    if not left:
        return None
    return Step(
        verdict="a rollback has not ended",
        command=f"stages rollback {' '.join(left)}",
    )


def next_step(
    tables: Mapping[str, TableStatus],
    only_read: Mapping[str, ExtractStatus | None],
    failed_sources: Mapping[str, Failure],
    over_limit: Sequence[OverLimit],
    handed_over: HandedOver | None,
    *,
    schema_changed: bool,
) -> Step:
    def failed(stage: Stage) -> Step:
        names = [name for name, table in tables.items() if stage in table.failures]
        names += failed_sources if stage == "extract" else []
        listed = ", ".join(names)
        return Step(verdict=f"{stage} failed for {listed}", command=f"stages {stage}")

    def has_failed(stage: Stage) -> bool:
        return any(stage in table.failures for table in tables.values())

    if failed_sources or has_failed("extract"):
        return failed("extract")
    extracts = [table.extract for table in tables.values()] + list(only_read.values())
    if any(extract is None or extract.status == "reading" for extract in extracts):
        return Step(verdict="not everything is extracted", command="stages extract")
    if has_failed("transform"):
        return failed("transform")
    if schema_changed and any(table.transform for table in tables.values()):
        return Step(
            verdict="convex/schema.ts, or stages itself, has changed since transform read it",
            command="stages transform",
        )
    if any(not table.transform or table.transform.stale for table in tables.values()):
        return Step(verdict="not everything is transformed", command="stages transform")
    existing = {
        name: table
        for name, table in tables.items()
        if table.transform and table.transform.status == "complete"
    }
    if not existing:
        return Step(
            verdict="nothing was transformed: the source has none of the plan's tables",
            command="stages check",
        )
    too_many = "more rejects than the plan allows: " + "; ".join(map(str, over_limit))
    rejects = Step(verdict=too_many, command="stages rejects")
    if has_failed("load"):
        return rejects if over_limit else failed("load")
    if any(not table.load or table.load.stale for table in existing.values()):
        if over_limit:
            return rejects
        # Documents imported by hand are not in the ledger yet.
        if handed_over and any(
            not table.load for name, table in tables.items() if name in handed_over.tables
        ):
            return Step(
                verdict="an import is not recorded in the ledger yet",
                command=handed_over.next,
            )
        return Step(verdict="not everything is loaded", command="stages load")
    partial = [name for name, table in existing.items() if not _is_whole(table)]
    if partial:
        return Step(
            verdict=f"some documents of {', '.join(partial)} are not loaded",
            command="stages rejects",
        )
    if any(not table.verify or table.verify.stale for table in existing.values()):
        return Step(verdict="everything is loaded, but not verified", command="stages verify")
    return _last(existing, moved_sources(tables, only_read), rejects if over_limit else None)


def _is_whole(table: TableStatus) -> bool:
    return table.load is not None and table.load.status == "complete"


def _last(
    tables: Mapping[str, TableStatus], moved: Mapping[str, Moved], rejects: Step | None
) -> Step:
    """Return what is left to do when everything is loaded and verified."""
    wrong = [
        f"{name}: {', '.join(table.verify.wrong)}"
        for name, table in tables.items()
        if table.verify and table.verify.wrong
    ]
    if wrong:
        listed = "; ".join(wrong)
        return Step(
            verdict=f"Convex differs from what is staged: {listed}",
            command=f"look into verify/<table>.parquet ({listed}), fix it, then: stages verify",
        )
    if moved:
        return Step(
            verdict=f"the source has moved since it was extracted: {', '.join(moved)}",
            command=f"stages extract --restart {' '.join(moved)}",
        )
    if rejects:
        return rejects
    removed = [
        f"{name}: {table.load.counts['removed']:,}"
        for name, table in tables.items()
        if table.load and table.load.counts.get("removed")
    ]
    if removed:
        listed = "; ".join(removed)
        return Step(
            verdict=f"Convex holds documents that are no longer staged: {listed}",
            command="stages load --prune",
        )
    if not any(table.transform and table.transform.documents for table in tables.values()):
        return Step(
            verdict="nothing was transformed: no row became a document",
            command="stages rejects",
        )
    return Step(
        verdict="everything is loaded and verified",
        command="nothing: everything is loaded and verified; see stages report",
        finished=True,
    )


def moved_sources(
    tables: Mapping[str, TableStatus], only_read: Mapping[str, ExtractStatus | None]
) -> dict[str, Moved]:
    """Return source → what has moved there since it was extracted."""
    extracts = {table.source: table.extract for table in tables.values()} | dict(only_read)
    return {name: each.moved for name, each in extracts.items() if each and each.moved}

"""Remove everything that holds personal data: local staged files, and the ledger in Convex."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import structs

from stages.convex.client import Deployment, FunctionError
from stages.convex.ledger import require_epoch, require_target
from stages.convex.pages import missing_function
from stages.errors import Transient
from stages.layout import counted
from stages.progress import Progress
from stages.project.plan import Plan
from stages.project.settings import Target
from stages.state.durable import remove
from stages.state.identity import CLEARED, SourceIdentity, TargetIdentity, read_target
from stages.state.records import read_whole, write_record
from stages.state.workspace import Workspace, damaged_file

if TYPE_CHECKING:
    from stages.sandbox import Running

# Rows per call; each is read and deleted, well within the limits of a transaction.
MOST_ROWS = 1000


def staged_files(workspace: Workspace) -> list[Path]:
    """Return everything that the stages wrote under data/."""
    others = (
        workspace.targets, workspace.sql_history, workspace.history, workspace.assessment,
    )  # fmt: skip
    return [*extracted_files(workspace), *_there(*others)]


def extracted_files(workspace: Workspace) -> list[Path]:
    """Return what came from the source, and the database of views, which can always be rebuilt."""
    return _there(
        workspace.extracts,
        workspace.next_extracts,
        workspace.extract_failures,
        workspace.extract_times,
        workspace.source,
        damaged_file(workspace.source),
        workspace.database,
        workspace.database_sql,
        *workspace.query_spills(),
    )


def target_files(workspace: Workspace) -> list[Path]:
    """Return the files that belong to this target only."""
    return _there(workspace.target_folder)


def _there(*files: Path) -> list[Path]:
    return [file for file in files if file.exists()]


def remove_all(files: Iterable[Path]) -> None:
    """Remove files and folders."""
    for file in files:
        remove(file)


def clear_ledger(workspace: Workspace, plan: Plan, target: Target, progress: Progress) -> int:
    """Delete every row of the ledger in Convex; the documents stay. Returns how many were deleted.

    As soon as this starts, loads to this target are refused: they would insert all documents a
    second time. Can be run again after a kill. Raises UserError if this is not the ledger that the
    load wrote to, Stopped if the connection to the deployment was lost.
    """
    require_target(workspace, target)
    deleted = 0
    try:
        with Deployment(target) as deployment:
            if read_target(workspace).ledger != CLEARED:
                require_epoch(workspace, deployment, plan.module, claim=False)
                stored = structs.replace(read_target(workspace), ledger=CLEARED)
                write_record(workspace.identity, stored)
            progress.start("clean", "migrationLedger")
            done = False
            while not done:
                answer = deployment.mutation(f"{plan.module}:clearLedger", {"numItems": MOST_ROWS})
                deleted += int(answer["deleted"])
                progress.advance("migrationLedger", int(answer["deleted"]))
                done = answer["isDone"]
    except FunctionError as error:
        raise missing_function(error, deployment) from None
    except Transient as error:
        raise error.stopped("run again: stages clean --ledger") from None
    rows = counted(deleted, "row")
    progress.done("clean", "migrationLedger", f"{rows} deleted; the documents stay")
    return deleted


def hand_steps(plan: Plan, target: Target) -> list[str]:
    """Return the steps that the user must take by hand in the deployment, in order."""
    if target.sandbox:
        return ["stages sandbox reset"]
    return [
        "npx convex env remove MIGRATION_SECRET",
        f"remove convex/{plan.module}.ts, the route /migrate in convex/http.ts with the file that "
        "it leads to, and the table migrationLedger in convex/schema.ts with stagesTables.ts",
        "npx convex deploy",
        "stages verify --final",
        "delete the deploy key that was made for this, and reset the database password and "
        "service key that were used",
    ]


def renew_sandbox_files(workspace: Workspace, running: Running) -> None:
    """Remove files staged from a sandbox that is gone, as its rows and documents are gone too.

    Files from a real source, and the folders of real deployments, are never touched.
    """
    read = read_whole(SourceIdentity, workspace.source)
    if running.source and read and read.sandbox and read.ref != running.source.ref:
        remove_all(extracted_files(workspace))
    for name, deployment in running.deployments.items():
        of_target = replace(workspace, target=name)
        identity = read_whole(TargetIdentity, of_target.identity)
        if identity and identity.sandbox and identity.deployment != deployment.name:
            remove(of_target.target_folder)

"""Restore a ledger that is lost, while the documents exist: the acks say which is whose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.convex.client import Deployment
from stages.convex.ledger import read_epoch, refuse_cleared
from stages.convex.ledger_ops import change_all
from stages.convex.relations import CHANGE_RESULTS
from stages.load.bound_records import read_acks
from stages.load.relations import ACKED
from stages.progress import Progress
from stages.project.plan import Plan
from stages.state.identity import read_target
from stages.state.workspace import Workspace

if TYPE_CHECKING:
    import duckdb


def restore_ledger(
    workspace: Workspace,
    plan: Plan,
    deployment: Deployment,
    connection: duckdb.DuckDBPyConnection,
    progress: Progress,
) -> None:
    """Write the ledger again from the acks, if the deployment has none any more.

    Documents that do not exist (in a deployment that was reset) get no row. If there is a ledger,
    nothing is done: it is authoritative. Documents that the application has changed before count as
    loaded that way, since only the lost ledger could show the difference.
    """
    refuse_cleared(workspace, deployment.target)
    known = read_target(workspace).epoch
    files = {name: workspace.acks(name) for name in plan.tables}
    files = {name: file for name, file in files.items() if file.exists()}
    if known is None or not files or read_epoch(deployment, plan.module) is not None:
        return
    for name, file in files.items():
        read_acks(connection, file)
        progress.start("adopt", name)
        for count in change_all(
            connection,
            deployment,
            f"{plan.module}:adopt",
            name,
            f'SELECT source_id AS "sourceId", document_id AS "documentId", digest FROM {ACKED}',
        ):
            progress.advance(name, count)
        counted = f"SELECT did, count(*) FROM {CHANGE_RESULTS} GROUP BY 1 ORDER BY 1"
        rows = connection.execute(counted).fetchall()
        counts = ", ".join(f"{count:,} {did}" for did, count in rows)
        progress.note(f"  {name}: the ledger is lost, and written again from the acks: {counts}")

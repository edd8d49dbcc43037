"""After an import: ids, acks and the ledger of its tables, as if they had been sent.

Every table gets its ids.parquet first, since tables may refer to one another in any way; then the
ordinary load of each table finds its documents not acknowledged yet, and a LedgerSender writes the
ledger rows of those.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from stages.convex.client import Deployment
from stages.convex.ledger_ops import MOST_RECORDS, change_all, ledger_sql, read_ledger, remove_sql
from stages.convex.schema import Schema
from stages.errors import TableFailed
from stages.load.connection import open_load_connection
from stages.load.context import LoadContext, TableContext
from stages.load.importing.ledger_sender import LedgerSender
from stages.load.importing.snapshot_file import Snapshot
from stages.load.pace import MOST_IN_FLIGHT, Pace
from stages.load.prove import Prover
from stages.load.run import LoadResult
from stages.load.settle import DID
from stages.load.table_load import TableLoad
from stages.progress import Progress
from stages.project.dependencies import dependency_groups
from stages.project.plan import Plan
from stages.sql import file_sql
from stages.state.manifests import Manifest, read_manifest, write_manifest
from stages.state.parts import part_entry
from stages.state.workspace import Workspace

if TYPE_CHECKING:
    import duckdb


def write_import_ledger(
    workspace: Workspace,
    plan: Plan,
    schema: Schema,
    deployment: Deployment,
    snapshot: Snapshot,
    transformed: Mapping[str, Manifest],
    epoch: str | None,
    *,
    replaced: bool,
    progress: Progress,
) -> LoadResult:
    """Write the ledger; what was written already is not asked for again.

    A table that fails is in the result. `replaced`: ledger rows of documents that are gone go too.
    """
    with snapshot.connect() as minting:
        for name in snapshot.numbers:
            _write_ids(workspace, plan, snapshot, minting, name)
    result = LoadResult()
    with open_load_connection(workspace, plan) as connection:
        prover = Prover(connection, deployment, plan.module)
        prover.made_here |= set(snapshot.numbers)
        pace = Pace(most_in_flight=MOST_IN_FLIGHT, most_documents=MOST_RECORDS)
        context = LoadContext(
            workspace=workspace,
            plan=plan,
            schema=schema,
            deployment=deployment,
            connection=connection,
            pace=pace,
            prover=prover,
            progress=progress,
            epoch=epoch,
        )
        if replaced:
            _forget_replaced(workspace, plan, deployment, connection, snapshot, progress)
        for name in (n for g in dependency_groups(schema, plan.tables) for n in g.tables):
            if name not in snapshot.numbers:
                continue
            sender = LedgerSender(
                deployment, f"{plan.module}:adopt", name, snapshot.numbers[name], pace
            )
            table = TableContext.open(context, plan.tables[name], dict(transformed[name]))
            try:
                manifest, _ = TableLoad(table, sender=sender).bring_up_to_date()
            except TableFailed as error:
                result.failed[name] = str(error)
                progress.done("import", name, f"failed: {error}")
                continue
            result.tables[name] = manifest
            progress.done("import", name, f"{manifest['counts']['inserted']:,} imported")
    return result


def _write_ids(
    workspace: Workspace,
    plan: Plan,
    snapshot: Snapshot,
    connection: duckdb.DuckDBPyConnection,
    name: str,
) -> None:
    """ids.parquet, and a manifest that names it and nothing more."""
    folder = workspace.load(name)
    if read_manifest(folder):
        return
    ids = snapshot.write_ids(connection, name, folder)
    write_manifest(
        folder,
        {
            "table": name,
            "source": plan.tables[name].source,
            "status": "partial",
            "made_from": "",
            "channel": "import",
            "content": "",
            "documents": ids.rows,
            "counts": dict.fromkeys((*DID, "refused", "held_back", "removed"), 0),
            "ids": part_entry(ids),
        },
    )


def _forget_replaced(
    workspace: Workspace,
    plan: Plan,
    deployment: Deployment,
    connection: duckdb.DuckDBPyConnection,
    snapshot: Snapshot,
    progress: Progress,
) -> None:
    """Ledger rows of source keys that the import does not have: their documents were replaced."""
    read_ledger(connection, deployment, plan.module, progress)
    for name in snapshot.numbers:
        file = file_sql(workspace.transform(name) / "documents.parquet")
        gone = (
            f"SELECT source_id FROM ({ledger_sql(name)}) l "
            f"ANTI JOIN (SELECT _source_id FROM read_parquet({file})) d "
            "ON d._source_id = l.source_id"
        )
        rows = sum(
            change_all(connection, deployment, f"{plan.module}:remove", name, remove_sql(gone))
        )
        if rows:
            progress.note(f"  {name}: {rows:,} rows of the ledger went with their documents")

"""After an import: ids, acks and the ledger of its tables, as if the documents had been sent.

Every table gets its ids.parquet first, since tables may refer to one another in any way; then the
ordinary load of each table finds its documents without acks, and a LedgerSender writes their ledger
rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.convex.ledger_ops import MOST_RECORDS, change_all, ledger_sql, read_ledger, remove_sql
from stages.errors import TableFailed
from stages.load.connection import open_load_connection
from stages.load.context import LoadContext, TableContext
from stages.load.importing.context import ImportContext
from stages.load.importing.ledger_sender import LedgerSender
from stages.load.importing.snapshot_file import Snapshot
from stages.load.pace import MOST_IN_FLIGHT, Pace
from stages.load.prove import Prover
from stages.load.run import LoadResult
from stages.load.settle import write_ids_only
from stages.load.table_load import TableLoad
from stages.project.dependencies import dependency_groups
from stages.sql import file_sql
from stages.state.failures import forget_failures, record_failure
from stages.state.manifests import LoadManifest
from stages.state.records import read_whole
from stages.state.workspace import manifest_file

if TYPE_CHECKING:
    import duckdb


def write_import_ledger(
    context: ImportContext, snapshot: Snapshot, epoch: str | None, *, replaced: bool
) -> LoadResult:
    """Write the ledger; rows that have an ack are not written again.

    A table that fails is in the result. `replaced`: also remove rows of documents that are gone.
    """
    with snapshot.connect() as minting:
        for name in snapshot.numbers:
            _write_ids(context, snapshot, minting, name)
    result = LoadResult()
    with open_load_connection(context.workspace, context.plan) as connection:
        load = _load_context(context, snapshot, connection, epoch)
        if replaced:
            _forget_replaced(context, connection, snapshot)
        groups = dependency_groups(context.schema, context.plan.tables)
        for name in (name for group in groups for name in group.tables):
            if name in snapshot.numbers:
                _load_table(context, load, snapshot, name, result)
    return result


def _load_context(
    context: ImportContext,
    snapshot: Snapshot,
    connection: duckdb.DuckDBPyConnection,
    epoch: str | None,
) -> LoadContext:
    prover = Prover(connection, context.deployment, context.plan.module)
    prover.made_here |= set(snapshot.numbers)
    return LoadContext(
        workspace=context.workspace,
        plan=context.plan,
        schema=context.schema,
        deployment=context.deployment,
        connection=connection,
        pace=Pace(most_in_flight=MOST_IN_FLIGHT, most_documents=MOST_RECORDS),
        prover=prover,
        progress=context.progress,
        epoch=epoch,
    )


def _load_table(
    context: ImportContext, load: LoadContext, snapshot: Snapshot, name: str, result: LoadResult
) -> None:
    adopt = f"{context.plan.module}:adopt"
    sender = LedgerSender(context.deployment, adopt, name, snapshot.numbers[name], load.pace)
    table = TableContext.open(load, context.plan.tables[name], context.transformed[name])
    try:
        manifest, _ = TableLoad(table, sender=sender).bring_up_to_date()
    except TableFailed as error:
        result.failed[name] = str(error)
        record_failure(context.workspace, "load", name, error.message, error.hint)
        context.progress.done("import", name, f"failed: {error}")
        return
    forget_failures(context.workspace, "load", [name])
    result.tables[name] = manifest
    context.progress.done("import", name, f"{manifest.counts['inserted']:,} imported")


def _write_ids(
    context: ImportContext, snapshot: Snapshot, connection: duckdb.DuckDBPyConnection, name: str
) -> None:
    """Write ids.parquet, and a manifest that names nothing else."""
    folder = context.workspace.load(name)
    if read_whole(LoadManifest, manifest_file(folder)):
        return
    ids = snapshot.write_ids(connection, name, context.workspace.ids(name))
    write_ids_only(folder, context.plan.tables[name], "import", ids)


def _forget_replaced(
    context: ImportContext, connection: duckdb.DuckDBPyConnection, snapshot: Snapshot
) -> None:
    """Remove ledger rows of source keys that the import does not have: their documents are gone."""
    deployment, module = context.deployment, context.plan.module
    read_ledger(connection, deployment, module, context.progress)
    for name in snapshot.numbers:
        file = file_sql(context.workspace.documents(name))
        gone = (
            f"SELECT source_id FROM ({ledger_sql(name)}) l "
            f"ANTI JOIN (SELECT _source_id FROM read_parquet({file})) d "
            "ON d._source_id = l.source_id"
        )
        rows = sum(change_all(connection, deployment, f"{module}:remove", name, remove_sql(gone)))
        if rows:
            context.progress.note(
                f"  {name}: {rows:,} rows of the ledger were removed with their documents"
            )

"""Delete from Convex what is no longer staged: only on request, and only what was loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence

from stages.convex.ledger_ops import change_all, ledger_sql, read_ledger, remove_sql
from stages.convex.relations import CHANGE_RESULTS, LEDGER_ROWS
from stages.load.bound_records import read_acks
from stages.load.context import LoadContext
from stages.load.referrers import keep_parents
from stages.load.relations import ACKED, PRUNABLE, UNSTAGED_ROWS
from stages.load.table_load import TableLoad
from stages.sql import file_sql, first_row, text_sql
from stages.state.journal import Journal
from stages.state.manifests import LoadManifest

SHOWN = 5
# Documents to be deleted by table → whether they may be.
Confirm = Callable[[Mapping[str, int]], bool]


def prune(
    load: LoadContext,
    tables: Sequence[TableLoad],
    manifests: MutableMapping[str, LoadManifest],
    confirm: Confirm,
) -> None:
    """Delete the documents of ledger rows whose source key is not staged, children first.

    Rows that are still at the source but rejected, documents that the application has changed, and
    documents that a remaining document refers to are kept and reported. All of this is known before
    `confirm` is asked. Deletions are recorded in the acks.
    """
    read_ledger(load.connection, load.deployment, load.plan.module, load.progress)
    load.connection.execute(
        f'CREATE OR REPLACE TEMP TABLE {PRUNABLE} ("table" VARCHAR, source_id VARCHAR, '
        "document_id VARCHAR)"
    )
    for table in tables:
        _find_prunable(load, table)
    for name in _count_prunable(load, tables):
        _keep_changed(load, name)
    prunable = _count_prunable(load, tables)
    if prunable:
        keep_parents(load, list(prunable))
        prunable = _count_prunable(load, tables)
    if not prunable:
        load.progress.note("  nothing to prune")
    elif not confirm(prunable):
        load.progress.note("  nothing was deleted")
        return
    for table in reversed(tables):
        name = table.name
        if name in prunable:
            _remove(load, name)
        if manifests[name].counts["removed"]:
            _record_removed(load, table)
            manifests[name] = table.recount(manifests[name])


def _find_prunable(load: LoadContext, table: TableLoad) -> None:
    """Add the table's rows to `prunable`, and note what is only rejected."""
    documents = file_sql(table.context.staged)
    rejects = file_sql(table.context.rejected)
    execute = load.connection.execute
    execute(
        f"CREATE OR REPLACE TEMP TABLE {UNSTAGED_ROWS} AS SELECT source_id, document_id FROM "
        f"({ledger_sql(table.name)}) l "
        f"ANTI JOIN (SELECT _source_id FROM read_parquet({documents})) d "
        "ON d._source_id = l.source_id"
    )
    execute(
        f"INSERT INTO {PRUNABLE} SELECT {text_sql(table.name)}, source_id, document_id "
        f"FROM {UNSTAGED_ROWS} ANTI JOIN (SELECT source_id FROM read_parquet({rejects})) r "
        "USING (source_id)"
    )
    unstaged, prunable = first_row(
        load.connection,
        f"SELECT (SELECT count(*) FROM {UNSTAGED_ROWS}), "
        f"(SELECT count(*) FROM ({_prunable_sql(table.name)}))",
    )
    kept = unstaged - prunable
    if kept:
        load.progress.note(f"  {table.name}: {kept:,} kept, rejected now but still at the source")


def _prunable_sql(table: str) -> str:
    return f'SELECT source_id FROM {PRUNABLE} WHERE "table" = {text_sql(table)}'


def _count_prunable(load: LoadContext, tables: Sequence[TableLoad]) -> dict[str, int]:
    """Number of `prunable` rows by table, for tables that have any, in the order of `tables`."""
    counts = dict(
        load.connection.execute(f'SELECT "table", count(*) FROM {PRUNABLE} GROUP BY 1').fetchall()
    )
    return {table.name: counts[table.name] for table in tables if table.name in counts}


def _keep_changed(load: LoadContext, name: str) -> None:
    """Remove from `prunable` what the app has changed; Convex only checks, and deletes nothing."""
    _call_remove(load, name, check=True)
    _note_changed(load, name)
    load.connection.execute(
        f'DELETE FROM {PRUNABLE} WHERE "table" = ? AND source_id IN '
        f"(SELECT source_id FROM {CHANGE_RESULTS} WHERE did = 'changed')",
        [name],
    )


def _remove(load: LoadContext, name: str) -> None:
    load.progress.start("prune", name)
    _call_remove(load, name)
    (gone,) = first_row(
        load.connection, f"SELECT count(*) FROM {CHANGE_RESULTS} WHERE did <> 'changed'"
    )
    load.progress.note(f"  {name}: {gone:,} deleted")
    # What the app has changed since the check.
    _note_changed(load, name)
    load.connection.execute(
        f'DELETE FROM {LEDGER_ROWS} WHERE "table" = ? AND source_id IN '
        f"(SELECT source_id FROM {CHANGE_RESULTS} WHERE did <> 'changed')",
        [name],
    )


def _call_remove(load: LoadContext, name: str, *, check: bool = False) -> None:
    """Create `change_results` for the table's rows in `prunable`."""
    function, records = f"{load.plan.module}:remove", remove_sql(_prunable_sql(name))
    for count in change_all(load.connection, load.deployment, function, name, records, check=check):
        if not check:
            load.progress.advance(name, count)


def _note_changed(load: LoadContext, name: str) -> None:
    kept, keys = first_row(
        load.connection,
        f"WITH kept AS (FROM {CHANGE_RESULTS} WHERE did = 'changed') "
        "SELECT (SELECT count(*) FROM kept), "
        "(SELECT string_agg(source_id, ', ' ORDER BY source_id) FROM "
        f"(SELECT source_id FROM kept ORDER BY 1 LIMIT {SHOWN}))",
    )
    if kept:
        load.progress.note(
            f"  {name}: {kept:,} kept, changed by the app: {keys}{', …' if kept > SHOWN else ''}"
        )


def _record_removed(load: LoadContext, table: TableLoad) -> None:
    """Record in the acks which documents are neither staged nor in the ledger any more."""
    documents = file_sql(table.context.staged)
    read_acks(load.connection, table.context.acks)
    rows = load.connection.execute(
        f"SELECT source_id, document_id FROM {ACKED} a "
        f"ANTI JOIN (SELECT _source_id FROM read_parquet({documents})) d "
        "ON d._source_id = a.source_id "
        f"ANTI JOIN ({ledger_sql(table.name)}) l USING (source_id) ORDER BY 1"
    ).fetchall()
    with Journal(table.context.acks) as acks:
        acks.append(
            {"sourceId": row[0], "documentId": row[1], "did": "removed", "digest": ""}
            for row in rows
        )

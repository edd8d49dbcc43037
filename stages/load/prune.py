"""Take back from Convex what is not staged any more: only if asked, and only what was loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence

from stages.convex.ledger_ops import change_all, ledger_sql, read_ledger, remove_sql
from stages.convex.relations import CHANGE_RESULTS, LEDGER_ROWS
from stages.load.bound_records import read_acks
from stages.load.context import LoadContext
from stages.load.relations import ACKED, PRUNABLE_KEYS, UNSTAGED_KEYS
from stages.load.table_load import TableLoad
from stages.sql import file_sql, first_row
from stages.state.journal import Journal
from stages.state.manifests import Manifest

SHOWN = 5
# Documents to be deleted by table → whether they may be.
Confirm = Callable[[Mapping[str, int]], bool]


def prune(
    load: LoadContext,
    tables: Sequence[TableLoad],
    manifests: MutableMapping[str, Manifest],
    confirm: Confirm,
) -> None:
    """Delete the documents of ledger rows whose source key is not staged, children first.

    Rows that are still at the source, but rejected, stay; so do documents that the application has
    changed. Both are reported. What was deleted is recorded among the acks.
    """
    read_ledger(load.connection, load.deployment, load.plan.module, load.progress)
    counts = {table.name: _find_prunable(load, table) for table in tables}
    prunable = {name: rows for name, rows in counts.items() if rows}
    if not prunable:
        load.progress.note("  nothing to prune")
    elif not confirm(prunable):
        load.progress.note("  nothing was deleted")
        return
    for table in reversed(tables):
        name = table.name
        if name in prunable:
            _remove(load, name)
        if manifests[name]["counts"]["removed"]:
            _record_removed(load, table)
            manifests[name] = table.recount(manifests[name])


def _find_prunable(load: LoadContext, table: TableLoad) -> int:
    """Make the temporary table `prunable <name>`; returns its rows."""
    documents = file_sql(table.context.staged)
    rejects = file_sql(load.workspace.transform(table.name) / "rejects.parquet")
    execute = load.connection.execute
    execute(
        f"CREATE OR REPLACE TEMP TABLE {UNSTAGED_KEYS} AS SELECT source_id FROM "
        f"({ledger_sql(table.name)}) l "
        f"ANTI JOIN (SELECT _source_id FROM read_parquet({documents})) d "
        "ON d._source_id = l.source_id"
    )
    execute(
        f"CREATE OR REPLACE TEMP TABLE {PRUNABLE_KEYS.of(table.name)} AS SELECT source_id "
        f"FROM {UNSTAGED_KEYS} ANTI JOIN (SELECT source_id FROM read_parquet({rejects})) r "
        "USING (source_id)"
    )
    unstaged, prunable = first_row(
        load.connection,
        f"SELECT (SELECT count(*) FROM {UNSTAGED_KEYS}), "
        f"(SELECT count(*) FROM {PRUNABLE_KEYS.of(table.name)})",
    )
    kept = unstaged - prunable
    if kept:
        load.progress.note(
            f"  {table.name}: {kept:,} are rejected now, but still at the source: kept"
        )
    return int(prunable)


def _remove(load: LoadContext, name: str) -> None:
    records = remove_sql(f"FROM {PRUNABLE_KEYS.of(name)}")
    load.progress.start("prune", name)
    for count in change_all(
        load.connection, load.deployment, f"{load.plan.module}:remove", name, records
    ):
        load.progress.advance(name, count)
    gone, kept, keys = first_row(
        load.connection,
        f"WITH kept AS (FROM {CHANGE_RESULTS} WHERE did = 'changed') "
        f"SELECT (SELECT count(*) FROM {CHANGE_RESULTS} WHERE did <> 'changed'), "
        "(SELECT count(*) FROM kept), "
        "(SELECT string_agg(source_id, ', ' ORDER BY source_id) FROM "
        f"(SELECT source_id FROM kept ORDER BY 1 LIMIT {SHOWN}))",
    )
    load.progress.note(f"  {name}: {gone:,} deleted")
    if kept:
        load.progress.note(
            f"  {name}: {kept:,} were changed by the app, and are kept: "
            f"{keys}{', …' if kept > SHOWN else ''}"
        )
    load.connection.execute(
        f'DELETE FROM {LEDGER_ROWS} WHERE "table" = ? AND source_id IN '
        f"(SELECT source_id FROM {CHANGE_RESULTS} WHERE did <> 'changed')",
        [name],
    )


def _record_removed(load: LoadContext, table: TableLoad) -> None:
    """Acks of documents that are neither staged nor in the ledger any more say so."""
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

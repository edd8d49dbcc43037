"""Take back from Convex what is not staged any more: only if asked, and only what was loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence

from stages.checkpoint import Journal, Manifest
from stages.convex.values import text_sql
from stages.duck import first_row
from stages.load.bind import read_acks
from stages.load.table import Run, TableLoad
from stages.load.upkeep import AT_ONCE, change, read_ledger

# Documents to be deleted by table → whether they may be.
Confirm = Callable[[Mapping[str, int]], bool]


def prune(
    run: Run,
    tables: Sequence[TableLoad],
    manifests: MutableMapping[str, Manifest],
    confirm: Confirm,
) -> None:
    """Delete the documents of ledger rows whose source key is not staged, children first.

    Rows that are still at the source, but rejected, stay; so do documents that the application has
    changed. Both are told. What was deleted is written down among the acks.
    """
    read_ledger(run.connection, run.deployment, run.plan.module)
    counts = {table.table.name: _find(run, table) for table in tables}
    found = {name: rows for name, rows in counts.items() if rows}
    if not found:
        run.progress.note("  nothing to prune")
    elif not confirm(found):
        run.progress.note("  nothing was deleted")
        return
    for table in reversed(tables):
        name = table.table.name
        if name in found:
            _remove(run, name)
        if manifests[name]["counts"]["removed"]:
            _write_down(run, table)
            manifests[name] = table.recount(manifests[name])


def _find(run: Run, table: TableLoad) -> int:
    """Make the temporary table `prune <name>`(source_id); returns its rows."""
    folder = run.paths.transform(table.table.name)
    documents = text_sql(str(folder / "documents.parquet"))
    rejects = text_sql(str(folder / "rejects.parquet"))
    execute = run.connection.execute
    execute(
        "CREATE OR REPLACE TEMP TABLE unstaged AS SELECT source_id FROM ledger "
        f"ANTI JOIN (SELECT _source_id FROM read_parquet({documents})) d "
        f'ON d._source_id = ledger.source_id WHERE "table" = {text_sql(table.table.name)}'
    )
    execute(
        f"CREATE OR REPLACE TEMP TABLE {_pruned(table.table.name)} AS SELECT source_id "
        f"FROM unstaged ANTI JOIN (SELECT source_id FROM read_parquet({rejects})) r "
        "USING (source_id)"
    )
    found = int(first_row(run.connection, f"SELECT count(*) FROM {_pruned(table.table.name)}")[0])
    kept = int(first_row(run.connection, "SELECT count(*) FROM unstaged")[0]) - found
    if kept:
        run.progress.note(
            f"  {table.table.name}: {kept:,} are rejected now, but still at the source: kept"
        )
    return found


def _pruned(name: str) -> str:
    return f'"prune {name}"'


def _remove(run: Run, name: str) -> None:
    rows = run.connection.execute(f"SELECT source_id FROM {_pruned(name)} ORDER BY 1").fetchall()
    removed, changed = 0, []
    for start in range(0, len(rows), AT_ONCE):
        records = [{"sourceId": row[0]} for row in rows[start : start + AT_ONCE]]
        for result in change(run.deployment, f"{run.plan.module}:remove", name, records):
            if result["did"] == "changed":
                changed.append(result["sourceId"])
            else:
                removed += 1
    run.progress.note(f"  {name}: {removed:,} deleted")
    if changed:
        run.progress.note(
            f"  {name}: {len(changed):,} were changed by the app, and are kept: "
            f"{', '.join(changed[:5])}{', …' if len(changed) > 5 else ''}"
        )
    run.connection.execute(
        'DELETE FROM ledger WHERE "table" = $1 AND source_id IN '
        f"(SELECT source_id FROM {_pruned(name)}) AND NOT list_contains($2::VARCHAR[], source_id)",
        [name, changed],
    )


def _write_down(run: Run, table: TableLoad) -> None:
    """Acks of documents that are neither staged nor in the ledger any more say so."""
    documents = text_sql(str(run.paths.transform(table.table.name) / "documents.parquet"))
    read_acks(run.connection, table.acks)
    rows = run.connection.execute(
        "SELECT source_id, document_id FROM acked a "
        f"ANTI JOIN (SELECT _source_id FROM read_parquet({documents})) d "
        "ON d._source_id = a.source_id "
        'ANTI JOIN (SELECT source_id FROM ledger WHERE "table" = ?) l USING (source_id) ORDER BY 1',
        [table.table.name],
    ).fetchall()
    with Journal(table.acks) as acks:
        acks.append(
            {"sourceId": row[0], "documentId": row[1], "did": "removed", "digest": ""}
            for row in rows
        )

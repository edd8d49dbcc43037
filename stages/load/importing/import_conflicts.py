"""What an import would meet: documents that have its ids, or its source keys, already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from stages.convex.ledger_ops import ledger_sql, read_ledger
from stages.convex.pages import IDS_AT_ONCE, find_missing
from stages.convex.snapshots import Mode, Snapshots
from stages.errors import UserError
from stages.load.importing.snapshot_file import Snapshot
from stages.progress import Progress

if TYPE_CHECKING:
    import duckdb


def refuse_present(
    snapshots: Snapshots, snapshot: Snapshot, module: str, mode: Mode, progress: Progress
) -> None:
    """Raise UserError where --mode append would load a document a second time.

    The other modes leave nothing of what was there before.
    """
    if mode != "append":
        return
    with snapshot.connect() as connection:
        read_ledger(connection, snapshots.deployment, module, progress)
        for table in snapshot.tables:
            if not snapshots.table_size(table.name):
                continue
            minted = snapshot.ids_sql(table.name)
            loaded = (
                f"SELECT l.source_id, l.document_id FROM ({ledger_sql(table.name)}) l "
                f"JOIN ({minted}) m USING (source_id)"
            )
            for sql in (minted, loaded):
                _refuse(connection, snapshots, module, table.name, sql)


def is_imported(
    snapshots: Snapshots,
    snapshot: Snapshot,
    module: str,
    sizes: Mapping[str, int],
    documents: Mapping[str, int],
) -> bool:
    """Whether the tables hold exactly the documents of the import, by their ids: somebody has
    imported the file already, with `npx convex import`."""
    if {name: rows for name, rows in documents.items() if rows} != dict(sizes):
        return False
    with snapshot.connect() as connection:
        return not any(
            missing
            for name in sizes
            for _, missing in _look_up(connection, snapshots, module, name, snapshot.ids_sql(name))
        )


def _refuse(
    connection: duckdb.DuckDBPyConnection,
    snapshots: Snapshots,
    module: str,
    table: str,
    sql: str,
) -> None:
    for rows, missing in _look_up(connection, snapshots, module, table, sql):
        present = [(key, id_) for key, id_ in rows if id_ not in missing]
        if present:
            raise UserError(
                f"{snapshots.deployment.target.label} has documents of `{table}` already that "
                f"would be appended, such as {present[0][0]} ({present[0][1]})",
                "send what has changed with: stages load; or use --mode replace",
            )


def _look_up(
    connection: duckdb.DuckDBPyConnection,
    snapshots: Snapshots,
    module: str,
    table: str,
    sql: str,
) -> Iterator[tuple[list[tuple[str, str]], set[str]]]:
    """The rows (source_id, id) of a query, some at a time, and their ids without a document."""
    rows = connection.execute(sql)
    while part := rows.fetchmany(IDS_AT_ONCE):
        ids = [id_ for _, id_ in part]
        yield part, set(find_missing(snapshots.deployment, module, table, ids))

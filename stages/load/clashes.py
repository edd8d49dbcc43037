"""What an import that appends would meet: its ids, or its source keys, are there already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.convex.snapshots import Mode, Snapshots
from stages.errors import UserError
from stages.load.snapshot import Snapshot
from stages.load.upkeep import read_ledger

if TYPE_CHECKING:
    import duckdb

IDS_AT_ONCE = 2000


def refuse_present(snapshots: Snapshots, snapshot: Snapshot, module: str, mode: Mode) -> None:
    """Raise UserError where --mode append would load a document a second time.

    The other modes leave nothing of what was there before.
    """
    if mode != "append":
        return
    with snapshot.connect() as connection:
        read_ledger(connection, snapshots.deployment, module)
        for table in snapshot.tables:
            if not snapshots.table_size(table.name):
                continue
            minted = snapshot.ids_sql(table.name)
            loaded = (
                "SELECT l.source_id, l.document_id FROM ledger l JOIN "
                f"({minted}) m USING (source_id) WHERE l.\"table\" = '{table.name}'"
            )
            for sql in (minted, loaded):
                _refuse(connection, snapshots, module, table.name, sql)


def _refuse(
    connection: duckdb.DuckDBPyConnection,
    snapshots: Snapshots,
    module: str,
    table: str,
    sql: str,
) -> None:
    """Ask for the ids of a query (source_id, id), some at a time."""
    rows = connection.execute(sql)
    while part := rows.fetchmany(IDS_AT_ONCE):
        asked = [row[1] for row in part]
        args = {"table": table, "documentIds": asked}
        missing = set(snapshots.deployment.query(f"{module}:findMissing", args)["missing"])
        present = [row for row in part if row[1] not in missing]
        if present:
            raise UserError(
                f"{snapshots.deployment.target.label} has documents of `{table}` already that "
                f"would be appended, such as {present[0][0]} ({present[0][1]})",
                "send what has changed with: stages load; or use --mode replace",
            )

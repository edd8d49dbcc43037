"""Existing documents that an import would run into: in its tables, or by its ids or source keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from msgspec import structs

from stages.convex.ledger_ops import ledger_sql, read_ledger
from stages.convex.pages import IDS_AT_ONCE, find_missing
from stages.errors import UserError
from stages.load.importing.context import ImportContext
from stages.load.importing.snapshot_file import Snapshot
from stages.state.imports import ImportManifest

if TYPE_CHECKING:
    import duckdb


def existing_documents(context: ImportContext) -> dict[str, int]:
    """Table → number of documents, for the tables that have some."""
    sizes = {t.name: context.snapshots.table_size(t.name) for t in context.tables}
    return {name: rows for name, rows in sizes.items() if rows}


def refuse_existing(context: ImportContext, existing: Mapping[str, int]) -> None:
    """Raise UserError if there are existing documents."""
    if existing:
        raise UserError(
            f"{context.deployment.target.label} already has documents: {_list_counts(existing)}",
            "send what has changed with: stages load; or say what to do with them: "
            "--mode replace deletes them, --mode append adds to them",
            tables=existing,
        )


def accept_existing(context: ImportContext, state: ImportManifest) -> ImportManifest:
    """Get consent for deleting documents, and export them first; nothing is sent without both.

    Returns the state `uploading`. Raises UserError if the mode does not allow existing documents,
    and what `ImportOptions.confirm` raises without consent.
    """
    label = context.deployment.target.label
    existing = existing_documents(context)
    if state.mode == "require-empty":
        refuse_existing(context, existing)
    if existing and state.mode == "replace":
        context.options.confirm(f"{label} would lose documents: {_list_counts(existing)}")
        context.progress.note("  taking a full export of the existing data")
        export = context.snapshots.export(context.workspace.export)
        context.progress.note(f"  before the import: {export}")
        state = structs.replace(state, export=str(export))
    return context.record(structs.replace(state, status="uploading", replaces=existing))


def refuse_present(context: ImportContext, snapshot: Snapshot, mode: str) -> None:
    """Raise UserError if --mode append would load a document a second time.

    The other modes leave no earlier document in place.
    """
    if mode != "append":
        return
    with snapshot.connect() as connection:
        read_ledger(connection, context.deployment, context.plan.module, context.progress)
        for table in snapshot.tables:
            if not context.snapshots.table_size(table.name):
                continue
            minted = snapshot.ids_sql(table.name)
            loaded = (
                f"SELECT l.source_id, l.document_id FROM ({ledger_sql(table.name)}) l "
                f"JOIN ({minted}) m USING (source_id)"
            )
            for sql in (minted, loaded):
                _refuse(context, connection, table.name, sql)


def is_imported(
    context: ImportContext,
    snapshot: Snapshot,
    existing: Mapping[str, int],
    documents: Mapping[str, int],
) -> bool:
    """Whether the tables hold exactly the documents of the import, by their ids: the file was
    already imported, with `npx convex import`."""
    if {name: rows for name, rows in documents.items() if rows} != dict(existing):
        return False
    with snapshot.connect() as connection:
        return not any(
            missing
            for name in existing
            for _, missing in _look_up(context, connection, name, snapshot.ids_sql(name))
        )


def _refuse(
    context: ImportContext, connection: duckdb.DuckDBPyConnection, table: str, sql: str
) -> None:
    for rows, missing in _look_up(context, connection, table, sql):
        present = [(key, id_) for key, id_ in rows if id_ not in missing]
        if present:
            raise UserError(
                f"{context.deployment.target.label} has documents of `{table}` already that "
                f"would be appended, such as {present[0][0]} ({present[0][1]})",
                "send what has changed with: stages load; or use --mode replace",
                tables=[table],
            )


def _look_up(
    context: ImportContext, connection: duckdb.DuckDBPyConnection, table: str, sql: str
) -> Iterator[tuple[list[tuple[str, str]], set[str]]]:
    """The rows (source_id, id) of a query, in chunks, and those of their ids without a document."""
    rows = connection.execute(sql)
    while part := rows.fetchmany(IDS_AT_ONCE):
        ids = [id_ for _, id_ in part]
        yield part, set(find_missing(context.deployment, context.plan.module, table, ids))


def _list_counts(documents: Mapping[str, int]) -> str:
    return ", ".join(f"{rows:,} of {name}" for name, rows in documents.items())

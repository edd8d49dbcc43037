"""The end of a table's pass: its acks give the ids that children are bound to, the files of
conflicts and of what is gone from the source, the counts, and the manifest."""

from __future__ import annotations

from pathlib import Path

from msgspec import structs

from stages.load.bound_records import Binding, read_acks
from stages.load.connection import LOAD_MEMORY, SETTLE_MEMORY, limit_memory
from stages.load.context import TableContext
from stages.load.relations import ACKED, ACKED_DOCUMENTS, HELD_BACK, REFUSED_KEYS
from stages.project.plan import TargetTable
from stages.rules import Rule
from stages.sql import file_sql, first_row
from stages.state.durable import remove
from stages.state.manifests import LoadManifest, Part, write_manifest
from stages.state.parts import write_parquet
from stages.views import load_rejects_sql

DID = ("inserted", "replaced", "unchanged", "conflict")
SHOWN = 5


def settle(
    table: TableContext,
    binding: Binding,
    deferred: frozenset[str],
    *,
    made_from: str,
    content: str,
    first_pass: bool = False,
) -> LoadManifest:
    """Write ids.parquet, conflicts.parquet, removed.parquet and the manifest; return the last."""
    limit_memory(table.load.connection, SETTLE_MEMORY)
    _read_acked_documents(table)
    counts = _count(table)
    _write_keys(table, table.conflicts, "staged AND did = 'conflict'")
    if deferred and not binding.leave:
        # What waits for its second pass is already in Convex, and has an id.
        table.binding(deferred).hold_back()
    ids = _write_ids(table)
    whole = not (first_pass or counts["refused"] or counts["held_back"])
    manifest = LoadManifest(
        table=table.name,
        source=table.table.source,
        status="complete" if whole else "partial",
        made_from=made_from,
        channel=table.load.deployment.channel,
        content=content,
        documents=table.transformed.documents,
        counts=counts,
        ids=ids,
    )
    write_manifest(table.folder, manifest)
    limit_memory(table.load.connection, LOAD_MEMORY)
    return manifest


def write_ids_only(folder: Path, table: TargetTable, channel: str, ids: Part) -> None:
    """Write a manifest that names ids.parquet and nothing else, so that other documents can be
    bound to these before their table is loaded."""
    write_manifest(
        folder,
        LoadManifest(
            table=table.name,
            source=table.source,
            status="partial",
            made_from="",
            channel=channel,
            content="",
            documents=ids.rows,
            counts=dict.fromkeys((*DID, "refused", "held_back", "removed"), 0),
            ids=ids,
        ),
    )


def recount_removed(table: TableContext, manifest: LoadManifest) -> LoadManifest:
    """The manifest after a prune, with `removed` counted again; nothing else in it changes."""
    _read_acked_documents(table)
    counts = {**manifest.counts, "removed": _report_removed(table)}
    manifest = structs.replace(manifest, counts=counts)
    write_manifest(table.folder, manifest)
    return manifest


def _read_acked_documents(table: TableContext) -> None:
    """Create the temporary table `acked_documents`."""
    read_acks(table.load.connection, table.acks)
    table.load.connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {ACKED_DOCUMENTS} AS SELECT a.source_id, "
        "document_id AS convex_id, did, d._source_id IS NOT NULL AS staged, "
        f"r.source_id IS NOT NULL AS rejected FROM {ACKED} a "
        f"LEFT JOIN (SELECT _source_id FROM read_parquet({file_sql(table.staged)})) d "
        "ON d._source_id = a.source_id "
        "LEFT JOIN (SELECT DISTINCT source_id FROM "
        f"read_parquet({file_sql(table.rejected)})) r USING (source_id)"
    )


def _count(table: TableContext) -> dict[str, int]:
    """Number of staged documents by outcome, and of documents that are no longer staged."""
    connection = table.load.connection
    _read_refused(table)
    did = dict(
        connection.execute(
            f"SELECT did, count(*) FROM {ACKED_DOCUMENTS} a "
            f"ANTI JOIN {HELD_BACK} h ON h._source_id = a.source_id "
            f"ANTI JOIN {REFUSED_KEYS} r USING (source_id) WHERE staged GROUP BY 1"
        ).fetchall()
    )
    counts = {name: did.get(name, 0) for name in DID}
    held_back = int(first_row(connection, f"SELECT count(*) FROM {HELD_BACK}")[0])
    counts["refused"] = table.transformed.documents - held_back - sum(counts.values())
    counts["held_back"] = held_back
    counts["removed"] = _report_removed(table)
    return counts


def _read_refused(table: TableContext) -> None:
    """Create the temporary table `refused_keys`."""
    table.load.connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {REFUSED_KEYS} AS SELECT sourceId AS source_id FROM "
        f"{load_rejects_sql(table.rejects)} WHERE rule = '{Rule.REFUSED}'"
    )


def _report_removed(table: TableContext) -> int:
    """Report what was loaded earlier and is no longer staged; nothing is deleted.

    A row that is only rejected now is still at the source: its document is not counted.
    """
    gone = "NOT staged AND NOT rejected"
    removed = _write_keys(table, table.removed, gone)
    if removed:
        first = table.load.connection.execute(
            f"SELECT source_id FROM {ACKED_DOCUMENTS} WHERE {gone} ORDER BY 1 LIMIT {SHOWN}"
        ).fetchall()
        names = ", ".join(row[0] for row in first) + (", …" if removed > SHOWN else "")
        table.load.progress.note(
            f"  {table.name}: {removed:,} in Convex are no longer staged: {names} "
            f"({table.removed}); delete them with: stages load --prune"
        )
    return removed


def _write_ids(table: TableContext) -> Part:
    reader = table.load.connection.sql(
        f"SELECT source_id, convex_id FROM {ACKED_DOCUMENTS} a "
        f"ANTI JOIN {HELD_BACK} h ON h._source_id = a.source_id WHERE staged ORDER BY 1"
    ).to_arrow_reader()
    return write_parquet(table.ids, reader.schema, reader)


def _write_keys(table: TableContext, file: Path, which: str) -> int:
    """Write some of `acked_documents`, or no file if there are none; return how many."""
    connection = table.load.connection
    sql = f"SELECT source_id, convex_id FROM {ACKED_DOCUMENTS} WHERE {which} ORDER BY 1"
    rows = int(first_row(connection, f"SELECT count(*) FROM ({sql})")[0])
    if rows:
        reader = connection.sql(sql).to_arrow_reader()
        write_parquet(file, reader.schema, reader)
    else:
        remove(file)
    return rows

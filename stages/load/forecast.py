"""`load --dry-run`: what a load would send, and what that would cost. Nothing is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from stages.convex.client import Channel, Deployment
from stages.convex.cost import RECORD_BYTES, batches, ledger_bytes, minutes_at, stored_bytes
from stages.convex.ledger import read_epoch, require_target
from stages.convex.ledger_ops import ledger_sql, read_ledger
from stages.convex.relations import LEDGER_ROWS
from stages.convex.schema import Schema
from stages.convex.values import Shape, document_sql, size_sql
from stages.limits import EMPTY_DOCUMENT_BYTES
from stages.load.bound_records import PENDING, Binding, read_acks
from stages.load.connection import open_load_connection
from stages.load.relations import ACKED
from stages.load.run import ordered_groups, require_keys, require_transformed
from stages.progress import Progress
from stages.project.plan import Plan
from stages.project.settings import Target
from stages.project.staged_schema import staged_shapes, with_references
from stages.reject_lines import first_lines
from stages.rejects import list_rejects
from stages.results import LoadForecast, TableForecast
from stages.sql import file_sql, name_sql, sum_sql, text_sql
from stages.state.identity import read_target
from stages.state.workspace import Workspace
from stages.views import ledger_ids_sql

if TYPE_CHECKING:
    import duckdb

# MiB that a deployment writes per second: one of the smallest class, and of the next.
RATES = (4, 8)
DID = ("inserted", "replaced", "unchanged")
ID_BYTES = 32
INDEXES = ("indexes", "searchIndexes", "vectorIndexes")
SHOWN = 5


def forecast(
    workspace: Workspace,
    plan: Plan,
    schema: Schema,
    target: Target,
    tables: tuple[str, ...],
    channel: Channel | None,
    progress: Progress,
) -> LoadForecast:
    """What a load would do with every table, according to the acks; if these belong to another
    ledger, or a table has none, according to the ledger itself."""
    schema = with_references(schema, plan)
    names = [name for group in ordered_groups(plan, schema, tables) for name in group.tables]
    transformed = {name: require_transformed(workspace, plan, plan.tables[name]) for name in names}
    require_keys(workspace, plan)
    require_target(workspace, target)
    forecasts: dict[str, TableForecast] = {}
    with (
        open_load_connection(workspace, plan) as connection,
        Deployment(target, channel) as deployment,
    ):
        known = read_target(workspace).epoch
        epoch = read_epoch(deployment, plan.module)
        acks = {name: workspace.acks(name) for name in names}
        believed = {name for name in names if known == epoch and acks[name].exists()}
        ids = None
        if epoch is not None and believed != set(names):
            read_ledger(connection, deployment, plan.module, progress)
            ids = ledger_ids_sql(workspace, plan, str(LEDGER_ROWS))
        for name in names:
            if transformed[name].status == "missing":
                continue
            read_acks(connection, acks[name] if name in believed else None)
            if name not in believed and epoch is not None:
                connection.execute(
                    f"INSERT INTO {ACKED} SELECT source_id, document_id, 'unchanged', digest "
                    f"FROM ({ledger_sql(name)})"
                )
            table = plan.tables[name]
            fields = staged_shapes(workspace, schema, name)
            binding = Binding(connection, workspace, plan, table, fields, ids=ids)
            forecasts[name] = _forecast_table(connection, schema, binding)
    total = TableForecast(
        **{key: sum(getattr(each, key) for each in forecasts.values()) for key in _KEYS}
    )
    chosen = [plan.tables[name] for name in names]
    return LoadForecast(
        tables=forecasts,
        total=total,
        minutes=minutes_at(total.written, RATES),
        rejects=list_rejects(workspace, plan, chosen, None)[:SHOWN],
    )


_KEYS = (*DID, "bytes", "batches", "written", "stored")


def _forecast_table(
    connection: duckdb.DuckDBPyConnection, schema: Schema, binding: Binding
) -> TableForecast:
    table, fields = binding.table, binding.fields
    rows = connection.execute(
        "SELECT CASE WHEN a.source_id IS NULL THEN 'inserted' WHEN unbound > 0 "
        f"OR replace(a.digest, {text_sql(PENDING)}, '') <> sha256(document) "
        "THEN 'replaced' ELSE 'unchanged' END AS did, count(*), "
        f"sum(strlen(document) + strlen(b._source_id) + {RECORD_BYTES} + {ID_BYTES} * unbound), "
        "sum(size), sum(strlen(b._source_id)) FROM ("
        "SELECT _source_id, len(_unbound) AS unbound, "
        f"{document_sql(fields, table.keep_null)} AS document FROM ({binding.bound()})) b "
        f"JOIN (SELECT _source_id, {document_size_sql(fields)} AS size FROM "
        f"read_parquet({file_sql(binding.documents)})) s ON s._source_id = b._source_id "
        f"LEFT JOIN {ACKED} a ON a.source_id = b._source_id GROUP BY 1"
    ).fetchall()
    counts = dict.fromkeys(_KEYS, 0)
    for did, documents, size, stored, key_bytes in rows:
        ledger = ledger_bytes(table.name, int(documents), int(key_bytes))
        counts[did] = int(documents)
        counts["stored"] += stored_bytes(int(stored), ledger, _indexes(schema, table.name))
        if did != "unchanged":
            counts["bytes"] += int(size)
            counts["written"] += int(stored) + ledger
    sent = counts["inserted"] + counts["replaced"]
    counts["batches"] = batches(sent, counts["bytes"])
    return TableForecast(**counts)


def document_size_sql(fields: Mapping[str, Shape]) -> str:
    """SQL of the size in Convex of a document as staged; approximate for JSON columns."""
    sizes = [str(EMPTY_DOCUMENT_BYTES)]
    for name, shape in fields.items():
        column = name_sql(name)
        value = f"strlen({column}::VARCHAR)" if shape.sql == "JSON" else size_sql(shape, column)
        absent = 0 if shape.optional else len(name) + 2
        sizes.append(f"CASE WHEN {column} IS NULL THEN {absent} ELSE {len(name) + 1} + {value} END")
    return sum_sql(sizes)


def _indexes(schema: Schema, table: str) -> int:
    """The number of a table's indexes; each is another copy of the table."""
    return sum(len(schema.tables[table].get(kind, ())) for kind in INDEXES)


def as_text(forecast: LoadForecast) -> str:
    """The forecast as text, one line per table."""
    lines = [
        f"{'table':<24} {'inserted':>12} {'replaced':>10} {'unchanged':>12} {'MiB to send':>12} "
        f"{'batches':>8} {'MiB stored':>11}"
    ]
    for name, each in [*forecast.tables.items(), ("in all", forecast.total)]:
        lines.append(
            f"{name:<24} {each.inserted:>12,} {each.replaced:>10,} "
            f"{each.unchanged:>12,} {each.bytes / 2**20:>12,.1f} {each.batches:>8,} "
            f"{each.stored / 2**20:>11,.1f}"
        )
    minutes = " · ".join(f"{n:,.1f} min at {rate}" for rate, n in forecast.minutes.items())
    lines.append(f"about {minutes}; stored: with copies in indexes, and the ledger")
    if forecast.rejects:
        lines.append("the first that are not loaded:")
        lines.append(first_lines(forecast.rejects))
    return "\n".join(lines)

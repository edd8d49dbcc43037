"""The three files of a table are written: documents.parquet, rejects.parquet, changes.parquet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from stages.errors import TableFailed
from stages.sql import file_sql
from stages.state.parts import part_entry, write_parquet, write_zero_rows
from stages.transform.changes import changes_sql
from stages.transform.checked_rows import refuse_failing_orphans, staged_columns
from stages.transform.columns_read import columns_read
from stages.transform.compile import documents_schema
from stages.transform.load_order import is_ordered, ordered_sql, with_order
from stages.transform.reconcile import reconcile, require_ids
from stages.transform.relations import FAILING, KEYED, PASSED, REJECTED
from stages.transform.run_model import CompiledModel
from stages.transform.split_rows import BATCH, SplitRows, view_passed
from stages.transform.table_context import TableContext
from stages.transform.unique import find_collisions, reject_collisions
from stages.transform.urls import class_urls

if TYPE_CHECKING:
    import pyarrow as pa

DOCUMENTS, REJECTS, CHANGES = "documents.parquet", "rejects.parquet", "changes.parquet"
REJECT_COLUMNS = ("source_id", "field", "rule", "reason", "row", "others")
CHANGE_COLUMNS = ("source_id", "field", "rule", "old", "new")
REJECTS_SQL = (
    "SELECT r.source_id, r.field, r.rule, r.reason, to_json(k.row)::VARCHAR AS row, r.others "
    f"FROM {REJECTED} r JOIN {KEYED} k USING (source_id) ORDER BY "
)


def write_files(
    context: TableContext, compiled: CompiledModel, rows: SplitRows, *, collisions_known: bool
) -> dict[str, Any]:
    """Account for the rows, and put the three files in their place; the manifest's part of it.

    `collisions_known`: the rows that collide were found when the table's cycle was proven.
    """
    connection, table = context.connection, context.table
    keys = require_ids(connection, compiled.model, table, rows)
    refuse_failing_orphans(context, compiled)
    if not collisions_known:
        find_collisions(connection, table)
    collide = reject_collisions(connection, table)
    counts = reconcile(connection, table, context.drop_model(), keys)
    # Before anything is in its place: the plan may name what is not there.
    as_it_is = rows.ascends and not collide and not is_ordered(table)
    documents_sql = "" if as_it_is else _documents_sql(context, compiled)
    changes = changes_sql(context, compiled, rows.nulls)
    schema = with_order(table, documents_schema(compiled.fields))
    write_zero_rows(context.folder, schema)
    if as_it_is:
        documents = part_entry(rows.publish(context.folder / DOCUMENTS))
    else:
        documents = _write(context, DOCUMENTS, documents_sql, schema)
    view_passed(connection, context.folder / DOCUMENTS)
    rejects_sql = REJECTS_SQL + context.key_order("r.source_id") if counts.rejects else ""
    rejects = _write(context, REJECTS, rejects_sql, _text_schema(REJECT_COLUMNS))
    changes_part = _write(context, CHANGES, changes, _text_schema(CHANGE_COLUMNS))
    _require_balance(context, counts.source_rows, documents["rows"], rejects["rows"])
    shapes = [field.shape for field in compiled.fields.values()]
    return {
        "source_rows": counts.source_rows,
        "documents": documents["rows"],
        "rejects": rejects["rows"],
        "dropped": counts.dropped,
        "changes": changes_part["rows"],
        "rules": _counts_by_rule(context, rejects),
        "changed": _counts_by_rule(context, changes_part),
        "reads": columns_read(context, compiled.model),
        "urls": class_urls(connection, table, shapes, context.folder / DOCUMENTS),
        "parts": [documents, rejects, changes_part],
    }


def first_documents(context: TableContext, limit: int) -> list[dict[str, Any]]:
    """The first documents that are staged, as dictionaries."""
    file = context.folder / DOCUMENTS
    if not file.exists():
        return []
    rows = context.connection.sql(
        f"SELECT * FROM read_parquet({file_sql(file)}) LIMIT {limit}"
    ).to_arrow_table()
    documents: list[dict[str, Any]] = rows.to_pylist()
    return documents


def _documents_sql(context: TableContext, compiled: CompiledModel) -> str:
    """SQL of the documents in order, for where the file of what passed is not that already."""
    columns = staged_columns(compiled.fields)
    documents = f"SELECT {columns} FROM {PASSED} ANTI JOIN {FAILING} USING (_source_id)"
    if is_ordered(context.table):
        return ordered_sql(context, compiled, documents)
    return f"{documents} ORDER BY {context.key_order('_source_id')}"


def _require_balance(context: TableContext, source_rows: int, documents: int, rejects: int) -> None:
    accounted = documents + rejects
    if context.table.grain == "row" and accounted != source_rows:
        raise TableFailed(
            f"{context.table.name}: {source_rows:,} source rows, but {accounted:,} documents and "
            "rejects",
            "this is a defect of stages: please report it",
        )


def _write(context: TableContext, name: str, sql: str, schema: pa.Schema) -> dict[str, Any]:
    """Write one of the files; empty SQL has no rows."""
    batches = context.connection.sql(sql).to_arrow_reader(BATCH) if sql else ()
    return part_entry(write_parquet(context.folder / name, schema, batches))


def _counts_by_rule(context: TableContext, part: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows of a written file by field and rule, most first."""
    if not part["rows"]:
        return []
    relation = f"read_parquet({file_sql(context.folder / part['file'])})"
    counts = context.connection.execute(
        f"SELECT field, rule, count(*) FROM {relation} GROUP BY ALL ORDER BY 3 DESC, 1, 2"
    ).fetchall()
    return [{"field": field, "rule": rule, "rows": rows} for field, rule, rows in counts]


def _text_schema(names: Iterable[str]) -> pa.Schema:
    import pyarrow as pa

    return pa.schema([pa.field(name, pa.string()) for name in names])

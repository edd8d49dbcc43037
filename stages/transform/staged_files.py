"""Write the three files of a table: documents.parquet, rejects.parquet, changes.parquet."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.errors import TableFailed
from stages.sql import file_sql
from stages.state.manifests import Part, RuleCount, TransformManifest
from stages.state.parts import publish_part, write_parquet, write_zero_rows
from stages.transform.changes import changes_sql
from stages.transform.checked_rows import refuse_failing_orphans, staged_columns
from stages.transform.columns_read import columns_read
from stages.transform.compile import documents_schema
from stages.transform.load_order import is_ordered, ordered_sql, with_order
from stages.transform.models import sql_errors
from stages.transform.reconcile import reconcile, require_ids
from stages.transform.references import put_cause_first
from stages.transform.relations import FAILING, KEYED, PASSED, REJECTED
from stages.transform.run_model import CompiledModel
from stages.transform.split_rows import BATCH, SplitRows, batches_of, view_passed
from stages.transform.table_context import TableContext
from stages.transform.unique import find_collisions, reject_collisions
from stages.transform.urls import class_urls

if TYPE_CHECKING:
    import pyarrow as pa

REJECT_COLUMNS = ("source_id", "field", "rule", "reason", "row", "others")
CHANGE_COLUMNS = ("source_id", "field", "rule", "old", "new")
REJECTS_SQL = (
    "SELECT r.source_id, r.field, r.rule, r.reason, to_json(k.row)::VARCHAR AS row, r.others "
    f"FROM {REJECTED} r JOIN {KEYED} k USING (source_id) ORDER BY "
)


def write_files(
    context: TableContext, compiled: CompiledModel, rows: SplitRows, *, in_cycle: bool
) -> TransformManifest:
    """Account for the rows, and put the three files in place; return the manifest, with `made_from`
    still None.

    `in_cycle`: what collides, and each row's cause, were found when its cycle was checked.
    """
    connection, table, workspace = context.connection, context.table, context.workspace
    file = workspace.documents(table.name)
    keys = require_ids(connection, compiled.model, table, rows)
    refuse_failing_orphans(context, compiled)
    if not in_cycle:
        find_collisions(connection, table)
    collide = reject_collisions(connection, table)
    if in_cycle:
        put_cause_first(connection, table.name)
    counts = reconcile(connection, table, context.drop_model(), keys)
    # Before any file is put in place: the plan may name a column that does not exist, and an
    # expression may fail for a row that the model leaves out.
    as_it_is = rows.ascends and not collide and not is_ordered(table)
    documents_sql = "" if as_it_is else _documents_sql(context, compiled)
    aside = workspace.changed(table.name)
    with sql_errors(compiled.model.name):
        changes = changes_sql(context, compiled, rows.nulls)
        changed = _write(context, aside, changes, _text_schema(CHANGE_COLUMNS))
    schema = with_order(table, documents_schema(compiled.fields))
    write_zero_rows(context.folder, schema)
    documents = rows.publish(file) if as_it_is else _write(context, file, documents_sql, schema)
    view_passed(connection, file)
    rejects_sql = REJECTS_SQL + context.key_order("r.source_id") if counts.rejects else ""
    rejects = _write(
        context, workspace.rejects(table.name), rejects_sql, _text_schema(REJECT_COLUMNS)
    )
    changed = publish_part(changed, aside, workspace.changes(table.name))
    _require_balance(context, counts.source_rows, documents.rows, rejects.rows)
    shapes = [field.shape for field in compiled.fields.values()]
    return TransformManifest(
        table=table.name,
        source=table.source,
        status="complete",
        made_from=None,
        source_rows=counts.source_rows,
        documents=documents.rows,
        rejects=rejects.rows,
        dropped=counts.dropped,
        changes=changed.rows,
        rules=_counts_by_rule(context, rejects),
        changed=_counts_by_rule(context, changed),
        reads=columns_read(context, compiled.model),
        urls=class_urls(connection, table, shapes, file),
        parts=[documents, rejects, changed],
    )


def first_documents(context: TableContext, limit: int) -> list[dict[str, Any]]:
    """The first documents that are staged, as dictionaries."""
    file = context.workspace.documents(context.table.name)
    if not file.exists():
        return []
    rows = context.connection.sql(
        f"SELECT * FROM read_parquet({file_sql(file)}) LIMIT {limit}"
    ).to_arrow_table()
    documents: list[dict[str, Any]] = rows.to_pylist()
    return documents


def _documents_sql(context: TableContext, compiled: CompiledModel) -> str:
    """SQL of the documents in order, for when the file of passed rows can't be used directly."""
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
            "this is a bug in stages: please report it",
        )


def _write(context: TableContext, file: Path, sql: str, schema: pa.Schema) -> Part:
    """Write one of the files; empty SQL means no rows."""
    if not sql:
        return write_parquet(file, schema, ())
    reader = context.connection.sql(sql).to_arrow_reader(BATCH)
    return write_parquet(file, schema, batches_of(reader))


def _counts_by_rule(context: TableContext, part: Part) -> list[RuleCount]:
    """Numbers of rows in a written file by field and rule, highest first."""
    if not part.rows:
        return []
    relation = f"read_parquet({file_sql(context.folder / part.file)})"
    counts = context.connection.execute(
        f"SELECT field, rule, count(*) FROM {relation} GROUP BY ALL ORDER BY 3 DESC, 1, 2"
    ).fetchall()
    return [RuleCount(field=field, rule=rule, rows=rows) for field, rule, rows in counts]


def _text_schema(names: Iterable[str]) -> pa.Schema:
    import pyarrow as pa

    return pa.schema([pa.field(name, pa.string()) for name in names])

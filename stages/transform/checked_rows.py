"""The rows of a model are checked, and split into those that pass and those that fail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from stages.errors import Shortfall
from stages.rules import Rule
from stages.sql import first_row, name_sql
from stages.transform.checked import checked_sql
from stages.transform.compile import Compiled, documents_schema
from stages.transform.models import sql_errors
from stages.transform.references import rule_of
from stages.transform.relations import FAILING
from stages.transform.run_model import CompiledModel
from stages.transform.split_rows import BATCH, SplitRows, not_reported, split_rows
from stages.transform.table_context import TableContext


def checked_rows_sql(context: TableContext, compiled: CompiledModel) -> str:
    """SQL over `modelled` of the staged fields, and of what is wrong with each row."""
    sources = context.target_sources()
    return checked_sql(
        compiled.fields, context.table, context.document, sources, isolated=compiled.isolated
    )


@contextmanager
def split_checked_rows(
    context: TableContext, compiled: CompiledModel, *, counts: bool = True
) -> Iterator[SplitRows]:
    """The rows, split into `passed` and `failing`; the file of passed rows is deleted on exit.

    `counts`: whether they count as rows of the run; those of a cycle are split twice.
    """
    advance = partial(context.progress.advance, context.table.name) if counts else not_reported
    file = context.workspace.passed(context.table.name)
    checked = checked_rows_sql(context, compiled)
    sql = f"SELECT {staged_columns(compiled.fields)}, _failures, _lost FROM ({checked})"
    try:
        with sql_errors(compiled.model.name):
            rows = split_rows(
                context.connection,
                sql,
                documents_schema(compiled.fields),
                file,
                numbers=context.has_number_keys,
                several=context.extracted.rows > BATCH,
                advance=advance,
            )
        yield rows
    finally:
        file.unlink(missing_ok=True)


def staged_columns(fields: Mapping[str, Compiled]) -> str:
    """SQL of the columns of documents.parquet."""
    columns = {name_sql(n): "::VARCHAR" if f.shape.sql == "JSON" else "" for n, f in fields.items()}
    return ", ".join(["_source_id", *(f"{n}{cast} AS {n}" for n, cast in columns.items())])


def refuse_failing_orphans(context: TableContext, compiled: CompiledModel) -> None:
    """Raise Shortfall for a reference without a target if the plan says fail."""
    places = [place for field in compiled.fields.values() for place in field.shape.positions]
    for place in places:
        if rule_of(context.table, place) != "fail":
            continue
        orphans, reason = first_row(
            context.connection,
            "SELECT count(*), min(f.reason) "
            f"FROM (SELECT unnest(_failures) AS f FROM {FAILING}) "
            "WHERE f.field = ? AND f.rule <> ?",
            [place.path, Rule.REQUIRED_NULL],
        )
        if orphans:
            raise Shortfall(
                f"{context.table.name}.{place.path}: {orphans:,} references have no target "
                f"({reason})",
                "the plan says fail for this field; fix the source, or say reject",
                tables=[context.table.name],
                counts={context.table.name: orphans},
            )

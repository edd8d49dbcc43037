"""Run a model: its rows go into `modelled`, with the types and the JSON that its fields need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from stages.convex.values import shapes
from stages.project.models import Model
from stages.sql import name_sql
from stages.transform.compile import Compiled, compile_field
from stages.transform.dimensions import add_dimension_checks
from stages.transform.isolate import isolate_failures
from stages.transform.json_values import column_sql, make_json_values
from stages.transform.lineage import goes_row_by_row
from stages.transform.models import (
    RowFailed,
    at,
    describe,
    hold_keyless,
    key_sql,
    refuse_columns,
    refuse_unknown_tables,
    source_rows,
    sql_errors,
)
from stages.transform.plan_checks import refuse_fields, with_values
from stages.transform.references import listed_refs, refuse_rules
from stages.transform.relations import ISOLATED, KEYED, MODEL_ROWS, MODELLED
from stages.transform.sql_ast import column_lines, parse
from stages.transform.table_context import TableContext

# The row as a whole, under a name that no column has.
WHOLE = '"the whole row"'


@dataclass(frozen=True, kw_only=True)
class CompiledModel:
    """A model as written in its file, DuckDB's parse of it, and its compiled fields.

    `isolated`: expressions fail for some of its rows, and `_failed` in `modelled` says which.
    """

    model: Model
    parsed: Any
    fields: Mapping[str, Compiled]
    isolated: bool = False


def run_model(
    context: TableContext, model: Model, *, in_cycle: bool, isolate: bool = False
) -> CompiledModel:
    """Create the view `modelled`, the values that go through JSON, and `keyed`.

    `in_cycle`: the table is checked together with others, which reads its rows once more.
    `isolate`: an expression of the model has failed for a row. If this shows only when `modelled`
    is read, the reader gets RowFailed, and calls again with `isolate`.
    """
    hold_keyless(context.connection, context.workspace, context.table.source)
    types = describe(context.connection, model.name, model.text)
    columns = [name for name in types if name != "_source_id"]
    compiled = _compile(context, model, types, columns)
    selected = ["_source_id::VARCHAR AS _source_id"]
    selected += [f"{_first_value(compiled.fields[name])} AS {name_sql(name)}" for name in columns]
    head = ", ".join(selected)
    if not isolate:
        try:
            rows = f"SELECT {head} FROM ({with_values(model, context.table, types).text})"
            _make_modelled(context, compiled, rows, in_cycle=in_cycle)
        except RowFailed:
            isolate = True
    if isolate:
        isolate_failures(context.connection, model, derived=context.table.grain == "derived")
        compiled = replace(compiled, isolated=True)
        rows = with_values(replace(model, text=f"FROM {ISOLATED}"), context.table, types).text
        _make_modelled(
            context, compiled, f"SELECT {head}, _failed FROM ({rows})", in_cycle=in_cycle
        )
    make_json_values(context.connection, compiled.fields)
    _make_keyed(context)
    return compiled


def _make_modelled(
    context: TableContext, compiled: CompiledModel, rows: str, *, in_cycle: bool
) -> None:
    run = context.connection.execute
    with sql_errors(compiled.model.name):
        # A query that collects its rows runs here, on all threads, since the pass over them has
        # only one; and DuckDB accepts no view of what it can't serialise, such as PIVOT.
        read_again = in_cycle or _is_read_again(context, compiled.fields.values())
        if read_again or compiled.isolated or not goes_row_by_row(compiled.parsed):
            run(f"CREATE OR REPLACE TEMP TABLE {MODEL_ROWS} AS {rows}")
            rows = f"FROM {MODEL_ROWS}"
        run(f"CREATE OR REPLACE TEMP VIEW {MODELLED} AS {rows}")


def _compile(
    context: TableContext, model: Model, types: Mapping[str, str], columns: list[str]
) -> CompiledModel:
    """The fields of a model whose columns have these types. Raises UserError if they don't fit."""
    plan, table = context.plan, context.table
    fields = shapes(table.name, context.schema.fields(table.name, columns))
    refuse_fields(plan.file, table, fields)
    parsed = parse(context.connection, model.text)
    known = {*context.schema.tables, *plan.tables, *plan.references}
    refuse_unknown_tables(model, parsed, known)
    lines = column_lines(model.text, parsed)
    refuse_columns(model, table, context.document, types, fields, lines)
    refuse_rules(plan, table, fields)
    # A value map returns text, whatever its column was.
    types = {**types, **{name: "VARCHAR" for name in table.values if name in types}}
    compiled = {
        name: compile_field(context.connection, at(model, lines, name), shape, types.get(name))
        for name, shape in fields.items()
    }
    exported = context.schema.tables[table.name]
    compiled = add_dimension_checks(compiled, types, exported)
    return CompiledModel(model=model, parsed=parsed, fields=compiled)


def _first_value(field: Compiled) -> str:
    """SQL of a field's column in `modelled`."""
    column = field.column or "NULL"
    if not field.json:
        return column
    return f"list_transform([{column}], lambda j: {column_sql('j', field.shape)})[1]"


def _is_read_again(context: TableContext, fields: Iterable[Compiled]) -> bool:
    """Whether `modelled` is read more than once, so that it is worth storing."""
    return context.table.grain == "derived" or any(f.json or listed_refs(f) for f in fields)


def _make_keyed(context: TableContext) -> None:
    """Create `keyed(source_id, row)`: the rows that must be accounted for."""
    if context.table.grain == "derived":
        rows = f"SELECT _source_id AS source_id, {WHOLE} AS row FROM {MODELLED} {WHOLE}"
    else:
        key = key_sql(context.workspace, context.table.source)
        source = source_rows(context.workspace, context.table.source)
        rows = f"SELECT {key} AS source_id, {WHOLE} AS row FROM ({source}) {WHOLE}"
    context.connection.execute(f"CREATE OR REPLACE TEMP VIEW {KEYED} AS {rows}")

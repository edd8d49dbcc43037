"""Columns to fields: what makes each field of a table, as far as its model and the schema show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import structs

from stages.convex.schema import Field, Schema
from stages.errors import StagesError
from stages.page.flow import TableFigures
from stages.page.model import MappedField, MappedTable
from stages.page.validator_text import field_text
from stages.project.models import read_model
from stages.project.staged_schema import staged_shapes
from stages.show.model_lines import Made, made_by
from stages.state.workspace import Workspace
from stages.transform.sql_ast import parse

if TYPE_CHECKING:
    import duckdb


def mapped(
    workspace: Workspace,
    schema: Schema | None,
    connection: duckdb.DuckDBPyConnection,
    figures: TableFigures,
    unread: Sequence[str],
) -> MappedTable:
    """The map of one table; if it can't be determined, its `problem` says why."""
    table = figures.table
    columns = {c.name: c.postgres for c in (figures.extracted.columns if figures.extracted else ())}
    known = MappedTable(
        table=table.name, source=table.source, model=table.model, columns=columns, unread=unread
    )

    def without(problem: str) -> MappedTable:
        return structs.replace(known, problem=problem)

    if schema is None:
        return without("convex/schema.ts is not exported yet: run stages extract")
    if table.name not in schema.tables:
        return without(f"convex/schema.ts has no table `{table.name}`")
    try:
        text = read_model(workspace, table.model).text
        shapes = staged_shapes(workspace, schema, table.name)
    except StagesError as error:
        return without(error.message)
    parsed = parse(connection, text)
    fields = schema.fields(table.name, shapes)
    made = made_by(text, parsed, fields)
    converted = _conversions(connection, made)
    found = [
        _field(field, made.get(name), columns, figures, converted.get(name, False))
        for name, field in fields.items()
    ]
    problem = None if made else "the model can't be taken apart"
    return structs.replace(known, fields=found, problem=problem)


def _field(
    field: Field, made: Made | None, columns: Iterable[str], figures: TableFigures, converted: bool
) -> MappedField:
    pieces = [piece.text for piece in made.pieces] if made else []
    named = made.columns if made else frozenset()
    return MappedField(
        name=field.name,
        type=field_text(field),
        optional=field.optional,
        columns=[column for column in columns if column.lower() in named],
        sql="\n".join(pieces),
        converted=converted,
        rejected=sum(loss.rows for loss in figures.rules if _top(loss.field) == field.name),
        changes=[loss for loss in figures.changes if _top(loss.field) == field.name],
    )


def _top(path: str) -> str:
    """The field that a path such as `blocks[].imageId` is in."""
    return path.partition(".")[0].partition("[")[0].partition("{")[0]


def _conversions(
    connection: duckdb.DuckDBPyConnection, made: Mapping[str, Made]
) -> dict[str, bool]:
    """Field → whether a piece of the model that makes it does more than pass a column on."""
    pieces = list(dict.fromkeys(piece.text for each in made.values() for piece in each.pieces))
    parsed = parse(connection, f"SELECT {', '.join(pieces)}") if pieces else None
    items = parsed["statements"][0]["node"]["select_list"] if parsed else []
    passed = {
        text
        for text, item in zip(pieces, items, strict=False)
        if len(items) == len(pieces) and item["type"] in ("COLUMN_REF", "STAR")
    }
    return {
        name: any(piece.text not in passed for piece in each.pieces) for name, each in made.items()
    }

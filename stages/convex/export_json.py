"""Columns → Convex's export JSON, the format of a snapshot's files. See export_json.sql."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources

from stages.convex.values import Shape
from stages.sql import name_sql, text_sql

SCALARS = {
    "string": "to_json({})::VARCHAR",
    "id": "to_json({})::VARCHAR",
    "boolean": "({})::VARCHAR",
    "number": "export_float({})",
    "bigint": "({})::VARCHAR",
    "bytes": "'{{\"$bytes\":\"' || to_base64({}) || '\"}}'",
}


def macros() -> str:
    """The macros that `export_sql` needs, besides those of values.sql."""
    return resources.files("stages.convex").joinpath("export_json.sql").read_text("utf-8")


def export_sql(shape: Shape, value: str) -> str:
    """SQL text of the export JSON of a column that is not NULL."""
    if shape.kind.startswith("array:"):
        inner = _scalar(shape.kind.removeprefix("array:"), "item")
        return (
            f"('[' || array_to_string(list_transform({value}, lambda item: {inner}), ',') || ']')"
        )
    return _scalar(shape.kind, value)


def _scalar(kind: str, value: str) -> str:
    # Everything else is staged as encoded JSON.
    return SCALARS.get(kind, "export_any(({})::VARCHAR)").format(value)


def line_sql(
    fields: Mapping[str, Shape], keep_null: tuple[str, ...], id_: str, creation_time: str | None
) -> str:
    """SQL of a document as a line of documents.jsonl, with its newline.

    A NULL is left out if the field is optional and not in `keep_null`, else it becomes null. A NULL
    creation time is left out.
    """
    pieces = ['\'{"_id":"\'', id_, "'\"'"]
    if creation_time:
        pieces.append(f"',\"_creationTime\":' || export_float({creation_time})")
    for name, shape in fields.items():
        head, value = text_sql(f',"{name}":'), export_sql(shape, name_sql(name))
        absent = shape.optional and not (name in keep_null and shape.nullable)
        if shape.required and shape.kind in SCALARS:
            pieces += [head, value]  # never NULL
        elif absent:
            pieces.append(f"{head} || {value}")
        else:
            pieces.append(f"coalesce({head} || {value}, {head} || 'null')")
    return f"concat({', '.join(pieces)}, '}}' || chr(10))"  # concat skips NULLs

"""Check what the plan says about fields, and apply its value maps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from stages.convex.values import Shape
from stages.project.models import Model
from stages.project.plan import TargetTable
from stages.project.plan_entries import entry_error
from stages.sql import name_sql, text_sql


def refuse_fields(plan_file: Path, table: TargetTable, fields: Mapping[str, Shape]) -> None:
    """Raise UserError if `[tables.NAME]` names a field that is unknown or unsuitable."""
    for entry, name in _named(table):
        if name not in fields:
            raise entry_error(
                plan_file,
                f"tables.{table.name}",
                f"[tables.{table.name}] {entry} names `{name}`, and {table.name} in "
                "convex/schema.ts has no such field",
                entry,
                f"there are: {', '.join(fields)}",
            )
    for name in table.keep_null:
        if not fields[name].nullable:
            raise entry_error(
                plan_file,
                f"tables.{table.name}",
                f"[tables.{table.name}] keep_null names `{name}`, whose validator takes no null",
                "keep_null",
                "make it v.union(…, v.null()) in convex/schema.ts, or leave it out",
            )
    for name in table.values:
        if fields[name].sql != "VARCHAR":
            raise entry_error(
                plan_file,
                f"tables.{table.name}",
                f"[tables.{table.name}] values names `{name}`, which is no text in "
                "convex/schema.ts",
                "values",
                "write CASE … WHEN … THEN … END in the model",
            )


def _named(table: TargetTable) -> Iterator[tuple[str, str]]:
    yield from (("keep_null", name) for name in table.keep_null)
    yield from (("values", name) for name in table.values)
    yield from (("from", name) for name in table.lineage)
    yield from (("unique", name) for group in table.unique for name in group)


def with_values(model: Model, table: TargetTable, types: Mapping[str, str]) -> Model:
    """The model wrapped in the plan's value maps; error lines stay those of the file.

    A text that a map does not name is left unchanged, for the validator to check.
    """
    columns = []
    for name, pairs in table.values.items():
        if name in types:
            column = name_sql(name)
            cases = " ".join(f"WHEN {text_sql(a)} THEN {text_sql(b)}" for a, b in pairs.items())
            columns.append(f"CASE {column}::VARCHAR {cases} ELSE {column}::VARCHAR END AS {column}")
    if not columns:
        return model
    text = f"SELECT * REPLACE ({', '.join(columns)}) FROM ({model.text})"
    return Model(name=model.name, text=text)

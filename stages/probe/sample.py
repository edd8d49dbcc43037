"""Three staged documents that a probe writes, reads back and removes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from stages.convex import export_json
from stages.convex.schema import Schema
from stages.convex.values import Shape
from stages.load.bound_records import Binding
from stages.load.connection import open_load_connection
from stages.project.plan import Plan, TargetTable
from stages.project.staged_schema import staged_shapes
from stages.sql import text_sql
from stages.state.workspace import Workspace

DOCUMENTS = 3


@dataclass(frozen=True, kw_only=True)
class Sample:
    """`documents` are three documents as encoded JSON, with repeats if the table has fewer.

    Everything they refer to already has an id: it is in a reference table, or was loaded before.
    """

    table: TargetTable
    fields: dict[str, Shape]
    documents: list[dict[str, Any]]

    @property
    def text_field(self) -> str | None:
        """A field that takes any text, if there is one."""
        for name, shape in self.fields.items():
            if shape.kind == "string" and not shape.choices and not shape.system_ids:
                return name
        return None


def find_sample(workspace: Workspace, plan: Plan, schema: Schema) -> Sample | None:
    """Documents of the plan's first table that has any whose references all have ids."""
    with open_load_connection(workspace, plan) as connection:
        for table in plan.tables.values():
            if table.name not in schema.tables or not workspace.documents(table.name).exists():
                continue
            fields = staged_shapes(workspace, schema, table.name)
            binding = Binding(connection, workspace, plan, table, fields)
            rows = connection.execute(
                f"SELECT text FROM ({binding.records()}) ORDER BY _source_id LIMIT {DOCUMENTS}"
            ).fetchall()
            documents = [json.loads(text.rstrip(","))["document"] for (text,) in rows]
            if documents:
                full = (documents * DOCUMENTS)[:DOCUMENTS]
                return Sample(table=table, fields=fields, documents=full)
    return None


def export_line(
    workspace: Workspace, plan: Plan, sample: Sample, id_: str, creation_time: float
) -> bytes:
    """The first document as a line of an import, with an id and a creation time in milliseconds."""
    with open_load_connection(workspace, plan) as connection:
        connection.execute(export_json.macros())
        binding = Binding(connection, workspace, plan, sample.table, sample.fields)
        line = export_json.line_sql(sample.fields, sample.table.keep_null, "_id", "_time")
        (row,) = connection.execute(
            f"SELECT {line} FROM (SELECT *, {text_sql(id_)} AS _id, {creation_time!r}::DOUBLE "
            f"AS _time FROM ({binding.bound()}) WHERE len(_unbound) = 0 "
            "ORDER BY _source_id LIMIT 1)"
        ).fetchall()
        return str(row[0]).encode()

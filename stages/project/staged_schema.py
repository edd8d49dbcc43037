"""How tables are staged: the Convex schema with what the plan adds to it, and their fields."""

from __future__ import annotations

import re

from stages.convex.schema import Schema, Validator, staged_schema
from stages.convex.validators.positions import with_reference
from stages.convex.values import Shape, shapes
from stages.project.plan import Plan, TargetTable
from stages.project.plan_entries import entry_error
from stages.state.parts import read_form
from stages.state.workspace import Workspace, form_file


def require_table(schema: Schema, plan: Plan, name: str) -> None:
    """Raise UserError, with the plan's line, if the schema lacks a table of the plan."""
    if name not in schema.tables:
        raise entry_error(
            plan.file,
            f"tables.{name}",
            f"convex/schema.ts has no table `{name}`",
            hint=f"edit {plan.file}, or schema.ts; it has: {', '.join(sorted(schema.tables))}",
        )


def with_references(schema: Schema, plan: Plan) -> Schema:
    """The schema, with the reference fields that the plan names (`references` of a table).

    Raises UserError if the schema has no such place.
    """
    named = {table.name: table for table in plan.tables.values() if table.references}
    if not named:
        return schema
    exported = []
    for table in schema.exported["tables"]:
        document = table["documentType"]
        entry = named.get(table["tableName"])
        if entry:
            document = _named(plan, entry, document)
        exported.append({**table, "documentType": document})
    return Schema({**schema.exported, "tables": exported})


def staged_with_references(workspace: Workspace, plan: Plan) -> Schema | None:
    """schema.ts as last exported, with the reference fields that the plan names; None before."""
    exported = staged_schema(workspace)
    return with_references(exported, plan) if exported else None


def _named(plan: Plan, table: TargetTable, document: Validator) -> Validator:
    _refuse_both(plan, table)
    for path, target in table.references.items():
        with_place = with_reference(document, f".{path}", target)
        if with_place is None:
            raise entry_error(
                plan.file,
                f"tables.{table.name}",
                f"[tables.{table.name}] references names `{path}`, which is neither in "
                f"a v.any() nor a v.id({target!r}) in convex/schema.ts",
                f"references.{path}",
                f"edit {plan.file}: dots go to fields, [] to the items of an array",
            )
        document = with_place
    return document


def _refuse_both(plan: Plan, table: TargetTable) -> None:
    """Raise UserError where one key and every key of the same place are named."""
    steps: dict[str, str] = {}
    for path in table.references:
        for step in re.finditer(r"\{\}|\.[^.\[{]+", f".{path}"):
            place = path[: max(step.start() - 1, 0)]
            kind = "{}" if step[0] == "{}" else "."
            if steps.setdefault(place, kind) != kind:
                raise entry_error(
                    plan.file,
                    f"tables.{table.name}",
                    f"[tables.{table.name}] references names `{place}{{}}`, which means every key, "
                    f"and also one key of `{place}`",
                    f"references.{path}",
                    f"edit {plan.file}: keep one of the two",
                )


def staged_shapes(workspace: Workspace, schema: Schema, table: str) -> dict[str, Shape]:
    """The fields of a transformed table; those of v.any() are the columns that its model gave."""
    columns: list[str] = []
    file = form_file(workspace.transform(table))
    if schema.document(table)["type"] == "any" and file.exists():
        form = read_form(workspace.transform(table), f"stages transform {table} --restart")
        columns = [name for name in form.names if not name.startswith("_")]
    return shapes(table, schema.fields(table, columns))

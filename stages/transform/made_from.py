"""What a table's files are made from, as one fingerprint: while it is the same, they are fresh."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import asdict

from stages.project.code_version import code_hash
from stages.project.freshness import checked_by
from stages.project.models import Model
from stages.state.fingerprints import fingerprint
from stages.state.manifests import read_transform
from stages.transform.table_context import TableContext


def made_from(context: TableContext, model: Model, cycle: Container[str]) -> str:
    """Fingerprint of all that the three files depend on, except the other tables of `cycle`."""
    plan, table, inputs = context.plan, context.table, context.inputs
    transformed = {
        name: read_transform(context.workspace.transform(name))
        for name in context.targets
        if name in plan.tables and name not in cycle
    }
    parents = {name: parent and parent.parts for name, parent in transformed.items()}
    keys = {
        name: inputs.content(f"keys.{name}") for name in context.targets if name in plan.references
    }
    drops = context.drop_model()
    return fingerprint(
        model.text,
        code_hash(),
        parents,
        keys,
        inputs.of(context.connection, model),
        drops and [drops.text, inputs.of(context.connection, drops)],
        inputs.content(f"extract.{table.source}"),
        checked_by(context.schema.tables.get(table.name, {})),
        {**asdict(table), "function": None, "max_rejects": None},
    )

"""`known <target>`: the keys that references are checked against, with those that are rejected."""

from __future__ import annotations

from collections.abc import Container, Mapping

from stages.errors import UserError
from stages.rules import Rule
from stages.sql import file_sql, text_sql
from stages.state.manifests import read_transform
from stages.state.workspace import Workspace
from stages.transform.compile import Compiled
from stages.transform.models import sql_errors
from stages.transform.references import listed_refs
from stages.transform.relations import KNOWN, MODELLED, ORPHANS
from stages.transform.table_context import TableContext

NOTHING = "SELECT '' AS ref, NULL::VARCHAR AS rule, NULL::VARCHAR AS reason WHERE false"


def make_known(context: TableContext, cycle: Container[str] = ()) -> None:
    """Create `known <target>` for all that a table refers to, except the tables of its `cycle`."""
    for target in context.targets:
        if target not in cycle:
            sql = _known_sql(context, target)
            context.connection.execute(f"CREATE OR REPLACE TEMP TABLE {KNOWN.of(target)} AS {sql}")


def _known_sql(context: TableContext, target: str) -> str:
    """SQL of (ref, rule, reason): rule is NULL if the key can be referred to."""
    plan = context.plan
    if target in plan.tables:
        return _documents_sql(context.workspace, target)
    if target in plan.references and plan.references[target].keys is not None:
        return _reference_sql(context.workspace, target)
    return NOTHING


def refuse_unplanned(context: TableContext, fields: Mapping[str, Compiled]) -> None:
    """Raise UserError for a reference to a table that the plan has no keys for.

    Reads `modelled` and `orphans of <field>`. A field that is left out, or always null, needs
    nothing in the plan.
    """
    plan = context.plan
    for target in context.targets:
        reference = plan.references.get(target)
        if target in plan.tables or (reference and reference.keys is not None):
            continue
        found = _first_reference(context, fields, target)
        if found is None:
            continue
        where = f"{context.table.name}.{found[0]} of the row {found[1]} refers to `{target}`"
        if reference:
            raise UserError(
                f"{where}, which has no key model in the plan",
                f"add keys and source to [reference.{target}]",
                tables=[context.table.name],
            )
        raise UserError(
            f"{where}, which is neither in [tables] nor in [reference] of the plan",
            f"add [reference.{target}] with a key model, or [tables.{target}]",
            tables=[context.table.name],
        )


def _first_reference(
    context: TableContext, fields: Mapping[str, Compiled], target: str
) -> tuple[str, str] | None:
    """(field, source key) of a row that refers to `target`; None if there is none."""
    prefix = text_sql(f"{target}:")
    for name, field in fields.items():
        if field.column is None or target not in field.shape.targets:
            continue
        if listed_refs(field):
            refs = f"SELECT _source_id, unnest(refs).r AS ref FROM {ORPHANS.of(name)}"
        else:
            refs = f"SELECT _source_id, {field.column} AS ref FROM {MODELLED}"
        with sql_errors(context.table.model):
            row = context.connection.execute(
                f"SELECT _source_id FROM ({refs}) WHERE starts_with(ref, {prefix}) LIMIT 1"
            ).fetchone()
        if row:
            return name, row[0]
    return None


def _reference_sql(workspace: Workspace, name: str) -> str:
    """`known` of a reference table: what its key model decided."""
    known = file_sql(workspace.known_keys(name))
    rejected = file_sql(workspace.unknown_keys(name))
    prefix = text_sql(f"{name}:")
    return (
        f"SELECT {prefix} || source_id AS ref, NULL::VARCHAR AS rule, NULL::VARCHAR AS reason "
        f"FROM read_parquet({known}) UNION ALL "
        f"SELECT {prefix} || source_id, rule, {prefix} || source_id || ': ' || reason "
        f"FROM read_parquet({rejected})"
    )


def _documents_sql(workspace: Workspace, target: str) -> str:
    """`known` of a table of this plan: its documents, and its rejects, which reject their children.

    A table that is missing from the source has neither: everything that refers to it is an orphan.
    """
    manifest = read_transform(workspace.transform(target))
    if not manifest or not manifest.parts:
        return NOTHING
    documents = file_sql(workspace.documents(target))
    rejects = file_sql(workspace.rejects(target))
    prefix = text_sql(f"{target}:")
    return (
        f"SELECT {prefix} || _source_id AS ref, NULL::VARCHAR AS rule, NULL::VARCHAR AS reason "
        f"FROM read_parquet({documents}) UNION ALL "
        f"SELECT {prefix} || source_id, '{Rule.PARENT_REJECTED}', {prefix} || source_id || "
        f"' is rejected: ' || rule || ' ' || field FROM read_parquet({rejects})"
    )

"""`known <target>`: the keys that references are held against, and those that may not be named."""

from __future__ import annotations

from collections.abc import Container

from stages.errors import UserError
from stages.rules import Rule
from stages.sql import file_sql, text_sql
from stages.state.manifests import read_manifest
from stages.state.workspace import Workspace
from stages.transform.relations import KNOWN
from stages.transform.table_context import TableContext


def make_known(context: TableContext, cycle: Container[str] = ()) -> None:
    """Make `known <target>` for what a table refers to, but for the tables of its `cycle`."""
    for target in context.targets:
        if target not in cycle:
            sql = _known_sql(context, target)
            context.connection.execute(f"CREATE OR REPLACE TEMP TABLE {KNOWN.of(target)} AS {sql}")


def _known_sql(context: TableContext, target: str) -> str:
    """SQL of (ref, rule, reason): rule is NULL where the key can be referred to."""
    plan = context.plan
    if target in plan.references:
        if plan.references[target].keys is None:
            raise UserError(
                f"{context.table.model} refers to `{target}`, which has no key model in the plan",
                f"add keys and source to [reference.{target}]",
            )
        return _reference_sql(context.workspace, target)
    if target in plan.tables:
        return _documents_sql(context.workspace, target)
    raise UserError(
        f"{context.table.name} refers to `{target}`, which is neither in [tables] nor in "
        "[reference] of the plan",
        f"add [reference.{target}] with a key model, or [tables.{target}]",
    )


def _reference_sql(workspace: Workspace, name: str) -> str:
    """`known` of a reference table: what its key model decided."""
    known = file_sql(workspace.keys / f"{name}.parquet")
    rejected = file_sql(workspace.keys / f"{name}.rejects.parquet")
    prefix = text_sql(f"{name}:")
    return (
        f"SELECT {prefix} || source_id AS ref, NULL::VARCHAR AS rule, NULL::VARCHAR AS reason "
        f"FROM read_parquet({known}) UNION ALL "
        f"SELECT {prefix} || source_id, rule, {prefix} || source_id || ': ' || reason "
        f"FROM read_parquet({rejected})"
    )


def _documents_sql(workspace: Workspace, target: str) -> str:
    """`known` of a table of this plan: its documents, and its rejects, which take children along.

    A table that is missing at the source has neither: everything that refers to it is an orphan.
    """
    manifest = read_manifest(workspace.transform(target))
    if not manifest or not manifest["parts"]:
        return "SELECT '' AS ref, NULL::VARCHAR AS rule, NULL::VARCHAR AS reason WHERE false"
    documents = file_sql(workspace.transform(target) / "documents.parquet")
    rejects = file_sql(workspace.transform(target) / "rejects.parquet")
    prefix = text_sql(f"{target}:")
    return (
        f"SELECT {prefix} || _source_id AS ref, NULL::VARCHAR AS rule, NULL::VARCHAR AS reason "
        f"FROM read_parquet({documents}) UNION ALL "
        f"SELECT {prefix} || source_id, '{Rule.PARENT_REJECTED}', {prefix} || source_id || "
        f"' is rejected: ' || rule || ' ' || field FROM read_parquet({rejects})"
    )

"""Where every reference of the source went: bound, made null, or rejected with its row.

The source side is the model's own output, so that transform does not vouch for itself; the other
side is what was read back from Convex. Each row is accounted for by itself, so that one row's loss
is not hidden by another's surplus.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from stages.convex.values import Shape
from stages.errors import StagesError
from stages.machine import is_refusal
from stages.project.models import read_model
from stages.project.plan import TargetTable
from stages.rules import Rule
from stages.sql import file_sql, first_row, name_sql, text_sql
from stages.state.workspace import Workspace
from stages.verify.relations import (
    DIFFERENCES,
    OWNED,
    READ_BACK,
    REFERENCE_ACCOUNTS,
    REJECTED_KEYS,
    SOURCE_REFERENCES,
    UNSENT_KEYS,
)

if TYPE_CHECKING:
    import duckdb

ReferenceCounts = dict[str, int]
COUNTED = ("source", "bound", "nulled")


def count_references(
    connection: duckdb.DuckDBPyConnection,
    workspace: Workspace,
    table: TargetTable,
    fields: Mapping[str, Shape],
) -> dict[str, ReferenceCounts]:
    """Field → {source, bound, nulled, rejected}, counting references that are not null.

    References that are lost or surplus are added to `differences` as `unaccounted`, one row each.
    Reads `read_back`, `owned` and `unsent_keys`. Raises StagesError if the model no longer runs.
    """
    references = {n: s for n, s in fields.items() if "id" in (s.kind, s.item)}
    if not references:
        return {}
    _read_source(connection, workspace, table, references)
    _make_accounts(connection, workspace, table, references)
    _add_unaccounted(connection, references)
    sums = ", ".join(
        f"coalesce(sum({_of(name, counted)}) {which}, 0)"
        for name in references
        for counted, which in (
            ("source", ""),
            ("bound", ""),
            ("nulled", ""),
            ("source", "FILTER (rejected)"),
        )
    )
    totals = [
        int(total) for total in first_row(connection, f"SELECT {sums} FROM {REFERENCE_ACCOUNTS}")
    ]
    return {
        name: dict(zip((*COUNTED, "rejected"), totals[4 * at : 4 * at + 4], strict=True))
        for at, name in enumerate(references)
    }


def _make_accounts(
    connection: duckdb.DuckDBPyConnection,
    workspace: Workspace,
    table: TargetTable,
    references: Mapping[str, Shape],
) -> None:
    """Make `reference_accounts`. In a rejected row nothing counts as bound or made null, though an
    older form of it may still be in Convex."""
    run = connection.execute
    rejects = file_sql(workspace.rejects(table.name))
    changes = file_sql(workspace.changes(table.name))
    run(
        f"CREATE OR REPLACE TEMP TABLE {REJECTED_KEYS} AS SELECT source_id "
        f"FROM read_parquet({rejects}) UNION SELECT source_id FROM {UNSENT_KEYS}"
    )
    bound = ", ".join(
        f"{_positions(shape, 'r.' + name_sql(name))} AS {name_sql(name)}"
        for name, shape in references.items()
    )
    nulled = ", ".join(
        f"count(*) FILTER (rtrim(field, '[]') = {text_sql(name)}) AS {name_sql(name)}"
        for name in references
    )
    counted = ", ".join(
        f"s.{name_sql(name)} AS {_of(name, 'source')}, "
        f"coalesce(b.{name_sql(name)}, 0) AS {_of(name, 'bound')}, "
        f"coalesce(n.{name_sql(name)}, 0) AS {_of(name, 'nulled')}"
        for name in references
    )
    run(
        f"CREATE OR REPLACE TEMP TABLE {REFERENCE_ACCOUNTS} AS "
        f"SELECT s.source_id, x.source_id IS NOT NULL AS rejected, {counted} "
        f"FROM {SOURCE_REFERENCES} s LEFT JOIN {REJECTED_KEYS} x ON x.source_id = s.source_id "
        f"LEFT JOIN (SELECT o.source_id, {bound} FROM {READ_BACK} r "
        f"JOIN {OWNED} o ON o.document_id = r._id) b "
        "ON b.source_id = s.source_id AND x.source_id IS NULL "
        f"LEFT JOIN (SELECT source_id, {nulled} FROM read_parquet({changes}) "
        f"WHERE rule IN ('{Rule.ORPHAN_NULLED}', '{Rule.ORPHAN_DROPPED}') GROUP BY 1) n "
        "ON n.source_id = s.source_id AND x.source_id IS NULL"
    )


def _add_unaccounted(
    connection: duckdb.DuckDBPyConnection, references: Mapping[str, Shape]
) -> None:
    """Add a difference for each reference that is lost, or that Convex has in excess."""
    for name in references:
        source, bound, nulled = (_of(name, counted) for counted in COUNTED)
        connection.execute(
            f"INSERT INTO {DIFFERENCES} SELECT 'unaccounted', a.source_id, o.document_id, "
            f"{text_sql(name)} FROM (SELECT source_id, "
            f"unnest(range(abs({source} - {bound} - {nulled}))) FROM {REFERENCE_ACCOUNTS} "
            f"WHERE NOT rejected AND {source} <> {bound} + {nulled}) a "
            f"LEFT JOIN {OWNED} o ON o.source_id = a.source_id"
        )


def _read_source(
    connection: duckdb.DuckDBPyConnection,
    workspace: Workspace,
    table: TargetTable,
    references: Mapping[str, Shape],
) -> None:
    """Make the temporary table `source_references` from the model's own rows."""
    import duckdb

    model = read_model(workspace, table.model).text
    try:
        columns = {row[0] for row in connection.execute(f"DESCRIBE {model}").fetchall()}
        counted = ", ".join(
            f"{_positions(shape, name_sql(name)) if name in columns else '0'} AS {name_sql(name)}"
            for name, shape in references.items()
        )
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {SOURCE_REFERENCES} AS "
            f"SELECT _source_id::VARCHAR AS source_id, {counted} FROM ({model})"
        )
    except duckdb.Error as error:
        if is_refusal(error):
            raise
        words = str(error).splitlines()[0]
        raise StagesError(
            f"{table.model} can't be run to count its references: {words}",
            f"run: stages transform {table.name}",
        ) from None


def _of(name: str, counted: str) -> str:
    return name_sql(f"{counted} of {name}")


def _positions(shape: Shape, column: str) -> str:
    """SQL: how many references a column holds."""
    if shape.item:
        return f"coalesce(len({column}), 0)"
    return f"({column} IS NOT NULL)::BIGINT"

"""Where every reference of the source went: bound, made null, or rejected with its row.

The source's side is the model's own output, so that transform is not asked about itself; the other
end is what was read back from Convex.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from stages.convex.values import Shape
from stages.errors import StagesError
from stages.project.models import read_model
from stages.project.plan import TargetTable
from stages.sql import file_sql, first_row, name_sql
from stages.state.workspace import Workspace
from stages.verify.relations import OWNED, READ_BACK, REJECTED_KEYS, SOURCE_REFERENCES, UNSENT_KEYS

if TYPE_CHECKING:
    import duckdb

ReferenceCounts = dict[str, int]


def count_references(
    connection: duckdb.DuckDBPyConnection,
    workspace: Workspace,
    table: TargetTable,
    fields: Mapping[str, Shape],
) -> dict[str, ReferenceCounts]:
    """Field → {source, bound, nulled, rejected}, in references that are not null.

    Reads `read_back`, `owned` and `unsent_keys`. Raises StagesError where the model can't be run
    any more.
    """
    references = {n: s for n, s in fields.items() if "id" in (s.kind, s.item)}
    if not references:
        return {}
    _read_source(connection, workspace, table, references)
    run = connection.execute
    rejects = file_sql(workspace.transform(table.name) / "rejects.parquet")
    changes = file_sql(workspace.transform(table.name) / "changes.parquet")
    run(
        f"CREATE OR REPLACE TEMP TABLE {REJECTED_KEYS} AS SELECT source_id "
        f"FROM read_parquet({rejects}) UNION SELECT source_id FROM {UNSENT_KEYS}"
    )
    nulled = dict(
        run(
            "SELECT rtrim(field, '[]'), count(*) "
            f"FROM read_parquet({changes}) c ANTI JOIN {UNSENT_KEYS} u "
            "ON u.source_id = c.source_id "
            "WHERE rule IN ('orphan_nulled', 'orphan_dropped') GROUP BY 1"
        ).fetchall()
    )
    sums = ", ".join(f"coalesce(sum({name_sql(name)}), 0)" for name in references)
    bound = ", ".join(
        f"coalesce(sum({_positions(shape, 'r.' + name_sql(name))}), 0)"
        for name, shape in references.items()
    )
    at_source = first_row(connection, f"SELECT {sums} FROM {SOURCE_REFERENCES}")
    rejected = first_row(
        connection,
        f"SELECT {sums} FROM {SOURCE_REFERENCES} s "
        f"SEMI JOIN {REJECTED_KEYS} r ON r.source_id = s.source_id",
    )
    in_convex = first_row(
        connection,
        f"SELECT {bound} FROM {READ_BACK} r JOIN {OWNED} o ON o.document_id = r._id "
        f"SEMI JOIN {SOURCE_REFERENCES} s ON s.source_id = o.source_id",
    )
    return {
        name: {
            "source": int(at_source[at]),
            "bound": int(in_convex[at]),
            "nulled": nulled.get(name, 0),
            "rejected": int(rejected[at]),
        }
        for at, name in enumerate(references)
    }


def _read_source(
    connection: duckdb.DuckDBPyConnection,
    workspace: Workspace,
    table: TargetTable,
    references: Mapping[str, Shape],
) -> None:
    """Make the temporary table `source_references` of the model's own rows."""
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
        words = str(error).splitlines()[0]
        raise StagesError(
            f"{table.model} can't be run to count its references: {words}",
            f"run: stages transform {table.name}",
        ) from None


def count_unaccounted(references: Mapping[str, ReferenceCounts]) -> int:
    """References of the source that are neither bound nor nulled nor rejected, or are so twice."""
    return sum(
        abs(counts["source"] - counts["bound"] - counts["nulled"] - counts["rejected"])
        for counts in references.values()
    )


def _positions(shape: Shape, column: str) -> str:
    """SQL: how many references a column holds."""
    if shape.item:
        return f"coalesce(len({column}), 0)"
    return f"({column} IS NOT NULL)::BIGINT"

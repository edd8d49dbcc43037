"""Rows that are left out on purpose: `<model>.drop.sql`, a SELECT of _source_id and reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.errors import FileError
from stages.project.models import Model, read_model
from stages.project.plan import TargetTable
from stages.sql import first_row
from stages.state.workspace import Workspace
from stages.transform.models import describe, sql_errors
from stages.transform.relations import DROPPED, KEYED, MODEL_KEYS

if TYPE_CHECKING:
    import duckdb


def drop_model(workspace: Workspace, table: TargetTable) -> Model | None:
    """The table's file of drops, or None."""
    return read_model(workspace, table.drops) if workspace.model(table.drops).exists() else None


def make_dropped(connection: duckdb.DuckDBPyConnection, table: TargetTable, model: Model) -> int:
    """Create `dropped(source_id, reason)` from `model_keys` and `keyed(source_id)`; return its
    number of rows.

    Raises FileError for a row without a key or a reason, for a key that the source does not have,
    that occurs twice, or that the model returns too, and for a derived table.
    """
    if table.grain == "derived":
        raise FileError(
            f"{model.name}: {table.name} is derived, so that there are no rows to leave out",
            f"remove {model.name}, and leave rows out with WHERE in {table.model}",
            file=model.name,
            tables=[table.name],
        )
    columns = describe(connection, model.name, model.text)
    if set(columns) != {"_source_id", "reason"}:
        raise FileError(
            f"{model.name} gives the columns {', '.join(columns)}",
            "a file of drops gives _source_id and reason",
            file=model.name,
            tables=[table.name],
        )
    with sql_errors(model.name):
        (rows,) = first_row(
            connection,
            f"CREATE OR REPLACE TEMP TABLE {DROPPED} AS SELECT _source_id::VARCHAR AS source_id, "
            f"reason::VARCHAR AS reason FROM ({model.text})",
        )
    wrong = {
        "gives a row without a _source_id or a reason": (
            f"SELECT coalesce(source_id, '') FROM {DROPPED} "
            "WHERE source_id IS NULL OR coalesce(trim(reason), '') = ''"
        ),
        "gives the _source_id {0} more than once": (
            f"SELECT source_id FROM {DROPPED} GROUP BY ALL HAVING count(*) > 1"
        ),
        f"gives the _source_id {{0}}, which is no key of {table.source}": (
            f"SELECT source_id FROM {DROPPED} ANTI JOIN {KEYED} USING (source_id)"
        ),
        f"leaves out the _source_id {{0}}, and {table.model} gives it": (
            f"SELECT source_id FROM {DROPPED} d JOIN {MODEL_KEYS} g ON g._source_id = d.source_id"
        ),
    }
    for words, sql in wrong.items():
        (wrong_id,) = first_row(connection, f"SELECT min(source_id) FROM ({sql}) w(source_id)")
        if wrong_id is not None:
            raise FileError(
                f"{model.name} {words.format(wrong_id)}",
                f"a key is either in {table.model} or, once and with a reason, in {model.name}",
                file=model.name,
                tables=[table.name],
            )
    return int(rows)

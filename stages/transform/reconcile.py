"""Reconcile a table: each of its source keys is exactly once among the documents and rejects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stages.errors import FileError
from stages.project.models import Model
from stages.project.plan import TargetTable
from stages.rules import Rule
from stages.sql import first_row
from stages.transform.drops import make_dropped
from stages.transform.relations import DROPPED, FAILING, KEYED, MODEL_KEYS, PASSED, REJECTED
from stages.transform.split_rows import SplitRows

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, kw_only=True)
class Reconciliation:
    """Numbers of rows: the source's, the rejects, and the rejects that were dropped on purpose."""

    source_rows: int
    rejects: int
    dropped: int


@dataclass(frozen=True, kw_only=True)
class Keys:
    """How many rows the model returns, and how many keys the source has."""

    rows: int
    source: int


def require_ids(
    connection: duckdb.DuckDBPyConnection, model: Model, table: TargetTable, split: SplitRows
) -> Keys:
    """Create `model_keys(_source_id)`, the keys of the model's rows, and check it against `keyed`.

    Raises FileError unless each `_source_id` is a key of the source, and occurs once.
    """
    if split.unkeyed:
        raise FileError(
            f"{model.name} gives {split.unkeyed:,} rows without a _source_id",
            "does an outer join leave it null?",
            file=model.name,
            tables=[table.name],
        )
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW {MODEL_KEYS} AS "
        f"SELECT _source_id FROM {PASSED} UNION ALL SELECT _source_id FROM {FAILING}"
    )
    rows = split.part.rows + split.failing
    twice = None
    again = "SELECT _source_id FROM {} GROUP BY _source_id HAVING count(*) > 1"
    if not split.ascends:
        (twice,) = first_row(
            connection, f"SELECT min(_source_id) FROM ({again.format(MODEL_KEYS)})"
        )
    elif split.failing:  # ascending keys are unique
        both = f"SELECT _source_id FROM {FAILING} SEMI JOIN {PASSED} USING (_source_id)"
        (twice,) = first_row(
            connection,
            f"SELECT min(_source_id) FROM ({again.format(FAILING)} UNION ALL {both})",
        )
    if twice is not None:
        raise FileError(
            f"{model.name} gives the _source_id {twice} more than once",
            "does a join match twice? join on what is unique",
            file=model.name,
            tables=[table.name],
        )
    keys, matches = first_row(
        connection,
        f"SELECT (SELECT count(*) FROM {KEYED}), count(*) FROM {MODEL_KEYS} "
        f"SEMI JOIN {KEYED} ON source_id = _source_id",
    )
    if matches < rows:
        (stray,) = first_row(
            connection,
            f"SELECT min(_source_id) FROM {MODEL_KEYS} ANTI JOIN {KEYED} ON source_id = _source_id",
        )
        raise FileError(
            f"{model.name} gives the _source_id {stray}, which is no key of {table.source}",
            'use the key of the source row, or say grain = "derived" in the plan',
            file=model.name,
            tables=[table.name],
        )
    return Keys(rows=rows, source=int(keys))


def reconcile(
    connection: duckdb.DuckDBPyConnection, table: TargetTable, drops: Model | None, keys: Keys
) -> Reconciliation:
    """Create `rejected`: failures, and source rows that are left out, on purpose or not."""
    dropped = make_dropped(connection, table, drops) if drops else 0
    selects = [
        "SELECT _source_id AS source_id, _failures[1].field AS field, "
        "_failures[1].rule AS rule, _failures[1].reason AS reason, "
        f"to_json(_failures[2:])::VARCHAR AS others FROM {FAILING}"
    ]
    # The model's ids are distinct keys of the source: if there are as many, none is left out.
    if keys.rows < keys.source:
        left_out = f"{KEYED} k ANTI JOIN {MODEL_KEYS} g ON g._source_id = k.source_id"
        if drops:
            left_out += f" ANTI JOIN {DROPPED} d ON d.source_id = k.source_id"
        selects.append(
            f"SELECT k.source_id, '', '{Rule.DROPPED_BY_MODEL}', "
            "'the model leaves this row out', '[]' "
            f"FROM {left_out}"
        )
    if drops:
        purpose = Rule.DROPPED_ON_PURPOSE
        selects.append(f"SELECT source_id, '', '{purpose}', reason, '[]' FROM {DROPPED}")
    # CREATE … AS returns how many rows it has made.
    (rejects,) = first_row(
        connection, f"CREATE OR REPLACE TEMP TABLE {REJECTED} AS {' UNION ALL '.join(selects)}"
    )
    return Reconciliation(source_rows=keys.source, rejects=int(rejects), dropped=dropped)

"""Documents in the order of their source keys, sorted only where they are not in it already.

The extract is in key order, and a model that goes through it keeps that order where the keys'
texts have the same one, as UUIDs do. To look is next to nothing; to sort more rows than memory
holds takes longer than all else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

LOOKED_AT = 2048


class OutOfOrder(Exception):
    """Rows do not come in the order of their first column."""


def begins_in_order(connection: duckdb.DuckDBPyConnection, sql: str) -> bool:
    """Whether the first rows of a query come so: most of those that do not tell it there."""
    query = f"SELECT _source_id FROM ({sql}) LIMIT {LOOKED_AT}"
    with connection.sql(query).to_arrow_reader(LOOKED_AT) as reader:
        try:
            for _ in in_order(reader):
                pass
        except OutOfOrder:
            return False
    return True


def in_order(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The batches. Raises OutOfOrder unless the texts of the first column ascend."""
    import pyarrow.compute as pc

    last: str | None = None
    for batch in batches:
        keys = batch.column(0)
        if len(keys):
            steps = pc.less(keys.slice(0, len(keys) - 1), keys.slice(1))
            ascend = pc.all(steps, min_count=0).as_py()
            if not ascend or (last is not None and last >= keys[0].as_py()):
                raise OutOfOrder
            last = keys[-1].as_py()
        yield batch

"""Records as columns, cut into batches: a batch is a slice, and Python sees no single record."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stages.convex.cost import MOST_BYTES
from stages.load.pace import Pace

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

ROWS_AT_ONCE = 2048
BYTES_AT_ONCE = 16 << 20


@dataclass(frozen=True)
class Batch:
    """Some records, in the columns _source_id, digest, and text (a record's JSON and a comma)."""

    columns: pa.RecordBatch

    def __len__(self) -> int:
        return int(self.columns.num_rows)

    @property
    def source_ids(self) -> list[str]:
        ids: list[str] = self.columns.column(0).to_pylist()
        return ids

    @property
    def digests(self) -> list[str]:
        digests: list[str] = self.columns.column(1).to_pylist()
        return digests

    @property
    def size(self) -> int:
        """Bytes of the records' JSON."""
        ends = _ends(self.columns)
        return ends[-1] - ends[0]

    def records(self) -> memoryview:
        """The JSON of all records, with commas between them."""
        ends = _ends(self.columns)
        text = memoryview(self.columns.column(2).buffers()[2])
        return text[ends[0] : ends[-1] - 1]

    def halves(self) -> tuple[Batch, Batch]:
        middle = len(self) // 2
        return Batch(self.columns.slice(0, middle)), Batch(self.columns.slice(middle))


def stream(
    connection: duckdb.DuckDBPyConnection, queries: Iterable[str], documents: Path
) -> Generator[pa.RecordBatch]:
    """The rows of queries over a file of documents, in its order, in batches of limited bytes."""
    import duckdb
    import pyarrow.parquet as pq

    metadata = pq.read_metadata(documents)
    size = sum(int(metadata.row_group(n).total_byte_size) for n in range(metadata.num_row_groups))
    rows = max(1, min(ROWS_AT_ONCE, BYTES_AT_ONCE * int(metadata.num_rows) // max(size, 1)))
    # A single thread keeps the order of the file, and leaves a core for the reader of the rows.
    connection.execute("SET threads = 1")
    try:
        for query in queries:
            # Close it even if it is not read to the end; else the connection stays in use.
            with connection.sql(query).to_arrow_reader(rows) as reader:
                yield from reader
    finally:
        # An interrupt may have closed the connection before this is freed.
        with suppress(duckdb.ConnectionException):
            connection.execute("RESET threads")


def cut(records: Iterable[pa.RecordBatch], pace: Pace) -> Iterator[Batch]:
    """Batches with as many records and bytes as may be sent together when each is requested."""
    import pyarrow as pa

    rest: pa.RecordBatch | None = None
    for arrived in records:
        whole = pa.concat_batches([rest, arrived]) if rest is not None else arrived
        ends, start = _ends(whole), 0
        while (end := _end(ends, start, pace)) < whole.num_rows:
            yield Batch(whole.slice(start, end - start))
            start = end
        rest = whole.slice(start)
    if rest is not None and rest.num_rows:
        yield Batch(rest)


def _end(ends: memoryview[int], start: int, pace: Pace) -> int:
    """The end, exclusive, of the batch that begins at `start`; a batch has at least one record."""
    most = min(start + pace.documents, len(ends) - 1)
    return max(start + 1, bisect_right(ends, ends[start] + MOST_BYTES, start + 1, most + 1) - 1)


def _ends(columns: pa.RecordBatch) -> memoryview[int]:
    """Offsets in bytes: where the first text begins, and then where each text ends."""
    text = columns.column(2)
    return memoryview(text.buffers()[1]).cast("i")[text.offset : text.offset + len(text) + 1]

"""One pass over the checked rows: those that pass are streamed into a file, others are set aside.

The rows are never all in memory. A single DuckDB thread returns them in the order of the extract,
which is that of the source's key, so the file needs no sorting; if a model changes the order, this
is noticed, and the file is sorted afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stages.sql import Relation, file_sql
from stages.state.durable import make_folder
from stages.state.manifests import Part
from stages.state.parts import publish_part, write_parquet
from stages.transform.checked import CHANGED, FAILURES
from stages.transform.relations import CHANGED_VALUES, FAILING, PASSED, SPLIT_BATCH

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

# Rows in a batch from DuckDB to Parquet.
BATCH = 30_720


@dataclass(frozen=True, kw_only=True)
class SplitRows:
    """The file of the rows that passed, as `write_parquet` left it.

    `ascends`: it is sorted by key, and each key occurs once. `nulls`: columns that have one.
    `failing`: the number of rows in that table. `unkeyed`: rows without a `_source_id`, which are
    stored nowhere.
    """

    file: Path
    part: Part
    ascends: bool
    nulls: frozenset[str]
    failing: int
    unkeyed: int

    def publish(self, final: Path) -> Part:
        """Move the file to its final path."""
        return publish_part(self.part, self.file, final)


def not_reported(rows: int, size: int) -> None:
    """Report no progress."""


def split_rows(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    schema: pa.Schema,
    file: Path,
    *,
    numbers: bool,
    several: bool = True,
    advance: Callable[[int, int], None] = not_reported,
) -> SplitRows:
    """Write the rows of `sql` without failures to `file`, in `schema`.

    The query returns the schema's columns, then `_failures` and `_lost` of checked_sql. Creates
    the view `passed` over the file, and the tables `failing(_source_id, _failures)` and
    `changed_values(_source_id, _lost)`, the latter for rows that pass. `numbers`: keys sort as
    numbers, not as text; `several`: there are so many rows that several threads could share them;
    `advance` is called with the rows and bytes of each batch.
    """
    run = connection.execute
    run(f"CREATE OR REPLACE TABLE {FAILING} (_source_id VARCHAR, _failures {FAILURES})")
    run(f"CREATE OR REPLACE TABLE {CHANGED_VALUES} (_source_id VARCHAR, _lost {CHANGED})")
    make_folder(file.parent)
    splitter = _Splitter(connection, sql, advance, numbers=numbers)
    try:
        if several:  # several threads would mix up the order
            run("SET threads = 1")
        part = write_parquet(file, schema, splitter.passing())
    finally:
        if several:
            run("RESET threads")
    view_passed(connection, file)
    return SplitRows(
        file=file,
        part=part,
        ascends=splitter.ascends,
        nulls=frozenset(splitter.nulls),
        failing=splitter.failing,
        unkeyed=splitter.unkeyed,
    )


def view_passed(connection: duckdb.DuckDBPyConnection, file: Path) -> None:
    """Create the view `passed` over a file of documents."""
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW {PASSED} AS FROM read_parquet({file_sql(file)})"
    )


class _Splitter:
    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        sql: str,
        advance: Callable[[int, int], None],
        *,
        numbers: bool,
    ) -> None:
        self.ascends = True
        self.nulls: set[str] = set()
        self.failing = 0
        self.unkeyed = 0
        self._connection = connection
        self._sql = sql
        self._advance = advance
        self._numbers = numbers
        self._last: pa.Array | None = None

    def passing(self) -> Generator[pa.RecordBatch]:
        """Yield the rows that pass, without the two columns; store the other rows on the way."""
        import pyarrow.compute as pc

        with (
            self._connection.cursor() as files,
            self._connection.sql(self._sql).to_arrow_reader(BATCH) as reader,
        ):
            for batch in batches_of(reader):
                *columns, failures, changed = batch.columns
                keyed = columns[0].is_valid()
                fails = pc.greater(pc.list_value_length(failures), 0)
                has_changes = pc.greater(pc.list_value_length(changed), 0)
                passes = pc.and_not(keyed, fails)
                self.failing += _file(files, FAILING, columns[0], failures, pc.and_(keyed, fails))
                _file(files, CHANGED_VALUES, columns[0], changed, pc.and_(passes, has_changes))
                self.unkeyed += keyed.false_count
                passing = batch.select(range(len(columns)))
                if passes.false_count:
                    passing = passing.filter(passes)
                self._note_order(passing.column(0))
                self.nulls.update(
                    name
                    for name, column in zip(passing.schema.names, passing.columns, strict=True)
                    if column.null_count
                )
                yield passing
                self._advance(batch.num_rows, batch.nbytes)

    def _note_order(self, keys: pa.Array) -> None:
        """Notice a key that does not come after the one before it."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if not self.ascends or not len(keys):
            return
        if self._numbers:
            try:
                keys = keys.cast(pa.int64())
            except pa.ArrowInvalid:  # not a key of the source, which is reported later
                self.ascends = False
                return
        run = keys if self._last is None else pa.concat_arrays([self._last, keys])
        steps = pc.less(run.slice(0, len(run) - 1), run.slice(1))
        self.ascends = bool(pc.all(steps, min_count=0).as_py())
        self._last = keys.slice(len(keys) - 1)


def batches_of(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """The reader's batches; Arrow turns DuckDB's errors into OSErrors, and this turns them back."""
    import duckdb

    while True:
        try:
            batch = reader.read_next_batch()
        except StopIteration:
            return
        except OSError as error:
            raise duckdb.Error(str(error)) from None
        yield batch


def _file(
    connection: duckdb.DuckDBPyConnection,
    table: Relation,
    keys: pa.Array,
    values: pa.Array,
    which: pa.Array,
) -> int:
    """Add (key, value) of some rows to a relation; return how many there are."""
    import pyarrow as pa

    rows = which.true_count
    if rows:
        batch = pa.table({"_source_id": keys.filter(which), "value": values.filter(which)})
        connection.register(SPLIT_BATCH.name, batch)
        connection.execute(f"INSERT INTO {table} FROM {SPLIT_BATCH}")
        connection.unregister(SPLIT_BATCH.name)
    return int(rows)

"""One pass over checked rows: documents in the order of their source keys, and what falls out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.transform.checked import CHANGED, FAILURES
from stages.transform.lineage import goes_row_by_row
from stages.transform.split_rows import BATCH, SplitRows, split_rows
from stages.transform.sql_ast import parse

SCHEMA = pa.schema([pa.field("_source_id", pa.string(), nullable=False), ("n", pa.int64())])
FAILURE = "[{'field': 'n', 'rule': 'odd', 'reason': 'n is odd'}]"
LOST = "[{'field': 'n', 'rule': 'orphan_nulled', 'old': '7'}]"


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as database:
        yield database


def sifted(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    rows: str,
    *,
    fails: str = "false",
    changes: str = "false",
    numbers: bool = False,
) -> SplitRows:
    """Of the rows (k, n) in SQL."""
    sql = (
        f"SELECT k AS _source_id, n, CASE WHEN {fails} THEN {FAILURE} ELSE [] END::{FAILURES} "
        f"AS _failures, CASE WHEN {changes} THEN {LOST} ELSE [] END::{CHANGED} "
        f"AS _lost FROM {rows}"
    )
    return split_rows(connection, sql, SCHEMA, folder / "aside" / "rows.parquet", numbers=numbers)


def texts(*keys: str | None) -> str:
    listed = ", ".join(f"({'NULL' if k is None else repr(k)}, {n})" for n, k in enumerate(keys))
    return f"(VALUES {listed}) t (k, n)"


@pytest.mark.parametrize("keys", [["a"], ["10", "2"], ["a", "é", "🎉"]])
def test_texts_that_ascend(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, keys: list[str]
) -> None:
    assert sifted(connection, tmp_path, texts(*keys)).ascends


@pytest.mark.parametrize("keys", [["2", "10"], ["a", "a"], ["a", "c", "b"]])
def test_texts_that_do_not(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, keys: list[str]
) -> None:
    assert not sifted(connection, tmp_path, texts(*keys)).ascends


@pytest.mark.parametrize(
    ("keys", "ascend"),
    [(["-5", "2", "10"], True), (["10", "2"], False), (["1", "1"], False), (["1", "x"], False)],
)
def test_numbers_have_the_order_of_numbers(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, keys: list[str], ascend: bool
) -> None:
    assert sifted(connection, tmp_path, texts(*keys), numbers=True).ascends == ascend


@pytest.mark.parametrize("last", [3 * BATCH, 0])
def test_many_rows_stay_in_order_from_batch_to_batch(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, last: int
) -> None:
    rows = f"(SELECT i::VARCHAR AS k, i AS n FROM range(1, {3 * BATCH}) t (i) UNION ALL SELECT "
    rows += f"'{last}', {last}) t"
    result = sifted(connection, tmp_path, rows, numbers=True)
    assert result.ascends == (last > 0)
    assert result.part.rows == 3 * BATCH
    stored = pq.read_table(result.file)["n"].to_pylist()
    assert stored == [*range(1, 3 * BATCH), last]


def test_what_falls_out_is_filed(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    rows = f"(SELECT i::VARCHAR AS k, i AS n FROM range(2 * {BATCH}) t (i)) t"
    result = sifted(
        connection, tmp_path, rows, fails="n % 10000 = 1", changes="n % 20000 < 2", numbers=True
    )
    assert result.ascends
    assert connection.sql("SELECT * FROM failing ORDER BY _source_id::INT").fetchall() == [
        (str(n), [{"field": "n", "rule": "odd", "reason": "n is odd"}])
        for n in range(1, 2 * BATCH, 10000)
    ]
    # What is changed and fails is no document, and no change of it counts.
    assert connection.sql("SELECT * FROM changed_values ORDER BY _source_id::INT").fetchall() == [
        (str(n), [{"field": "n", "rule": "orphan_nulled", "old": "7"}])
        for n in range(0, 2 * BATCH, 20000)
    ]
    passed = connection.sql("SELECT count(*), count(DISTINCT n) FROM passed").fetchall()
    assert passed == [(2 * BATCH - 7, 2 * BATCH - 7)]
    assert not connection.sql("FROM passed SEMI JOIN failing USING (_source_id)").fetchall()


def test_rows_without_a_key_and_columns_with_nulls_are_counted(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    rows = "(VALUES ('a', 1), (NULL, 2), (NULL, NULL), ('b', 3)) t (k, n)"
    result = sifted(connection, tmp_path, rows)
    assert (result.unkeyed, result.part.rows, result.nulls) == (2, 2, frozenset())
    rows = "(VALUES ('a', 1), ('b', NULL)) t (k, n)"
    assert sifted(connection, tmp_path, rows).nulls == {"n"}


def test_an_error_half_way_leaves_no_file(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    rows = f"(SELECT i::VARCHAR AS k, i AS n FROM range({4 * BATCH}) t (i)) t"
    with pytest.raises(duckdb.Error, match="number 99999"):
        sifted(connection, tmp_path, rows, fails="CASE n WHEN 99999 THEN error('number ' || n) END")
    assert not list((tmp_path / "aside").iterdir())
    assert sifted(connection, tmp_path, texts("a")).part.rows == 1


@pytest.mark.parametrize(
    ("query", "streams"),
    [
        ("SELECT a, lower(b) AS b FROM t", True),
        ("SELECT a FROM t LEFT JOIN u USING (x)", True),
        ("SELECT * FROM t", True),
        ("SELECT DISTINCT a FROM t", False),
        ("SELECT a, count(*) AS n FROM t GROUP BY a", False),
        ("SELECT a FROM t ORDER BY a", False),
        ("SELECT a, row_number() OVER () AS r FROM t", False),
        ("SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u)", False),
        ("SELECT a FROM (SELECT 1 AS a)", False),
        ("WITH w AS (SELECT 1 AS a) SELECT a FROM w", False),
        ("SELECT a FROM t UNION ALL SELECT a FROM u", False),
    ],
)
def test_which_models_go_row_by_row(
    connection: duckdb.DuckDBPyConnection, query: str, streams: bool
) -> None:
    assert goes_row_by_row(parse(connection, query)) == streams

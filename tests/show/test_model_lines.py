"""The lines of a model that make a field, whatever stands around them."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from stages.show.model_lines import made_by
from stages.sql import open_duckdb
from stages.transform.sql_ast import column_lines, parse
from tests.support.command_line import ROOT


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with open_duckdb() as opened:
        yield opened


def lines(connection: duckdb.DuckDBPyConnection, sql: str, column: str) -> list[tuple[int, str]]:
    """(first line, text) of what makes a column."""
    made = made_by(sql, parse(connection, sql), [column])
    return [(each.first, each.text) for each in made[column].pieces] if made else []


@pytest.mark.parametrize(
    ("sql", "column", "expected"),
    [
        ("SELECT a, lower(b) AS c\nFROM t", "c", [(1, "lower(b) AS c")]),
        ("SELECT\n  a,\n  -- of old, and kept\n  b AS x, f(a, [b, c]) AS y\nFROM t", "x",
         [(4, "b AS x")]),
        ("SELECT\n    a,\n    CASE WHEN a THEN 1\n         ELSE 2 END AS c\nFROM t", "c",
         [(3, "CASE WHEN a THEN 1\n     ELSE 2 END AS c")]),
        ("FROM t SELECT a IS DISTINCT FROM b AS differs, c", "differs",
         [(1, "a IS DISTINCT FROM b AS differs")]),
        ("SELECT 'ä, é' AS first, (SELECT max(x), y FROM u) AS second FROM t", "second",
         [(1, "(SELECT max(x), y FROM u) AS second")]),
        ("SELECT a FROM t\nUNION ALL\nSELECT b FROM u", "a", [(1, "a"), (3, "b")]),
        ("WITH q AS (\n  SELECT id, x || 'é' AS y FROM t\n)\nSELECT q.y AS title FROM q", "title",
         [(4, "q.y AS title"), (2, "x || 'é' AS y")]),
        ("SELECT * FROM (SELECT a AS b FROM t) s", "b", [(1, "*"), (1, "a AS b")]),
        ("SELECT s.* FROM t JOIN (SELECT a AS b FROM t) s ON true", "b",
         [(1, "s.*"), (1, "a AS b")]),
        ("SELECT DISTINCT Title AS TITLE FROM t WHERE a IN (SELECT title FROM u)", "title",
         [(1, "Title AS TITLE")]),
        ("SELECT a FROM t", "b", []),
        ("PIVOT t ON a USING sum(b)", "a", []),
        ("WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 3) "
         "SELECT n FROM r", "n", [(1, "n"), (1, "1 AS n"), (1, "n + 1")]),
    ],
)  # fmt: skip
def test_lines(
    connection: duckdb.DuckDBPyConnection, sql: str, column: str, expected: list[tuple[int, str]]
) -> None:
    assert lines(connection, sql, column) == expected


def test_columns_that_are_named(connection: duckdb.DuckDBPyConnection) -> None:
    sql = "WITH q AS (SELECT id, lower(T) AS name FROM t) SELECT q.name || s.end AS x FROM q, s"
    assert made_by(sql, parse(connection, sql), ["x"])["x"].columns == {"name", "t", "end"}


def test_every_column_of_every_model(connection: duckdb.DuckDBPyConnection) -> None:
    """The shipped ones, and those that tests use: none is without the line where it begins."""
    models = [*(ROOT / ".planning").rglob("models/*.sql"), *(ROOT / "tests").rglob("models/*.sql")]
    assert len(models) > 20
    for file in models:
        sql = file.read_text("utf-8")
        parsed = parse(connection, sql)
        for column, line in column_lines(sql, parsed).items():
            pieces = made_by(sql, parsed, [column])[column].pieces
            assert pieces[0].first <= line <= pieces[0].last, (file, column)

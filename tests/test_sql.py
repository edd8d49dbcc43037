"""DuckDB: paths that look like patterns, and names that only Python knows."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.sql import file_sql, folder_sql, open_duckdb, tokens


@pytest.mark.parametrize("name", ["g[1]", "a*", "what?", "[[x]]", "it's", "a b"])
def test_a_folder_is_what_its_name_says(tmp_path: Path, name: str) -> None:
    """Beside others that the name would match as a pattern."""
    for folder, value in ((name, 1), ("g1", 2), ("ab", 3), ("whats", 4), ("x", 5)):
        (tmp_path / folder).mkdir()
        pq.write_table(pa.table({"value": [value]}), tmp_path / folder / "rows.parquet")
    with open_duckdb() as connection:
        for sql in (file_sql(tmp_path / name / "rows.parquet"), folder_sql(tmp_path / name, "*")):
            rows = connection.execute(f"SELECT value FROM read_parquet({sql})").fetchall()
            assert rows == [(1,)]


def test_a_python_variable_is_no_table() -> None:
    secret = pa.table({"value": [1]})
    with open_duckdb() as connection, pytest.raises(duckdb.CatalogException):
        connection.execute("FROM secret")
    assert secret.num_rows == 1


def test_tokens_of_nothing_are_none() -> None:
    assert list(tokens("")) == list(tokens("  -- a comment")) == []
    assert [text for _, _, text in tokens("select 'é' -- end\n;")] == ["select", "'é'", ";"]

"""docs/reference/models.md: every statement runs and returns the rows shown below it."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import duckdb
import pytest

from stages.project.models import Model
from stages.transform.isolate import isolate_failures
from stages.transform.sql_ast import parse, refuse_chance
from stages.views import macros
from tests.support.command_line import ROOT

PAGE = (ROOT / "docs" / "reference" / "models.md").read_text("utf-8")
BLOCK = re.compile(r"```sql\n(.*?)```\n\n?((?:\|[^\n]*\n)*)", re.DOTALL)
BLOCKS = [(match[1], match[2]) for match in BLOCK.finditer(PAGE)]
REJECTS = "| source_id | field | rule | reason |"
EXAMPLES = [
    (sql, table)
    for sql, table in BLOCKS
    if not sql.startswith("CREATE") and not table.startswith(REJECTS)
]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split(" | ")]


def shown(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(shown(item) for item in value)}]"
    return "NULL" if value is None else str(value)


@pytest.fixture(scope="module")
def page() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'Asia/Jakarta'")
    connection.execute(macros())
    connection.execute("CREATE SCHEMA extract; CREATE SCHEMA as_text; CREATE SCHEMA side")
    for sql, _ in BLOCKS:
        if sql.startswith("CREATE"):
            connection.execute(sql)
    return connection


@pytest.mark.parametrize(
    ("sql", "table"), EXAMPLES, ids=[sql.split("\n")[0] for sql, _ in EXAMPLES]
)
def test_example(page: duckdb.DuckDBPyConnection, sql: str, table: str) -> None:
    refuse_chance("docs/reference/models.md", sql, parse(page, sql))
    ran = page.execute(sql)
    columns = [column[0] for column in ran.description or []]
    header, _, *rows = table.strip().split("\n")
    assert columns == cells(header)
    assert [[shown(value) for value in row] for row in ran.fetchall()] == [cells(r) for r in rows]


@pytest.mark.parametrize(
    ("sql", "table"), [block for block in BLOCKS if block[1].startswith(REJECTS)], ids=[0, 1]
)
def test_example_of_rejects(page: duckdb.DuckDBPyConnection, sql: str, table: str) -> None:
    isolate_failures(page, Model(name="example.sql", text=sql), derived=False)
    rejects = page.execute(
        "SELECT _source_id, unnest(_failed, recursive := true) FROM isolated ORDER BY 1"
    ).fetchall()
    assert [[shown(value) for value in row] for row in rejects] == [
        cells(row) for row in table.strip().split("\n")[2:]
    ]


def test_the_page_has_examples_of_every_macro() -> None:
    named = {name for sql, _ in EXAMPLES for name in re.findall(r"(\w+)\(", sql)}
    inner = {"no_value", "iso_year", "iso_text", "key_text", "key_list", "significant",
             "without_bounds", "array_items", "clock_ms", "offset_ms", "interval_us",
             "is_money"}  # fmt: skip
    assert set(re.findall(r'CREATE OR REPLACE MACRO "?(\w+)"?', macros())) - inner <= named
    assert len(EXAMPLES) >= 15


def test_the_plan_s_examples_are_toml() -> None:
    for text in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL):
        assert tomllib.loads(text)

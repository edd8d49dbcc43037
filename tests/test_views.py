"""The views of stages.duckdb: names of keys, and what they say of themselves."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from stages.state.journal import Journal
from stages.view_comments import COLUMNS, COMMENT, VIEWS
from stages.views import refresh
from tests.support.project_copies import loaded_once
from tests.support.tiny_project import STRING, Small
from tests.transform.support import table

KEYED = ("transform", "bound", "keys", "load")


@pytest.fixture(scope="module")
def shell(extracted: Path) -> duckdb.DuckDBPyConnection:
    """The database of the shipped sample, as a shell opens it."""
    database = loaded_once(extracted).data / "stages.duckdb"
    return duckdb.connect(str(database), read_only=True)


def test_keys_have_one_set_of_names(shell: duckdb.DuckDBPyConnection) -> None:
    views = shell.execute(
        "SELECT schema_name, table_name, list(column_name) FROM duckdb_columns() "
        f"WHERE schema_name IN {KEYED} OR table_name IN ('rejects', 'changes') GROUP BY ALL"
    ).fetchall()
    assert {schema for schema, _, _ in views} == {*KEYED, "main"}
    for schema, name, columns in views:
        assert "source_id" in columns, (schema, name)
        assert ("convex_id" in columns) == (schema in ("keys", "load")), (schema, name)
        assert not {"_source_id", "sourceId", "documentId", "document_id"} & set(columns)


def test_every_view_macro_and_key_says_what_it_is(shell: duckdb.DuckDBPyConnection) -> None:
    for what, name in (("views", "view_name"), ("functions", "function_name")):
        mute = f"SELECT {name} FROM duckdb_{what}() WHERE NOT internal AND comment IS NULL"
        assert shell.execute(mute).fetchall() == [], what
    assert set(VIEWS) >= {
        row[0] for row in shell.execute(
            "SELECT schema_name FROM duckdb_views() WHERE NOT internal AND schema_name <> 'main'"
        ).fetchall()
    }  # fmt: skip
    for schema, columns in COLUMNS.items():
        commented = shell.execute(
            "SELECT column_name FROM duckdb_columns() WHERE comment IS NOT NULL "
            "AND (schema_name = $1 OR table_name = $1)", [schema],
        ).fetchall()  # fmt: skip
        assert {name for (name,) in commented} == set(columns), schema


def test_a_field_of_that_name_has_another_in_the_view(small: Small) -> None:
    small.extract("things", table(code=["x", "y"]), ["id"])
    small.schema("things", {"source_id": STRING})
    small.write("plan.toml", "[tables.things]\n")
    small.model("things", "SELECT key(id) AS _source_id, code AS source_id FROM extract.things")
    small.transform()
    assert small.documents("things") == {"1": {"source_id": "x"}, "2": {"source_id": "y"}}
    refresh(small.workspace, small.plan)
    with duckdb.connect(str(small.workspace.database), read_only=True) as shell:
        rows = shell.sql("SELECT source_id, source_id_1 FROM transform.things ORDER BY ALL")
        assert rows.fetchall() == [("1", "x"), ("2", "y")]


def test_a_source_without_a_key_says_what_tells_its_rows_apart(small: Small) -> None:
    small.extract("log", table(line=["a", "a"]), [])
    small.schema("log", {"line": STRING})
    small.write("plan.toml", "[tables.log]\n")
    small.model("log", "SELECT _key AS _source_id, line FROM extract.log")
    small.transform()
    refresh(small.workspace, small.plan)
    assert COMMENT in small.workspace.database_sql.read_text("utf-8")
    with duckdb.connect(str(small.workspace.database), read_only=True) as shell:
        said = "SELECT column_name FROM duckdb_columns() WHERE comment LIKE 'tells rows apart%'"
        assert shell.sql(said).fetchall() == [("_key",)]


def test_what_load_rejected_is_a_view(small: Small) -> None:
    small.write("plan.toml", "[tables.things]\n[tables.others]\n")
    for name, rule in (("things", "refused"), ("others", "held_back")):
        file = small.workspace.load_rejects(name)
        with Journal(file) as rejects:
            rejects.write(json.dumps({"sourceId": "1", "rule": rule, "reason": "why"}) + "\n")
    refresh(small.workspace, small.plan)
    with duckdb.connect(str(small.workspace.database), read_only=True) as shell:
        rows = shell.sql("FROM load_rejects ORDER BY ALL").fetchall()
    assert rows == [("others", "1", "held_back", "why"), ("things", "1", "refused", "why")]

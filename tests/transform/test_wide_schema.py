"""A schema of which one table is moved at a time: only a reference needs its table in the plan."""

from __future__ import annotations

import pyarrow as pa
import pytest

from tests.support.tiny_project import ANY, STRING, Small, array, id_of, union

NULL = {"type": "null"}


@pytest.fixture
def wide(small: Small) -> Small:
    small.extract("posts", pa.table({"id": [1, 2], "form": [None, 7]}), ["id"])
    small.schema(
        "posts",
        {
            "title?": STRING,
            "form?": id_of("forms"),
            "other": union(NULL, id_of("forms")),
            "forms?": array(id_of("forms")),
            "cover?": id_of("_storage"),
            "blocks?": ANY,
        },
    )
    small.schema("forms", {"title?": STRING})
    small.write("plan.toml", "[tables.posts]\nkeep_null = ['other']\n")
    return small


def model(wide: Small, columns: str) -> None:
    wide.model("posts", f"SELECT key(id) AS _source_id, {columns} FROM extract.posts")


@pytest.mark.parametrize(
    "columns",
    [
        "NULL::VARCHAR AS other",
        "NULL::VARCHAR AS other, NULL::VARCHAR AS form, NULL::VARCHAR AS cover",
        "NULL::VARCHAR AS other, ref('forms', NULL::INTEGER) AS form",
        "NULL::VARCHAR AS other, refs('forms', []::INTEGER[]) AS forms",
        "NULL::VARCHAR AS other, CASE WHEN id > 2 THEN ref('forms', form) END AS form",
    ],
)
def test_a_field_without_a_value_needs_nothing_of_the_plan(wide: Small, columns: str) -> None:
    model(wide, columns)
    wide.transform()
    assert len(wide.documents("posts")) == 2


VALUES = [
    ("ref('forms', form) AS form, NULL::VARCHAR AS other", "posts.form of the row 2", "forms"),
    ("ref('forms', form) AS other", "posts.other of the row 2", "forms"),
    ("NULL::VARCHAR AS other, refs('forms', [id]) AS forms", "posts.forms of the row 1", "forms"),
]


@pytest.mark.parametrize(("columns", "words", "target"), VALUES)
def test_a_value_needs_its_table_in_the_plan(
    wide: Small, columns: str, words: str, target: str
) -> None:
    model(wide, columns)
    error = wide.fails()
    assert words in error.message and "neither in [tables] nor in [reference]" in error.message
    assert error.hint == f"add [reference.{target}] with a key model, or [tables.{target}]"


def test_a_file_s_id_is_never_offered_as_a_reference_table(wide: Small) -> None:
    """[reference._storage] would be refused."""
    model(wide, "NULL::VARCHAR AS other, ref('_storage', id) AS cover")
    error = wide.fails()
    assert "refers to `_storage`" in error.message or "ref names `_storage`" in error.message
    assert error.hint and "[reference._storage]" not in error.hint


@pytest.mark.parametrize(("call", "line"), [("ref('form', id)", 1), ("\nREFS('form', [id])[1]", 2)])
def test_a_table_that_does_not_exist_is_answered_with_the_nearest(
    wide: Small, call: str, line: int
) -> None:
    model(wide, f"NULL::VARCHAR AS other, {call} AS form")
    error = wide.fails()
    assert f"models/posts.sql, line {line}: ref names `form`" in error.message
    assert error.hint == "did you mean 'forms'?"

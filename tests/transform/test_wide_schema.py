"""A schema of which one table is moved at a time: only a reference needs its table in the plan."""

from __future__ import annotations

from typing import Any

import duckdb
import pyarrow as pa
import pytest

from stages.convex.ids import encode
from stages.sql import sum_sql
from tests.support.tiny_project import ANY, STRING, Small, array, id_of, union

NULL = {"type": "null"}


def object_of(**fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "value": {
        name: {"fieldType": kind, "optional": False} for name, kind in fields.items()
    }}  # fmt: skip


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


def test_a_sum_of_more_terms_than_a_table_has_fields() -> None:
    """As a chain it would be refused, and take a minute to plan for three hundred."""
    assert duckdb.execute(f"SELECT {sum_sql([str(n) for n in range(1500)])}").fetchall() == [
        (1500 * 1499 // 2,)
    ]


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


FILE = encode(540, bytes(range(16)))


def test_an_id_of_a_file_is_a_value_also_from_a_side_file(wide: Small) -> None:
    wide.write("covers.csv", f"post,file\n1,{FILE}\n2,covers/2.png\n")
    wide.model("posts", "SELECT key(id) AS _source_id, NULL::VARCHAR AS other, file AS cover "
                        "FROM extract.posts JOIN side.covers ON post = id::VARCHAR")  # fmt: skip
    wide.write("plan.toml", "max_rejects = 9\n[tables.posts]\nkeep_null = ['other']\n")
    wide.transform()
    assert wide.documents("posts")["1"]["cover"] == FILE
    (reject,) = wide.rows("posts", "rejects")
    assert (reject["source_id"], reject["field"], reject["rule"]) == ("2", "cover", "orphan")
    assert reject["reason"] == "covers/2.png is no id of _storage"


ID = id_of("_storage")
FORMS: list[tuple[dict[str, Any], str, str | None]] = [
    (array(ID), f"['{FILE}', '{FILE}']", None),
    (array(ID), f"['{FILE}', 'x']", "x is no id of _storage at cover[1]"),
    (array(ID), f"""'["{FILE}"]'::JSON""", None),
    (object_of(file=ID), f"""'{{"file": "{FILE}"}}'::JSON""", None),
    (object_of(file=ID), """'{"file": "x"}'::JSON""", "x is no id of _storage at cover.file"),
    (object_of(file=ID), """'{"file": 1}'::JSON""", "a number, not id of _storage at cover.file"),
    (union(STRING, ID), "'x'", None),
    (union("none", ID), "'none'", None),
    (union("none", ID), f"'{FILE}'", None),
    (union("none", ID), "'some'", "some is no id of _storage at cover"),
    (union(id_of("posts"), ID), f"'{FILE}'", None),
    (union(id_of("posts"), ID), "ref('posts', 2)", None),
    (union(id_of("posts"), ID), "ref('posts', 3)", "posts:3 is not in posts"),
    (union(id_of("posts"), ID), "'x'", "x is no id of _storage and no reference to posts at cover"),
    (union(id_of("issues"), ID), "'x'",
     "x is no id of _storage and no reference to issues at cover"),
    (union(NULL, ID), "NULL::VARCHAR", None),
    ({"type": "record", "keys": ID, "values": {"fieldType": STRING, "optional": False}},
     f"""'{{"{FILE}": "a"}}'::JSON""", None),
]  # fmt: skip


@pytest.mark.parametrize(("validator", "value", "reason"), FORMS)
def test_ids_of_files_in_every_form_of_a_field(
    small: Small, validator: dict[str, Any], value: str, reason: str | None
) -> None:
    small.extract("posts", pa.table({"id": [2]}), ["id"])
    small.schema("posts", {"cover?": validator})
    small.schema("issues", {})
    small.write("plan.toml", "max_rejects = 9\n[tables.posts]\n")
    small.model("posts", f"SELECT key(id) AS _source_id, {value} AS cover FROM extract.posts")
    small.transform()
    reasons = [reject["reason"] for reject in small.rows("posts", "rejects")]
    assert reasons == ([reason] if reason else [])


def test_a_file_has_no_source_key(wide: Small) -> None:
    model(wide, "NULL::VARCHAR AS other, ref('_storage', id) AS cover")
    error = wide.fails()
    assert "ref names `_storage`" in error.message and "without ref()" in str(error.hint)


@pytest.mark.parametrize(("call", "line"), [("ref('form', id)", 1), ("\nREFS('form', [id])[1]", 2)])
def test_a_table_that_does_not_exist_is_answered_with_the_nearest(
    wide: Small, call: str, line: int
) -> None:
    model(wide, f"NULL::VARCHAR AS other, {call} AS form")
    error = wide.fails()
    assert f"models/posts.sql, line {line}: ref names `form`" in error.message
    assert error.hint == "did you mean 'forms'?"

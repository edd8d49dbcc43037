"""json that Postgres takes and DuckDB can't read: its row is a reject where a model reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import duckdb

from stages.views import refresh
from tests.support.tiny_project import ANY, BOOLEAN, NUMBER, STRING, Small, array
from tests.transform.support import table

HALF, NUL = '{"a": "\\ud83d"}', '{"a": "x\\u0000"}'
TEXTS = ['{"a": "1", "n": 1}', HALF, None, NUL, '{"a": "\\ud83d\\ude00"}']
REJECT = "the text is not JSON that Convex can hold: " + HALF


def source(small: Small, *, key: bool = True) -> None:
    """A source `things(id, j json, k json, name)`, of which `j` has a bad value in row 2."""
    rows = table(j=TEXTS, k=["[1]"] * 5, name=["a", "b", "c", "d", "e"])
    small.extract("things", rows, ["id"] if key else [], texts=["j", "k"])
    small.extract("others", table(thing=[1, 2, 3]), ["id"])


def models(small: Small, queries: Mapping[str, tuple[str, dict[str, Any]]]) -> None:
    """Target → (its model, its fields); all of them of `things`."""
    plan = "max_rejects = 100\n[sources.others]\n"
    for name, (sql, fields) in queries.items():
        small.schema(name, fields)
        small.model(name, sql)
        plan += f'[tables.{name}]\nsource = "things"\n'
    small.write("plan.toml", plan)


def project(small: Small, fields: dict[str, Any], sql: str, *, key: bool = True) -> None:
    source(small, key=key)
    models(small, {"things": (sql, fields)})


KEY, OF_THINGS = "SELECT key(id) AS _source_id, ", " FROM extract.things"
NULLABLE = {"type": "union", "value": [STRING, {"type": "null"}]}
B: dict[str, Any] = {
    "type": "object", "value": {"b": {"fieldType": ANY, "optional": True}}
}  # fmt: skip
# Target → (its model, its fields, the one at fault).
READS: dict[str, tuple[str, dict[str, Any], str]] = {
    "as_it_is": (f"{KEY} j, k {OF_THINGS}", {"j?": ANY, "k": ANY}, "j"),
    "alias": ("SELECT key(t.id) AS _source_id, t.j AS x FROM extract.things t", {"x?": ANY}, "x"),
    "member": (f"{KEY} j ->> 'a' AS x {OF_THINGS}", {"x?": STRING}, "x"),
    "function": (f"{KEY} coalesce(json_type(j), '') AS x {OF_THINGS}", {"x": STRING}, "x"),
    "text": (f"{KEY} j::VARCHAR AS x {OF_THINGS}", {"x?": STRING}, "x"),
    "struct": (f"{KEY} {{'b': j}} AS x {OF_THINGS}", {"x": B}, "x"),
    "lambda": (
        f"{KEY} list_transform(['a'], lambda k: j ->> k) AS x {OF_THINGS} "
        "WHERE j IS NOT NULL OR id = 3", {"x": array(NULLABLE)}, "x",
    ),
    "star": (f"{KEY} * EXCLUDE (id, k) {OF_THINGS}", {"j?": ANY, "name": STRING}, "j"),
    "star_of_one": (
        "SELECT key(t.id) AS _source_id, t.* EXCLUDE (id, k, name) FROM extract.things t "
        "LEFT JOIN extract.others o ON o.thing = t.id", {"j?": ANY}, "j",
    ),
    "union": (
        "SELECT key(o.id) AS _source_id, t.j FROM extract.others o JOIN extract.things t "
        f"ON t.id = o.thing UNION ALL SELECT key(id), j {OF_THINGS} WHERE id > 3", {"j?": ANY}, "j",
    ),
}  # fmt: skip


def test_only_the_row_whose_json_can_t_be_read_is_a_reject(small: Small) -> None:
    source(small)
    models(small, {how: (sql, fields) for how, (sql, fields, _) in READS.items()})
    assert not small.transform().failed
    for how, (_, _, field) in READS.items():
        assert small.rejected(how) == {"2": (field, "invalid_json")}, how
        (reject,) = small.rows(how, "rejects")
        assert reject["reason"] == REJECT + (" at x[0]" if how == "lambda" else "")
        assert reject["others"] == "[]", how
        row = json.loads(reject["row"])
        assert (row["j"], row["k"]) == (HALF, [1])
        assert small.accounted(how), how
    for how in ("as_it_is", "star"):
        assert json.loads(small.documents(how)["1"]["j"]) == {"a": "1", "n": 1}
    assert [d["x"] for d in small.documents("member").values()] == ["1", None, "x\0", "😀"]
    assert small.documents("function")["3"]["x"] == ""
    assert small.documents("text")["1"]["x"] == TEXTS[0]


def test_a_null_character_is_a_value(small: Small) -> None:
    project(small, {"x?": STRING, "j?": ANY},
            f"{KEY} j ->> 'a' AS x, j {OF_THINGS} WHERE id <> 2")  # fmt: skip
    small.transform()
    documents = small.documents("things")
    assert documents["4"]["x"] == "x\0" and json.loads(documents["4"]["j"]) == {"a": "x\0"}
    assert documents["5"]["x"] == "😀" and documents["3"]["x"] is None


def test_a_column_that_no_model_reads_stops_nothing(small: Small) -> None:
    project(small, {"name": STRING, "good": BOOLEAN},
            "SELECT key(id) AS _source_id, name, json_valid(j) IS NOT false AS good "
            "FROM as_text.things")  # fmt: skip
    small.transform()
    assert [key for key, d in small.documents("things").items() if not d["good"]] == ["2"]
    project(small, {"k": ANY}, "SELECT key(id) AS _source_id, k FROM extract.things")
    small.transform()
    assert len(small.documents("things")) == 5
    assert small.manifest("things")["reads"] == {"things": ["id", "k"]}


def test_a_source_without_a_key_too(small: Small) -> None:
    project(small, {"j?": ANY}, "SELECT _key AS _source_id, j FROM extract.things", key=False)
    small.transform()
    assert set(small.rejected("things").values()) == {("j", "invalid_json")}
    assert len(small.documents("things")) == 4 and small.accounted("things")


STOPS = [
    "WITH t AS (SELECT id, j ->> 'a' AS x FROM extract.things)\n"
    "SELECT key(id) AS _source_id, x FROM t",
    "SELECT key(id) AS _source_id, name AS x FROM extract.things WHERE j ->> 'a' <> 'z'",
    "SELECT key(id) AS _source_id, lag(j ->> 'a') OVER (ORDER BY id) AS x FROM extract.things",
    "SELECT key(o.id) AS _source_id,\n (SELECT j ->> 'a' FROM extract.things t WHERE t.id = o.id) "
    "AS x FROM extract.others o",
    "SELECT key(t.id) AS _source_id,\n (SELECT t.j ->> 'a') AS x FROM extract.things t",
    "SELECT key(id) AS _source_id, to_json(t) ->> 'name' AS x FROM extract.things t",
    "SELECT key(id) AS _source_id, * REPLACE (j ->> 'a' AS j) FROM extract.things",
    "SELECT key(id) AS _source_id, count(j) OVER () AS n FROM extract.things",
]


def test_where_no_try_can_be_the_table_stops(small: Small) -> None:
    fields = {"x?": STRING, "id?": NUMBER, "j?": STRING, "k?": ANY, "name?": STRING, "n?": NUMBER}
    source(small)
    models(small, {f"t{n}": (sql, fields) for n, sql in enumerate(STOPS)})
    failed = small.transform().failed
    for number, sql in enumerate(STOPS):
        words = failed[f"t{number}"]
        assert f"invalid_json: {REJECT}" in words and "as_text.<source>" in words, sql


def test_the_shell_shows_null_for_it_and_its_text_beside(small: Small) -> None:
    project(small, {"k": ANY}, "SELECT key(id) AS _source_id, k FROM extract.things")
    small.transform()
    refresh(small.workspace, small.plan)
    with duckdb.connect(str(small.workspace.database), read_only=True) as shell:
        rows = shell.sql("SELECT id, j ->> 'a' FROM extract.things ORDER BY id").fetchall()
        assert rows == [(1, "1"), (2, None), (3, None), (4, "x\0"), (5, "😀")]
        refused = "SELECT j FROM as_text.things WHERE NOT json_valid(j)"
        assert shell.sql(refused).fetchall() == [(HALF,)]


def test_json_in_an_array_is_rejected_by_the_same_rule(small: Small) -> None:
    texts = ['{"{\\"a\\": 1}"}', '{"{\\"a\\": \\"\\\\ud83d\\"}",NULL}', "{}"]
    small.extract("things", table(a=texts), ["id"])
    small.schema("things", {"x": array(ANY)})
    small.write("plan.toml", "max_rejects = 100\n[tables.things]\n")
    small.model("things", "SELECT key(id) AS _source_id, "
                "to_json(list_transform(pg_array(a), lambda item: item::JSON)) AS x "
                "FROM extract.things")  # fmt: skip
    small.transform()
    assert small.rejected("things") == {"2": ("x", "invalid_json")}
    assert small.rows("things", "rejects")[0]["reason"] == f"{REJECT} at x[0]"
    assert json.loads(small.documents("things")["1"]["x"]) == [{"a": 1}]

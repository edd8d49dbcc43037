"""Values that an expression can't convert: a row is a reject, the others go on."""

from __future__ import annotations

import json
import math
import random
from typing import Any

import pyarrow as pa
import pytest

from stages.project.models import Model
from stages.sql import open_duckdb
from stages.transform.isolate import isolate_failures
from stages.views import macros
from tests.support.tiny_project import (
    ANY,
    BYTES,
    INT64,
    NUMBER,
    STRING,
    Small,
    array,
)
from tests.transform.support import INFINITY, table, things


def test_an_infinite_time_is_a_reject_in_every_form(small: Small) -> None:
    moments = pa.array([0, INFINITY, -INFINITY, None, 1709210096789123], pa.int64())
    for tz in (None, "UTC"):
        things(small, table(moment=moments.cast(pa.timestamp("us", tz))),
               {"iso?": STRING, "day?": STRING, "time?": STRING, "ms?": NUMBER, "big?": INT64,
                "unix?": NUMBER, "list": array(STRING), "any?": ANY},
               "to_iso(moment) AS iso, to_day(moment) AS day, to_time(moment) AS time, "
               "to_ms(moment) AS ms, to_ms(moment) AS big, to_unix(moment) AS unix, "
               "list_filter([to_iso(moment)], lambda t: t IS NOT NULL) AS list, "
               "to_json({'at': 'on ' || to_iso(moment)}) AS any")  # fmt: skip
        small.transform()
        assert small.rejected("things") == {
            "2": ("iso", "infinite_time"), "3": ("iso", "infinite_time"),
        }  # fmt: skip
        (one, _) = small.rows("things", "rejects")
        rules = {(f["field"], f["rule"]) for f in json.loads(one["others"])}
        assert {(n, "infinite_time") for n in
                ("day", "time", "ms", "big", "unix", "list", "any")} <= rules  # fmt: skip
        document = small.documents("things")["5"]
        assert document["iso"] == "2024-02-29T12:34:56.789Z" and document["day"] == "2024-02-29"
        assert document["ms"] == 1709210096789.0 and document["time"] == "12:34:56.789"
        assert document["big"] == 1709210096789 and document["unix"] == 1709210096.0
        assert small.documents("things")["4"]["iso"] is None
        assert small.accounted("things")


def test_a_value_that_reads_like_a_full_disk_is_a_reject(small: Small) -> None:
    """DuckDB quotes it in the midst of its own words."""
    texts = ["1", "No space left on device", "Out of Memory Error", "Input/output error"]
    things(small, table(text=texts), {"n": INT64}, "text::BIGINT AS n")
    small.transform()
    assert small.rejected("things") == dict.fromkeys("234", ("n", "failed_expression"))


def test_the_greatest_int64_is_a_value_beside_a_time(small: Small) -> None:
    """Wherever it comes from, and however the model is written."""
    moments = pa.array([0, INFINITY], pa.int64()).cast(pa.timestamp("us"))
    fields = {"size": INT64, "ms": INT64, "late": INT64}
    things(small, table(moment=moments, size=[INFINITY, 1]), fields,
           "to_ms(moment) AS ms, ms + 0 AS late, size")  # fmt: skip
    small.transform()
    assert small.rejected("things") == {"2": ("ms", "infinite_time")}
    (reject,) = small.rows("things", "rejects")
    assert {f["field"] for f in json.loads(reject["others"])} == {"late"}
    assert small.documents("things") == {"1": {"size": INFINITY, "ms": 0, "late": 0}}


def test_a_time_beyond_javascript_is_a_reject(small: Small) -> None:
    beyond = pa.array([8_640_000_000_000_001_000, 0], pa.int64()).cast(pa.timestamp("us"))
    things(small, table(moment=beyond), {"iso": STRING}, "to_iso(moment) AS iso")
    small.transform()
    assert small.rejected("things") == {"1": ("iso", "time_out_of_range")}


def test_what_is_below_a_millisecond_is_told_for_iso_text_too(small: Small) -> None:
    at = pa.array([1709210096789123, 1709210096789000], pa.int64()).cast(pa.timestamp("us"))
    for sql, plan in (
        ("to_iso(moment) AS iso, coalesce(to_ms(moment), 0) AS ms", ""),
        ("to_iso(moment + INTERVAL 0 DAY) AS iso, (SELECT to_ms(moment)) AS ms",
         "from = { ms = 'moment', iso = 'moment' }"),
    ):  # fmt: skip
        things(small, table(moment=at), {"iso": STRING, "ms": NUMBER}, sql, plan)
        small.transform()
        changes = small.rows("things", "changes")
        assert {(c["source_id"], c["field"], c["rule"]) for c in changes} == {
            ("1", "iso", "below_millisecond"), ("1", "ms", "below_millisecond"),
        }  # fmt: skip


def test_a_field_is_compared_with_the_column_whose_value_it_has(small: Small) -> None:
    """By its SQL first; and never with a column of its name that it does not have."""
    things(small, table(Stock=[None, 2], name=[None, "b"], other=["x", None]),
           {"inStock": NUMBER, "name?": STRING, "label": STRING, "both": STRING},
           "id")  # fmt: skip
    small.extract("others", table(name=["p", None]), ["id"])
    small.model("things", "SELECT key(t.id) AS _source_id, coalesce(t.stock, 0) AS inStock, "
                "t.other AS name, coalesce(u.name, '') AS label, coalesce(t.name || t.other, '') "
                'AS "both" FROM extract.things t JOIN extract.others u ON u.id = t.id')  # fmt: skip
    small.transform()
    changes = small.rows("things", "changes")
    assert {(c["source_id"], c["field"], c["rule"]) for c in changes} == {
        ("1", "inStock", "null_filled"), ("2", "label", "null_filled"),
        ("1", "both", "null_filled"), ("2", "both", "null_filled"),
    }  # fmt: skip


def test_a_numeric_is_a_float_an_integer_or_a_text(small: Small) -> None:
    texts = ["0.10", "9007199254740993", "NaN", "-Infinity", None, "abc", "12"]
    things(small, table(n=texts), {"f?": NUMBER, "t?": STRING, "list": array(NUMBER)},
           "to_number(n) AS f, n AS t, [to_number(coalesce(n, '0'))] AS list")  # fmt: skip
    small.transform()
    assert small.rejected("things") == {
        "2": ("f", "inexact_number"), "6": ("f", "inexact_number"),
    }  # fmt: skip
    documents = small.documents("things")
    assert (documents["1"]["f"], documents["1"]["t"]) == (0.1, "0.10")
    assert math.isnan(documents["3"]["f"]) and documents["4"]["f"] == -math.inf
    assert documents["5"]["f"] is None and documents["7"]["list"] == [12.0]
    things(small, table(n=["9223372036854775807", "1", None]), {"i?": INT64}, "n::HUGEINT AS i")
    small.transform()
    assert [d["i"] for d in small.documents("things").values()] == [INFINITY, 1, None]


def test_a_vector_has_the_dimensions_of_its_index(small: Small) -> None:
    things(small, table(v=["[1,2.5,-3e-05]", "[1,2]", None]), {"v?": array(NUMBER)},
           "pg_vector(v) AS v")  # fmt: skip
    small.transform()
    assert small.rejected("things") == {}, "without an index nothing says how many"
    small.schema("things", {"v?": array(NUMBER)},
                 vectorIndexes=[{"vectorField": "v", "dimensions": 3}])  # fmt: skip
    small.transform()
    assert small.rejected("things") == {"2": ("v", "dimensions")}
    assert small.documents("things")["1"]["v"] == [1.0, 2.5, -3e-05]


def test_bytes_stay_bytes(small: Small) -> None:
    things(small, table(b=[b"\0\xff", b"", None]), {"b?": BYTES}, "b")
    small.transform()
    assert [d["b"] for d in small.documents("things").values()] == [b"\0\xff", b"", None]


# ── inside of objects ───────────────────────────────────────────────────────


def obj(**fields: Any) -> dict[str, Any]:
    return {"type": "object", "value": {
        name: {"fieldType": kind, "optional": False} for name, kind in fields.items()
    }}  # fmt: skip


def test_a_failure_inside_of_an_object_keeps_the_row_out(small: Small) -> None:
    moments = pa.array([0, INFINITY, 0, 0], pa.int64()).cast(pa.timestamp("us"))
    things(small, table(moment=moments, n=["1.5", "1", "9007199254740993", "NaN"]),
           {"o": obj(iso=STRING, ms=NUMBER, big=INT64, n=NUMBER)},
           "{'iso': to_iso(moment), 'ms': to_ms(moment), 'big': to_ms(moment), "
           "'n': to_number(n)} AS o")  # fmt: skip
    small.transform()
    assert small.rejected("things") == {
        "2": ("o", "infinite_time"), "3": ("o", "inexact_number"),
    }  # fmt: skip
    assert json.loads(small.documents("things")["1"]["o"]) == {
        "iso": "1970-01-01T00:00:00.000Z", "ms": 0, "n": 1.5,
        "big": {"$integer": "AAAAAAAAAAA="},
    }  # fmt: skip
    assert json.loads(small.documents("things")["4"]["o"])["n"] == {"$float": "AAAAAAAA+H8="}


# ── around a failing call ───────────────────────────────────────────────────


ODD = pa.array([0, INFINITY, None], pa.int64()).cast(pa.timestamp("us"))


def odd_rows() -> pa.Table:
    """A good row, an odd one in every column, and one of nulls but for `n`."""
    return table(t=ODD, n=["1.5", "abc", "7"], whole=["1", "x", "3"],
                 a=["{1,2}", "{{1},{2}}", "[0:1]={7,8}"],
                 span=["01:00:00", "-1 days +02:03:00", "1 day"],
                 old=["{2024-01-01 00:00:00+00}", "{0044-03-15 12:00:00+00 BC}", "{}"])  # fmt: skip


AROUND: list[tuple[str, dict[str, Any], str]] = [
    ("to_ms(t) / 1000", NUMBER, "infinite_time"),
    ("to_ms(t) + 86400000", NUMBER, "infinite_time"),
    ("left(to_iso(t), 10)", STRING, "infinite_time"),
    ("upper(to_iso(t))", STRING, "infinite_time"),
    ("'on ' || to_day(t)", STRING, "infinite_time"),
    ("to_number(n)::VARCHAR", STRING, "inexact_number"),
    ("abs(to_number(n))", NUMBER, "inexact_number"),
    ("coalesce(to_number(n), 0)", NUMBER, "inexact_number"),
    ("try_cast(to_number(n) AS VARCHAR)", STRING, "inexact_number"),
    ("CASE WHEN to_number(n) > 1 THEN 'big' ELSE 'small' END", STRING, "inexact_number"),
    ("CASE WHEN isfinite(t) THEN to_ms(t) ELSE to_number(n) END", NUMBER, "inexact_number"),
    ("[to_number(n), 1]", array(NUMBER), "inexact_number"),
    ("list_transform(['1', n], lambda x: to_number(x))", array(NUMBER), "inexact_number"),
    ("list_transform([t], lambda x: coalesce(to_ms(x), 0))", array(NUMBER), "infinite_time"),
    ("list_filter([1.0], lambda x: to_number(n) <> x)", array(NUMBER), "inexact_number"),
    ("{'at': to_iso(t)}", {"type": "object", "value": {
        "at": {"fieldType": STRING, "optional": True}}}, "infinite_time"),
    ("to_json({'n': [to_number(n)]})", ANY, "inexact_number"),
    ("pg_array(a)::DOUBLE[]", array(NUMBER), "array_dimensions"),
    ("list_transform(pg_array(a), lambda x: to_number(x))", array(NUMBER), "array_dimensions"),
    ("epoch(CASE WHEN id = 2 THEN 'x' ELSE span END::INTERVAL)", NUMBER, "failed_expression"),
    ("whole::INTEGER", NUMBER, "failed_expression"),
    ("[whole]::INTEGER[]", array(NUMBER), "failed_expression"),
    ("whole::INTEGER > 1", {"type": "boolean"}, "failed_expression"),
    ("CASE WHEN id = 2 THEN 2147483647 ELSE 1 END::INTEGER + 1::INTEGER", NUMBER,
     "failed_expression"),
    ("list_transform(pg_array(old), lambda x: to_ms(x::TIMESTAMPTZ))", array(NUMBER),
     "failed_expression"),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "kind", "rule"), AROUND, ids=[case[0] for case in AROUND])
def test_what_is_around_a_failing_call_fails_with_it(
    small: Small, sql: str, kind: dict[str, Any], rule: str
) -> None:
    things(small, odd_rows(), {"x?": kind, "n": STRING}, f"{sql} AS x, n")
    small.transform()
    assert small.rejected("things") == {"2": ("x", rule)}
    (reject,) = small.rows("things", "rejects")
    assert reject["others"] == "[]" and reject["reason"]
    assert set(small.documents("things")) == {"1", "3"} and small.accounted("things")


def test_duckdb_s_own_words_are_the_reason_of_the_first_rows(small: Small) -> None:
    words = [str(n) for n in range(90)] + [f"w{n}" for n in range(10)]
    things(small, table(n=words), {"x": NUMBER}, "n::INTEGER AS x")
    small.transform()
    reasons = [row["reason"] for row in small.rows("things", "rejects")]
    own = "Could not convert string 'w0' to INT32 when casting from source column n"
    assert len(reasons) == 10 and own in reasons
    assert sum("Could not convert" in reason for reason in reasons) == 5
    assert "failed_expression" not in "".join(reasons)
    assert "CAST(n AS INTEGER) fails for w8" in reasons


def test_a_lower_bound_is_a_change(small: Small) -> None:
    things(small, odd_rows(), {"x": array(NUMBER)}, "pg_array(a)::DOUBLE[] AS x")
    small.transform()
    assert small.documents("things")["3"]["x"] == [7.0, 8.0]
    (change,) = small.rows("things", "changes")
    assert (change["source_id"], change["rule"]) == ("3", "lower_bound_dropped")
    assert (change["old"], change["new"]) == ("[0:1]={7,8}", "[7.0,8.0]")
    things(small, table(a=["{{1,2},{3,4}}", "{1}"]), {"x": array(array(STRING))},
           "to_json(pg_array_2d(a)) AS x")  # fmt: skip
    small.transform()
    assert json.loads(small.documents("things")["1"]["x"]) == [["1", "2"], ["3", "4"]]
    assert small.rejected("things") == {"2": ("x", "array_dimensions")}


def test_aliases_stars_and_names_mean_what_they_meant(small: Small) -> None:
    rows = table(name=["A", "B", "C", "D"], n=["1", "x", "3", "4"], title=["a", "b", "C", "d"])
    small.extract("things", rows, ["id"])
    small.schema("things", {"slug": STRING, "url": STRING, "same": {"type": "boolean"},
                            "n": NUMBER, "twice": NUMBER, "title": STRING})  # fmt: skip
    small.write("plan.toml", "max_rejects = 100\n[tables.things]\n")
    small.model(
        "things",
        """
        SELECT *, lower(name) AS slug, slug || '-x' AS url, slug = title AS same,
            n AS n, list_sum(list_transform([1], lambda slug: slug * number * 2)) AS twice
        FROM (SELECT key(id) AS _source_id, title, name AS "Name" FROM extract.things)
        WHERE slug <> 'd' ORDER BY slug || 'x'
    """.replace("*, lower", "_source_id, * EXCLUDE (_source_id, Name), lower")
        .replace("n AS n", "n::INTEGER AS n")
        .replace("* number", "* n::INTEGER")
        .replace('name AS "Name"', 'name AS "Name", n AS n0')
        .replace("(_source_id, Name)", "(_source_id, Name, n0)")
        .replace("n::INTEGER", "n0::INTEGER")
        .replace("lower(name)", "lower(Name)"),
    )
    small.transform()
    assert small.documents("things") == {
        "1": {"slug": "a", "url": "a-x", "same": True, "n": 1.0, "twice": 2.0, "title": "a"},
        "3": {"slug": "c", "url": "c-x", "same": False, "n": 3.0, "twice": 6.0, "title": "C"},
    }  # fmt: skip
    assert small.rejected("things") == {
        "2": ("n", "failed_expression"), "4": ("", "dropped_by_model"),
    }  # fmt: skip


# ── where no single row can be blamed ───────────────────────────────────────

STOPS = [
    ("SELECT key(id) AS _source_id,\n  1 AS x\nFROM extract.things\nWHERE to_ms(t) > 0",
     "things.sql, line 4: infinite_time: the time is infinite: infinity"),
    ("WITH a AS (\nSELECT id, to_number(n) AS x FROM extract.things)\n"
     "SELECT key(id) AS _source_id, x FROM a",
     "things.sql, line 2: inexact_number"),
    ("SELECT key(id) AS _source_id, (\n  SELECT max(to_ms(t)) FROM extract.things) AS x\n"
     "FROM extract.things", "things.sql, line 2: infinite_time"),
    ("SELECT key(id) AS _source_id,\n  sum(to_number(n)) OVER () AS x\nFROM extract.things",
     "things.sql, line 2: inexact_number"),
    ("SELECT key(id) AS _source_id,\n  sum(to_number(n)) AS x\nFROM extract.things GROUP BY id",
     "things.sql, line 2: inexact_number"),
    ("SELECT key(a.id) AS _source_id, 1 AS x FROM extract.things a\n"
     "JOIN extract.things b ON a.id = b.id AND\nto_number(b.n) > 0",
     "things.sql, line 3: inexact_number"),
    ("SELECT key(to_number(n)) AS _source_id, 1 AS x FROM extract.things",
     "things.sql, line 1: the _source_id of 1 rows fails: inexact_number"),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "words"), STOPS, ids=range(len(STOPS)))
def test_where_no_try_can_be_the_table_stops_and_the_others_go_on(
    small: Small, sql: str, words: str
) -> None:
    things(small, odd_rows(), {"x?": NUMBER}, "id AS x")
    small.extract("others", odd_rows(), ["id"])
    small.schema("others", {"x": NUMBER})
    small.schema("refers", {"thing": {"type": "id", "tableName": "things"}})
    small.write("plan.toml", "max_rejects = 100\n[tables.things]\n[tables.others]\n"
                "[tables.refers]\nsource = 'others'\n")  # fmt: skip
    small.model("others", "SELECT key(id) AS _source_id, id AS x FROM extract.others")
    small.model("refers", "SELECT key(id) AS _source_id, ref('things', id) AS thing "
                "FROM extract.others")  # fmt: skip
    small.transform()
    before = small.documents("things")
    small.model("things", sql)
    result = small.transform()
    assert words in result.failed["things"] and list(result.tables) == ["others"]
    assert "outer SELECT" in result.failed["things"] or "_source_id" in words
    assert "refers to things, which has failed" in result.failed["refers"]
    assert small.documents("things") == before, "nothing is replaced"


def test_what_fails_in_every_row_of_many_stops_the_table(small: Small) -> None:
    things(small, table(n=["x"] * 150), {"x": NUMBER}, "to_number(n) AS x")
    failed = small.transform().failed["things"]
    assert "things.sql, line 3: `x` fails in every one of 150 rows: inexact_number" in failed
    # A required field that is null is a reject a row, and so is what fails in few rows.
    things(small, table(n=pa.nulls(150, pa.string())), {"x": NUMBER}, "to_number(n) AS x")
    small.write("plan.toml", "max_rejects = 1000\n[tables.things]\n")
    small.transform()
    assert set(small.rejected("things").values()) == {("x", "required_null")}


def test_each_failing_row_of_distinct_and_union_is_counted(small: Small) -> None:
    rows = table(n=["1", "x", "y", "2", "2"], k=["a", "b", "b", "c", "c"])
    for sql in (
        "SELECT DISTINCT key(k) AS _source_id, to_number(n) AS x FROM extract.things",
        "SELECT key(k) AS _source_id, to_number(n) AS x FROM extract.things WHERE id < 3 UNION "
        "SELECT key(k), to_number(n) FROM extract.things WHERE id > 2",
    ):
        things(small, rows, {"x": NUMBER}, "id AS x", "grain = 'derived'")
        small.model("things", sql)
        small.transform()
        assert {k: d["x"] for k, d in small.documents("things").items()} == {"a": 1.0, "c": 2.0}
        assert small.rejected("things") == {
            "b": ("x", "inexact_number"), "b (2)": ("x", "inexact_number"),
        }, sql  # fmt: skip
        assert small.accounted("things")


def test_a_row_that_fails_in_one_half_of_a_union_is_a_reject(small: Small) -> None:
    """And no document of its other half; of derived rows, that document stays."""
    rows = table(n=["1", "x", "2", "y"], m=["1", "2", "z", "w"])
    things(small, rows, {"x": NUMBER}, "id AS x")
    for sql in (
        "SELECT key(id) AS _source_id, to_number(n) AS x FROM extract.things UNION "
        "SELECT key(id), to_number(m) FROM extract.things",
        "SELECT DISTINCT key(id) AS _source_id, to_number(u) AS x "
        "FROM extract.things, unnest([n, m]) u(u)",
    ):
        small.model("things", sql)
        small.transform()
        assert {k: d["x"] for k, d in small.documents("things").items()} == {"1": 1.0}
        assert small.rejected("things") == dict.fromkeys("234", ("x", "inexact_number")), sql
        assert small.accounted("things")
    things(small, rows, {"x": NUMBER}, "id AS x", "grain = 'derived'")
    small.model("things", sql)
    small.transform()
    assert {k: d["x"] for k, d in small.documents("things").items()} == {
        "1": 1.0, "2": 2.0, "3": 2.0,
    }  # fmt: skip
    keys = ["2 (2)", "3 (2)", "4", "4 (2)"]
    assert small.rejected("things") == dict.fromkeys(keys, ("x", "inexact_number"))
    assert small.accounted("things")


# ── plain and wrapped ───────────────────────────────────────────────────────

TEXTS = (None, "", "a", "B-c", "1", "-2.5", "NULL", "é🎉", "{x,y}", "'", "2024-02-30", "1e400")
# By what they give: of texts {a} and {b}, which may be the alias `i0`, and of a number {n}.
GIVE_TEXT = (
    "lower({a})", "coalesce({a}, {b})", "({a} || {b})", "nullif({a}, {b})", "{a}[1:1]",
    "regexp_replace({a}, '[a-z]', '#', 'g')", "CASE WHEN {a} = {b} THEN {n}::VARCHAR ELSE {b} END",
    "struct_pack(v := {a}).v", "CASE {n} WHEN 1 THEN {a} WHEN 2 THEN NULL ELSE {b} END",
    "list_transform([{a}, {b}], lambda x: coalesce(x, '') || {a})[2]",
)  # fmt: skip
GIVE_NUMBER = (
    "length({a})", "({n} * 2)", "CASE WHEN {a} = {b} THEN {n} ELSE length({b}) END",
    "coalesce({n}, length({a}))", "list_sum(list_transform([1, 2], lambda i0: i0 + {n}))::BIGINT",
)  # fmt: skip
GIVE_ANYTHING = (
    "[{a}, {b}]", "{{'p': {a}, 'q': {n}}}", "list_transform([{a}, {b}], lambda x: x || {a})",
    "{a} IS NULL", "to_json([{n}])", "TIMESTAMP '2024-01-01' + to_days({n}::INTEGER)",
    "{n}::DECIMAL(12, 2)", "{a} IN ('a', '1')", "NOT ({a} = {b})", "{n} BETWEEN 1 AND 3",
    "try_cast({a} AS DOUBLE)", "({a}, {b})", "encode({b})", "NULL::VARCHAR", "1", "'x'",
    "{a} LIKE 'B%'", "map {{'k': {n}}}", "{a}", "to_json({{'p': {a}}})", "TRY({a}::INTEGER)",
)  # fmt: skip
FAIL = (
    "{a}::INTEGER", "to_number({a})", "pg_array({a})", "{a}::DATE", "to_number({a}) || {b}",
    "coalesce({a}::DOUBLE, {n})", "CASE WHEN {n} > 0 THEN {a}::INTEGER ELSE {n} END", "{a}::JSON",
    "list_transform([{a}, {b}], lambda x: to_number(x))", "9223372036854775807 - 3 + {n}",
    "to_ms({a}::TIMESTAMP)", "{{'p': to_number({a}), 'q': to_number({b})}}", "time_ms({a})",
    "CASE WHEN to_number({a}) > 1 THEN 'big' ELSE {b} END", "try_cast(to_number({a}) AS VARCHAR)",
)  # fmt: skip


class Expressions:
    """Expressions of the tables above, put into each other by chance."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def of(self, templates: tuple[str, ...], depth: int) -> str:
        return self.random.choice(templates).format(
            a=self.text(depth), b=self.text(depth), n=self.number(depth)
        )

    def text(self, depth: int) -> str:
        if depth and self.random.random() < 0.4:
            return self.of(GIVE_TEXT, depth - 1)
        return self.random.choice(("a", "b", "i0"))

    def number(self, depth: int) -> str:
        if depth and self.random.random() < 0.4:
            return self.of(GIVE_NUMBER, depth - 1)
        return "n"

    def rows(self, count: int) -> list[tuple[int, str | None, str | None, int | None]]:
        choice = self.random.choice
        numbers = (None, *range(-9, 10))
        return [(n, choice(TEXTS), choice(TEXTS), choice(numbers)) for n in range(count)]


# A row costs next to nothing; an expression is compiled twice.
ROWS, ITEMS, FAILING = 400, 12, 5


@pytest.mark.parametrize("seed", range(4))
def test_wrapped_is_plain_wherever_nothing_fails(seed: int) -> None:
    """Values, types and nulls of 4,800 pairs of an expression and a row; and of 2,000 that may
    fail, what fails alone, and nothing else."""
    make = Expressions(seed)
    sound = [make.of(GIVE_TEXT + GIVE_NUMBER + GIVE_ANYTHING, 2) for _ in range(ITEMS)]
    failing = [make.of(FAIL, 1) for _ in range(FAILING)]
    with open_duckdb() as connection:
        connection.execute(macros())
        connection.execute("CREATE TABLE t (id INTEGER, a VARCHAR, b VARCHAR, n BIGINT)")
        connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", make.rows(ROWS))
        head = "SELECT id AS _source_id, coalesce(a, 'none') AS i0"
        items = "".join(f", {sql} AS x{n}" for n, sql in enumerate(sound))
        odd = "".join(f", {sql} AS y{n}" for n, sql in enumerate(failing))
        text = f"{head}{items}{odd} FROM t WHERE i0 <> 'z'"
        isolate_failures(connection, Model(name="m.sql", text=text), derived=False)
        names = "_source_id, i0" + "".join(f", x{n}" for n in range(ITEMS))
        plain = connection.sql(f"{head}{items} FROM t WHERE i0 <> 'z' ORDER BY id")
        wrapped = connection.sql(f"SELECT {names} FROM isolated ORDER BY _source_id")
        assert wrapped.columns == plain.columns
        assert [str(each) for each in wrapped.types] == [str(each) for each in plain.types]
        of_plain, of_wrapped = (list(zip(*r.fetchall(), strict=True)) for r in (plain, wrapped))
        for number, sql in enumerate(sound):
            assert of_wrapped[number + 2] == of_plain[number + 2], sql
        failed = connection.sql(
            "SELECT list_sort(list_transform(_failed, lambda f: f.field)) FROM isolated "
            "ORDER BY _source_id"
        ).fetchall()
        # Each by itself, with the alias in its own place.
        connection.execute("SET disabled_optimizers = 'common_subexpressions'")
        for number, sql in enumerate(failing):
            alone = connection.sql(
                f"{head}, TRY(struct_pack(v := {sql})) AS y FROM t ORDER BY id"
            ).fetchall()
            one = connection.sql(f"SELECT y{number} FROM isolated ORDER BY _source_id").fetchall()
            assert [y and y["v"] for *_, y in alone] == [value for (value,) in one], sql
            fails = [f"y{number}" in names for (names,) in failed]
            assert fails == [y is None for *_, y in alone], sql
        assert any(names for (names,) in failed)
        assert not {each for (names,) in failed for each in names if each.startswith("x")}

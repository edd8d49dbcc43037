"""Values that a macro can't convert: a row goes out, the others go on."""

from __future__ import annotations

import json
import math
from typing import Any

import pyarrow as pa

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


def test_the_greatest_int64_is_a_value_beside_a_time(small: Small) -> None:
    """Only a column that to_ms may have made has its mark for an infinite time."""
    moments = pa.array([0, INFINITY], pa.int64()).cast(pa.timestamp("us"))
    fields = {"size": INT64, "ms": INT64, "late": INT64}
    select = "to_ms(moment) AS ms, ms + 0 AS late, size"
    things(small, table(moment=moments, size=[INFINITY, 1]), fields, select)
    small.transform()
    assert small.rejected("things") == {"2": ("ms", "infinite_time")}
    (reject,) = small.rows("things", "rejects")
    assert {f["field"] for f in json.loads(reject["others"])} == {"late"}
    assert small.documents("things") == {"1": {"size": INFINITY, "ms": 0, "late": 0}}
    # Where it can't be told, nothing is let pass.
    small.model("things", "FROM (SELECT key(id) AS _source_id, to_ms(moment) AS ms, "
                "to_ms(moment) AS late, size FROM extract.things)")  # fmt: skip
    small.transform()
    assert small.rejected("things") == {
        "1": ("size", "infinite_time"), "2": ("ms", "infinite_time"),
    }  # fmt: skip


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
    """By its own name first; and never with a column of another table, or with one of several."""
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
        ("1", "inStock", "null_filled"), ("1", "name", "null_filled"),
        ("2", "name", "nulled_by_model"),
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


def test_marks_inside_of_an_object_keep_the_row_out(small: Small) -> None:
    moments = pa.array([0, INFINITY, 0, 0], pa.int64()).cast(pa.timestamp("us"))
    things(small, table(moment=moments, n=["1.5", "1", "9007199254740993", "NaN"]),
           {"o": obj(iso=STRING, ms=NUMBER, big=INT64, n=NUMBER)},
           "{'iso': to_iso(moment), 'ms': to_ms(moment), 'big': to_ms(moment), "
           "'n': to_number(n)} AS o")  # fmt: skip
    small.transform()
    assert small.rejected("things") == {
        "2": ("o", "infinite_time"), "3": ("o", "inexact_number"),
        # A NaN in there can't be told from the mark any more, and is not let pass unseen.
        "4": ("o", "inexact_number"),
    }  # fmt: skip
    assert json.loads(small.documents("things")["1"]["o"]) == {
        "iso": "1970-01-01T00:00:00.000Z", "ms": 0, "n": 1.5,
        "big": {"$integer": "AAAAAAAAAAA="},
    }  # fmt: skip
    for field, value in (("ms", "to_ms(moment)"), ("big", "to_ms(moment)")):
        kind = NUMBER if field == "ms" else INT64
        things(small, table(moment=moments), {"o": obj(x=kind)}, f"{{'x': {value}}} AS o")
        small.transform()
        assert small.rejected("things") == {"2": ("o", "infinite_time")}

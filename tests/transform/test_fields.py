"""What the plan says of fields, vectors, nulls, keys, creation time and order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.rejects import list_rejects
from tests.support.tiny_project import (
    BOOLEAN,
    NULL,
    NUMBER,
    STRING,
    Small,
    id_of,
    union,
)
from tests.transform.support import INFINITY, table, things

# ── nulls and values ────────────────────────────────────────────────────────────────────────


def test_empty_zero_and_false_are_values_and_null_is_none(small: Small) -> None:
    rows = table(t=["", None], n=pa.array([0, None], pa.int32()), b=[False, None])
    fields = {"t?": STRING, "n?": union(NUMBER, NULL), "b": union(BOOLEAN, NULL)}
    things(small, rows, fields, "t, n, b")
    small.transform()
    assert small.documents("things") == {
        "1": {"t": "", "n": 0.0, "b": False}, "2": {"t": None, "n": None, "b": None},
    }  # fmt: skip
    assert small.rows("things", "changes") == []
    things(small, rows, {"t": STRING, "n": NUMBER, "b": BOOLEAN}, "t, n, b")
    small.transform()
    assert small.rejected("things") == {"2": ("t", "required_null")}
    assert small.documents("things") == {"1": {"t": "", "n": 0.0, "b": False}}


STATUS = union("active", "draft")


def test_a_value_map_goes_before_the_literals(small: Small) -> None:
    rows = table(status=["Active", "active", "", "gone", None], code=["1", "1", "1", "1", "1"])
    things(small, rows, {"status?": STATUS}, "status",
           'values = { status = { Active = "active", "" = "draft" } }')  # fmt: skip
    small.transform()
    assert {key: d["status"] for key, d in small.documents("things").items()} == {
        "1": "active", "2": "active", "3": "draft", "5": None,
    }  # fmt: skip
    assert small.rejected("things") == {"4": ("status", "not_in_union")}
    things(small, table(status=pa.array([0, 1, 2], pa.int32())), {"status": STATUS}, "status",
           "values.status = { 0 = 'active', 1 = \"draft\" }")  # fmt: skip
    small.transform()
    assert [d["status"] for d in small.documents("things").values()] == ["active", "draft"]
    assert small.rejected("things") == {"3": ("status", "not_in_union")}


def test_quotes_in_a_value_map_are_texts(small: Small) -> None:
    things(small, table(t=["it's", '"']), {"t": STRING}, "t",
           """[tables.things.values.t]\n"it's" = "x''"\n'"' = ''""")  # fmt: skip
    small.transform()
    assert [d["t"] for d in small.documents("things").values()] == ["x''", ""]


ENTRIES = [
    ("keep_null = ['x']", "keep_null names `x`"),
    ("keep_null = ['t']", "keep_null names `t`, whose validator takes no null"),
    ("values = { x = { a = 'b' } }", "values names `x`"),
    ("values = { n = { a = 'b' } }", "values names `n`, which is no text"),
    ("from = { x = 'n' }", "from names `x`"),
    ("from = { t = 'x' }", "from names `x`, and things has no such column"),
    ("unique = [['t', 'x']]", "unique names `x`"),
    ("creation_time = 'x'", "creation_time names `x`, and things has no such column"),
    ("creation_time = 't'", "creation_time names `t`, which is VARCHAR and no time"),
    ("order_by = ['x']", "order_by names `x`, and things has no such column"),
    ("orphans = { t = 'null' }", "orphans names `t`, which is no reference"),
]


@pytest.mark.parametrize(("entry", "words"), ENTRIES, ids=[words for _, words in ENTRIES])
def test_an_entry_that_names_nothing_is_refused_with_its_line(
    small: Small, entry: str, words: str
) -> None:
    things(small, table(t=["a"], n=[1]), {"t?": STRING, "n": NUMBER}, "t, n")
    small.transform()
    folder = small.workspace.transform("things")
    before = {file: file.read_bytes() for file in folder.iterdir()}
    small.write("plan.toml", f"[tables.things]\n# said here:\n{entry}\n")
    message = small.fails().message
    assert message.startswith("plan.toml, line 3: ") and words in message
    assert {file: file.read_bytes() for file in folder.iterdir()} == before


# ── creation time and order ─────────────────────────────────────────────────────────────────

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOMENTS: list[int | None] = [3_000_500, 1_000_000, None, -5_000_000, 1_000_000, 0, INFINITY]


def created(small: Small, plan: str) -> list[tuple[str, float | None, int]]:
    at = pa.array(MOMENTS, pa.int64()).cast(pa.timestamp("us", "UTC"))
    rank = pa.array([7, 6, 5, 4, 3, 2, 1], pa.int32())
    things(small, table(moment=at, rank=rank), {"name": STRING}, "'x' AS name", plan)
    small.transform()
    return [
        (row["_source_id"], row["_creation_time"], row["_order"]) for row in small.rows("things")
    ]


def test_creation_time_and_order_are_the_last_two_columns(small: Small) -> None:
    rows = created(small, "creation_time = 'moment'")
    assert rows == [
        ("1", 3000.5, 5), ("2", 1000.0, 3), ("3", None, 7), ("4", None, 1), ("5", 1000.0, 4),
        ("6", None, 2), ("7", None, 6),
    ]  # fmt: skip
    folder = small.workspace.transform("things")
    for file in ("documents.parquet", "schema.parquet"):
        form = pq.read_schema(folder / file)
        assert form.names == ["_source_id", "name", "_creation_time", "_order"]
        assert form.types[2:] == [pa.float64(), pa.int64()]


def test_order_by_another_column_and_alone(small: Small) -> None:
    rows = created(small, "creation_time = 'moment'\norder_by = ['rank']")
    assert [order for _, _, order in rows] == [7, 6, 5, 4, 3, 2, 1]
    assert rows[0][1] == 3000.5
    rows = created(small, "order_by = ['rank']")
    assert [order for _, _, order in rows] == [7, 6, 5, 4, 3, 2, 1]
    assert {at for _, at, _ in rows} == {None}


def test_without_an_entry_there_are_no_such_columns(small: Small) -> None:
    things(small, table(t=["a"]), {"t": STRING}, "t")
    small.transform()
    assert list(small.rows("things")[0]) == ["_source_id", "t"]


def test_a_derived_table_is_ordered_by_its_fields(small: Small) -> None:
    things(small, table(moment=pa.array([5.5, 2.0, 9.0])), {"moment": NUMBER}, "moment",
           "grain = 'derived'\ncreation_time = 'moment'")  # fmt: skip
    small.transform()
    assert [(r["_creation_time"], r["_order"]) for r in small.rows("things")] == [
        (5.5, 2), (2.0, 1), (9.0, 3),
    ]  # fmt: skip


# ── keys ────────────────────────────────────────────────────────────────────────────────────


def test_a_composite_reference_finds_its_parent(small: Small) -> None:
    small.extract("orders", pa.table({
        "shop": ["a", "a,b", 'q"'], "n": pa.array([1, 1, 2], pa.int32()),
    }), ["shop", "n"])  # fmt: skip
    small.extract("lines", pa.table({
        "id": [1, 2, 3, 4, 5], "shop": ["a", 'q"', "a", None, "a,b"],
        "n": pa.array([1, 2, 9, 1, None], pa.int64()),
    }), ["id"])  # fmt: skip
    small.schema("orders", {"shop": STRING})
    small.schema("lines", {"order?": {"type": "id", "tableName": "orders"}})
    small.write("plan.toml", "max_rejects = 9\n[tables.orders]\n[tables.lines]\n")
    small.model("orders", "SELECT key(shop, n) AS _source_id, shop FROM extract.orders")
    small.model("lines", "SELECT key(id) AS _source_id, ref('orders', key(shop, n)) AS \"order\" "
                         "FROM extract.lines")  # fmt: skip
    small.transform()
    assert {k: d["order"] for k, d in small.documents("lines").items()} == {
        "1": 'orders:["a","1"]', "2": 'orders:["q\\"","2"]', "4": None, "5": None,
    }  # fmt: skip
    assert small.rejected("lines") == {"3": ("order", "orphan")}
    assert small.accounted("orders") and small.accounted("lines")


def test_keys_of_nine_columns(small: Small) -> None:
    names = [f"c{n}" for n in range(9)]
    small.extract("wide", pa.table({name: [1, 2] for name in names}), names)
    small.schema("wide", {"c0": NUMBER})
    small.write("plan.toml", "[tables.wide]\n")
    texts = ", ".join(f"key_text({name})" for name in names)
    small.model("wide", f"SELECT key_list([{texts}]) AS _source_id, c0 FROM extract.wide")
    small.transform()
    assert small.accounted("wide") and len(small.documents("wide")) == 2


def test_rows_without_a_key_are_accounted_for(small: Small) -> None:
    """Equal rows are told apart by a number; the text of a row is the same in every zone."""
    start = EPOCH + timedelta(microseconds=1)
    log = pa.table({
        "at": pa.array([start, start, start, None, None, start], pa.timestamp("us", "UTC")),
        "said": ["a", "a", "b", None, None, "bad"],
        "n": pa.array([1, 1, 1, None, None, 2], pa.int32()),
    })  # fmt: skip
    small.extract("log", log, [])
    small.schema("log", {"said?": STRING, "n?": NUMBER})
    small.write("plan.toml", "max_rejects = 9\n[tables.log]\nunique = [['n', 'said']]\n")
    small.model("log", "SELECT _key AS _source_id, said, n FROM extract.log "
                       "WHERE said <> 'bad' OR said IS NULL")  # fmt: skip
    small.transform()
    assert small.accounted("log")
    rules = sorted(rule for _, rule in small.rejected("log").values())
    assert rules == ["dropped_by_model", "not_unique", "not_unique"]
    keys = sorted(small.documents("log"))
    assert len(keys) == 3 and {key.rpartition("-")[2] for key in keys} == {"1", "2"}
    with duckdb.connect(str(small.workspace.database), read_only=True) as shell:
        shell.execute("SET TimeZone = 'Asia/Jakarta'")
        text = (small.workspace.migrations / "models" / "log.sql").read_text()
        assert set(keys) < {row[0] for row in shell.execute(text).fetchall()}
    small.model("log", "SELECT _key AS _source_id, said, n FROM extract.log")
    assert set(small.transform().tables) == {"log"} and small.accounted("log")
    assert set(keys) < set(small.documents("log"))


# ── times of the run ────────────────────────────────────────────────────────────────────────

CHANCE = [
    "now()", "current_timestamp", "today()", "current_date", "get_current_timestamp()",
    "localtimestamp", "transaction_timestamp()", "age(moment)", "ago('1 day')",
    "random()", "uuid()", "gen_random_uuid()", "uuidv7()", "current_setting('TimeZone')",
]  # fmt: skip


@pytest.mark.parametrize("sql", CHANCE)
def test_no_value_is_the_time_of_the_run_or_chance(small: Small, sql: str) -> None:
    at = pa.array([0], pa.int64()).cast(pa.timestamp("us"))
    things(small, table(moment=at), {"t": STRING}, f"'é' AS t,\n    ({sql})::VARCHAR AS u")
    message = small.fails().message
    assert message.startswith("models/things.sql, line 4: ")
    assert "gives another value on every run" in message


def test_nor_where_duckdb_can_not_take_a_query_apart(small: Small) -> None:
    things(small, table(t=["a"], n=[1]), {"t": STRING}, "t")
    pivot = ("SELECT key(id) AS _source_id, a::VARCHAR AS t FROM\n"
             "(PIVOT (SELECT id, t, n FROM extract.things) ON t USING sum(n)){}")  # fmt: skip
    small.model("things", pivot.format(" -- now()\nWHERE 'random()' <> '' /* uuid() */"))
    small.transform()
    assert small.accounted("things")
    small.model("things", pivot.format("\nWHERE Random () < 1"))
    assert small.fails().message.startswith("models/things.sql, line 3: random() gives")
    small.model("things", pivot.format("\nWHERE CURRENT_DATE > DATE '2000-01-01'"))
    assert small.fails().message.startswith("models/things.sql, line 3: current_date gives")


def test_nor_is_a_row_a_sample(small: Small) -> None:
    things(small, table(t=["a"]), {"t": STRING}, "t")
    small.model("things", "SELECT key(id) AS _source_id, t FROM extract.things USING SAMPLE 1")
    assert "a sample gives another value" in small.fails().message
    small.model("things", "SELECT key(id) AS _source_id, 'now() and random()' AS t -- now()\n"
                          "FROM extract.things /* uuid() */")  # fmt: skip
    small.transform()
    assert small.accounted("things")


# ── one clear message, with file and line ───────────────────────────────────────────────────

MISTAKES = [
    ("SELECT key(id) AS _source_id,\n t,\n t AS renamed\nFROM extract.things",
     "models/things.sql, line 3 has the column `renamed`, and things in convex/schema.ts has no"),
    ("SELECT key(id) AS _source_id, n\nFROM extract.things",
     "models/things.sql has no column `t`, and convex/schema.ts requires that field"),
    ("SELECT key(id) AS _source_id,\n gone AS t\nFROM extract.things",
     "models/things.sql, line 2: Binder Error"),
    ("SELECT key(id) AS _source_id,\n t,,\nFROM extract.things",
     "models/things.sql, line 2: Parser Error"),
    ("SELECT key(id) AS _source_id,\n t\nFROM extract.gone",
     "models/things.sql, line 3: Catalog Error: Table with name gone does not exist"),
    ("SELECT key(id) AS _source_id, to_unx(t) AS t\nFROM extract.things",
     "models/things.sql, line 1: Catalog Error: Scalar Function with name to_unx does not exist; "
     "is it `to_unix`?"),
    ("SELECT key(id) AS _source_id,\n lowre(t) AS t\nFROM extract.things",
     "models/things.sql, line 2: Catalog Error: Scalar Function with name lowre does not exist; "
     "is it `lower`?"),
    ("SELECT key(id) AS _source_id,\n td AS t\nFROM (SELECT id, t AS tdd, n FROM extract.things)",
     'models/things.sql, line 2: Binder Error: Referenced column "td" not found in FROM clause; '
     "is it `tdd`?"),
    ("SELECT key(id) AS _source_id,\n t\nFROM extract.thinks",
     "models/things.sql, line 3: Catalog Error: Table with name thinks does not exist; is it "
     "`things`?"),
    ("-- é\nSELECT key(id) AS _source_id, t\nFROM extract.things\nWHERE id = uuid()::BIGINT",
     "models/things.sql, line 4: uuid() gives another value on every run"),
    *(
        (f"SELECT key(id) AS _source_id, 'x' AS t\nFROM\n{schema}.things",
         f"models/things.sql, line 3: reads {schema.lower()}.things, which is the result of a run")
        for schema in ("transform", "bound", "LOAD")
    ),
    ("SELECT key(id) AS _source_id,\n (SELECT min(reason) FROM rejects) AS t\nFROM extract.things",
     "models/things.sql, line 2: reads rejects, which is the result of a run"),
    ("SELECT key(id) AS _source_id, a AS t FROM\n(PIVOT transform.things ON t USING sum(n))",
     "models/things.sql, line 2: reads transform.things, which is the result of a run"),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "words"), MISTAKES, ids=[words for _, words in MISTAKES])
@pytest.mark.parametrize("plan", ["", "values = { t = { a = 'b' } }"], ids=["", "mapped"])
def test_a_mistake_in_a_model_is_one_message_and_loses_nothing(
    small: Small, sql: str, words: str, plan: str
) -> None:
    things(small, table(t=["a"], n=[1]), {"t": STRING, "n?": NUMBER}, "t, n", plan)
    small.transform()
    folder = small.workspace.transform("things")
    before = {file: file.read_bytes() for file in folder.iterdir()}
    small.model("things", sql)
    message = small.fails().message
    assert message.startswith(words) and "\n" not in message
    assert {file: file.read_bytes() for file in folder.iterdir()} == before


def test_fields_that_differ_only_in_case_are_refused(small: Small) -> None:
    """DuckDB would give one the values of the other."""
    things(small, table(t=["a"]), {"t": STRING, "T": STRING}, "t, 'b' AS T")
    assert "has the fields `t` and `T`, which differ only in case" in small.fails().message


def test_a_name_of_the_model_s_own_is_no_result(small: Small) -> None:
    things(small, table(t=["a"]), {"t": STRING}, "t")
    small.model(
        "things",
        "WITH rejects AS (FROM extract.things) SELECT key(id) AS _source_id, t FROM rejects",
    )
    small.transform()
    assert small.documents("things") == {"1": {"t": "a"}}


def test_a_column_of_another_type_is_named_with_its_line(small: Small) -> None:
    things(small, table(t=["a"]), {"t": STRING}, "length(t) AS t")
    assert small.fails().message.startswith("models/things.sql, line 3: column `t` is BIGINT")


SIDES = [("map.json", "{", "map.json"), ("map.parquet", "x", "map")]


@pytest.mark.parametrize(("file", "text", "words"), SIDES)
def test_a_side_file_that_can_not_be_read(small: Small, file: str, text: str, words: str) -> None:
    things(small, table(t=["a"]), {"t": STRING}, "t")
    small.write(file, text)
    small.model("things", "SELECT key(id) AS _source_id, t FROM extract.things, side.map")
    assert words in small.fails().message


# ── in cycles ───────────────────────────────────────────────────────────────────────────────


def test_what_collides_in_a_cycle_takes_its_children_along(small: Small) -> None:
    rows = pa.table({
        "id": [1, 2, 3, 4], "up": pa.array([None, None, 1, 3], pa.int64()),
        "slug": ["a", "A", "b", "c"],
    })  # fmt: skip
    small.extract("pages", rows, ["id"])
    small.schema("pages", {"up?": {"type": "id", "tableName": "pages"}, "slug": STRING})
    small.write("plan.toml", "max_rejects = 9\n[tables.pages]\nunique = [['slug']]\n")
    small.model("pages", "SELECT key(id) AS _source_id, ref('pages', up) AS up, "
                         "lower(slug) AS slug FROM extract.pages")  # fmt: skip
    small.transform()
    assert small.rejected("pages") == {
        "1": ("slug", "not_unique"), "2": ("slug", "not_unique"),
        "3": ("up", "parent_rejected"), "4": ("up", "parent_rejected"),
    }  # fmt: skip
    small.write("models/pages.drop.sql", "SELECT '2' AS _source_id, 'a twin' AS reason")
    small.model("pages", "SELECT key(id) AS _source_id, ref('pages', up) AS up, "
                         "lower(slug) AS slug FROM extract.pages WHERE id <> 2")  # fmt: skip
    small.transform()
    assert small.rejected("pages") == {"2": ("", "dropped_on_purpose")}
    assert small.accounted("pages")


def cycle(small: Small, columns: dict[str, list[Any]], unique: str = "") -> dict[str, str]:
    """Transform pages that refer to pages in every column but `title`; return the reasons of their
    rejects. No row that is rejected because of another counts as a cause."""
    rows = pa.table({"id": list(range(1, len(columns["title"]) + 1)), **columns})
    small.extract("pages", rows, ["id"])
    fields: dict[str, Any] = {"title": STRING}
    selected = "key(id) AS _source_id, title"
    for name, values in columns.items():
        if any(isinstance(value, list) for value in values):
            fields[name] = {"type": "array", "value": id_of("pages")}
            selected += f", refs('pages', {name}) AS {name}"
        elif name != "title":
            fields[f"{name}?"] = id_of("pages")
            selected += f", ref('pages', {name}) AS {name}"
    small.schema("pages", dict(sorted(fields.items())))
    small.write("plan.toml", f"max_rejects = 99\n[tables.pages]\n{unique}\n")
    small.model("pages", f"SELECT {selected} FROM extract.pages")
    small.transform()
    groups = list_rejects(small.workspace, small.plan, small.plan.tables.values(), None)
    assert not any(g.rule == "parent_rejected" and not g.is_symptom for g in groups)
    return {r["source_id"]: f"{r['rule']} {r['field']}: {r['reason']}"
            for r in small.rows("pages", "rejects")}  # fmt: skip


UNTITLED = "required_null title: the field is required, the value is null"


def test_reasons_in_a_cycle_lead_to_the_cause(small: Small) -> None:
    """Pages that refer to each other are not each other's reason, where another page is."""
    assert cycle(small, {
        "title": [None, "b", "c", "d", "e", "f", None],
        "up": [None, 1, 2, None, 99, None, 3],
        "beside": [2, 3, 2, 3, 6, 5, 1],
    }) == {
        "1": UNTITLED,
        "2": "parent_rejected up: pages:1 is rejected: required_null title",
        "3": "parent_rejected beside: pages:2 is rejected: parent_rejected up",
        "4": "parent_rejected beside: pages:3 is rejected: parent_rejected beside",
        "5": "orphan up: pages:99 is not in pages",
        "6": "parent_rejected beside: pages:5 is rejected: orphan up",
        "7": UNTITLED,
    }  # fmt: skip


def test_reasons_in_a_cycle_of_lists(small: Small) -> None:
    assert cycle(small, {
        "title": ["a", "b", None, "d", "e"],
        "links": [[2, 3], [1], [], [5, 99], [4]],
    }) == {
        "1": "parent_rejected links[]: pages:3 is rejected: required_null title",
        "2": "parent_rejected links[]: pages:1 is rejected: parent_rejected links[]",
        "3": UNTITLED,
        "4": "orphan links[]: pages:99 is not in pages",
        "5": "parent_rejected links[]: pages:4 is rejected: orphan links[]",
    }  # fmt: skip


def test_a_collision_in_a_cycle_is_the_reason_of_its_row(small: Small) -> None:
    columns: dict[str, list[Any]] = {"title": ["same", "b", "same"], "up": [2, 1, None]}
    assert cycle(small, columns, "unique = [['title']]") == {
        "1": "not_unique title: 2 rows have the same title, the first is 1",
        "2": "parent_rejected up: pages:1 is rejected: not_unique title",
        "3": "not_unique title: 2 rows have the same title, the first is 1",
    }


def test_reasons_in_a_long_cycle(small: Small) -> None:
    """Each page names the next and the one before; a query follows only some of them at once."""
    many = 40
    reasons = cycle(
        small,
        {
            "title": [None, *(str(n) for n in range(2, many + 1))],
            "after": [*range(2, many + 1), None],
            "before": [None, *range(1, many)],
        },
    )
    assert [reasons[str(n)].partition(" is ")[0] for n in range(2, many + 1)] == [
        f"parent_rejected before: pages:{n}" for n in range(1, many)
    ]  # fmt: skip

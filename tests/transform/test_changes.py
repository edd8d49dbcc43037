"""What a rule changed is recorded wherever it happens: in joined sources, lists, expressions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from tests.support.tiny_project import ANY, BOOLEAN, INT64, NUMBER, STRING, Small, array
from tests.transform.support import INFINITY, table

MS = datetime(2024, 1, 1, tzinfo=UTC)
BELOW = MS + timedelta(microseconds=123456)
TIMES = pa.timestamp("us", tz="UTC")
CUT, WHOLE = "2024-01-01 00:00:00.123456+00", "1704067200123"


def changes(small: Small) -> set[tuple[str, str, str, str | None, str | None]]:
    rows = small.rows("things", "changes")
    found = {(r["source_id"], r["field"], r["rule"], r["old"], r["new"]) for r in rows}
    assert len(found) == len(rows), "each once"
    return found


def short(small: Small) -> set[tuple[str, str, str]]:
    return {change[:3] for change in changes(small)}


def things(small: Small, fields: dict[str, Any], model: str, plan: str = "") -> Small:
    """Things of users: the first three have one, whose time or nick may be null or cut."""
    small.extract("users", pa.table({
        "id": pa.array([1, 2, 3], pa.int64()),
        "created_at": pa.array([BELOW, None, MS], TIMES),
        "nick": ["ann", None, "cy"],
    }), ["id"])  # fmt: skip
    small.extract("things", table(
        user_id=pa.array([1, 2, 3, None], pa.int64()),
        moment=pa.array([MS, BELOW, None, MS], TIMES),
        other=pa.array([BELOW, MS, BELOW, None], TIMES),
        name=["a", None, "c", "d"],
        texts=['{"x"}', "{NULL,y}", None, "{}"],
        clock=["12:00:00.123456", "12:00:00.123", None, "12:00:00"],
        times=pa.array([[BELOW, MS], [MS], None, [MS, BELOW]], pa.list_(TIMES)),
    ), ["id"])  # fmt: skip
    small.schema("things", fields)
    small.write("plan.toml", f"max_rejects = 100\n[sources.users]\n[tables.things]\n{plan}\n")
    small.model("things", model)
    small.transform()
    return small


JOINED = "FROM extract.things t LEFT JOIN extract.users u ON u.id = t.user_id"
KEY = "SELECT key(t.id) AS _source_id, "


# ── columns of joined sources ───────────────────────────────────────────────────────────────


def test_times_of_a_joined_source(small: Small) -> None:
    things(small, {"since?": NUMBER}, f"{KEY} to_ms(u.created_at) AS since {JOINED}")
    assert changes(small) == {("1", "since", "below_millisecond", CUT, WHOLE)}


def test_nulls_of_a_joined_source_that_a_model_fills_or_makes(small: Small) -> None:
    model = f"{KEY} coalesce(u.nick, 'nobody') AS nick, nullif(u.nick, 'ann') AS other {JOINED}"
    things(small, {"nick": STRING, "other?": STRING}, model)
    assert changes(small) == {
        ("2", "nick", "null_filled", None, "nobody"),
        ("4", "nick", "null_filled", None, "nobody"),
        ("1", "other", "nulled_by_model", "ann", None),
    }


def test_a_field_is_not_compared_with_a_column_of_its_name_that_it_does_not_have(
    small: Small,
) -> None:
    things(small, {"name?": STRING}, f"{KEY} u.nick AS name {JOINED}")
    assert changes(small) == set()


def test_from_names_a_column_of_a_joined_source(small: Small) -> None:
    fields, plan = {"label": STRING}, "from = { label = 'users.nick' }"
    model = f"{KEY} concat('<', u.nick, '>') AS label {JOINED}"
    things(small, fields, model, plan)
    wanted = {("2", "label", "null_filled", None, "<>"), ("4", "label", "null_filled", None, "<>")}
    assert changes(small) == wanted
    things(small, fields, model, plan.replace("users.", "u."))
    assert changes(small) == wanted
    small.write("plan.toml", "[sources.users]\n[tables.things]\nfrom = { label = 'x.nick' }")
    error = small.fails()
    assert "`x.nick`" in error.message and "source.column" in str(error.hint)


def test_a_self_join_too(small: Small) -> None:
    model = (
        f"{KEY} to_ms(b.other) AS before FROM extract.things t "
        "LEFT JOIN extract.things b ON b.id = t.id - 1"
    )
    things(small, {"before?": NUMBER}, model)
    assert short(small) == {
        ("2", "before", "below_millisecond"),
        ("4", "before", "below_millisecond"),
    }


# ── inside of lists and expressions ─────────────────────────────────────────────────────────


@pytest.mark.parametrize("listed", [
    "list_transform(times, lambda x: to_ms(x))",
    "[to_ms(x) for x in times]",
    "CASE WHEN times IS NOT NULL THEN list_transform(times, lambda x: to_ms(x)) END",
    "coalesce(list_transform(times, lambda x: to_ms(x)), [to_ms(x) for x in [moment]])",
    "times.list_transform(lambda x: x.to_ms())",
])  # fmt: skip
def test_times_in_lists_have_their_place(small: Small, listed: str) -> None:
    things(small, {"at?": array(NUMBER)}, f"SELECT key(id) AS _source_id, {listed} AS at "
           "FROM extract.things")  # fmt: skip
    lost = {c for c in changes(small) if c[2] == "below_millisecond"}
    assert lost == {
        ("1", "at[0]", "below_millisecond", CUT, WHOLE),
        ("4", "at[1]", "below_millisecond", CUT, WHOLE),
    }


def test_times_in_lists_of_lists_and_in_objects(small: Small) -> None:
    model = (
        "SELECT key(id) AS _source_id, list_transform([times], lambda a: list_transform(a, lambda "
        "b: to_ms(b))) AS deep, to_json({'t': to_ms(other)}) AS object FROM extract.things"
    )
    things(small, {"deep?": ANY, "object": ANY}, model)
    assert short(small) == {
        ("1", "deep[0][0]", "below_millisecond"), ("4", "deep[0][1]", "below_millisecond"),
        ("1", "object", "below_millisecond"), ("3", "object", "below_millisecond"),
    }  # fmt: skip


def test_nulls_in_lists_that_a_model_fills(small: Small) -> None:
    model = (
        "SELECT key(id) AS _source_id, list_transform(pg_array(texts), lambda x: coalesce(x, '')) "
        "AS texts FROM extract.things"
    )
    things(small, {"texts?": array(STRING)}, model)
    assert changes(small) == {("2", "texts[0]", "null_filled", None, "")}


@pytest.mark.parametrize(("sql", "rows"), [
    ("coalesce(to_ms(moment), to_ms(other))", {"2", "3"}),
    ("CASE WHEN moment > other THEN to_ms(moment) ELSE to_ms(other) END", {"1", "2", "3"}),
    ("greatest(to_ms(moment), to_ms(other))", {"1", "2", "3"}),
    ("to_ms(other) // 1000", {"1", "3"}),
    ("CASE WHEN isfinite(other) THEN to_ms(other) END", {"1", "3"}),
    ("to_ms(coalesce(other, moment))", {"1", "3"}),
    ("CASE WHEN to_ms(other) > 0 THEN 1 END", set()),
    ("CASE WHEN id = 1 THEN to_ms(other) END", {"1"}),
    ("other.to_ms()", {"1", "3"}),
    ("epoch_ms(other)", {"1", "3"}),
    ("time_ms(clock)", {"1"}),
])  # fmt: skip
def test_times_in_expressions(small: Small, sql: str, rows: set[str]) -> None:
    model = f"SELECT key(id) AS _source_id, {sql} AS ms FROM extract.things"
    things(small, {"ms?": NUMBER}, model)
    lost = {change for change in changes(small) if change[2] == "below_millisecond"}
    assert {change[0] for change in lost} == rows and {change[1] for change in lost} <= {"ms"}


@pytest.mark.parametrize(("sql", "rows"), [
    ("coalesce(u.nick, name, '-') || '!'", {"2", "4"}),
    ("concat(coalesce(name, ''), 'x')", {"2"}),
    ("CASE WHEN coalesce(name, 'x') = 'x' THEN 'a' ELSE 'b' END", set()),
    ("upper(ifnull(name, 'x'))", {"2"}),
])  # fmt: skip
def test_nulls_in_expressions(small: Small, sql: str, rows: set[str]) -> None:
    things(small, {"label": STRING}, f"{KEY} {sql} AS label {JOINED}")
    assert short(small) == {(row, "label", "null_filled") for row in rows}


def test_a_text_of_a_time_and_an_int64_too(small: Small) -> None:
    model = (
        f"{KEY} to_iso(u.created_at) AS iso, to_ms(u.created_at) AS long, "
        f"to_time(t.other) AS clock {JOINED}"
    )
    things(small, {"iso?": STRING, "long?": INT64, "clock?": STRING}, model)
    assert changes(small) == {
        ("1", "iso", "below_millisecond", CUT, "2024-01-01T00:00:00.123Z"),
        ("1", "long", "below_millisecond", CUT, WHOLE),
        ("1", "clock", "below_millisecond", CUT, "00:00:00.123"),
        ("3", "clock", "below_millisecond", CUT, "00:00:00.123"),
    }


# ── every form of a model ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("model", [
    "WITH q AS (FROM extract.users) "
    f"{KEY} to_ms(u.created_at) AS since FROM extract.things t LEFT JOIN q u ON u.id = t.user_id",
    f"{KEY} to_ms(u.created_at) AS since {JOINED} WHERE t.id < 3 UNION ALL "
    f"{KEY} to_ms(u.created_at) {JOINED} WHERE t.id >= 3",
    f"{KEY} to_ms(u.created_at) AS since {JOINED} UNION "
    f"{KEY} to_ms(u.created_at) AS since {JOINED} ORDER BY 1",
    f"SELECT DISTINCT key(t.id) AS _source_id, to_ms(u.created_at) AS since {JOINED}",
    f"{KEY} to_ms(u.created_at) AS since {JOINED} ORDER BY since LIMIT 10",
    f"{KEY} to_ms(max(u.created_at)) AS since {JOINED} GROUP BY t.id",
    f"{KEY} u.created_at AS c, to_ms(c) AS since {JOINED}",
    f"{KEY} to_ms(u.created_at) AS since {JOINED} "
    "QUALIFY row_number() OVER (PARTITION BY t.id) = 1",
    f"WITH q AS (SELECT t.id, u.created_at {JOINED}) SELECT key(id) AS _source_id, "
    "to_ms(created_at) AS since FROM q",
])  # fmt: skip
def test_forms_of_a_model(small: Small, model: str) -> None:
    fields = {"since?": NUMBER}
    if " AS c," in model:
        model = f"SELECT _source_id, to_ms(c) AS since FROM ({KEY} u.created_at AS c {JOINED})"
    things(small, fields, model)
    assert changes(small) == {("1", "since", "below_millisecond", CUT, WHOLE)}


@pytest.mark.parametrize("model", [
    f"WITH q AS ({KEY} to_ms(u.created_at) AS since {JOINED}) SELECT * FROM q",
    f"WITH q AS ({KEY} to_ms(u.created_at) AS since {JOINED}), r AS (FROM q) FROM r SELECT *",
    f"WITH q AS ({KEY} to_ms(u.created_at) AS ms {JOINED}) SELECT _source_id, ms AS since FROM q",
    f"SELECT q.k AS _source_id, q.ms AS since FROM (SELECT key(t.id) AS k, to_ms(created_at) AS ms "
    f"{JOINED}) q",
    "WITH q AS (SELECT id, to_ms(created_at) AS ms FROM extract.users) "
    f"{KEY} q.ms AS since FROM extract.things t LEFT JOIN q ON q.id = t.user_id",
    "WITH q AS (SELECT id, to_ms(created_at) AS ms FROM extract.users) "
    f"{KEY} q.ms AS since FROM extract.things t LEFT JOIN q ON q.id = t.user_id WHERE t.id < 3 "
    f"UNION ALL {KEY} NULL FROM extract.things t WHERE t.id >= 3",
    "WITH q AS (SELECT id, to_ms(created_at) AS ms FROM extract.users) "
    f"{KEY} (ms + 0)::DOUBLE AS since FROM extract.things t LEFT JOIN q ON q.id = t.user_id",
])  # fmt: skip
def test_what_a_query_inside_of_a_model_cuts(small: Small, model: str) -> None:
    things(small, {"since?": NUMBER}, model)
    assert changes(small) == {("1", "since", "below_millisecond", CUT, WHOLE)}


def test_lists_and_nulls_of_a_query_inside_have_their_place(small: Small) -> None:
    model = (
        "WITH q AS (SELECT id, list_transform(times, lambda x: to_ms(x)) AS ms, "
        "coalesce(name, '-') AS label FROM extract.things) "
        "SELECT key(id) AS _source_id, ms AS deep, label FROM q"
    )
    things(small, {"deep?": ANY, "label": STRING}, model)
    assert short(small) == {
        ("1", "deep[0]", "below_millisecond"), ("4", "deep[1]", "below_millisecond"),
        ("2", "label", "null_filled"),
    }  # fmt: skip


@pytest.mark.parametrize("model", [
    "WITH q AS (SELECT DISTINCT user_id, to_ms(max(other)) AS ms FROM extract.things GROUP BY ALL) "
    f"{KEY} q.ms AS since FROM extract.things t LEFT JOIN q USING (user_id)",
    "WITH q AS (SELECT id, to_ms(other) AS ms FROM extract.things), r AS (SELECT id, to_ms(moment) "
    "AS ms FROM extract.things) SELECT key(id) AS _source_id, NULL::DOUBLE AS since FROM "
    "extract.things NATURAL JOIN (SELECT id FROM q NATURAL JOIN (SELECT id FROM r))",
    "WITH q(k, ms) AS (SELECT key(id), to_ms(other) FROM extract.things) "
    "SELECT k AS _source_id, ms AS since FROM q",
    "WITH q AS (SELECT id, to_ms(other) AS ms FROM extract.things UNION ALL "
    "SELECT -1, NULL) SELECT key(id) AS _source_id, ms AS since FROM q WHERE id > 0",
])  # fmt: skip
def test_a_query_inside_that_can_have_no_other_columns_is_left_as_it_is(
    small: Small, model: str
) -> None:
    things(small, {"since?": NUMBER}, model)
    assert changes(small) == set() and small.accounted("things")
    assert not small.rejected("things")


def test_a_derived_table(small: Small) -> None:
    model = (
        "SELECT 'day ' || user_id AS _source_id, to_ms(max(other)) AS last, "
        "coalesce(max(name), '-') AS name FROM extract.things WHERE user_id IS NOT NULL "
        "GROUP BY user_id"
    )
    things(small, {"last?": NUMBER, "name": STRING}, model, "grain = 'derived'")
    assert changes(small) == {
        ("day 1", "last", "below_millisecond", CUT, WHOLE),
        ("day 3", "last", "below_millisecond", CUT, WHOLE),
        ("day 2", "name", "null_filled", None, "-"),
    }


def test_rows_that_fail_hide_nothing_of_the_others(small: Small) -> None:
    small.extract("users", table(at=pa.array([BELOW, MS], TIMES), day=["2024-01-01", "x"]), ["id"])
    small.extract("things", table(user=[1, 1, 2], n=["1", "x", "2"]), ["id"])
    small.schema("things", {"n": INT64, "since": NUMBER, "times": array(NUMBER)})
    small.write("plan.toml", "max_rejects = 100\n[sources.users]\n[tables.things]\n")
    small.model("things", f"{KEY} n::BIGINT AS n, to_ms(u.at) AS since, list_transform([u.at, "
                "u.day::TIMESTAMPTZ], lambda x: to_ms(x)) AS times "
                "FROM extract.things t JOIN extract.users u ON u.id = t.user")  # fmt: skip
    small.transform()
    assert small.rejected("things").keys() == {"2", "3"}
    assert short(small) == {
        ("1", "since", "below_millisecond"), ("1", "times[0]", "below_millisecond"),
    }  # fmt: skip


def test_an_infinity_is_no_loss_of_its_own(small: Small) -> None:
    ends = pa.array([BELOW, None], TIMES).cast(pa.int64()).fill_null(INFINITY).cast(TIMES)
    small.extract("things", table(a=ends, b=ends), ["id"])
    small.schema("things", {"ms?": NUMBER})
    small.write("plan.toml", "[tables.things]\n")
    small.model("things", "SELECT key(id) AS _source_id, CASE WHEN isfinite(a) AND id > 0 THEN "
                "greatest(to_ms(a), to_ms(b)) END AS ms FROM extract.things")  # fmt: skip
    small.transform()
    assert short(small) == {("1", "ms", "below_millisecond")}
    assert [d["ms"] for d in small.documents("things").values()] == [1704067200123.0, None]


def test_nothing_is_asked_of_columns_that_are_passed_on(small: Small) -> None:
    """The engine's own paths: what the model only passes on is compared with its source row."""
    model = f"{KEY} to_ms(t.moment) AS at, t.name {JOINED}"
    things(small, {"at?": NUMBER, "name?": STRING}, model)
    assert changes(small) == {("2", "at", "below_millisecond", CUT, WHOLE)}


# ── what looks like a loss and is none, and what hides one ──────────────────────────────────


@pytest.mark.parametrize("model", [
    "SELECT key(id) AS _source_id, to_ms(clock::TIMESTAMP) AS since FROM extract.things "
    "WHERE clock NOT LIKE '12:%'",
    f"{KEY} to_ms(t.clock::TIMESTAMP) AS since {JOINED} WHERE t.clock NOT LIKE '12:%'",
    "SELECT key(id) AS _source_id, [to_ms(x::TIMESTAMP) for x in [clock]][1] AS since "
    "FROM extract.things JOIN (SELECT 1) ON clock NOT LIKE '12:%'",
    "SELECT key(id) AS _source_id, to_ms(clock::TIMESTAMP) AS since FROM extract.things "
    "WHERE clock IS NULL LIMIT 9",
])  # fmt: skip
def test_a_filter_of_the_model_keeps_what_it_keeps_from_its_expressions(
    small: Small, model: str
) -> None:
    things(small, {"since?": NUMBER}, model)
    assert changes(small) == set() and small.accounted("things")
    assert {rule for _, rule in small.rejected("things").values()} <= {"dropped_by_model"}


def test_selects_of_a_union_whose_fields_come_of_other_types(small: Small) -> None:
    model = (
        "SELECT key(id) AS _source_id, to_ms(other) AS ms FROM extract.things WHERE id < 3 "
        "UNION ALL SELECT key(id), id::DOUBLE AS ms FROM extract.things WHERE id >= 3"
    )
    things(small, {"ms?": NUMBER}, model)
    assert short(small) == {("1", "ms", "below_millisecond")}


@pytest.mark.parametrize("other", [
    "to_iso(epoch_ms(t.id))", "CASE WHEN t.id = 0 THEN to_iso(epoch_ms(t.id)) END",
])  # fmt: skip
def test_what_can_not_be_looked_for_hides_nothing_else(small: Small, other: str) -> None:
    model = f"{KEY} {other} AS iso, coalesce(u.nick, '-') || '!' AS nick {JOINED}"
    things(small, {"iso?": STRING, "nick": STRING}, model)
    assert short(small) == {("2", "nick", "null_filled"), ("4", "nick", "null_filled")}
    model = (
        "SELECT key(u.id) AS _source_id, max(to_ms(t.other)) AS ms, coalesce(any_value(u.nick), "
        "'-') || '!' AS nick FROM extract.users u JOIN extract.things t ON t.user_id = u.id "
        "GROUP BY u.id"
    )
    things(small, {"ms": NUMBER, "nick": STRING}, model, "grain = 'derived'")
    assert short(small) == {("2", "nick", "null_filled")}


def test_a_joined_column_of_the_same_name_is_another(small: Small) -> None:
    model = (
        f"{KEY} coalesce(to_ms(t.moment), to_ms(o.moment)) AS moment FROM extract.things t "
        "JOIN extract.things o ON o.id = 5 - t.id"
    )
    things(small, {"moment?": NUMBER}, model)
    assert changes(small) == {
        ("2", "moment", "below_millisecond", CUT, WHOLE),
        ("3", "moment", "below_millisecond", CUT, WHOLE),
        ("3", "moment", "null_filled", None, WHOLE),
    }


def test_a_column_that_a_joined_source_has_not_is_refused(small: Small) -> None:
    things(small, {"label?": STRING}, f"{KEY} t.name AS label {JOINED}")
    small.write("plan.toml", "[sources.users]\n[tables.things]\nfrom = { label = 'users.nope' }")
    assert "`users.nope`" in small.fails().message


@pytest.mark.parametrize(("sql", "kind"), [
    ("row_number() OVER (PARTITION BY name ORDER BY coalesce(user_id, 0), to_ms(other))::DOUBLE",
     NUMBER),
    ("max(to_ms(other)) OVER (PARTITION BY user_id)", NUMBER),
    ("to_ms(other) IS NOT NULL", BOOLEAN),
    ("coalesce(user_id, 0) IN (0, 2)", BOOLEAN),
    ("to_ms(other) BETWEEN 1 AND 2", BOOLEAN),
    ("NOT coalesce(user_id > 1, false)", BOOLEAN),
    ("CASE WHEN to_ms(other) IS NULL THEN 1 WHEN coalesce(name, 'a') IN ('a') THEN 2 END",
     NUMBER),
])  # fmt: skip
def test_what_does_not_go_into_the_value_is_no_loss(
    small: Small, sql: str, kind: dict[str, Any]
) -> None:
    things(small, {"v?": kind}, f"SELECT key(id) AS _source_id, {sql} AS v FROM extract.things")
    assert changes(small) == set()


def test_items_that_become_rows_have_no_losses_of_the_others(small: Small) -> None:
    model = (
        "SELECT key(id) || ':' || generate_subscripts(times, 1) AS _source_id, "
        "unnest(list_transform(times, lambda x: to_ms(x))) AS ms FROM extract.things"
    )
    things(small, {"ms": NUMBER}, model, "grain = 'derived'")
    assert changes(small) == set()


def test_a_query_inside_that_takes_equal_rows_for_one_sees_no_lists(small: Small) -> None:
    model = (
        "WITH a AS (SELECT user_id, to_ms(date_trunc('day', other)) AS day, to_ms(other) AS ms "
        "FROM extract.things), d AS (SELECT DISTINCT * EXCLUDE (ms) FROM a), "
        "n AS (SELECT user_id, count(*) AS days FROM d GROUP BY ALL) "
        "SELECT key(t.id) AS _source_id, days AS v FROM extract.things t LEFT JOIN n USING "
        "(user_id)"
    )
    things(small, {"v?": NUMBER}, model)
    assert {d["v"] for d in small.documents("things").values()} == {1.0, None}
    assert changes(small) == set()


def test_changes_have_one_order(small: Small) -> None:
    model = f"{KEY} to_ms(t.other) || '-' || to_ms(u.created_at) || to_ms(t.moment) AS v {JOINED}"
    things(small, {"v?": STRING}, model)
    rows = small.rows("things", "changes")
    order = [(r["source_id"], r["field"], r["rule"], r["old"], r["new"]) for r in rows]
    assert len(rows) >= 3 and order == sorted(order)


def test_json_s_arrow_is_no_lambda(small: Small) -> None:
    model = (
        "SELECT key(id) AS _source_id, to_ms(clock::TIMESTAMP) AS at, "
        "((('{\"a\": 5}'::JSON) -> 'a')::DOUBLE) + id AS five FROM extract.things"
    )
    things(small, {"at?": NUMBER, "five": NUMBER}, model)
    assert small.documents("things")["3"]["five"] == 8.0
    model = (
        "SELECT key(id) AS _source_id, list_reduce([1, 2], lambda a, b: a + b, "
        "('{\"a\": 5}'::JSON -> 'a')::INTEGER) AS v FROM extract.things"
    )
    things(small, {"v": NUMBER}, model)
    assert small.documents("things")["1"]["v"] == 8.0


# ── creation_time, order_by and lambdas ─────────────────────────────────────────────────────


@pytest.mark.parametrize("prefix", ["users", "u"])
def test_creation_time_and_order_of_a_joined_source(small: Small, prefix: str) -> None:
    plan = f"creation_time = '{prefix}.created_at'\norder_by = ['{prefix}.nick', 'name']"
    things(small, {"name?": STRING}, f"{KEY} t.name {JOINED}", plan)
    rows = [(r["_source_id"], r["_creation_time"], r["_order"]) for r in small.rows("things")]
    ms = MS.timestamp() * 1000
    assert rows == [("1", ms + 123.456, 1), ("2", None, 4), ("3", ms, 2), ("4", None, 3)]
    assert small.manifest("things")["reads"]["users"] == ["created_at", "id", "nick"]


def test_an_order_that_nothing_has_is_refused(small: Small) -> None:
    things(small, {"name?": STRING}, f"{KEY} t.name {JOINED}")
    for name in ("users.nicks", "x.nick", "nick"):
        small.write("plan.toml", f"[sources.users]\n[tables.things]\norder_by = ['{name}']\n")
        error = small.fails()
        assert f"order_by names `{name}`" in error.message and "source.column" in str(error.hint)


@pytest.mark.parametrize(("old", "new"), [
    ("list_transform(times, x -> to_ms(x))", "lambda x: to_ms(x)"),
    ("list_filter(times, (x, i) -> i > 1)", "lambda x, i: (i > 1)"),
    ("list_reduce(times, (a, b) -> b)", "lambda a, b: b"),
])  # fmt: skip
def test_the_old_form_of_a_lambda_is_answered_with_the_new_one(
    small: Small, old: str, new: str
) -> None:
    things(small, {"name?": STRING}, f"{KEY} t.name {JOINED}")
    small.model("things", f"SELECT key(id) AS _source_id,\n    {old} AS name FROM extract.things")
    error = small.fails()
    assert "line 2" in error.message and str(error.hint) == f"write: {new}"

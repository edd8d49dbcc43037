"""What the sample holds ends as its README says: a document, or a reject by the right rule."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.project.models import Model, read_model
from stages.transform.isolate import isolate_failures
from stages.transform.models import describe
from stages.transform.sql_ast import expression_sql, parse, parse_expression, query_sql
from stages.views import connect
from tests.support.project_copies import copy_project
from tests.support.shipped_sample import HAZARDS, TARGETS, Work, changed, extract_rows, row_id
from tests.support.shipped_sample import plain as plain_table


@pytest.fixture(scope="module")
def staged(extracted: Path, tmp_path_factory: pytest.TempPathFactory) -> Work:
    """The shipped migration as it is; to be looked at."""
    folder = tmp_path_factory.mktemp("staged")
    return Work(copy_project(folder / "project"), extracted)


# ── the sample's hazards ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("source", HAZARDS)
def test_each_hazard_is_a_reject_by_its_rule_and_no_other_row_is(staged: Work, source: str) -> None:
    expected = {row_id(source, n): reject for n, reject in HAZARDS[source].items()}
    assert staged.rejected(TARGETS[source]) == expected


@pytest.mark.parametrize("source", HAZARDS)
def test_every_source_key_is_exactly_once_among_documents_and_rejects(
    staged: Work, source: str
) -> None:
    keys = sorted(row["id"] for row in extract_rows(staged, source))
    documents = [row["_source_id"] for row in staged.rows(TARGETS[source], "documents")]
    rejects = [row["source_id"] for row in staged.rows(TARGETS[source], "rejects")]
    assert sorted(documents + rejects) == keys
    manifest = staged.manifest(TARGETS[source])
    assert (manifest["source_rows"], manifest["documents"], manifest["rejects"]) == (
        len(keys), len(documents), len(rejects),
    )  # fmt: skip
    assert documents == sorted(documents), "ordered by source key"


def test_missing_table_is_told(staged: Work) -> None:
    manifest = staged.manifest("formTemplates")
    assert (manifest["status"], manifest["source_rows"], manifest["documents"]) == ("missing", 0, 0)


def test_reasons_name_what_was_seen(staged: Work) -> None:
    rows = {r["source_id"]: r for r in staged.rows("articles", "rejects")}
    torn = rows[row_id("articles", 37)]["reason"]
    assert "mapping says " in torn and "slug says " in torn
    twins = rows[row_id("articles", 39)]["reason"]
    assert twins.count("slug says ") == 2
    assert rows[row_id("articles", 40)]["reason"] == (
        f"workspaces:{row_id('workspaces', 99)} is not in workspaces"
    )
    parent = {r["source_id"]: r for r in staged.rows("ariKnowledgeEntries", "rejects")}
    assert parent[row_id("ari_knowledge_entries", 5)]["reason"] == (
        f"ariKnowledgeCategories:{row_id('ari_knowledge_categories', 5)} is rejected: "
        "required_null created_at"
    )


def test_a_reject_keeps_its_row_and_all_its_failures(staged: Work) -> None:
    (both,) = [
        r for r in staged.rows("articles", "rejects") if r["source_id"] == row_id("articles", 9)
    ]
    assert [f["field"] for f in json.loads(both["others"])] == ["updated_at"]
    row = json.loads(both["row"])
    assert row["id"] == row_id("articles", 9) and row["created_at"] is None and row["title"]
    (torn,) = [
        r for r in staged.rows("webinarRegistrations", "rejects")
        if r["source_id"] == row_id("webinar_registrations", 268)
    ]  # fmt: skip
    assert {(f["field"], f["rule"]) for f in json.loads(torn["others"])} >= {
        ("workspace_id", "witnesses_disagree")
    }


def test_ambiguous_and_disagreeing_keys_are_rejects_and_not_picks(staged: Work) -> None:
    known = pq.read_table(staged.workspace.keys / "workspaces.parquet").to_pylist()
    rejected = pq.read_table(staged.workspace.keys / "workspaces.rejects.parquet").to_pylist()
    assert {r["source_id"] for r in known} == {
        row_id("workspaces", n) for n in (1, 2, 3, 4, 5, 6, 7)
    }
    assert {r["source_id"]: r["rule"] for r in rejected} == {
        row_id("workspaces", 8): "witnesses_disagree",
        row_id("workspaces", 9): "no_match",
        row_id("workspaces", 10): "ambiguous",
    }
    rules = {r["source_id"]: r["rule"] for r in known}
    assert rules[row_id("workspaces", 1)] == "mapping+slug"
    assert rules[row_id("workspaces", 4)] == rules[row_id("workspaces", 6)] == "slug"
    assert len({r["convex_id"] for r in known}) == 7
    contacts = pq.read_table(staged.workspace.keys / "contacts.parquet").to_pylist()
    one, other = (
        next(c["convex_id"] for c in contacts if c["source_id"] == row_id("contacts", n))
        for n in (1, 94)
    )
    assert one != other, "one phone in two workspaces is two contacts"


KEPT: list[tuple[str, str, int, dict[str, Any]]] = [
    ("articles", "before 1970", 1, {"published_at": -14182939877.0}),
    ("articles", "last microsecond of 1969", 3, {"published_at": -1.0}),
    ("articles", "1970 itself", 5, {"published_at": 0.0}),
    ("articles", "1912", 7, {"created_at": -1815328800000.0}),
    ("articles", "SQL in text", 2, {
        "title": "👩‍👩‍👧‍👦 \"Keluarga\" \\ l'été\t№ 1\u0301",
        "content": "first\r\nsecond\n\n\\N and \\n and %s and {{x}}; DROP TABLE articles; --"}),
    ("articles", "empty is not null", 4, {"excerpt": "", "content": "", "cover_image_url": ""}),
    ("webinars", "after 2100", 3, {"scheduled_at": 5711817599999.0}),
    ("webinars", "a whole second", 4, {"scheduled_at": 1740733200000.0}),
    ("ari_payments", "far ahead", 6, {"expires_at": 32503679999000.0}),
    ("ari_payments", "greatest integer", 3, {"amount": 2147483647.0}),
    ("ari_payments", "zero", 4, {"amount": 0.0}),
    ("ari_payments", "exact numbers", 35, {
        "gateway_response":
            '{"exact":9007199254740992.0,"minus":-0.5,"tiny":1e-7,"trailing":1.1}'}),
    ("ari_appointments", "the word null", 1, {"notes": "null"}),
    ("ari_appointments", "unknown consultant", 72, {"consultant_id": row_id("users", 999)}),
    ("ari_appointments", "no such payment", 69, {"payment_id": None}),
    ("ari_appointments", "rejected payment", 70, {"payment_id": None}),
    ("ari_appointments", "orphaned payment", 71, {"payment_id": None}),
    ("ari_destinations", "json null is a value", 21, {"requirements": "null"}),
    ("ari_destinations", "SQL null is none", 22, {"requirements": None}),
    ("ari_destinations", "a scalar", 24, {"requirements": '"see the website"'}),
    ("ari_destinations", "nested", 25, {
        "requirements":
            '{"a":[[1,[2,[3,null]]],{},[]],"b":{"c":{"d":{"e":[{"f":null}]}}}}'}),
    ("ari_destinations", "null array", 5, {"programs": None}),
    ("ari_destinations", "empty array", 1, {"programs": []}),
    ("ari_destinations", "hard elements", 27, {
        "programs": ["NULL", "null", "{}", "a,b", 'say "hi"', "x\\y", " "]}),
    ("ari_ai_comparison", "numeric", 1, {"satisfaction_score": 9.99}),
    ("ari_ai_comparison", "numeric", 2, {"satisfaction_score": 0.1}),
    ("ari_ai_comparison", "numeric", 3, {"satisfaction_score": -9.99}),
    ("ari_ai_comparison", "equal but for nulls", 39, {"period_start": None}),
    ("consultant_slots", "end of the day", 1, {"end_time": "24:00:00"}),
    ("consultant_slots", "a fraction", 2, {"end_time": "00:00:30.123456"}),
    ("ari_knowledge_entries", "right to left", 4, {
        "title": " نص عربي ", "content": "𝄞 ünïcödé " * 3000}),
    ("webinar_registrations", "phone in two workspaces", 269, {
        "contact_id": f"contacts:{row_id('contacts', 94)}"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "what", "n", "values"), KEPT, ids=[f"{k[0]} {k[1]} {k[2]}" for k in KEPT]
)
def test_hard_value_is_kept(
    staged: Work, source: str, what: str, n: int, values: dict[str, Any]
) -> None:
    document = staged.document(TARGETS[source], row_id(source, n))
    assert {name: document[name] for name in values} == values


# ── changes ─────────────────────────────────────────────────────────────────────────────────


def below_millisecond(types: dict[str, pa.DataType], row: dict[str, Any], name: str) -> bool:
    return bool(pa.scalar(row[name], types[name]).cast(pa.int64()).as_py() % 1000)


@pytest.mark.parametrize("source", HAZARDS)
def test_changes_are_exactly_what_was_bent(staged: Work, source: str) -> None:
    """Compared in Python, a value at a time, with the source's own rows."""
    target = TARGETS[source]
    types = {
        f.name: f.type for f in pq.read_schema(staged.workspace.extract(source) / "schema.parquet")
    }
    rows = {row["id"]: row for row in extract_rows(staged, source)}
    filled, cut = set(), set()
    for document in staged.rows(target, "documents"):
        row = rows[document["_source_id"]]
        for name, value in document.items():
            if name not in row:
                continue
            if row[name] is None and value is not None:
                filled.add((document["_source_id"], name))
                if name == "updated_at" and below_millisecond(types, row, "created_at"):
                    cut.add((document["_source_id"], name))  # what its model fills it with
            if pa.types.is_timestamp(types[name]) and row[name] is not None:
                micros = int(pa.scalar(row[name], types[name]).cast(pa.int64()).as_py())
                assert value == micros // 1000
                if below_millisecond(types, row, name):
                    cut.add((document["_source_id"], name))
    assert changed(staged, target, "below_millisecond") == cut
    assert changed(staged, target, "null_filled") == filled
    assert changed(staged, target, "nulled_by_model") == set()
    assert staged.manifest(target)["changes"] == len(staged.rows(target, "changes"))
    if source not in ("ari_scoring_config", "webinar_registrations"):
        assert cut and filled, "the sample has both"


def test_a_change_tells_old_and_new(staged: Work) -> None:
    key = row_id("articles", 1)
    (change,) = [
        r for r in staged.rows("articles", "changes")
        if (r["source_id"], r["field"]) == (key, "published_at")
    ]  # fmt: skip
    assert change["rule"] == "below_millisecond"
    assert change["old"].startswith("1969-07-20 20:17:40.123456")
    assert change["new"] == "-14182939877"


def test_nulled_orphans_are_told(staged: Work) -> None:
    rows = [r for r in staged.rows("ariAppointments", "changes") if r["rule"] == "orphan_nulled"]
    payments = {12: None, 13: None, 69: 999, 70: 12, 71: 104}
    assert {r["source_id"] for r in rows} == {row_id("ari_appointments", n) for n in payments}
    by_id = {r["source_id"]: r for r in rows}
    for n, payment in payments.items():
        change = by_id[row_id("ari_appointments", n)]
        assert (change["field"], change["new"]) == ("payment_id", None)
        if payment:
            assert change["old"] == f"ariPayments:{row_id('ari_payments', payment)}"


# ── an odd value in every column ────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", sorted(TARGETS.values()))
def test_an_odd_value_in_any_column_of_a_shipped_model_is_one_reject(
    staged: Work, name: str
) -> None:
    """Each column fails in another row; every other value is what the model gives as it is."""
    model = read_model(staged.workspace, staged.plan.tables[name].model)
    connection = connect(staged.workspace, staged.plan)
    types = describe(connection, model.name, model.text)
    plain = {row["_source_id"]: row for row in _rows(connection, f"FROM ({model.text})")}
    keys = sorted(plain)
    parsed = parse(connection, model.text)
    assert parsed
    query = copy.deepcopy(parsed)["statements"][0]["node"]
    key_sql = next(
        expression_sql(connection, item)
        for item in query["select_list"]
        if item["alias"] == "_source_id"
    )
    odd: dict[str, list[str]] = {}
    for number, item in enumerate(query["select_list"]):
        field = item["alias"] or item["column_names"][-1]
        if field != "_source_id":
            key = keys[number % len(keys)] if keys else ""
            odd.setdefault(key, []).append(field)
            item.update(parse_expression(
                connection,
                f"CASE WHEN ({key_sql})::VARCHAR = '{key}' "
                f"THEN no_value('inexact_number', 'odd')::VARCHAR::{types[field]} "
                f"ELSE {expression_sql(connection, item)} END",
            ), alias=field)  # fmt: skip
    text = query_sql(connection, query)
    isolate_failures(connection, Model(name=model.name, text=text), derived=False)
    rows = _rows(connection, "FROM isolated")
    assert len(rows) == len(plain)
    for row in rows:
        failed = {each["field"] for each in row.pop("_failed")}
        assert failed == set(odd.get(row["_source_id"], ()))
        assert row == {**plain[row["_source_id"]], **dict.fromkeys(failed)}


def _rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = plain_table(connection.sql(sql).to_arrow_table()).to_pylist()
    return rows

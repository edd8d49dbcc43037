"""Transform: models, checks and references; every source key is a document or a reject."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.errors import OverLimit, Shortfall
from stages.state.fingerprints import hash_file
from tests.support.command_line import Stages
from tests.support.project_copies import copy_data, copy_project, edit_plan
from tests.support.shipped_sample import HAZARDS, TARGETS, Work, changed, extract_rows, row_id


@pytest.fixture
def work(extracted: Path, tmp_path: Path) -> Work:
    return Work(copy_project(tmp_path / "project"), copy_data(extracted, tmp_path / "data"))


@pytest.fixture(scope="module")
def staged(extracted: Path, tmp_path_factory: pytest.TempPathFactory) -> Work:
    """The shipped migration as it is; to be looked at."""
    folder = tmp_path_factory.mktemp("staged")
    return Work(copy_project(folder / "project"), extracted)


def test_a_value_that_the_model_makes_null_is_told(work: Work) -> None:
    work.model("articles", "    excerpt,", "    nullif(excerpt, '') AS excerpt,")
    work.transform("articles")
    out = {row_id("articles", n) for n in HAZARDS["articles"]}
    empty = {row["id"] for row in extract_rows(work, "articles") if row["excerpt"] == ""} - out
    assert row_id("articles", 4) in empty
    assert changed(work, "articles", "nulled_by_model") == {(key, "excerpt") for key in empty}


def test_lineage_names_the_source_column(work: Work) -> None:
    """A renamed column's changes are found by `from`; a name that is not there is refused."""
    work.model("webinars", "    description,", "    concat(slug) AS description,")
    work.transform("webinars")
    before = changed(work, "webinars", "null_filled")
    assert any(field == "description" for _, field in before)
    edit_plan(work.project, "[tables.webinars]\n", "[tables.webinars]\nfrom = "
              "{ description = 'slug' }\n")  # fmt: skip
    work.transform("webinars")
    after = changed(work, "webinars", "null_filled")
    assert after == {(key, field) for key, field in before if field != "description"}
    edit_plan(work.project, "'slug' }", "'slugg' }")
    assert "`slugg`" in work.fails("webinars").message


# ── models that can't be meant ──────────────────────────────────────────────────────────────


def test_dropped_rows_are_rejects(work: Work) -> None:
    work.append("articles", "WHERE slug NOT LIKE '%1'")
    work.transform("articles")
    dropped = {row["id"] for row in extract_rows(work, "articles") if row["slug"].endswith("1")}
    keys = {
        key for key, reject in work.rejected("articles").items() if reject[1] == "dropped_by_model"
    }
    assert keys == dropped and len(dropped) > 2
    manifest = work.manifest("articles")
    assert manifest["documents"] + manifest["rejects"] == manifest["source_rows"] == 40


def append(sql: str) -> Callable[[Work], None]:
    return lambda work: work.append("articles", sql)


def swap(old: str, new: str) -> Callable[[Work], None]:
    return lambda work: work.model("articles", old, new)


REFUSED: list[tuple[str, Callable[[Work], None], tuple[str, ...]]] = [
    ("doubled rows", append(", (VALUES (1), (2)) twice(n)"),
     ("models/articles.sql gives the _source_id", "more than once")),
    ("one doubled row", append("UNION ALL SELECT * FROM (SELECT key(id), id::VARCHAR, ref("
     "'workspaces', workspace_id), title, slug, excerpt, content, cover_image_url, status, 0, 0, 0 "
     f"FROM extract.articles WHERE id = '{row_id('articles', 1)}')"),
     (row_id("articles", 1), "more than once")),
    ("key is null", swap("key(id)", "key(nullif(slug, slug))"), ("40 rows without a _source_id",)),
    ("key of nothing", swap("key(id)", "'x-' || key(id)"),
     ("which is no key of articles",)),
    ("no key", swap("    key(id) AS _source_id,\n", ""), ("has no column `_source_id`",)),
    ("unknown column", swap("    title,", "    title, 1 AS headline,"),
     ("has the column `headline`", "articles in convex/schema.ts has no such field")),
    ("missing required field", swap("    title,\n", ""),
     ("has no column `title`", "requires that field")),
    ("syntax", swap("FROM extract.articles", "FRM extract.articles"),
     ("models/articles.sql, line 14", "syntax error")),
    ("unknown source column", swap("    slug,", "    sluggg,"),
     ("models/articles.sql, line 6", "sluggg")),
    ("unknown table", swap("extract.articles", "extract.artikles"),
     ("models/articles.sql, line 14", "artikles does not exist")),
    ("a time without to_ms", swap("to_ms(published_at) AS", "published_at AS"),
     ("column `published_at` is TIMESTAMP WITH TIME ZONE", "is number")),
    ("a number for text", swap("    title,", "    length(title) AS title,"),
     ("column `title` is BIGINT", "is string")),
    ("text for a number", swap("to_ms(created_at) AS", "created_at::VARCHAR AS"),
     ("column `created_at` is VARCHAR", "is number")),
    ("two statements", append("; SELECT 1"), ("models/articles.sql has 2 statements",)),
    ("an empty model", lambda work: work.whole_model("articles", "-- nothing yet"),
     ("models/articles.sql has 0 statements",)),
    ("not a select", lambda work: work.whole_model("articles", "DROP VIEW extract.articles"),
     ("models/articles.sql",)),
    ("no model", lambda work: (work.project / ".planning/migrations/models/articles.sql").unlink(),
     ("there is no model models/articles.sql",)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("break_it", "words"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_refused_model(
    work: Work, break_it: Callable[[Work], None], words: tuple[str, ...]
) -> None:
    before = hash_file(work.workspace.transform("articles") / "documents.parquet")
    break_it(work)
    message = work.fails("articles").message
    assert all(word in message for word in words), message
    assert hash_file(work.workspace.transform("articles") / "documents.parquet") == before


def test_refusals_advise(work: Work) -> None:
    work.model("articles", "to_ms(published_at) AS", "published_at AS")
    assert work.fails("articles").hint == "write to_ms(column) in the model"


def test_refusal_is_exit_2_with_file_and_line(work: Work) -> None:
    work.model("articles", "    slug,", "    sluggg,")
    done = Stages(work.workspace.data, project=work.project).run("transform", "articles", code=2)
    assert "stages: models/articles.sql, line 6: " in done.stderr
    assert done.stdout == ""


# ── values that Convex does not take ────────────────────────────────────────────────────────


def test_a_number_that_no_float_holds_is_a_reject(work: Work) -> None:
    """Also an infinite time: it never becomes now, 1970, or a very large number."""
    work.model(
        "articles", "to_ms(published_at) AS published_at",
        "CASE slug WHEN 'lost-37' THEN 0 "
        f"ELSE CASE id::VARCHAR WHEN '{row_id('articles', 1)}' THEN 9007199254740993 "
        f"WHEN '{row_id('articles', 2)}' THEN to_ms(TIMESTAMP 'infinity') "
        f"WHEN '{row_id('articles', 3)}' THEN to_ms(TIMESTAMP '-infinity') "
        f"WHEN '{row_id('articles', 4)}' THEN 9007199254740992 "
        f"WHEN '{row_id('articles', 5)}' THEN NULL ELSE 1 END END AS published_at",
    )  # fmt: skip
    work.transform("articles")
    rejected = {key: reject[1] for key, reject in work.rejected("articles").items()}
    assert rejected[row_id("articles", 1)] == "inexact_number"
    assert rejected[row_id("articles", 2)] == rejected[row_id("articles", 3)] == "infinite_time"
    assert work.document("articles", row_id("articles", 4))["published_at"] == 2.0**53


def test_decimals_are_kept_or_rejected(work: Work) -> None:
    ids = {
        1: "0.1::DECIMAL(38, 20)", 2: "12345678901234567.25::DECIMAL(38, 20)",
        3: "9007199254740993::DECIMAL(18, 0)", 4: "-1234567.125::DECIMAL(18, 4)",
    }  # fmt: skip
    cases = " ".join(f"WHEN '{row_id('articles', n)}' THEN {sql}" for n, sql in ids.items())
    work.model(
        "articles", "to_ms(published_at) AS published_at",
        f"(CASE id::VARCHAR {cases} END)::DECIMAL(38, 20) AS published_at",
    )  # fmt: skip
    work.transform("articles")
    inexact = {
        k for k, reject in work.rejected("articles").items() if reject[1] == "inexact_number"
    }
    assert inexact == {row_id("articles", n) for n in (2, 3)}
    assert work.document("articles", row_id("articles", 1))["published_at"] == 0.1
    assert work.document("articles", row_id("articles", 4))["published_at"] == -1234567.125


def test_too_large_and_too_many(work: Work) -> None:
    one, two, three, four = (row_id("ari_destinations", n) for n in (1, 2, 3, 4))
    work.model("ariDestinations", "    notes,",
               f"    CASE id::VARCHAR WHEN '{one}' THEN repeat('é', 524288) "
               f"WHEN '{two}' THEN repeat('x', 1040000) END AS notes,")  # fmt: skip
    work.model("ariDestinations", "pg_array(programs) AS programs",
               f"CASE id::VARCHAR WHEN '{three}' THEN list_transform(range(8193), lambda n: 'x') "
               f"WHEN '{four}' THEN list_transform(range(8192), lambda n: 'x') "
               "END AS programs")  # fmt: skip
    work.transform("ariDestinations")
    rejected = work.rejected("ariDestinations")
    assert rejected[one] == ("", "too_large")
    assert rejected[three] == ("programs", "too_many")
    assert two not in rejected and four not in rejected


def test_a_missing_optional_column_is_an_absent_field(work: Work) -> None:
    work.model("articles", "    excerpt,\n", "")
    work.transform("articles")
    assert {d["excerpt"] for d in work.rows("articles", "documents")} == {None}
    assert work.manifest("articles")["documents"] == 34


def test_the_form_comes_from_the_schema_and_not_from_the_data(staged: Work) -> None:
    """A table without a row has the columns, types and nullability of any other."""
    empty = pq.read_schema(staged.workspace.transform("ariScoringConfig") / "documents.parquet")
    assert [f.name for f in empty] == [
        "_source_id", "workspace_id", "hot_threshold", "warm_threshold", "weight_basic",
        "weight_qualification", "weight_document", "weight_engagement", "created_at",
        "updated_at",
    ]  # fmt: skip
    assert not any(f.nullable for f in empty)
    assert empty.field("hot_threshold").type == pa.float64()
    for table in TARGETS.values():
        folder = staged.workspace.transform(table)
        assert pq.read_schema(folder / "documents.parquet") == (
            pq.read_schema(folder / "schema.parquet")
        )


# ── references ──────────────────────────────────────────────────────────────────────────────

PAYMENTS = {row_id("ari_appointments", n) for n in (12, 13, 69, 70, 71)}


def test_orphans_are_rejects_where_the_plan_says_nothing(work: Work) -> None:
    edit_plan(work.project, 'orphans = { payment_id = "null" }\n', "")
    work.transform("ariAppointments")
    rules = {
        key: rule for key, (field, rule) in work.rejected("ariAppointments").items()
        if field == "payment_id"
    }  # fmt: skip
    assert set(rules) == PAYMENTS
    assert rules[row_id("ari_appointments", 69)] == "orphan"
    assert rules[row_id("ari_appointments", 70)] == "parent_rejected"


def test_orphans_can_be_fatal(work: Work) -> None:
    edit_plan(work.project, 'payment_id = "null"', 'payment_id = "fail"')
    with pytest.raises(Shortfall) as error:
        work.transform("ariAppointments")
    assert error.value.exit_code == 1
    assert error.value.message.startswith("ariAppointments.payment_id: ")
    assert "references have no target" in error.value.message
    # Nothing new is staged for it.
    edit_plan(work.project, 'payment_id = "fail"', 'payment_id = "null"')
    assert work.transform("ariAppointments").tables["ariAppointments"].documents == 71


@pytest.mark.parametrize(
    ("orphans", "words"),
    [
        ('{ workspace_id = "null" }', "convex/schema.ts requires it"),
        ('{ notes = "null" }', "`notes`, which is no reference"),
        ('{ nothing = "null" }', "`nothing`, which is no reference"),
    ],
)
def test_orphan_rules_that_can_not_be_meant(work: Work, orphans: str, words: str) -> None:
    edit_plan(work.project, '{ payment_id = "null" }', orphans)
    assert words in work.fails("ariAppointments").message


def test_a_reference_to_what_the_plan_does_not_know(work: Work) -> None:
    edit_plan(
        work.project,
        '[reference.contacts]\nsource = "contacts"\nkeys = "keys/contacts.sql"',
        '[sources.contacts]',
    )  # fmt: skip
    edit_plan(work.project, 'keys = "keys/ariConversations.sql"\n', "")
    message = work.fails("webinarRegistrations").message
    assert "refers to `contacts`, which is neither in [tables] nor in [reference]" in message
    assert (
        "refers to `ariConversations`, which has no key model" in work.fails("ariPayments").message
    )


def test_a_parent_s_new_reject_takes_its_children_along(work: Work) -> None:
    """Transform of a child brings its parents up to date first."""
    parent = row_id("ari_knowledge_categories", 1)
    before = {
        d["_source_id"] for d in work.rows("ariKnowledgeEntries", "documents")
        if d["category_id"] == f"ariKnowledgeCategories:{parent}"
    }  # fmt: skip
    assert before
    work.append("ariKnowledgeCategories", f"WHERE id <> '{parent}'")
    result = work.transform("ariKnowledgeEntries")
    assert set(result.tables) == {"ariKnowledgeCategories", "ariKnowledgeEntries"}
    rejected = work.rejected("ariKnowledgeEntries")
    assert {k for k in before if rejected.get(k) == ("category_id", "parent_rejected")} == before


def test_a_witness_that_is_taken_away_settles_the_key(work: Work) -> None:
    """The side file is an input: an edit makes the keys, and what hangs on them, anew."""
    mapping = work.project / ".planning" / "migrations" / "workspace-org-mapping.json"
    entries = json.loads(mapping.read_text())
    del entries[row_id("workspaces", 8)]
    mapping.write_text(json.dumps(entries))
    work.transform()
    for source, n in {"articles": 37, "webinars": 23, "ari_destinations": 57}.items():
        assert row_id(source, n) not in work.rejected(TARGETS[source])
    rejected = work.rejected("articles")
    assert rejected[row_id("articles", 39)] == ("workspace_id", "ambiguous")


KEYS = [
    ("SELECT 'x' AS source_id, 'y' AS convex_id", "a key model gives source_id, convex_id, rule"),
    ("SELECT 'x' AS source_id, 'y' AS convex_id, 'z' AS rule",
     "names the key x, which workspaces does not have"),
    ("SELECT 1 FROM extract.nowhere", "keys/workspaces.sql, line 1"),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "words"), KEYS, ids=[k[1] for k in KEYS])
def test_refused_key_model(work: Work, sql: str, words: str) -> None:
    (work.project / ".planning" / "migrations" / "keys" / "workspaces.sql").write_text(sql)
    assert words in str(work.fails("articles"))


def test_a_key_of_a_document_that_is_not_there_is_a_reject(work: Work) -> None:
    (work.project / ".planning" / "migrations" / "keys" / "workspaces.sql").write_text(
        "SELECT key(id) AS source_id, 'made up' AS convex_id, 'guess' AS rule "
        "FROM extract.workspaces"
    )
    work.transform("articles")
    rules = {reject[1] for reject in work.rejected("articles").values()}
    assert rules == {"no_document", "orphan"}, "of each reject, the first failure"
    assert work.manifest("articles")["documents"] == 0


# ── derived tables ──────────────────────────────────────────────────────────────────────────

DERIVED = """
SELECT key(workspace_id) AS _source_id, ref('workspaces', workspace_id) AS workspace_id,
       min(title) AS title, min(slug) AS slug, 'draft' AS status, 0 AS created_at, 0 AS updated_at
FROM extract.articles GROUP BY workspace_id
"""


def test_an_aggregate_is_derived(work: Work) -> None:
    work.whole_model("articles", DERIVED)
    assert "which is no key of articles" in work.fails("articles").message
    edit_plan(work.project, "[tables.articles]\n", '[tables.articles]\ngrain = "derived"\n')
    work.transform("articles")
    workspaces = {row["workspace_id"] for row in extract_rows(work, "articles")}
    manifest = work.manifest("articles")
    assert manifest["source_rows"] == len(workspaces)
    assert manifest["documents"] + manifest["rejects"] == len(workspaces)
    assert set(work.rejected("articles")) == {row_id("workspaces", n) for n in (8, 9, 10, 99)}


# ── limits of rejects ───────────────────────────────────────────────────────────────────────


def test_limits_of_rejects_are_per_table_and_in_all(work: Work) -> None:
    assert work.transform().over_limit == []
    edit_plan(work.project, "[tables.articles]\n", "[tables.articles]\nmax_rejects = 6\n")
    edit_plan(work.project, "[tables.webinars]\n", '[tables.webinars]\nmax_rejects = "19%"\n')
    over = work.transform().over_limit
    assert over == [OverLimit(table="webinars", rejects=5, rows=26, limit="19%")]
    edit_plan(work.project, 'max_rejects = "15%"', "max_rejects = 77")
    whole = OverLimit(table=None, rejects=78, rows=848, limit=77)
    assert whole in work.transform().over_limit
    assert str(whole) == "in all: 78 of 848 rejected, the plan allows 77"
    edit_plan(work.project, "max_rejects = 77", "max_rejects = 78")
    assert work.transform().over_limit == over


def test_a_plan_that_says_nothing_allows_no_reject(work: Work) -> None:
    edit_plan(work.project, 'max_rejects = "15%"\n', "")
    (over,) = work.transform("articles").over_limit
    assert str(over) == "in all: 6 of 40 rejected, the plan allows 0"

"""What the report says besides rows: columns that nothing reads, URLs by class, side files."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterable

import duckdb
import pyarrow as pa
import pytest

from stages.report.build import write_report
from stages.report.notes import unused_columns
from stages.transform.columns_read import columns_of
from stages.views import macros
from tests.support.tiny_project import ANY, STRING, Small

# ── columns ─────────────────────────────────────────────────────────────────────────────────

A, B = ["id", "name", "Email", "x"], ["id", "a_id", "name", "y"]
READS: list[tuple[str, Iterable[str], Iterable[str]]] = [
    ("SELECT key(id) AS _source_id, lower(email) AS e FROM extract.a", ["id", "Email"], []),
    ("SELECT A.Name FROM extract.A", ["name"], []),
    ("SELECT extract.a.name FROM extract.a", ["name"], []),
    ("SELECT l.name, r.y FROM extract.a l JOIN extract.b r ON r.a_id = l.id",
     ["id", "name"], ["a_id", "y"]),
    ("SELECT Email, y FROM extract.a l JOIN extract.b r ON r.a_id = l.id",
     ["id", "Email"], ["a_id", "y"]),
    ("SELECT x FROM extract.a JOIN extract.b USING (id)", ["id", "x"], ["id"]),
    ("SELECT 1 FROM extract.a NATURAL JOIN extract.b", ["id", "name"], ["id", "name"]),
    ("SELECT a.id FROM extract.a LEFT JOIN extract.b ON b.a_id = a.id", ["id"], ["a_id"]),
    ("SELECT count(*) FROM extract.a", [], []),
    ("SELECT id FROM extract.a WHERE x IS NULL AND x IS NOT NULL", ["id", "x"], []),
    ("SELECT * FROM extract.a", A, []),
    ("FROM extract.a", A, []),
    ("SELECT * EXCLUDE (x) FROM extract.a", ["id", "name", "Email"], []),
    ("SELECT * EXCLUDE (x), upper(x.v) FROM extract.a", A, []),
    ("SELECT l.* FROM extract.a l, extract.b r WHERE r.a_id = 1", A, ["a_id"]),
    ("SELECT COLUMNS('^n') FROM extract.a", ["name"], []),
    ("SELECT to_json(l) FROM extract.a l", A, []),
    ("SELECT c FROM extract.a AS t(a, b, c, d)", ["Email"], []),
    ("WITH q AS (SELECT id, name FROM extract.a) SELECT * FROM q", ["id", "name"], []),
    ("WITH q AS (FROM extract.a) SELECT q.name FROM q", ["name"], []),
    ("SELECT q.name FROM (SELECT id, x AS name FROM extract.a) q, extract.b", ["x"], []),
    ("SELECT n FROM (SELECT *, name AS n FROM as_text.b) WHERE y > 1", [], ["name", "y"]),
    ("SELECT x.v FROM extract.a", ["x"], []),
    ("SELECT 1 FROM extract.a WHERE EXISTS (SELECT 1 FROM extract.b WHERE y > a.id)",
     ["id"], ["y"]),
    ("SELECT id, (SELECT max(y) FROM extract.b WHERE a_id = a.id) FROM extract.a",
     ["id"], ["a_id", "y"]),
    ("SELECT id FROM extract.a UNION ALL SELECT a_id FROM extract.b", ["id"], ["a_id"]),
    ("WITH RECURSIVE q AS (SELECT id FROM extract.a UNION ALL SELECT y FROM extract.b JOIN q "
     "ON a_id = q.id) SELECT id FROM q", ["id"], ["a_id", "y"]),
    ("SELECT count(*) OVER (PARTITION BY name ORDER BY id) FROM extract.a", ["name", "id"], []),
    ("SELECT id FROM extract.a QUALIFY row_number() OVER (PARTITION BY name) = 1",
     ["id", "name"], []),
    ("SELECT unnest(list_transform([1], lambda q: q + id)) FROM extract.a", ["id"], []),
    ("PIVOT extract.a ON name USING count(*)", A, B),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "a", "b"), READS, ids=[r[0] for r in READS])
def test_columns_that_a_query_reads(sql: str, a: Iterable[str], b: Iterable[str]) -> None:
    with duckdb.connect() as connection:
        connection.execute(macros())
        connection.execute("CREATE SCHEMA extract; CREATE SCHEMA as_text")
        connection.execute(
            "CREATE TABLE main.a (id INT, name VARCHAR, Email VARCHAR, x STRUCT(v INT))"
        )
        connection.execute("CREATE TABLE main.b (id INT, a_id INT, name VARCHAR, y INT)")
        for schema, table in itertools.product(("extract", "as_text"), "ab"):
            connection.execute(f"CREATE VIEW {schema}.{table} AS FROM main.{table}")
        read = columns_of(connection, ("a", "b"), [sql])
    assert {name: columns for name, columns in read.items() if columns} == {
        name: sorted(columns) for name, columns in (("a", a), ("b", b)) if columns
    }


@pytest.fixture
def shop(small: Small) -> Small:
    small.extract("users", pa.table({
        "id": [1, 2], "name": ["a", "b"], "phone": ["1", "2"], "legacy": ["x", "y"],
        "seen": [1, 2],
    }), ["id"])  # fmt: skip
    small.extract("posts", pa.table({"id": [1], "author": [1], "n": [1]}), ["id"])
    small.schema("users", {"name": STRING})
    small.schema("posts", {"by": STRING})
    small.write("plan.toml", "[tables.users]\n[tables.posts]\n")
    small.model("users", "SELECT key(id) AS _source_id, name FROM extract.users")
    small.model("posts", "SELECT key(p.id) AS _source_id, u.name || u.phone AS by FROM "
                         "extract.posts p JOIN extract.users u ON u.id = p.author")  # fmt: skip
    return small


def unused(shop: Small) -> dict[str, list[str]]:
    return unused_columns(shop.workspace, shop.plan)


def test_a_column_that_no_model_reads_is_listed_unless_the_plan_means_it(shop: Small) -> None:
    shop.transform("users")
    assert unused(shop) == {}, "posts' model may read them yet"
    shop.transform()
    assert unused(shop) == {"users": ["legacy", "seen"], "posts": ["n"]}
    shop.write("plan.toml", "[sources.users]\nunused = ['legacy']\n"
                            "[tables.users]\ncreation_time = 'seen'\n[tables.posts]\n")  # fmt: skip
    shop.transform()
    assert unused(shop) == {"posts": ["n"]}
    write_report(shop.workspace, shop.plan, None, 0.0)
    summary = (shop.workspace.project / shop.plan.report_summary).read_text()
    assert "## Columns that no model reads\n\n- posts: n\n" in summary


def test_the_drops_of_a_table_read_too(shop: Small) -> None:
    shop.model("users", "SELECT key(id) AS _source_id, name FROM extract.users WHERE id = 1")
    shop.write("models/users.drop.sql", "SELECT key(id) AS _source_id, 'old: ' || legacy AS reason "
                                        "FROM extract.users WHERE seen = 2")  # fmt: skip
    shop.transform()
    assert "users" not in unused(shop)


# ── URLs ────────────────────────────────────────────────────────────────────────────────────


def signed(end: int | None, kind: str = "object") -> str:
    claims = json.dumps({"url": "a/b?ü>", "iat": 1, **({"exp": end} if end else {})}).encode()
    middle = base64.urlsafe_b64encode(claims).decode().rstrip("=")
    return f"https://p.supabase.co/storage/v1/{kind}/sign/a/b.png?token=eyJhbGciOiJIUzI1NiJ9.{middle}.c2ln"


URLS = [
    signed(1893456000), signed(1735689600, "render/image"), signed(None),
    "https://p.supabase.co/storage/v1/object/sign/a/b.png?token=broken",
    "https://p.supabase.co/storage/v1/object/sign/a/b.png?token=a.!!!.c",
    "https://p.supabase.co/storage/v1/object/public/a/b.png",
    "http://localhost:54321/storage/v1/render/image/public/a/b.png?width=1",
    "https://p.supabase.co/storage/v1/object/authenticated/a/b.png",
    "https://example.com/storage/v1.png", "HTTP://EXAMPLE.COM", "b.png", "", None,
]  # fmt: skip


def test_urls_are_classed_and_never_shown(small: Small) -> None:
    small.extract("pages", pa.table({"id": range(len(URLS)), "cover_url": URLS, "body": URLS}),
                  ["id"])  # fmt: skip
    small.schema("pages", {"cover_url?": STRING, "body?": STRING, "thing?": STRING, "any?": ANY})
    small.write("plan.toml", "[tables.pages]\nfrom = { thing = 'cover_url' }\n")
    small.model("pages", "SELECT key(id) AS _source_id, cover_url, body, body AS thing, "
                         "to_json(body) AS any FROM extract.pages")  # fmt: skip
    small.transform()
    urls = small.manifest("pages")["urls"]
    assert urls[:4] == [
        {"field": "cover_url", "class": "signed", "rows": 5,
         "first_end": "2025-01-01T00:00:00Z", "last_end": "2030-01-01T00:00:00Z"},
        {"field": "cover_url", "class": "external", "rows": 2},
        {"field": "cover_url", "class": "public", "rows": 2},
        {"field": "cover_url", "class": "private", "rows": 1},
    ]  # fmt: skip
    assert {(u["field"], u["class"]) for u in urls[4:]} == {
        ("thing", kind) for kind in ("signed", "external", "public", "private")
    }, "found by its column's name; body is named like no URL"
    write_report(small.workspace, small.plan, None, 0.0)
    report = (small.workspace.project / small.plan.report_json).read_text()
    summary = (small.workspace.project / small.plan.report_summary).read_text()
    assert "- pages.cover_url: public: 2\n" in summary
    assert (
        "- pages.cover_url: signed: 5, the first ends 2025-01-01T00:00:00Z, the last "
        "2030-01-01T00:00:00Z\n"
    ) in summary
    for text in (report, summary):
        assert "supabase.co" not in text and "token" not in text


# ── side files ──────────────────────────────────────────────────────────────────────────────

CSV = "old,new\n1,p\n2,q\n7,r\n8,s\n9,t\n,u\n"


@pytest.fixture
def sided(shop: Small) -> Small:
    shop.write("map.csv", CSV)
    shop.model("users", "SELECT key(u.id) AS _source_id, m.new AS name FROM extract.users u "
                        "LEFT JOIN side.map m ON m.old = u.id")  # fmt: skip
    return shop


def plan(sided: Small, entry: str) -> None:
    sided.write("plan.toml", f"[tables.users]\n[tables.posts]\n[side.map]\n{entry}\n")


def test_a_key_that_the_source_has_not_fails_by_default(sided: Small) -> None:
    plan(sided, "keys = 'old'\nof = 'users'")
    error = sided.fails()
    assert error.message == ("side.map names 4 of 6 keys that users does not have: 7, 8, 9 …")
    assert error.hint and 'orphans = "report" in [side.map]' in error.hint
    sided.write("map.csv", "old,new\n1,p\n2,q\n")
    sided.transform()
    assert {d["name"] for d in sided.documents("users").values()} == {"p", "q"}


def test_orphans_can_be_reported_instead(sided: Small) -> None:
    plan(sided, "keys = 'old'\nof = 'users'\norphans = 'report'")
    sided.transform()
    write_report(sided.workspace, sided.plan, None, 0.0)
    report = json.loads((sided.workspace.project / sided.plan.report_json).read_text())
    assert report["side_files"] == {"map": {"rows": 6, "orphans": 4}}
    summary = (sided.workspace.project / sided.plan.report_summary).read_text()
    assert "## Side files\n\n- map: 6 keys, 4 of them not in the source\n" in summary
    sided.write("map.csv", CSV.replace("7,r\n", ""))
    sided.transform()
    assert json.loads(sided.workspace.sides.read_text())["sides"]["map"]["orphans"] == 3, (
        "an edit is seen"
    )


def test_a_side_file_by_another_column(sided: Small) -> None:
    sided.write("map.csv", "old,new\na,p\nb,q\n")
    plan(sided, "keys = 'old'\nof = 'users'\nof_column = 'name'")
    sided.model("users", "SELECT key(id) AS _source_id, name FROM extract.users")
    sided.transform()
    assert json.loads(sided.workspace.sides.read_text())["sides"]["map"]["orphans"] == 0


REFUSED = [
    ("keys = 'nothing'\nof = 'users'", 4, 'keys names `nothing`, and side."map" has no such'),
    ("keys = 'old'\nof = 'users'\nof_column = 'x'", 6, "of_column names `x`"),
]


@pytest.mark.parametrize(("entry", "line", "words"), REFUSED, ids=[r[2] for r in REFUSED])
def test_refused_side_entries(sided: Small, entry: str, line: int, words: str) -> None:
    plan(sided, entry)
    message = sided.fails().message
    assert message.startswith(f"plan.toml, line {line}: ") and words in message


def test_a_side_entry_without_its_file(sided: Small) -> None:
    (sided.workspace.migrations / "map.csv").unlink()
    plan(sided, "keys = 'old'\nof = 'users'")
    assert "plan.toml, line 3: [side.map] has no file beside the plan" in sided.fails().message


def test_what_the_lookup_misses_is_a_reject(sided: Small) -> None:
    """A LEFT JOIN, a required field, and no macro: the row falls out by required_null."""
    plan(sided, "keys = 'old'\nof = 'users'\norphans = 'report'")
    sided.write("map.csv", "old,new\n1,p\n")
    sided.transform()
    assert sided.rejected("users") == {"2": ("name", "required_null")}


# ── --limit and --explain ───────────────────────────────────────────────────────────────────


def files(small: Small) -> dict[str, tuple[int, bytes]]:
    return {
        str(file): (file.stat().st_mtime_ns, file.read_bytes())
        for file in sorted(small.workspace.data.rglob("*")) if file.is_file()
    }  # fmt: skip


@pytest.mark.parametrize("transformed", [False, True])
def test_limit_and_explain_print_and_write_nothing(shop: Small, transformed: bool) -> None:
    """Parents that are not transformed yet are, for the sake of it; all that is there stays."""
    shop.schema("posts", {"by": {"type": "id", "tableName": "users"}})
    shop.model("posts", "SELECT key(id) AS _source_id, ref('users', author) AS by "
                        "FROM extract.posts")  # fmt: skip
    if transformed:
        shop.transform()
        shop.model("users", "SELECT key(id) AS _source_id, name || '!' AS name FROM extract.users")
    before = files(shop)
    shown = shop.transform("posts", limit=5).shown
    assert shown == {"posts": [{"_source_id": "1", "by": "users:1"}]}
    assert [d["name"] for d in shop.transform("users", limit=1).shown["users"]] == (
        ["a!"] if transformed else ["a"]
    )
    explained = shop.transform(explain=True).shown
    assert set(explained) == {"users", "posts"} and "_failures" in explained["posts"]
    assert files(shop) == before
    assert not list(shop.workspace.scratch.glob("preview*"))

"""Projects just for tests, each from init to a verified load with a user's few edits.

Only SQL and the plan are edited (tests/migrations/*/finished); schema.ts gets the lines that init
prints, and convex/ stays as init wrote it. The shop follows docs/tutorial.md, with the commands
shown there.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import unified_diff
from pathlib import Path
from typing import Any

import pytest

from stages import sandbox
from tests.init.support import MIGRATIONS, spread_ledger, typecheck
from tests.migrations import decisions, rehearsal
from tests.migrations.page import ASSESS_PAGE, PAGE, page
from tests.migrations.support import OPTIONS, Moved, copy_project, finish
from tests.support.command_line import Stages
from tests.support.project_copies import edit
from tests.support.sandboxes import own_sandbox, sandbox_at
from tests.support.shipped_sample import Work


@contextmanager
def project_in_a_sandbox(name: str, root: Path) -> Iterator[Moved]:
    """A copy of a project, with its own Supabase and Convex."""
    folder = root / f"migration-{name}"
    project = copy_project(name, folder / name)
    stages = Stages(
        project / "data", project=project, environment={"STAGES_SANDBOX": str(folder / "box")}
    )
    with own_sandbox(folder / "box") as box:
        yield Moved(stages, box)


def go(name: str, moved: Moved) -> dict[str, Any]:
    """Run everything from init to verify; returns init's report, with the plan and the diff of the
    edits."""
    stages, project = moved.stages, moved.stages.project
    report: dict[str, Any] = stages.json("init", str(project), *OPTIONS[name])
    spread_ledger(project)
    convex = {f: f.read_bytes() for f in (project / "convex").rglob("*") if f.is_file()}
    report["plan"] = (project / MIGRATIONS / "plan.toml").read_text("utf-8")
    report["diff"] = finish(name, project)
    for stage in ("extract", "transform", "load", "verify"):
        stages.run(stage)
    open_ones = [todo for todo in report["todos"] if todo["kind"] == "decide"]
    extracted = stages.data.glob("extract/*/manifest.json")
    columns = [len(json.loads(file.read_text("utf-8"))["columns"]) for file in extracted]
    assert len(open_ones) * 15 <= sum(columns), "init leaves few decisions"
    assert {f: f.read_bytes() for f in (project / "convex").rglob("*") if f.is_file()} == convex
    return report


def undecided(report: dict[str, Any]) -> set[tuple[str, str]]:
    """(file, first words) of what init leaves to the user, without notes."""
    return {
        (t["file"].rpartition("/")[2], " ".join(t["what"].split()[:3]))
        for t in report["todos"]
        if t["kind"] != "note"
    }


def added(diff: str) -> int:
    """The number of lines that the user added."""
    return sum(line.startswith("+") and not line.startswith("+++") for line in diff.splitlines())


def sends_nothing(moved: Moved) -> bool:
    acks = {f: f.read_bytes() for f in moved.stages.target_folder.glob("load/*/acks.jsonl")}
    messages = moved.stages.run("load").stderr
    loads = [line for line in messages.splitlines() if line.startswith("  load ")]
    again = {f: f.read_bytes() for f in moved.stages.target_folder.glob("load/*/acks.jsonl")}
    return bool(acks) and acks == again and all("fresh" in line for line in loads)


# ── a shop: bigint and composite keys, enums, numeric prices, two keys to one table, a cycle ──


@pytest.fixture(scope="module")
def shop(sandbox_root: Path) -> Iterator[tuple[Moved, str]]:
    with project_in_a_sandbox("shop", sandbox_root) as moved:
        yield moved, page(moved.stages.project)


def test_the_page_shows_what_its_commands_print(shop: tuple[Moved, str]) -> None:
    stands, now = PAGE.read_text("utf-8").splitlines(), shop[1].splitlines()
    changed = "\n".join(unified_diff(stands, now, n=0, lineterm=""))
    assert not changed, f"make docs\n{changed}"
    diff = shop[1].partition("```diff\n")[2].partition("```")[0]
    assert added(diff) <= 20, "the edits of a shop are at most twenty lines"


def test_the_rehearsal_shows_what_its_commands_print(shop: tuple[Moved, str]) -> None:
    moved, _ = shop
    with sandbox_at(moved.sandbox):
        state = sandbox.up(moved.stages.project)
        now = rehearsal.page(moved.stages.project, state.source.db_url)
    stands = rehearsal.PAGE.read_text("utf-8")
    changed = "\n".join(unified_diff(stands.splitlines(), now.splitlines(), n=0, lineterm=""))
    assert not changed, f"make docs\n{changed}"


def test_the_page_of_assess_shows_what_it_prints(shop: tuple[Moved, str]) -> None:
    stands = ASSESS_PAGE.read_text("utf-8").splitlines()
    now = page(shop[0].stages.project, ASSESS_PAGE).splitlines()
    changed = "\n".join(unified_diff(stands, now, n=0, lineterm=""))
    assert not changed, f"make docs\n{changed}"


def assessed(moved: Moved, *options: str) -> tuple[dict[str, str], set[tuple[str, str]]]:
    """Table → verdict, and the risks in its data: (`table.column`, rule)."""
    seen = moved.stages.json("assess", *options)
    return (
        {each["name"].removeprefix("public."): each["verdict"] for each in seen["tables"]},
        {
            (".".join([each["table"].removeprefix("public."), *each["columns"]]), each["rule"])
            for each in seen["risks"]
            if each["rule"] != "personal_name"
        },
    )


@pytest.mark.parametrize("via", ["postgres", "rest"])
def test_a_shop_is_assessed(shop: tuple[Moved, str], via: str) -> None:
    verdicts, met = assessed(shop[0], "--via", via)
    assert verdicts == {
        "addresses": "decisions", "customers": "decisions", "orders": "decisions",
        "order_lines": "ready", "products": "decisions", "remarks": "decisions",
    }  # fmt: skip
    assert met == {
        ("addresses.id", "integer_beyond_float64"), ("customers.id", "integer_beyond_float64"),
        ("orders.shipping_address_id", "orphans"), ("products.price", "inexact_number"),
        ("remarks", "no_key"),
    }  # fmt: skip


def test_a_shop_is_moved(shop: tuple[Moved, str]) -> None:
    moved, _ = shop
    assert moved.counts("verified") == moved.counts("documents") == {
        "addresses": 2, "brands": 2, "customers": 3, "products": 4, "orders": 3, "orderLines": 4,
        "remarks": 3,
    }  # fmt: skip
    assert moved.rejects() == {
        "customers:4": ("email", "not_unique"),
        "customers:5": ("email", "not_unique"),
        "products:4": ("price", "inexact_number"),
        'orders:["north","3"]': ("status", "not_in_union"),
        'orders:["south","1"]': ("customer", "parent_rejected"),
        'orderLines:["north","2","2"]': ("product", "parent_rejected"),
        'orderLines:["north","3","1"]': ("order", "parent_rejected"),
        'orderLines:["south","1","1"]': ("order", "parent_rejected"),
    }
    documents = moved.read_back()
    first = documents['orders:["north","1"]']
    assert first.pop("_creationTime")
    assert first == {
        "shop": "north", "number": {"$integer": "AQAAAAAAAAA="}, "customer": "customers:1",
        "billingAddress": "addresses:1", "shippingAddress": "addresses:9007199254740993",
        "status": "shipped", "placedAt": 1706774400000, "due": "2024-02-29",
    }  # fmt: skip
    # Bound in the second pass; the other one's order is rejected.
    assert documents["customers:1"]["lastOrder"] == 'orders:["north","2"]'
    assert "lastOrder" not in documents["customers:2"]
    assert "shippingAddress" not in documents['orders:["north","4"]']
    assert documents["customers:9007199254740993"]["createdAt"] == -1
    assert documents["brands:Acme"]["products"] == 2
    assert documents["products:1"]["brand"] == "brands:Acme"
    assert documents["products:1"]["labels"] == ["steel", "long, heavy"]
    line = documents['orderLines:["north","1","2"]']
    assert (line["order"], line["product"]) == ('orders:["north","1"]', "products:3")
    assert (line["quantity"], line["unitPrice"]) == (1, 0.1)
    assert typecheck(moved.stages.project) == ""


def test_the_same_shop_goes_through_an_import(shop: tuple[Moved, str]) -> None:
    """Into a second deployment: the cycle in one step, with creation times from the source."""
    moved, _ = shop
    stages = moved.stages
    other = Moved(
        Stages(stages.data, "sandbox-import", stages.project, stages.environment), moved.sandbox
    )
    other.stages.run("transform")
    other.stages.run("load", "--through", "import")
    other.stages.run("verify")
    assert other.counts("verified") == moved.counts("documents")
    documents, before = other.read_back(), moved.read_back()
    assert documents["customers:1"]["_creationTime"] == 1704067200000
    for each in (*documents.values(), *before.values()):
        del each["_creationTime"]
    assert documents == before
    assert sends_nothing(other)


PLAN, SCHEMA = ".planning/migrations/plan.toml", "convex/schema.ts"
ORDERS = ".planning/migrations/models/orders.sql"
UNKNOWN = '({ isConvexValidator: true, isOptional: "required", json: { type: "money" } } as never)'


MISTAKES = {
    "entry": (PLAN, "grain =", "grian =", "plan.toml, line 26: [tables.brands] has an unknown"),
    "field in the plan": (PLAN, '"email"', '"mail"', "plan.toml, line 22: [tables.customers] uniq"),
    "syntax": (ORDERS, "placed_at)", "placed_at", "models/orders.sql, line 12: Parser Error"),
    "column": (ORDERS, "placed_at)", "placed_on)", "models/orders.sql, line 12: Binder Error"),
    "renamed field": (SCHEMA, "billingAddress", "payer", "models/orders.sql, line 6 has the col"),
    "other type": (SCHEMA, 'r: v.id("customers")', 'r: v.array(v.id("customers"))',
                   "models/orders.sql, line 5: column `customer` is VARCHAR"),
    "renamed table": (SCHEMA, "  addresses:", "  places:", "plan.toml, line 15: convex/schema.ts"),
    "unreadable schema": (SCHEMA, "y: v.string()", "y: v.string(", "convex/schema.ts, line 6: Une"),
    "no validator": (SCHEMA, "y: v.string()", "y: v.text()", "convex/schema.ts, line 6: v.text is"),
    "unknown kind": (SCHEMA, "y: v.string()", f"y: {UNKNOWN}", "addresses.city has a validator of "
                     "the kind `money`"),
}  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "words"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_one_message_and_nothing_staged_is_lost(
    shop: tuple[Moved, str], tmp_path: Path, file: str, old: str, new: str, words: str
) -> None:
    work, _ = copy_of(shop[0], tmp_path)
    staged = {f: f.read_bytes() for f in work.workspace.data.rglob("*.parquet")}
    right = (work.project / file).read_text("utf-8")
    edit(work.project / file, old, new)
    assert words in work.fails().message
    assert {f: f.read_bytes() for f in work.workspace.data.rglob("*.parquet")} == staged
    (work.project / file).write_text(right, "utf-8")
    work.transform()
    assert {f: f.read_bytes() for f in work.workspace.data.rglob("*.parquet")} == staged


def test_what_was_staged_for_another_schema_is_neither_loaded_nor_compared(
    shop: tuple[Moved, str], tmp_path: Path
) -> None:
    _, stages = copy_of(shop[0], tmp_path)
    # Its documents were loaded with the old schema, and do not fit when this one is pushed.
    edit(stages.project / SCHEMA, "billingAddress", "payer")
    messages = stages.run("load", code=1).stderr
    assert "documents of the sandbox do not fit schema.ts any more, in orders" in messages
    assert (
        "the deployment has another schema than convex/schema.ts; not the same: orders" in messages
    )
    failed = stages.run("sandbox", "push", code=2).stderr
    assert "documents of the sandbox do not fit schema.ts any more, in orders" in failed
    # They do fit this one.
    edit(stages.project / SCHEMA, "payer: ", "note: v.optional(v.string()),\n    billingAddress: ")
    for command in ("load", "verify"):
        messages = stages.run(command, code=1).stderr
        assert "`orders`" in messages and "  → run: stages transform orders\n" in messages
    stages.run("status")


def copy_of(moved: Moved, folder: Path) -> tuple[Work, Stages]:
    """A copy of the project and its staged files, to be modified."""
    before = moved.stages
    project = shutil.copytree(before.project, folder / "project", symlinks=True)
    return Work(project, project / "data"), Stages(
        project / "data", project=project, environment=before.environment
    )


# ── a club: one of each kind of decision that init leaves to the user ───────────────────────────


def test_the_page_of_decisions_shows_what_its_commands_print(sandbox_root: Path) -> None:
    with project_in_a_sandbox("club", sandbox_root) as moved:
        now = decisions.page(moved.stages.project).splitlines()
        moved.stages.run("check")
    stands = decisions.PAGE.read_text("utf-8").splitlines()
    changed = "\n".join(unified_diff(stands, now, n=0, lineterm=""))
    assert not changed, f"make docs\n{changed}"


# ── a content site: arrays of keys, a tree, references inside jsonb, slugs ──────────────────────


@pytest.fixture(scope="module")
def site(sandbox_root: Path) -> Iterator[tuple[Moved, dict[str, Any]]]:
    with project_in_a_sandbox("site", sandbox_root) as moved:
        yield moved, go("site", moved)


def test_a_site_is_moved_by_its_plan_alone(site: tuple[Moved, dict[str, Any]]) -> None:
    moved, report = site
    assert undecided(report) == {
        ("categories.sql", "title may be"),
        ("articles.sql", "blocks: an id"),
        ("articles.sql", "seo: an id"),
    }
    assert "models/" not in report["diff"] and added(report["diff"]) <= 5
    (references,) = [line for line in report["diff"].splitlines() if "references" in line]
    assert f"# {references[1:]}" in report["plan"], "init has proposed them"
    assert moved.counts("verified") == moved.counts("documents") == {
        "images": 2, "tags": 3, "categories": 4, "articles": 3, "relatedArticles": 2,
    }  # fmt: skip
    assert moved.rejects() == {
        "categories:4": ("title", "required_null"),
        "categories:5": ("parent", "parent_rejected"),
        "articles:notes": ("category", "parent_rejected"),
        "articles:odd": ("seo", "extra_field"),
        "articles:video": ("blocks", "not_in_union"),
        'relatedArticles:["diving","video"]': ("other", "parent_rejected"),
    }
    assert moved.changes() == {
        ("articles:dining", "tags[]", "orphan_dropped"),
        ("articles:swimming", "blocks[].imageId", "orphan_dropped"),
    }
    assert sends_nothing(moved)


@pytest.mark.parametrize("via", ["postgres", "rest"])
def test_a_site_is_assessed(site: tuple[Moved, dict[str, Any]], via: str) -> None:
    verdicts, met = assessed(site[0], "--via", via)
    assert {name for name, verdict in verdicts.items() if verdict == "ready"} == {
        "categories", "images", "related_articles", "tags",
    }  # fmt: skip
    assert met == {("articles.tag_ids", "implicit_reference")}


def test_references_of_a_site_are_right_wherever_they_are(
    site: tuple[Moved, dict[str, Any]],
) -> None:
    documents = site[0].read_back()
    image = "images:a0000000-0000-0000-0000-00000000000"
    tag = "tags:b0000000-0000-0000-0000-00000000000"
    diving = documents["articles:diving"]
    del diving["_creationTime"]
    assert diving == {
        "slug": "diving", "category": "categories:1", "title": "Diving",
        "tags": [f"{tag}3", f"{tag}1", f"{tag}2"],
        "blocks": [
            {"kind": "text", "text": "Down"},
            {"kind": "image", "imageId": f"{image}1"},
            {"kind": "see", "articles": ["articles:dining", "articles:swimming"],
             "n": {"$integer": "AgAAAAAAAAA="}},
            {"kind": "image", "imageId": f"{image}2"},
        ],
        "seo": {"title": "Dive", "card": {"imageId": f"{image}2", "words": ["a", "b"]}},
        "translations": {"de": {"title": "Tauchen", "checked": True},
                         "fr": {"title": "Plongée", "checked": False}},
        "publishedAt": 1709287200500,
    }  # fmt: skip
    dining = documents["articles:dining"]
    assert dining["tags"] == [f"{tag}2", f"{tag}2"], "in order, the orphan between them dropped"
    assert dining["publishedAt"] is None and "seo" not in dining
    assert documents["articles:swimming"]["blocks"] == [{"kind": "text", "text": "In"}]
    parents = {n: documents[f"categories:{n}"].get("parent") for n in (1, 2, 3, 6)}
    assert parents == {1: "categories:2", 2: "categories:3", 3: None, 6: "categories:6"}
    related = documents['relatedArticles:["swimming","diving"]']
    assert (related["article"], related["other"]) == ("articles:swimming", "articles:diving")


# ── an app: auth.users, an identity provider's ids, stored files, vectors, bytes, times ─────────


@pytest.fixture(scope="module")
def app(sandbox_root: Path) -> Iterator[tuple[Moved, dict[str, Any]]]:
    with project_in_a_sandbox("app", sandbox_root) as moved:
        yield moved, go("app", moved)


def test_an_app_is_moved(app: tuple[Moved, dict[str, Any]]) -> None:
    moved, report = app
    assert undecided(report) == {
        ("users.sql", "clerkId has no"), ("files.sql", "sizeBytes has no"),
        ("documents.sql", "embedding: vector as"),
    }  # fmt: skip
    assert added(report["diff"]) <= 30, "a side file of four lines among them"
    assert moved.counts("verified") == moved.counts("documents") == {
        "users": 2, "profiles": 2, "files": 2, "documents": 2,
    }  # fmt: skip
    user = "c0000000-0000-0000-0000-00000000000"
    assert moved.rejects() == {
        f"users:{user}3": ("clerkId", "required_null"),
        f"profiles:{user}3": ("user", "parent_rejected"),
        "files:d0000000-0000-0000-0000-000000000003": ("sizeBytes", "required_null"),
        "documents:3": ("embedding", "dimensions"),
        "documents:4": ("owner", "parent_rejected"),
        "documents:5": ("createdAt", "infinite_time"),
    }
    assert moved.changes() == {
        ("documents:1", "createdAt", "below_millisecond"),
        ("documents:2", "createdAt", "below_millisecond"),
        ("files:d0000000-0000-0000-0000-000000000002", "owner", "orphan_nulled"),
    }
    documents = moved.read_back()
    one = documents["documents:1"]
    assert one.pop("fileUrl").startswith("https://ref.supabase.co/storage/v1/object/sign/files/")
    del one["_creationTime"]
    assert one == {
        "owner": f"users:{user}1", "checksum": {"$bytes": "AP8Q"},
        "sizeBytes": {"$integer": "/////////38="}, "embedding": [1, 2.5, -3],
        "openedAt": 1709210096789, "createdAt": 1709210096789,
        "updatedAt": "2024-03-01T00:00:00.000Z",
    }  # fmt: skip
    two = documents["documents:2"]
    assert two["createdAt"] == -1 and two["checksum"] == {"$bytes": ""}
    assert not {"openedAt", "updatedAt", "embedding"} & set(two)
    assert documents[f"users:{user}1"]["clerkId"] == "user_2ann"
    assert "email" not in documents[f"users:{user}2"]
    assert documents[f"profiles:{user}2"]["user"] == f"users:{user}2"
    stored = documents["files:d0000000-0000-0000-0000-000000000001"]
    assert (stored["bucket"], stored["path"], stored["owner"], stored["sizeBytes"]) == (
        "files", "1.pdf", f"users:{user}1", 1048576,
    )  # fmt: skip
    assert sends_nothing(moved)


def test_an_app_is_assessed(app: tuple[Moved, dict[str, Any]]) -> None:
    """Over Postgres only: REST shows no foreign key to auth.users, and the column's name is not
    enough."""
    verdicts, met = assessed(app[0])
    assert verdicts == {"documents": "decisions", "profiles": "ready"}
    assert met == {
        ("documents.created_at", "infinite_date"),
        ("documents.size_bytes", "integer_beyond_float64"),
    }
    seen = app[0].stages.json("assess")
    assert [(each["name"], each["files"], each["bytes"]) for each in seen["buckets"]] == [
        ("avatars", 1, 300), ("files", 2, 1048576),
    ]  # fmt: skip
    assert seen["users"]["passwords"] == {"other": 2, "none": 1}
    assert seen["rebuild"][0]["kind"] == "cascade"


def test_the_report_of_an_app_names_urls_that_end_and_keys_of_nobody(
    app: tuple[Moved, dict[str, Any]],
) -> None:
    moved, _ = app
    summary = moved.stages.run("report").stdout
    assert "- documents.fileUrl: signed: 1" in summary and "2033-05-18" in summary
    assert "- profiles.avatarUrl: public: 1" in summary
    assert "- clerk: 3 keys, 1 of them not in the source" in summary
    assert "user_2" not in summary and "token=" not in summary
    report = moved.stages.report()
    assert report["tables"]["auth_users"]["migrated"] == 2

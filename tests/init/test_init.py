"""What init writes for a source with everything in it, over both transports."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from stages import sandbox
from stages.check.source import check_source
from stages.convex.schema import load_schema
from stages.decisions import left_open, listed
from stages.errors import UserError
from stages.extract.postgres import PostgresReader
from stages.extract.reference import stage_no_documents
from stages.extract.run import ExtractOptions, extract
from stages.init.catalog import read_postgres
from stages.progress import Silent
from stages.project.plan_reader import load_plan
from stages.state.workspace import Workspace
from stages.transform.run import TransformOptions, transform
from stages.views import connect
from tests.init.support import (
    MIGRATIONS,
    blog_tables,
    model,
    run_init,
    source_of,
    source_settings,
    typecheck,
)
from tests.support.command_line import ROOT
from tests.support.project_copies import edit

TITLE = "categories.name=categories.title"


def test_a_model_has_a_column_a_field_and_a_todo_a_doubt(
    torture: sandbox.State, project: Path
) -> None:
    result = run_init(project, source_of(torture), renames=(TITLE,))
    assert model(project, "products") == PRODUCTS
    assert model(project, "orderItems") == ORDER_ITEMS
    assert "name AS title" in model(project, "categories")
    assert "ref('categories', parent_id) AS parent" in model(project, "categories")
    assert "id AS legacyId" in model(project, "categories")
    assert "ref('users', user_id) AS userId" in model(project, "profiles")
    assert "FROM extract.auth_users" in model(project, "users")
    assert "_key AS _source_id" in model(project, "notes")
    # A status that the field does not take is told; one that has another case is mapped.
    orders = model(project, "orders")
    assert "CASE status WHEN 'in_progress' THEN 'inProgress' ELSE status END AS status" in orders
    assert "the source knows 'lost'" in orders
    # All that is left to a person is listed, decisions first, and is where it says.
    kinds = [todo.kind for todo in result.todos]
    assert kinds == sorted(kinds, key=["decide", "check", "note"].index)
    for todo in result.todos:
        line = (project / todo.file).read_text("utf-8").splitlines()[todo.line - 1]
        mark, _, what = line.strip(" -#").partition(": ")
        assert todo.what.startswith(what) and mark.removeprefix("TODO ") == todo.kind
    texts = "".join(f.read_text("utf-8") for f in written(project))
    assert kinds.count("note") == texts.count(" note: ")
    assert len(kinds) - kinds.count("note") == texts.count("TODO ")
    plan = load_plan(project / MIGRATIONS / "plan.toml")
    assert plan.module == "stages"
    assert plan.sources["orders"].key == ("tenant", "number")
    assert plan.sources["auth_users"].schema == "auth"
    assert '# unique = [["slug"]]' in (project / MIGRATIONS / "plan.toml").read_text("utf-8")
    assert plan.tables["notes"].grain == "row", "_key tells its rows apart"
    assert result.without_target == ("public.cheap_products", "public.leftovers")


def written(project: Path) -> list[Path]:
    folder = project / MIGRATIONS
    return [folder / "plan.toml", *folder.rglob("*.sql")]


@pytest.mark.parametrize("via", ["postgres", "rest"])
def test_every_model_runs_over_the_extract(torture: sandbox.State, project: Path, via: str) -> None:
    source = source_of(torture, rest=via == "rest")
    run_init(project, source, renames=(TITLE,))
    workspace = Workspace(project=project, data=project / "data", target="test")
    plan = load_plan(workspace.plan)
    result = extract(workspace, plan, source, ExtractOptions(), Silent())
    assert not result.failed
    with connect(workspace, plan, locked=False) as connection:
        rows = {
            name: connection.sql((workspace.migrations / table.model).read_text("utf-8"))
            .to_arrow_table()
            .to_pylist()
            for name, table in plan.tables.items()
        }
    product, item = rows["products"][0], rows["orderItems"][0]
    assert product["categoryId"] == "categories:2"
    assert product["relatedCategoryIds"] == ["categories:2", "categories:1"]
    assert product["tags"] == ["a", "b c"]
    assert product["stock"] == 9007199254740993
    assert (product["mood"], product["launched"]) == ("soFar", "2024-02-29")
    assert rows["orders"][0]["status"] == "inProgress"
    assert rows["orders"][0]["placedAt"] == "2024-03-01T00:00:00.000Z"
    if via == "postgres":
        assert rows["reviews"][0]["author"] == "members:7"
        assert item["order"] == f"orders:{rows['orders'][0]['_source_id']}"
        assert rows["orderItems"][1]["order"] is None
    assert len({row["_source_id"] for row in rows["notes"]}) == 3


def test_what_is_written_runs_with_every_decision_open(
    torture: sandbox.State, project: Path
) -> None:
    """Each table is staged; a row that needs a decision is a reject of its own."""
    source = source_of(torture)
    result = run_init(project, source)
    workspace = Workspace(project=project, data=project / "data", target="test")
    plan = load_plan(workspace.plan)
    schema = load_schema(workspace)
    extract(workspace, plan, source, ExtractOptions(), Silent())
    for name in plan.references:
        stage_no_documents(workspace, schema, name)
    notes: list[str] = []
    progress = Silent()
    progress.note = notes.append  # type: ignore[method-assign,assignment]
    staged = transform(workspace, plan, schema, TransformOptions(), progress)
    assert not staged.failed and set(staged.tables) == set(plan.tables)
    undecided = {
        (t.file.rpartition("/")[2], t.what.split()[0]) for t in result.todos if t.kind == "decide"
    }
    assert undecided == {
        ("plan.toml", "plans:"), ("products.sql", "seenAt"), ("comments.sql", "target_id"),
    }  # fmt: skip
    rejects = {
        (name, rule)
        for name, manifest in staged.tables.items()
        for rule in (count.rule for count in manifest.rules)
    }
    assert {("comments", "required_null"), ("products", "required_null")} <= rejects
    # All of them at once, with their places.
    (told,) = [note for note in notes if "open" in note]
    for todo in result.todos:
        assert (f"  {todo.file}:{todo.line}: {todo.what}" in told) == (todo.kind == "decide")
    for file in written(project):  # as somebody does who has decided, but not checked
        file.write_text(
            re.sub(r"^ *(--|#) TODO decide.*\n", "", file.read_text("utf-8"), flags=re.M)
        )
    assert left_open(workspace, plan) and not listed(left_open(workspace, plan))


def test_rest_tells_what_it_can_not_see(torture: sandbox.State, project: Path) -> None:
    result = run_init(project, source_of(torture, rest=True))
    text = (project / MIGRATIONS / "not-carried.md").read_text("utf-8")
    assert "Read over REST" in text and "SUPABASE_DB_URL" in text
    assert "profiles_touch" not in text
    # PostgREST hides foreign keys to schemas that it does not expose; the schema has it.
    assert "REFERENCES auth.users" not in text
    assert "ref('users', user_id) AS userId" in model(project, "profiles")
    assert any("order of a key's columns" in todo.what for todo in result.todos)
    # Foreign keys of several columns are not in OpenAPI.
    assert "-- TODO decide: order_number → order: orders has a key of several" in model(
        project, "orderItems"
    )


def test_the_key_is_tried_on_a_table_that_the_api_serves(
    torture: sandbox.State, project: Path
) -> None:
    """auth.users comes first in the plan, and is none."""
    run_init(project, source_of(torture))
    plan = load_plan(project / MIGRATIONS / "plan.toml")
    assert next(iter(plan.sources)) == "auth_users"
    results = {each.name: each for each in check_source(plan, source_of(torture, rest=True), {})}
    assert results["key for tables"].ok, results["key for tables"].detail


def test_what_is_not_carried_over_is_listed(torture: sandbox.State, project: Path) -> None:
    run_init(project, source_of(torture))
    text = (project / MIGRATIONS / "not-carried.md").read_text("utf-8")
    for words in (
        "- `public.leftovers`",
        "`public.profiles` · `own_profile`: `permissive for select to authenticated using",
        "CREATE TRIGGER profiles_touch",
        "NEW.updated_at := now();",
        "- `nightly`: `0 3 * * *: DELETE FROM notes`",
        "`UNIQUE (slug)`",
        "`CHECK ((quantity > 0))`",
        "- `public.profiles` · `mail: email_check of the domain email`: `CHECK ((VALUE ~~ ",
        "ON DELETE CASCADE",
        "ON DELETE SET NULL",
        "REFERENCES profiles(id)`",
        "- `public.products` · `status`: `'draft'::text`",
        "products_live",
        "lower(display_name)",
        "- `public.cheap_products`",
        "- `public.orders` · `live`",
    ):
        assert words in text, words
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert len(headings) == 14


def test_a_check_of_a_domain_is_one_of_its_columns(torture: sandbox.State) -> None:
    with blog_tables(torture) as connection:
        connection.execute(
            "CREATE DOMAIN blog.level AS text CHECK (VALUE IN ('low', 'high'));"
            "CREATE DOMAIN blog.top AS blog.level CONSTRAINT filled CHECK (VALUE <> '') NOT NULL;"
            "CREATE TABLE blog.levels (id int PRIMARY KEY, mine blog.top, others blog.level[], "
            "few blog.level CHECK (few IN ('low', 'none')))"
        )
        reader = PostgresReader(source_of(torture))
        catalog = read_postgres(reader, ["blog"])
        reader.close()
    checks = {b.name for b in catalog.behaviour if (b.kind, b.table) == ("check", "blog.levels")}
    assert checks == {
        "mine: filled of the domain blog.top",
        "mine: level_check of the domain blog.level",
        "others: level_check of the domain blog.level",
        "few: level_check of the domain blog.level",
        "levels_few_check",
    }
    columns = catalog.tables["blog", "levels"].columns
    assert {name: column.choices for name, column in columns.items()} == {
        "id": (), "mine": ("low", "high"), "others": (), "few": ("low",),
    }  # fmt: skip


def test_other_schemas_and_names_that_are_none(torture: sandbox.State, project: Path) -> None:
    (project / "convex" / "schema.ts").write_text(
        """import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";
export default defineSchema({
  things: defineTable({ caseOf: v.string(), caseOf2: v.string(), from: v.number() }),
  leftovers: defineTable({ n: v.optional(v.number()) }),
  otherLeftovers: defineTable({ n: v.optional(v.number()) }),
});
"""
    )
    with psycopg.connect(torture.source.db_url, autocommit=True) as connection:
        connection.execute(
            """
            CREATE SCHEMA app;
            CREATE TABLE app."Some Things" (
              "The Id" int PRIMARY KEY, "caseOf" text NOT NULL, "CaseOf" text NOT NULL,
              "from" int NOT NULL
            );
            CREATE TABLE app.leftovers (n int NOT NULL UNIQUE)
            """
        )
        try:
            run_init(
                project,
                source_of(torture),
                schemas=("public", "app"),
                renames=(
                    "Some Things=things",
                    "app.leftovers=otherLeftovers",
                    "Some Things.CaseOf=things.caseOf2",
                ),
            )
        finally:
            connection.execute("DROP SCHEMA app CASCADE")
    assert model(project, "things") == (
        "SELECT\n"
        '    key("The Id") AS _source_id,\n'
        "    caseOf,\n"
        "    CaseOf_2 AS caseOf2,\n"
        '    "from"\n'
        "FROM extract.Some_Things\n"
    )
    plan = load_plan(project / MIGRATIONS / "plan.toml")
    things = plan.sources["Some_Things"]
    assert (things.schema, things.table) == ("app", "Some Things")
    # A table without a primary key has one by its unique columns; names of two schemas differ.
    ours = plan.sources[plan.tables["leftovers"].source]
    assert (ours.schema, ours.table) == ("public", "leftovers")
    other = plan.sources[plan.tables["otherLeftovers"].source]
    assert (other.schema, other.table, other.key) == ("app", "leftovers", ("n",))


def test_rows_of_children_by_inherits_come_once(torture: sandbox.State, project: Path) -> None:
    (project / "convex" / "schema.ts").write_text(
        """import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";
const document = defineTable({ name: v.string() });
export default defineSchema({ vehicles: document, trucks: document, boats: document });
"""
    )
    with psycopg.connect(torture.source.db_url, autocommit=True) as connection:
        connection.execute(
            """
            CREATE SCHEMA app;
            CREATE TABLE app.vehicles (id int PRIMARY KEY, name text NOT NULL);
            CREATE TABLE app.trucks (PRIMARY KEY (id)) INHERITS (app.vehicles);
            CREATE TABLE app.old_cars (PRIMARY KEY (id)) INHERITS (app.vehicles);
            CREATE TABLE app.boats (id int PRIMARY KEY, name text NOT NULL);
            CREATE TABLE app.old_boats (PRIMARY KEY (id)) INHERITS (app.boats);
            """
        )
        try:
            run_init(project, source_of(torture), schemas=("app",))
        finally:
            connection.execute("DROP SCHEMA app CASCADE")
    text = (project / MIGRATIONS / "plan.toml").read_text("utf-8")
    for lines in (
        "only = true   # app.trucks (INHERITS) have sources of their own\n"
        "# TODO check: only = true leaves out the rows of app.old_cars: is that intended?\n",
        "# app.old_boats: the rows of these children (INHERITS) are included.\n",
    ):
        assert lines in text
    plan = load_plan(project / MIGRATIONS / "plan.toml")
    assert {name: source.only for name, source in plan.sources.items()} == {
        "vehicles": True, "trucks": False, "boats": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"renames": ("nowhere=products",)}, "the source has no table `nowhere`"),
        ({"renames": ("products=nowhere",)}, "convex/schema.ts has no table `nowhere`"),
        ({"renames": ("products.nope=products.sku",)}, "products has no column `nope`"),
        ({"renames": ("products.sku=products.nope",)}, "no field products.nope"),
        ({"renames": ("products",)}, "neither table=table nor"),
        ({"references": ("nowhere",)}, "convex/schema.ts has no table `nowhere`"),
        ({"write_schema": True}, "already exists"),
        ({"schemas": ("nowhere",)}, "no source table has the name of a table in"),
    ],
)
def test_what_can_not_be_meant_is_refused(
    torture: sandbox.State, project: Path, options: dict[str, Any], words: str
) -> None:
    if "schemas" in options:
        edit(project / "convex" / "schema.ts", "  users: defineTable", "  people: defineTable")
        edit(project / "convex" / "schema.ts", 'userId: v.id("users")', 'userId: v.id("people")')
    with pytest.raises(UserError) as error:
        run_init(project, source_of(torture), **options)
    assert words in error.value.message and error.value.hint
    assert not (project / ".planning").exists()


def test_tables_that_differ_only_in_case_are_refused(torture: sandbox.State, project: Path) -> None:
    twin = "  Users: defineTable({ sku: v.optional(v.string()) }),\n"
    edit(project / "convex" / "schema.ts", "  users: defineTable", f"{twin}  users: defineTable")
    with pytest.raises(UserError, match="`Users` and `users`, which differ only in case"):
        run_init(project, source_of(torture), renames=("products=Users",))
    assert not (project / ".planning").exists()


def test_an_unreadable_schema_is_one_message_with_file_and_line(
    torture: sandbox.State, project: Path
) -> None:
    edit(project / "convex" / "lib" / "money.ts", "v.number()", "v.nummer()")
    with pytest.raises(UserError) as error:
        run_init(project, source_of(torture))
    assert "convex/lib/money.ts, line 3: " in error.value.message
    assert "nummer is not a function" in error.value.message
    assert error.value.exit_code == 2
    assert not (project / ".planning").exists()
    shutil.rmtree(project / "convex")
    with pytest.raises(UserError) as error:
        run_init(project, source_of(torture))
    assert "--write-schema" in str(error.value)


# ── references ──────────────────────────────────────────────────────────────────────────────


def test_what_convex_has_already_is_found_by_unique_columns(
    torture: sandbox.State, project: Path
) -> None:
    run_init(project, source_of(torture), references=("categories", "orders", "profiles", "notes"))
    keys = project / MIGRATIONS / "keys"
    categories = (keys / "categories.sql").read_text("utf-8")
    assert "ON c.slug = s.slug" in categories
    assert "--     ON c.legacyId = s.id" in categories
    # Nothing of orders that is unique alone is a field: the model finds nothing, and says so.
    orders = (keys / "orders.sql").read_text("utf-8")
    assert "TODO decide: orders: no unique column" in orders and "WHERE false" in orders
    notes = (keys / "notes.sql").read_text("utf-8")
    assert "SELECT s._key AS source_id" in notes
    plan = load_plan(project / MIGRATIONS / "plan.toml")
    assert set(plan.references) == {"categories", "orders", "profiles", "notes", "plans"}
    assert not set(plan.references) & set(plan.tables)
    assert plan.references["plans"].source is None


# ── a schema from the catalog ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize("case", [None, "camel", "snake", "keep"])
def test_a_written_schema_passes_tsc_and_leaves_no_question(
    torture: sandbox.State, project: Path, case: str | None
) -> None:
    shutil.rmtree(project / "convex")
    result = run_init(project, source_of(torture), write_schema=True, case=case)
    assert {todo.kind for todo in result.todos} <= {"note"}
    assert result.without_source == () and result.add == ()
    text = (project / "convex" / "schema.ts").read_text("utf-8")
    table, field = {
        None: ("orderItems", "product_sku"),
        "camel": ("orderItems", "productSku"),
        "snake": ("order_items", "product_sku"),
        "keep": ("order_items", "product_sku"),
    }[case]
    assert f"  {table}: defineTable({{" in text
    assert f'{field}: v.id("products"),' in text
    assert 'v.optional(v.union(v.literal("draft"), v.literal("live")))' in text
    assert 'v.literal("in_progress"), v.literal("shipped"), v.literal("lost")' in text
    # A foreign key to another column than the primary key stays what it is; one of several
    # columns is an id besides.
    assert ": v.optional(v.string())," in next(
        line for line in text.splitlines() if "category" in line.lower() and "lug" in line
    )
    assert ': v.optional(v.id("orders")),' in text
    assert '.index("by_tenant_number", ["tenant", "number"])' in text
    assert typecheck(project) == ""


def test_the_command_tells_all_of_it(torture: sandbox.State, project: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "stages", "init", str(project), "--rename", TITLE],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=source_settings(torture),
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.startswith(f"Supabase {torture.source.ref} → {project}")
    assert "written  .planning/migrations/models/products.sql\n" in ran.stdout
    assert "Add to convex/schema.ts:\n\n    import { stagesTables }" in ran.stdout
    assert re.search(r"\n3 to decide:\n\n\.planning/\S+:\d+: ", ran.stdout)
    assert ".planning/migrations/models/products.sql:" in ran.stdout
    assert "    or: … AS seenAt\n" in ran.stdout
    assert "status may be null" not in ran.stdout, "a note is in the file only"
    assert re.search(r"\n\d+ notes are in the files\.\n", ran.stdout)
    assert torture.source.db_url not in ran.stdout + ran.stderr


PRODUCTS = """\
SELECT
    key(sku) AS _source_id,
    sku,
    ref('categories', (SELECT key(p.id) FROM extract.categories p WHERE p.slug = s.category_slug)) AS categoryId,
    to_number(price) AS price,
    stock,
    weight,
    -- note: status may be null, but is not in any row so far
    --   or: coalesce(status, 'draft') AS status
    status,
    CASE mood WHEN 'so_far' THEN 'soFar' ELSE mood END AS mood,
    -- note: tags may be null, but is not in any row so far
    --   or: coalesce(pg_array(tags), []) AS tags
    pg_array(tags) AS tags,
    refs('categories', pg_array(related_category_ids)) AS relatedCategoryIds,
    attributes,
    cost,
    list_transform(pg_array(embedding), lambda item: to_number(item)) AS embedding,
    -- TODO check: vector: vector as a list of numbers: other values are rejected
    list_transform(vector::VARCHAR[], lambda item: to_number(item)) AS vector,
    photo,
    to_day(launched) AS launched,
    opens,
    "order",
    -- note: priority may be null, but is not in any row so far
    priority::VARCHAR AS priority,
    -- TODO decide: seenAt has no source, every row is rejected; it looks like a time, which
    --   must come from the source, never from this run
    --   or: … AS seenAt
    NULL::DOUBLE AS seenAt,
    to_ms(created_at) AS createdAt
    -- TODO check: photo_id → photoId: v.id("_storage"): files and other system documents are
    --   not moved by a model
    --   or: upload the files, and give their ids in a side file
    -- note: no field takes internal_remark: dropped, unless convex/schema.ts gets a field
FROM extract.products s
"""  # noqa: E501

ORDER_ITEMS = """\
SELECT
    key(tenant, line) AS _source_id,
    -- TODO check: order_number may be null, the field is required: such a row is rejected
    ref('orders', key(tenant, order_number)) AS "order",
    ref('products', product_sku) AS product,
    quantity
    -- note: no field takes line: dropped, unless convex/schema.ts gets a field
FROM extract.order_items
"""

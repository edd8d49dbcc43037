"""Nested documents, from jsonb to Convex and back, through a project of its own.

tests/transform/nested/ has its schema, models, plan and source. Everything runs on real Postgres
and on the real functions of convex/; cycles are only transformed here.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from stages import sandbox
from stages.convex.client import Deployment
from stages.convex.schema import load_schema
from stages.convex.values import document_sql
from stages.init.typescript import loading_functions
from stages.project.settings import sandbox_target
from stages.project.staged_schema import staged_shapes
from stages.views import bound_sql, connect
from tests.support.command_line import ROOT, Stages
from tests.support.project_copies import edit_plan
from tests.support.sandboxes import open_folder, own_sandbox
from tests.support.shipped_sample import Work

HERE = Path(__file__).parent / "nested"
LOADED = ("users", "files", "pages", "events", "notes")
IMAGE = "files:00000000-0000-0000-0000-00000000000"


def make_project(folder: Path) -> Path:
    migrations = folder / ".planning" / "migrations"
    shutil.copytree(HERE / "models", migrations / "models")
    shutil.copy(HERE / "plan.toml", migrations)
    shutil.copytree(ROOT / "convex", folder / "convex", ignore=shutil.ignore_patterns("http.ts"))
    shutil.copy(HERE / "schema.ts", folder / "convex")
    (folder / "convex" / "migrate.ts").write_text(loading_functions(LOADED, ()), "utf-8")
    (folder / "data" / "sandbox").mkdir(parents=True)
    shutil.copy(HERE / "source.sql", folder / "data" / "sandbox" / "10_source.sql")
    (folder / "node_modules").symlink_to(ROOT / "node_modules")
    return folder


@pytest.fixture(scope="module")
def moved() -> Iterator[Stages]:
    """Everything extracted and transformed; what is in no cycle loaded and verified."""
    with open_folder("nested") as folder, own_sandbox(folder / "box") as box:
        stages = Stages(
            folder / "data", project=make_project(folder / "project"),
            environment={"STAGES_SANDBOX": str(box)},
        )  # fmt: skip
        stages.run("extract")
        stages.run("transform")
        stages.run("load", *LOADED)
        yield stages


@pytest.fixture(scope="module")
def staged(moved: Stages) -> Work:
    return Work(moved.project, moved.data)


@pytest.fixture
def work(moved: Stages, tmp_path: Path) -> Work:
    """A copy to edit."""
    project = tmp_path / "project"
    shutil.copytree(moved.project, project, symlinks=True)
    shutil.copytree(moved.data, tmp_path / "data")
    return Work(project, tmp_path / "data")


def rejects(work: Work, table: str) -> dict[str, tuple[str, str, str]]:
    return {
        row["source_id"]: (row["field"], row["rule"], row["reason"])
        for row in work.rows(table, "rejects")
    }


# ── checks ──────────────────────────────────────────────────────────────────────────────────


def test_what_no_validator_takes_is_named_with_its_path(staged: Work) -> None:
    assert rejects(staged, "pages") == {
        "4": (
            "blocks",
            "not_in_union",
            "none of the 2 members of the union accepts it at blocks[0]",
        ),
        "5": ("blocks", "extra_field", "the field more is not in the schema at blocks[0]"),
        "6": ("blocks", "type_mismatch", "a number, not string at blocks[1].text"),
    }


def test_a_row_of_a_union_table_must_be_one_of_its_members(staged: Work) -> None:
    assert rejects(staged, "events") == {
        "4": ("", "extra_field", "the field user is not in the schema at the document"),
        "5": ("", "missing_field", "the field at is required at the document"),
    }


def test_typed_values_are_staged_as_convex_encodes_them(staged: Work) -> None:
    page = staged.document("pages", "1")
    assert json.loads(page["box"]) == {
        "big": {"$integer": "AgAAAAAAIAA="}, "height": None,
        "nested": {"deep": [[True], [], [False, True]]}, "raw": {"$bytes": "AP8="},
        "special": [{"$float": "AAAAAAAA+H8="}, {"$float": "AAAAAAAAAIA="},
                    {"$float": "AAAAAAAA8H8="}, 0.1],
        "width": 1.25,
    }  # fmt: skip
    assert json.loads(page["level"]) == {"$integer": "AgAAAAAAAAA="}
    second = staged.document("pages", "2")
    assert json.loads(second["box"])["height"] == 3
    assert "raw" not in json.loads(second["box"])
    assert second["level"] == "true" and second["mixed"] == "1.5"


# ── references ──────────────────────────────────────────────────────────────────────────────


def test_references_are_staged_at_every_position_and_nowhere_else(staged: Work) -> None:
    page = staged.document("pages", "1")
    assert page["authors"] == ["users:3", "users:1", "users:2"]
    assert json.loads(page["blocks"]) == [
        {"imageId": IMAGE + "1", "type": "image"},
        {"text": "users:1 is no reference here", "type": "text",
         "weight": {"$integer": "BwAAAAAAAAA="}},
        {"alt": "b", "imageId": IMAGE + "2", "type": "image"},
    ]  # fmt: skip
    settings = json.loads(page["settings"])
    assert settings["ownerId"] == "users:2" and settings["theme"] == "users:3"
    assert settings["gallery"] == [{"file": IMAGE + "1", "x": [1, None]}, {"x": "no file"}]
    assert json.loads(page["shares"]) == {"users:1": 0.5, "users:2": 2}
    assert page["owner"] == "users:4"


def test_a_table_of_any_documents_has_the_fields_of_its_model(staged: Work) -> None:
    note = staged.document("notes", "1")
    assert (note["body"], note["author"]) == ('"n"', '"users:2"')
    assert json.loads(note["data"])["editors"] == ["users:4", "users:3"]
    assert staged.document("notes", "2") == {
        "_source_id": "2", "body": None, "data": "null", "author": None
    }  # fmt: skip


def test_orphans_in_arrays_and_json_follow_the_plan(staged: Work) -> None:
    page = staged.document("pages", "3")
    assert page["authors"] == ["users:1", "users:2"]
    assert json.loads(page["blocks"]) == [{"text": "stays", "type": "text"}]
    assert json.loads(page["settings"]) == {"gallery": [], "ownerId": None}
    changes = {(r["field"], r["rule"], r["old"]) for r in staged.rows("pages", "changes")
               if r["source_id"] == "3" and r["rule"].startswith("orphan")}  # fmt: skip
    assert changes == {
        ("authors[]", "orphan_dropped", "users:9"),
        ("blocks[].imageId", "orphan_dropped", IMAGE + "9"),
        ("settings.ownerId", "orphan_nulled", "users:77"),
    }


def test_orphans_inside_are_rejects_where_the_plan_says_nothing(work: Work) -> None:
    edit_plan(work.project, 'orphans = { authors = "drop", "blocks[].imageId" = "drop", '
              '"settings.ownerId" = "null" }', "")  # fmt: skip
    work.transform("pages")
    assert rejects(work, "pages")["3"] == ("authors[]", "orphan", "users:9 is not in users")
    others = next(r for r in work.rows("pages", "rejects") if r["source_id"] == "3")["others"]
    assert [(o["field"], o["rule"]) for o in json.loads(others)] == [
        ("blocks[].imageId", "orphan"), ("settings.ownerId", "orphan")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("orphans", "words"),
    [
        ('{ authors = "null" }', "turns `authors` to null"),
        ('{ owner = "drop" }', "drops `owner`, which is in no array"),
        ('{ "blocks[].text" = "reject" }', "`blocks[].text`, which is no reference"),
    ],
)
def test_rules_for_orphans_that_can_not_be_meant(work: Work, orphans: str, words: str) -> None:
    edit_plan(work.project, '{ authors = "drop", "blocks[].imageId" = "drop", '
              '"settings.ownerId" = "null" }', orphans)  # fmt: skip
    assert words in work.fails("pages").message


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("title", "`title`"),
        ("blocks[].nothing", "`blocks[].nothing`"),
        ("nowhere.x", "`nowhere.x`"),
    ],
)
def test_named_references_that_are_nowhere(work: Work, path: str, words: str) -> None:
    edit_plan(work.project, '"blocks[].imageId" = "files", ', f'"{path}" = "files", ')
    assert f"references names {words}" in work.fails("pages").message


@pytest.mark.parametrize("path", ["settings{}", "settings{}.x"])
def test_one_key_and_every_key_of_a_place_are_not_both_named(work: Work, path: str) -> None:
    edit_plan(work.project, '"blocks[].imageId" = "files", ', f'"{path}" = "files", ')
    message = work.fails("pages").message
    assert "references names `settings{}`, which means every key, and also one key of" in message


def test_a_table_that_refers_to_itself_is_proven_as_one(staged: Work) -> None:
    causes = {key: (field, rule) for key, (field, rule, _) in rejects(staged, "categories").items()}
    assert causes == {
        "2": ("name", "required_null"),
        "3": ("parent", "parent_rejected"),
        "4": ("parent", "parent_rejected"),
        "7": ("parent", "orphan"),
        "8": ("parent", "parent_rejected"),
    }
    reasons = rejects(staged, "categories")
    assert reasons["3"][2] == "categories:2 is rejected: required_null name"
    kept = [row["_source_id"] for row in staged.rows("categories", "documents")]
    assert kept == ["1", "5", "6", "9", "10"]


def test_a_cycle_of_tables_is_proven_together(staged: Work) -> None:
    """Team 2 has no name; member 3 is of team 2, team 3 is led by 3, member 4 is of team 3."""
    teams = {key: reject[:2] for key, reject in rejects(staged, "teams").items()}
    assert teams == {"2": ("name", "required_null"), "3": ("lead", "parent_rejected")}
    members = {key: reject[:2] for key, reject in rejects(staged, "members").items()}
    assert members == {"3": ("team", "parent_rejected"), "4": ("team", "parent_rejected")}
    # A reference that is only dropped takes nobody along.
    assert staged.document("members", "5")["friends"] == ["members:1", "members:2"]


def test_a_cycle_is_made_anew_as_a_whole(work: Work) -> None:
    assert set(work.transform("teams").tables) == {"teams", "members"}
    work.model("teams", "name,", "coalesce(name, 'unnamed') AS name,")
    work.transform("members")
    assert rejects(work, "teams") == {} and rejects(work, "members") == {}


def test_fields_of_a_cycle_can_be_left_for_later(staged: Work) -> None:
    """As the first pass of a load sends them: absent, or an empty array where there must be one."""
    schema = load_schema(staged.workspace)
    fields = staged_shapes(staged.workspace, schema, "members")
    table = staged.plan.tables["members"]
    sql = bound_sql(staged.workspace, staged.plan, table, fields, deferred={"team", "friends"})
    with connect(staged.workspace, staged.plan, views=False) as connection:
        rows = connection.execute(
            f"SELECT {document_sql(fields, ())}, _unbound FROM ({sql}) ORDER BY _source_id"
        ).fetchall()
    assert rows == [('{"friends":[]}', [])] * 3
    sql = bound_sql(staged.workspace, staged.plan, table, fields)
    with connect(staged.workspace, staged.plan, views=False) as connection:
        rows = connection.execute(f"SELECT _unbound FROM ({sql}) ORDER BY _source_id").fetchall()
    assert rows == [(["teams:1", "members:2"],), ([],), (["members:1", "members:2"],)]


# ── load and verify ─────────────────────────────────────────────────────────────────────────


def test_nested_documents_are_loaded_and_read_back(moved: Stages) -> None:
    moved.run("verify", *LOADED)
    manifest = json.loads((moved.target_folder / "verify" / "manifest.json").read_text())
    assert {name: {k: n for k, n in counts.items() if n} for name, counts in manifest.items()} == {
        "users": {"verified": 4}, "files": {"verified": 2}, "pages": {"verified": 3},
        "events": {"verified": 3}, "notes": {"verified": 2},
    }  # fmt: skip
    ids = {
        f"{table}:{row['source_id']}": row["convex_id"]
        for table in ("users", "files")
        for row in moved.sql(f"SELECT * FROM '{moved.target_folder}/load/{table}/ids.parquet'")
    }
    (page,) = moved.sql("SELECT * FROM bound.pages WHERE source_id = '1'")
    assert page["authors"] == [ids[f"users:{n}"] for n in (3, 1, 2)]
    assert ids[IMAGE + "1"] in str(page["blocks"]) and "users:1 is no" in str(page["blocks"])
    assert ids["users:2"] in str(page["settings"]) and "users:3" in str(page["settings"])
    assert page["_unbound"] == []


def test_a_document_that_is_gone_dangles_wherever_it_was_named(moved: Stages) -> None:
    """Last here: it deletes in Convex."""
    state = sandbox.status(moved.project)
    assert state
    target = sandbox_target("sandbox", state.deployments["sandbox"])
    with Deployment(target) as deployment:
        records = [{"sourceId": "2"}]
        deployment.mutation("migrate:remove", {"table": "users", "records": records})
    moved.run("verify", "pages", code=1)
    rows = moved.sql(
        f"SELECT source_id, fields FROM '{moved.target_folder}/verify/pages.parquet' "
        "WHERE kind = 'dangling' ORDER BY ALL"
    )
    assert [(r["source_id"], r["fields"]) for r in rows] == [
        ("1", "authors[]"), ("1", "settings.ownerId"), ("1", "shares{key}"), ("3", "authors[]")
    ]  # fmt: skip

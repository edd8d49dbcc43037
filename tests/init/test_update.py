"""init beside what is there already: nothing is written over, and --update goes on from it."""

from __future__ import annotations

import shutil
from pathlib import Path

import psycopg
import pytest

from stages import sandbox
from stages.errors import UserError
from stages.init import git_ignore
from stages.init.result import InitResult
from tests.init.support import blog_tables, files_of, model, run_init, source_of, spread_ledger
from tests.support.project_copies import edit

TITLE = "categories.name=categories.title"


def test_nothing_is_written_over(torture: sandbox.State, project: Path) -> None:
    source = source_of(torture)
    schema = (project / "convex" / "schema.ts").read_text("utf-8")
    first = run_init(project, source, renames=(TITLE,))
    assert (project / "convex" / "schema.ts").read_text("utf-8") == schema
    assert [each.file for each in first.add] == ["convex/schema.ts"]
    assert "  ...stagesTables," in first.add[0].lines
    assert (project / ".gitignore").read_text("utf-8") == git_ignore.text()
    before = files_of(project)
    with pytest.raises(UserError) as error:
        run_init(project, source)
    assert "--update" in str(error.value) and error.value.exit_code == 2
    assert_no_change(run_init(project, source, update=True))
    assert_no_change(run_init(project, source, apply=True))
    assert files_of(project) == before


def assert_no_change(result: InitResult) -> None:
    assert (result.written, result.changes, result.notes) == ((), (), ())
    assert not (result.pending or result.by_hand or result.todos or result.copies)


@pytest.mark.parametrize("via", ["postgres", "rest"])
def test_right_after_init_there_is_no_change(
    torture: sandbox.State, project: Path, via: str
) -> None:
    source = source_of(torture, rest=via == "rest")
    run_init(project, source, renames=(TITLE, "leftovers=plans"), references=("categories",),
             http_action=True)  # fmt: skip
    assert "FROM extract.leftovers" in model(project, "plans")
    before = files_of(project)
    assert_no_change(run_init(project, source, update=True))
    spread_ledger(project)
    assert_no_change(run_init(project, source, update=True))
    assert {f for f, data in files_of(project).items() if data != before.get(f)} == {
        project / "convex" / "schema.ts"
    }


def test_over_rest_it_is_written_once(torture: sandbox.State, project: Path) -> None:
    """What the API shows of a change: `--apply` a second time writes nothing."""
    source = source_of(torture, rest=True)
    run_init(project, source, renames=(TITLE,))
    with psycopg.connect(torture.source.db_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE categories ADD COLUMN summary text")
        try:
            edit(
                project / "convex" / "schema.ts",
                "    slug: v.string(),",
                "    slug: v.string(),\n    summary: v.optional(v.string()),",
            )
            written = run_init(project, source, apply=True)
            assert {change.state for change in written.changes} == {"applied"}
            assert "\n    summary" in model(project, "categories")
            before = files_of(project)
            assert_no_change(run_init(project, source, apply=True))
            assert files_of(project) == before
        finally:
            connection.execute("ALTER TABLE categories DROP COLUMN summary")


def test_over_the_other_transport_only_what_both_see_is_compared(
    torture: sandbox.State, project: Path
) -> None:
    run_init(project, source_of(torture), renames=(TITLE,))
    assert_no_change(run_init(project, source_of(torture, rest=True), update=True))


def test_a_schema_of_the_catalog_follows_it(torture: sandbox.State, project: Path) -> None:
    """Where init wrote schema.ts; a line that is the user's stays."""
    source = source_of(torture)
    shutil.rmtree(project / "convex")
    schema = project / "convex" / "schema.ts"
    with blog_tables(torture) as connection:
        run_init(project, source, write_schema=True, schemas=("blog",))
        assert_no_change(run_init(project, source, update=True))
        edit(schema, "    price: v.number(),", "    price: v.number(), // mine")
        connection.execute("ALTER TABLE blog.posts ADD COLUMN summary text")
        shown = run_init(project, source, update=True)
        assert shown.pending["convex/schema.ts"] == 1
        assert "summary" not in schema.read_text("utf-8")
        result = run_init(project, source, apply=True)
        assert "convex/schema.ts" in result.written
        assert "summary: v.optional(v.string())," in schema.read_text("utf-8")
        assert "price: v.number(), // mine" in schema.read_text("utf-8")
        assert "    summary" in model(project, "posts")
        assert_no_change(run_init(project, source, apply=True))
        with pytest.raises(UserError, match="already exists"):
            run_init(project, source, update=True, write_schema=True)


def test_a_file_of_the_same_name_is_not_touched(torture: sandbox.State, project: Path) -> None:
    (project / "convex" / "stages.ts").write_text("export const mine = 1;\n")
    (project / ".gitignore").write_text("node_modules\n")
    with pytest.raises(UserError) as error:
        run_init(project, source_of(torture))
    assert "convex/stages.ts" in error.value.message
    assert not (project / ".planning").exists()
    (project / "convex" / "stages.ts").unlink()
    result = run_init(project, source_of(torture))
    ignore = next(each for each in result.add if each.file == ".gitignore")
    assert ignore.lines == git_ignore.LINES

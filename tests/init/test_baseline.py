"""What init remembers of what it wrote: where it is missing, damaged or newer."""

from __future__ import annotations

import shutil

import pytest

from stages.errors import UserError
from stages.project.plan_reader import load_plan
from stages.side_views import side_files
from stages.state.records import Damaged
from stages.state.workspace import Workspace
from tests.init.drifting import NO_CHANGE, Blog
from tests.init.support import (
    MIGRATIONS,
    files_of,
)
from tests.support.project_copies import edit


def test_without_a_baseline_it_says_what_it_can_know(blog: Blog) -> None:
    baseline = blog.folder / MIGRATIONS / "init.json"
    baseline.unlink()
    edit(blog.folder / MIGRATIONS / "plan.toml", '\n[tables.comments]\nsource = "comments"\n', "")
    blog.edit_model("posts", "    price,\n", "")
    (blog.folder / "convex" / "stages.ts").write_text("// of before\n", "utf-8")
    before = files_of(blog.folder)
    stages = blog.folder / "convex" / "stages.ts"
    rest = f"""\
models/posts.sql does not output price
comments is not in plan.toml, and blog.comments matches it; to write its model and its entry: \
stages init --redo comments
convex/stages.ts differs from what init writes, and may have been edited; to replace it: \
rm {stages} && stages init --update"""
    options = {"schemas": ("blog",)}
    assert (
        blog.printed(update=True, **options)
        == f"""\
init can't tell what has changed, because .planning/migrations/init.json is missing: this \
migration was written by hand, or by an earlier version. To compare later runs with the source and \
schema.ts as they are now: stages init --update --apply
{rest}"""
    )
    with pytest.raises(UserError, match="has changed"):
        blog.run(done=("posts",), **options)
    assert files_of(blog.folder) == before
    assert (
        blog.printed(apply=True, **options)
        == f"""\
.planning/migrations/init.json is new: later runs compare with the source and schema.ts as they \
are now
{rest}"""
    )
    assert {f for f in files_of(blog.folder) if f not in before} == {baseline}
    assert all(files_of(blog.folder)[file] == data for file, data in before.items())
    stages.unlink()
    blog.run(update=True)
    assert blog.printed(update=True) == NO_CHANGE
    blog.run(redo=("comments",))
    assert "[tables.comments]" in (blog.folder / MIGRATIONS / "plan.toml").read_text("utf-8")
    blog.alter("ALTER TABLE blog.posts ALTER legacy_score TYPE bigint, DROP COLUMN body")
    assert [(c.name, c.state) for c in blog.run(update=True).changes] == [
        ("legacy_score", "nothing"), ("body", "apply"),
    ]  # fmt: skip


def test_a_damaged_or_newer_baseline_is_one_sentence(blog: Blog) -> None:
    baseline = blog.folder / MIGRATIONS / "init.json"
    text = baseline.read_text("utf-8")
    baseline.write_text(text[: len(text) // 2], "utf-8")
    with pytest.raises(Damaged, match="is damaged") as error:
        blog.run(update=True)
    assert "stages init --update --apply" in (error.value.hint or "")
    baseline.write_text(text.replace('"format": 1', '"format": 2'), "utf-8")
    with pytest.raises(UserError, match="is of format 2"):
        blog.run(update=True)
    shutil.rmtree(blog.folder / MIGRATIONS)
    with pytest.raises(UserError, match="there is no migration here"):
        blog.run(update=True)


def test_no_value_of_a_row_is_kept(blog: Blog) -> None:
    text = (blog.folder / MIGRATIONS / "init.json").read_text("utf-8")
    assert "praise" not in text and "Ada" not in text and "headline" in text


def test_it_is_no_side_file(blog: Blog) -> None:
    """It lies beside the plan, as side files do."""
    workspace = Workspace(project=blog.folder, data=blog.folder / "data", target="default")
    assert workspace.baseline.exists()
    assert side_files(workspace, load_plan(workspace.plan)) == {}

"""What init --apply and --redo write, and what of the user's they leave as it is."""

from __future__ import annotations

import codecs
import shutil
from pathlib import Path

import pytest

from stages.errors import UserError
from stages.state import durable
from tests.init.drifting import NO_CHANGE, Blog, text_of
from tests.init.support import (
    MIGRATIONS,
    files_of,
    model,
    model_file,
)
from tests.support.project_copies import edit


def test_what_the_user_has_written_stays_byte_for_byte(blog: Blog) -> None:
    """Comments, order, line ends and a byte-order mark; and --apply twice is as good as once."""
    file = model_file(blog.folder, "posts")
    text = file.read_text("utf-8").replace("    body,", "    -- höflich\n    trim(body) AS body,")
    text = text.replace("    -- note: no field takes legacy_score: dropped, unless "
                        "convex/schema.ts gets a field\n", "")  # fmt: skip
    text = text.replace("    price,\n    to_ms(created_at) AS createdAt",
                        "    to_ms(created_at) AS createdAt,\n    price -- last")  # fmt: skip
    file.write_bytes(codecs.BOM_UTF8 + text.replace("\n", "\r\n").encode())
    file.chmod(0o640)
    blog.alter(
        "ALTER TABLE blog.posts ADD COLUMN summary text",
        "ALTER TYPE blog.stage ADD VALUE 'lost'",
    )
    blog.edit_schema("    price: v", "    summary: v.optional(v.string()),\n    price: v")
    result = blog.run(apply=True)
    assert {c.state for c in result.changes} == {"applied"} and not result.by_hand
    raw = file.read_bytes()
    assert raw.startswith(codecs.BOM_UTF8) and raw.count(b"\r\n") == raw.count(b"\n")
    assert file.stat().st_mode & 0o777 == 0o640
    lines = raw.decode("utf-8-sig").splitlines()
    new = [line for line in lines if line not in text.splitlines()]
    assert [line for line in lines if line not in new] == text.splitlines()
    assert [line.strip() for line in new if "--" not in line] == ["summary,"]
    assert blog.run(apply=True).written == () and file.read_bytes() == raw


def test_a_file_with_line_ends_of_several_kinds_is_left_alone(blog: Blog) -> None:
    file = model_file(blog.folder, "posts")
    file.write_bytes(file.read_bytes().replace(b"    body,\n", b"    body,\r\n"))
    raw = file.read_bytes()
    blog.alter("ALTER TABLE blog.posts ALTER price TYPE numeric(10, 2)")
    result = blog.run(apply=True)
    assert file.read_bytes() == raw
    assert [(each.old, each.new) for each in result.by_hand] == [
        (("    price,",), ("    to_number(price) AS price,",))
    ]


class Killed(BaseException):
    """What nobody catches."""


def test_a_run_that_was_killed_is_done_again(
    blog: Blog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before any of its files, the baseline last: nothing is doubled."""
    blog.alter(
        "ALTER TABLE blog.posts ADD COLUMN summary text",
        "CREATE TABLE blog.badges (id int PRIMARY KEY, colour text NOT NULL)",
    )
    blog.edit_schema("    price: v", "    summary: v.optional(v.string()),\n    price: v")
    blog.edit_schema("  ...stages", "  badges: defineTable({ colour: v.string() }),\n  ...stages")
    before = tmp_path / "before"
    shutil.copytree(blog.folder, before, symlinks=True)
    published: list[Path] = []
    fatal = 0

    def publish(temporary: Path, path: Path) -> None:
        published.append(path)
        if len(published) == fatal:
            raise Killed
        durable_publish(temporary, path)

    durable_publish = durable.publish
    monkeypatch.setattr(durable, "publish", publish)
    blog.run(apply=True)
    files, names = files_of(blog.folder), [path.name for path in published]
    assert {"posts.sql", "badges.sql", "plan.toml", "stages.ts"} < {*names}
    assert names[-1] == "init.json"
    for number in range(1, len(names) + 1):
        shutil.rmtree(blog.folder)
        shutil.copytree(before, blog.folder, symlinks=True)
        published.clear()
        fatal = number
        with pytest.raises(Killed):
            blog.run(apply=True)
        fatal = 0
        blog.run(apply=True)
        assert files_of(blog.folder) == files, names[number - 1]
    assert blog.printed(update=True) == NO_CHANGE


def test_a_model_that_is_gone_is_named_and_not_made_again(blog: Blog) -> None:
    model_file(blog.folder, "posts").unlink()
    blog.alter("ALTER TABLE blog.posts ALTER price TYPE numeric(10, 2)")
    result = blog.run(apply=True)
    assert result.notes == (
        "models/posts.sql is missing; to write it again: stages init --redo posts",
    )
    assert [(c.state, c.why) for c in result.changes] == [
        ("by hand", "models/posts.sql is missing")
    ]
    assert not model_file(blog.folder, "posts").exists()
    assert blog.run(redo=("posts",)).copies == {}
    assert "to_number(price) AS price" in model(blog.folder, "posts")
    assert blog.printed(update=True) == NO_CHANGE


def test_a_table_that_the_plan_has_no_more_is_not_brought_back(blog: Blog) -> None:
    plan = blog.folder / MIGRATIONS / "plan.toml"
    edit(plan, '\n[tables.comments]\nsource = "comments"\n', "")
    model_file(blog.folder, "comments").unlink()
    blog.alter("ALTER TABLE blog.comments ALTER kind DROP NOT NULL")
    text = plan.read_text("utf-8")
    result = blog.run(apply=True)
    (change,) = result.changes
    assert (change.state, change.why) == ("nothing", "its table is not in plan.toml")
    assert plan.read_text("utf-8") == text and not model_file(blog.folder, "comments").exists()


def test_redo_keeps_the_lines_of_the_user(blog: Blog) -> None:
    fresh = model(blog.folder, "posts")
    blog.edit_model("posts", "    body,", "    trim(body) AS body,")
    mine = model(blog.folder, "posts")
    name = f"{MIGRATIONS}/models/posts.sql"
    result = blog.run(redo=("posts",))
    assert (result.written, result.copies) == ((name,), {name: f"{name}.old"})
    assert model(blog.folder, "posts") == fresh
    assert (blog.folder / f"{name}.old").read_text("utf-8") == mine
    assert f"kept     {name}.old, the previous text of {name}" in text_of(result)
    # Another text gets another copy, and one that init wrote needs none.
    blog.edit_model("posts", "    body,", "    lower(body) AS body,")
    assert blog.run(redo=("posts",)).copies == {name: f"{name}.old2"}
    assert blog.run(redo=("posts",)).copies == {}
    with pytest.raises(UserError, match="`nope` is no Convex table that has a source"):
        blog.run(redo=("nope",))
    with pytest.raises(UserError, match="nothing of `posts` has changed"):
        blog.run(done=("posts",))


def test_nothing_is_written_for_a_table_that_can_t_be_redone(blog: Blog) -> None:
    """One of schema.ts that no source fits: neither a copy of another, nor a loading function."""
    blog.edit_model("posts", "    body,", "    trim(body) AS body,")
    blog.edit_schema(
        "  ...stagesTables", "  notes: defineTable({ text: v.string() }),\n  ...stagesTables"
    )
    before = files_of(blog.folder)
    with pytest.raises(UserError, match="`notes` is no Convex table that has a source"):
        blog.run(redo=("posts", "notes"))
    assert files_of(blog.folder) == before


def test_an_option_of_a_run_that_only_looks_is_remembered(blog: Blog) -> None:
    action = blog.folder / "convex" / "stagesHttp.ts"
    blog.run(update=True, http_action=True)
    text = action.read_text("utf-8")
    action.unlink()
    blog.run(update=True)
    assert action.read_text("utf-8") == text


# ── files that belong to stages ─────────────────────────────────────────────────────────────


def test_files_of_stages_are_renewed_also_when_schema_ts_needs_them(blog: Blog) -> None:
    convex = blog.folder / "convex"
    texts = {name: (convex / name).read_text("utf-8") for name in ("stages.ts", "stagesTables.ts")}
    generated = files_of(convex / "_generated")
    for name in texts:
        (convex / name).unlink()
    shutil.rmtree(convex / "_generated")
    result = blog.run(update=True)
    assert {"convex/stages.ts", "convex/stagesTables.ts"} < set(result.written)
    assert {name: (convex / name).read_text("utf-8") for name in texts} == texts
    assert files_of(convex / "_generated") == generated
    # As an earlier version of stages wrote it.
    baseline = blog.folder / MIGRATIONS / "init.json"
    baseline.write_text(
        baseline.read_text("utf-8").replace("export const readPage", "export const x")
    )
    edit(convex / "stages.ts", "export const readPage", "export const x")
    assert blog.run(update=True).written == ("convex/stages.ts",)
    assert (convex / "stages.ts").read_text("utf-8") == texts["stages.ts"]


def test_a_file_of_stages_that_was_edited_is_the_user_s(blog: Blog) -> None:
    file = blog.folder / "convex" / "stages.ts"
    text = file.read_text("utf-8")
    file.write_text(f"// mine\n{text}", "utf-8")
    assert blog.printed(update=True) == NO_CHANGE
    blog.alter("CREATE TABLE blog.badges (id int PRIMARY KEY, colour text NOT NULL)")
    blog.edit_schema("  ...stages", "  badges: defineTable({ colour: v.string() }),\n  ...stages")
    result = blog.run(apply=True)
    merged = file.read_text("utf-8")
    assert merged.startswith("// mine\n") and 'bulkInsert("badges")' in merged
    assert result.by_hand == () and blog.run(update=True).written == ()
    file.unlink()
    assert blog.run(update=True).written == ("convex/stages.ts",)
    assert file.read_text("utf-8") == merged.removeprefix("// mine\n")


def test_what_codegen_has_made_is_left_alone(blog: Blog) -> None:
    file = blog.folder / "convex" / "_generated" / "server.d.ts"
    file.write_text("// by codegen\n", "utf-8")
    assert blog.printed(update=True) == NO_CHANGE
    assert file.read_text("utf-8") == "// by codegen\n"

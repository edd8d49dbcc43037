"""init --update as a command: its options, the names that it takes, and what it prints to paste."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys

import pytest

from stages import sandbox
from stages.cli.init_lines import update_lines
from stages.errors import UserError
from stages.init.drift import Change
from stages.init.options import InitOptions
from stages.init.result import InitResult
from tests.init.drifting import NO_CHANGE, Blog
from tests.init.support import MIGRATIONS, source_settings
from tests.support.command_line import ROOT


def test_the_options_of_a_preview_are_in_the_command_that_writes_it(blog: Blog) -> None:
    blog.alter("CREATE TABLE blog.badges (id int PRIMARY KEY, colour text NOT NULL)")
    blog.edit_schema("  ...stages", "  medals: defineTable({ colour: v.string() }),\n  ...stages")
    options = InitOptions(update=True, renames=("badges=medals",), case="keep", via="postgres")
    assert options.words == ["--rename", "badges=medals", "--case", "keep", "--via", "postgres"]
    lines = [*update_lines(blog.run(**vars(options)), lambda text: text, options.words)]
    command = f"stages init --update --apply {shlex.join(options.words)}"
    assert f"\nto write them: {command}" in lines
    blog.run(apply=True, renames=("badges=medals",))
    assert blog.printed(update=True) == NO_CHANGE


def test_a_table_without_a_source_is_shown_with_what_it_may_be(blog: Blog) -> None:
    """Two tables that are as likely: neither is taken."""
    for name in ("old_badges", "new_badges"):
        blog.alter(f"CREATE TABLE blog.{name} (id int PRIMARY KEY, colour text NOT NULL, size int)")
    fields = "colour: v.string(), size: v.optional(v.number())"
    blog.edit_schema("  ...stages", f"  medals: defineTable({{ {fields} }}),\n  ...stages")
    result = blog.run(apply=True)
    assert result.without_source == ("medals",)
    (todo,) = [todo for todo in result.todos if todo.what.startswith("medals has no source")]
    assert todo.kind == "check" and "blog.new_badges: 2 of its 2 fields have" in todo.what
    again = "stages init --update --apply"
    assert todo.choices == tuple(f"{again} --rename blog.{n}_badges=medals" for n in ("new", "old"))
    assert blog.printed(apply=True) == NO_CHANGE
    blog.run(apply=True, renames=("blog.old_badges=medals",))
    plan = (blog.folder / MIGRATIONS / "plan.toml").read_text("utf-8")
    assert "medals has no source" not in plan and '[tables.medals]\nsource = "old_badges"' in plan
    assert blog.printed(update=True) == NO_CHANGE


def test_no_number_is_proposed_for_a_time_or_a_unit(blog: Blog) -> None:
    blog.alter("ALTER TABLE blog.posts ADD COLUMN serves int, ADD COLUMN prep_minutes int")
    blog.edit_schema("    price: v", "    cookMinutes: v.optional(v.number()),\n"
                     "    endedAt: v.optional(v.number()),\n    price: v")  # fmt: skip
    todos = {todo.what.split()[0]: todo for todo in blog.run(apply=True).todos}
    assert todos["cookMinutes"].choices == ("prep_minutes AS cookMinutes",)
    assert not [choice for choice in todos["endedAt"].choices if "serves" in choice]


def test_a_table_may_be_named_without_its_schema(blog: Blog) -> None:
    blog.alter("CREATE TABLE blog.badges (id int PRIMARY KEY, colour text NOT NULL)")
    assert "blog.badges, in the source" in blog.printed(update=True)
    blog.run(done=("badges",))
    assert "blog.badges" not in blog.printed(update=True)
    with pytest.raises(UserError, match="nothing of `medals` has changed"):
        blog.run(done=("medals",))


def test_a_name_of_two_tables_needs_its_schema(blog: Blog) -> None:
    create = "CREATE TABLE {} (id int PRIMARY KEY, colour text NOT NULL)"
    blog.alter("CREATE SCHEMA shop", *(create.format(t) for t in ("blog.badges", "shop.badges")))
    try:
        blog.run(apply=True, schemas=("shop",))
        blog.alter(*(f"ALTER TABLE {t}.badges ADD COLUMN size int" for t in ("blog", "shop")))
        with pytest.raises(UserError, match=r"`badges` is blog\.badges or shop\.badges"):
            blog.run(done=("badges",))
        blog.run(done=("shop.badges",))
        shown = blog.printed(update=True)
        assert "blog.badges" in shown and "shop.badges" not in shown
    finally:
        blog.alter("DROP SCHEMA shop CASCADE")


def test_a_printed_name_is_quoted_for_the_shell() -> None:
    change = Change(
        side="source", table='public.It\'s "odd"', name="", kind="dropped", state="by hand"
    )
    result = InitResult(
        written=(), add=(), todos=(), without_source=(), without_target=(), changes=(change,)
    )
    *_, last = update_lines(result, lambda text: text)
    assert shlex.split(last.partition(": ")[2]) == ["stages", "init", "--done", change.table]


def test_the_command_prints_what_can_be_pasted(blog: Blog, torture: sandbox.State) -> None:
    def stages(*arguments: str) -> str:
        ran = subprocess.run(
            [sys.executable, "-m", "stages", *arguments],
            cwd=ROOT, capture_output=True, text=True, check=False,
            env=source_settings(torture),
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    project = str(blog.folder)
    blog.alter("ALTER TABLE blog.posts ALTER price TYPE numeric(10, 2), DROP COLUMN body")
    blog.edit_model("posts", "    price,", "    round(price) AS price,")
    shown = stages("init", project, "--update")
    named = re.findall(r": stages (--project .*)", shown)
    assert [shlex.split(command)[:3] for command in named] == [["--project", project, "init"]] * 2
    as_json = json.loads(stages("--project", project, "init", "--update", "--json"))
    assert [(c["name"], c["kind"], c["state"]) for c in as_json["changes"]] == [
        ("price", "type", "by hand"), ("body", "dropped", "apply"),
    ]  # fmt: skip
    assert as_json["by_hand"] == [{
        "file": f"{MIGRATIONS}/models/posts.sql", "line": 7,
        "old": ["    price,"], "new": ["    to_number(price) AS price,"],
    }]  # fmt: skip
    for command in named:
        stages(*shlex.split(command))
    assert stages("init", project, "--update") == f"{NO_CHANGE}\n"

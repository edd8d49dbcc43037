"""Three texts become one: what init wrote, what it would write now, and what the user has."""

from __future__ import annotations

import pytest

from stages.init.file_merges import merge_model, merge_plan
from stages.init.merge import Hunk, merge
from stages.init.pieces import plan_of, read_model, read_plan


def model(*fields: str, loose: str = "") -> str:
    lines = [f"    {field}" for field in fields]
    return "SELECT\n" + ",\n".join(lines) + f"\n{loose}FROM extract.posts\n"


def merged_model(then: str, now: str, mine: str, **renamed: str) -> tuple[str, list[Hunk]]:
    result = merge_model(
        "models/posts.sql", written=then, then=then, now=now, mine=mine, renamed=renamed,
        takes=lambda text: True,
    )  # fmt: skip
    return result.merged.text, list(result.merged.left)


BASE = model("key(id) AS _source_id", "title", "body", "price", "at")


def test_a_change_goes_in_where_the_line_is_as_init_wrote_it() -> None:
    now = model("key(id) AS _source_id", "title", "body", "to_number(price) AS price", "at")
    mine = BASE.replace("    title,\n", "    trim(title) AS title, -- mine\n")
    text, left = merged_model(BASE, now, mine)
    assert text == mine.replace("    price,", "    to_number(price) AS price,")
    assert not left


def test_a_line_of_the_user_s_is_never_changed() -> None:
    now = model("key(id) AS _source_id", "title", "body", "to_number(price) AS price", "at")
    mine = BASE.replace("    price,\n", "    round(price) AS price,\n")
    text, left = merged_model(BASE, now, mine)
    assert text == mine
    assert left == [Hunk(line=5, old=("    price,\n",), new=("    to_number(price) AS price,\n",))]


@pytest.mark.parametrize("after", ["body", "price", "at"])
def test_a_new_field_stands_beside_edited_lines(after: str) -> None:
    fields = ["key(id) AS _source_id", "title", "body", "price", "at"]
    fields.insert(fields.index(after) + 1, "summary")
    mine = BASE
    for name in ("body", "price", "at"):
        mine = mine.replace(f"    {name}", f"    coalesce({name}, 0) AS {name}")
    text, left = merged_model(BASE, model(*fields), mine)
    assert not left
    assert [line for line in text.splitlines() if "summary" not in line] == mine.splitlines()
    read = read_model(text)
    assert read and "summary" in read.fields


def test_what_the_user_has_done_already_is_not_left() -> None:
    now = model("key(id) AS _source_id", "title", "to_number(price) AS price", "at")
    mine = model("key(id) AS _source_id", "title", "-- ours\n    to_number(price) AS price", "at")
    assert merged_model(BASE, now, mine) == (mine, [])


def test_a_field_that_is_gone_is_left_where_its_line_was_edited() -> None:
    now = model("key(id) AS _source_id", "title", "price", "at")
    mine = BASE.replace("    body,", "    trim(body) AS body,")
    text, left = merged_model(BASE, now, mine)
    assert text == mine
    assert [(hunk.old, hunk.new) for hunk in left] == [(("    body,\n",), ())]
    assert merged_model(BASE, now, BASE) == (now, [])


def test_a_renamed_field_is_one_change() -> None:
    now = model("key(id) AS _source_id", "title AS headline", "body", "price", "at")
    assert merged_model(BASE, now, BASE, title="headline") == (now, [])
    mine = BASE.replace("    title,", "    trim(title) AS title,")
    text, left = merged_model(BASE, now, mine, title="headline")
    assert text == mine
    assert left == [Hunk(line=3, old=("    title,\n",), new=("    title AS headline,\n",))]


def test_a_note_that_the_user_has_removed_does_not_come_back() -> None:
    then = model("key(id) AS _source_id", "title", loose="    -- note: no field takes a, b\n")
    now = model("key(id) AS _source_id", "title", loose="    -- note: no field takes a\n")
    mine = model("key(id) AS _source_id", "title")
    assert merged_model(then, now, mine) == (mine, [])
    asked = now.replace("-- note:", "-- TODO check:")
    assert [hunk.new for hunk in merged_model(then, asked, mine)[1]] == [
        ("    -- TODO check: no field takes a\n",)
    ]


def test_only_what_has_changed_goes_in() -> None:
    """Not what init writes otherwise by now, for other rows or in another version."""
    then = model("key(id) AS _source_id", "-- note: seen\n    title", "body")
    now = model("key(id) AS _source_id", "-- note: seen\n    title", "body", "price")
    written = model("key(id) AS _source_id", "title", "body")
    result = merge_model(
        "m.sql", written=written, then=then, now=now, mine=written, renamed={},
        takes=lambda text: True,
    )  # fmt: skip
    assert result.merged.text == model("key(id) AS _source_id", "title", "body", "price")
    assert result.changed == {"price"} and not result.left


def test_what_the_file_does_not_take_is_left() -> None:
    now = model("key(id) AS _source_id", "title", "body", "price", "at", "summary")
    result = merge_model(
        "m.sql", written=BASE, then=BASE, now=now, mine=BASE, renamed={},
        takes=lambda text: False,
    )  # fmt: skip
    assert result.merged.text == BASE and result.left == {"summary"}
    assert result.merged.left and result.merged.base == BASE


def test_the_lines_are_those_of_the_file_as_it_is_and_as_it_is_merged() -> None:
    now = model("key(id) AS _source_id", "slug", "title", "body", "to_number(price) AS price", "at")
    mine = BASE.replace("    price,", "    round(price) AS price,")
    result = merge_model(
        "m.sql", written=BASE, then=BASE, now=now, mine=mine, renamed={},
        takes=lambda text: True,
    )  # fmt: skip
    assert [hunk.line for hunk in result.before] == [5]
    assert [hunk.line for hunk in result.merged.left] == [6]


def test_a_file_without_an_end_of_line_stays_so() -> None:
    assert merge("a\nb\nc", "a\nB\nc", "a\nb\nc").text == "a\nB\nc"
    assert merge("a\nb\n", "a\nb\nc\n", "a\nb").text == "a\nb\nc\n"


def test_merging_twice_changes_nothing() -> None:
    now = model("key(id) AS _source_id", "title", "body", "to_number(price) AS price", "at", "x")
    mine = BASE.replace("    at", "    at + 1 AS at")
    once = merge_model(
        "m.sql", written=BASE, then=BASE, now=now, mine=mine, renamed={}, takes=lambda text: True
    )
    again = merge_model(
        "m.sql", written=BASE, then=BASE, now=now, mine=once.merged.text, renamed={},
        takes=lambda text: True,
    )  # fmt: skip
    assert again.merged.text == once.merged.text and not again.left


PLAN = """\
name = "blog"
max_rejects = 0        # of all

[sources.posts]
key = ["a"]

# To be loaded.

[tables.posts]
source = "posts"
"""


def merged_plan(now: str, mine: str) -> tuple[str, list[Hunk]]:
    result = merge_plan(
        "plan.toml", written=PLAN, then=PLAN, now=now, mine=mine,
        takes=lambda text: True,
    )  # fmt: skip
    return result.merged.text, list(result.merged.left)


def test_new_entries_go_to_the_end_of_the_plan() -> None:
    assert plan_of(read_plan(PLAN).values()) == PLAN
    now = (
        PLAN.replace("# To be", "[sources.tags]\nkey = []\n\n# To be")
        + '\n[tables.tags]\nsource = "tags"\n'
    )
    mine = PLAN.replace('source = "posts"\n', 'source = "posts"\nmax_rejects = 3\n') + "# the end"
    text, left = merged_plan(now, mine)
    assert text == mine + '\n\n[sources.tags]\nkey = []\n\n[tables.tags]\nsource = "tags"\n'
    assert not left
    mine = text.replace("[tables.tags]", '[tables."tags"]')
    assert merged_plan(now, mine) == (mine, [])


def test_an_entry_that_the_user_has_edited_is_left() -> None:
    now = PLAN.replace('key = ["a"]', 'key = ["a", "b"]')
    mine = PLAN.replace('key = ["a"]', 'key = ["c"]')
    text, left = merged_plan(now, mine)
    assert text == mine and [hunk.new for hunk in left] == [('key = ["a", "b"]\n',)]
    assert merged_plan(now, PLAN) == (now, [])


def test_a_plan_that_could_not_be_read_is_not_written() -> None:
    now = PLAN + '\n[tables.tags]\nsource = "tags"\n'
    mine = PLAN + "\n[tables"
    text, left = merged_plan(now, mine)
    assert text == mine and left

"""init --update shows what has changed in the source and in schema.ts, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from stages import sandbox
from stages.init.result import InitResult
from stages.project.plan_reader import load_plan
from tests.init.drifting import NO_CHANGE, Blog, text_of
from tests.init.support import (
    HERE,
    MIGRATIONS,
    blog_project,
    blog_tables,
    files_of,
    model,
    model_file,
    source_of,
)
from tests.support.project_copies import edit


def test_no_change_is_one_line_and_no_option_is_said_again(blog: Blog) -> None:
    assert "headline AS title" in model(blog.folder, "posts")
    assert blog.printed(update=True) == NO_CHANGE
    assert blog.printed(apply=True) == NO_CHANGE
    blog.edit_model("posts", "    body,", "    trim(body) AS body,")
    blog.alter("INSERT INTO blog.authors VALUES (gen_random_uuid(), 'Bob')")
    assert blog.printed(update=True) == NO_CHANGE


# SQL, (old, new) of the table in schema.ts, (old, new) of its model, and what is printed of it.
# Each is of a table of its own, which is called posts here.
Edit = tuple[str, str]
CHANGES: dict[str, tuple[str, Edit | None, Edit | None, str]] = {
    "a column that no field takes": (
        "ALTER TABLE blog.posts ADD COLUMN slug text NOT NULL DEFAULT ''", None, None, """\
blog.posts, in the source
  + slug: text not null
      nothing to do: no field of posts uses it""",
    ),
    "a column and its field": (
        "ALTER TABLE blog.posts ADD COLUMN summary text",
        ("    price: v", "    summary: v.optional(v.string()),\n    price: v"), None, """\
blog.posts, in the source
  + summary: text
      --apply writes it: models/posts.sql
posts, in schema.ts
  + summary: string, optional
      --apply writes it: models/posts.sql""",
    ),
    "a column and its field that the model has already": (
        "ALTER TABLE blog.posts ADD COLUMN summary text",
        ("    price: v", "    summary: v.optional(v.string()),\n    price: v"),
        ("    body,", "    body,\n    coalesce(summary, body) AS summary,"), """\
blog.posts, in the source
  + summary: text
      done: models/posts.sql:6 reads it
posts, in schema.ts
  + summary: string, optional
      done: models/posts.sql outputs it""",
    ),
    "a field without a source": (
        "", ("    price: v", "    rating: v.number(),\n    price: v"), None, """\
posts, in schema.ts
  + rating: number
      --apply writes it: models/posts.sql""",
    ),
    "an optional field without a source": (
        "", ("    price: v", "    rating: v.optional(v.number()),\n    price: v"), None, """\
posts, in schema.ts
  + rating: number, optional
      nothing to do: it is optional, and no column matches""",
    ),
    "a dropped column that no model reads": (
        "ALTER TABLE blog.posts DROP COLUMN legacy_score", None, None, """\
blog.posts, in the source
  - legacy_score: integer
      done: no model reads it""",
    ),
    "a dropped column that init's line reads": (
        "ALTER TABLE blog.posts DROP COLUMN body", None, None, """\
blog.posts, in the source
  - body: text
      --apply writes it: models/posts.sql""",
    ),
    "a dropped column that the user's line reads": (
        "ALTER TABLE blog.posts DROP COLUMN body", None,
        ("    body,", "    trim(body) AS body,"), """\
blog.posts, in the source
  - body: text
      by hand: models/posts.sql:5 reads it
models/posts.sql:5
  -     body,""",
    ),
    "a dropped column that the user's line takes besides": (
        "ALTER TABLE blog.posts DROP COLUMN legacy_score", None,
        ("    price,", "    price + legacy_score AS price,"), """\
blog.posts, in the source
  - legacy_score: integer
      by hand: models/posts.sql:7 reads it""",
    ),
    "a dropped column that init's line reads, and the user's": (
        "ALTER TABLE blog.posts DROP COLUMN body", None,
        ("    price,", "    price + length(body) AS price,"), """\
blog.posts, in the source
  - body: text
      by hand: models/posts.sql:7 reads it""",
    ),
    "a dropped field": (
        "", ("    body: v.optional(v.string()),\n", ""), None, """\
posts, in schema.ts
  - body: string, optional
      --apply writes it: models/posts.sql""",
    ),
    "a dropped field that the model does not give any more": (
        "", ("    body: v.optional(v.string()),\n", ""), ("    body,\n", ""), """\
posts, in schema.ts
  - body: string, optional
      done: models/posts.sql does not output it""",
    ),
    "a renamed column": (
        "ALTER TABLE blog.posts RENAME price TO cents", None, None, """\
blog.posts, in the source
  ~ cents: renamed from price (same column number in Postgres)
      --apply writes it: models/posts.sql""",
    ),
    "a renamed column that the model reads already": (
        "ALTER TABLE blog.posts RENAME price TO cents", None,
        ("    price,", "    cents / 1 AS price,"), """\
blog.posts, in the source
  ~ cents: renamed from price (same column number in Postgres)
      done: models/posts.sql:7 reads it""",
    ),
    # A table that was made anew looks the same, so that nobody can know.
    "a renamed column of another type": (
        "ALTER TABLE blog.posts RENAME price TO cents; "
        "ALTER TABLE blog.posts ALTER cents TYPE numeric(12, 2)", None, None, """\
blog.posts, in the source
  + cents: numeric(12,2) not null
      nothing to do: no field of posts uses it
  - price: integer
      --apply writes it: models/posts.sql""",
    ),
    "the last column, which is another one now": (
        "ALTER TABLE blog.posts DROP COLUMN created_at, ADD COLUMN slug timestamptz", None,
        None, """\
blog.posts, in the source
  + slug: timestamp with time zone
      nothing to do: no field of posts uses it
  - created_at: timestamp with time zone
      --apply writes it: models/posts.sql""",
    ),
    "a renamed field": (
        "", ("    body: v", "    content: v"), None, """\
posts, in schema.ts
  ~ content: renamed from body (same place and validator, similar name)
      --apply writes it: models/posts.sql""",
    ),
    "the column of a rename of the first init": (
        "ALTER TABLE blog.posts RENAME headline TO heading", None, None, """\
blog.posts, in the source
  ~ heading: renamed from headline (same column number in Postgres)
      --apply writes it: models/posts.sql""",
    ),
    "a type": (
        "ALTER TABLE blog.posts ALTER price TYPE numeric(10, 2)", None, None, """\
blog.posts, in the source
  ~ price: integer → numeric(10,2)
      --apply writes it: models/posts.sql""",
    ),
    "a type that needs no other line": (
        "ALTER TABLE blog.posts ALTER price TYPE bigint", None, None, """\
blog.posts, in the source
  ~ price: integer → bigint
      nothing to do: no model needs a change""",
    ),
    "a type in a line of the user's": (
        "ALTER TABLE blog.posts ALTER price TYPE numeric(10, 2)", None,
        ("    price,", "    round(price) AS price,"), """\
blog.posts, in the source
  ~ price: integer → numeric(10,2)
      by hand: models/posts.sql
models/posts.sql:7
  -     price,
  +     to_number(price) AS price,""",
    ),
    "a type that the user has dealt with": (
        "ALTER TABLE blog.posts ALTER price TYPE numeric(10, 2)", None,
        ("    price,", "    -- ours\n    to_number(price) AS price,"), """\
blog.posts, in the source
  ~ price: integer → numeric(10,2)
      done: models/posts.sql has this already""",
    ),
    "the type of a field": (
        "", ("    price: v.number()", "    price: v.string()"), None, """\
posts, in schema.ts
  ~ price: number → string
      --apply writes it: models/posts.sql""",
    ),
    "nullability": (
        "ALTER TABLE blog.posts ALTER price DROP NOT NULL", None, None, """\
blog.posts, in the source
  ~ price: not null → may be null
      --apply writes it: models/posts.sql""",
    ),
    "a field that is required now": (
        "", ("    body: v.optional(v.string())", "    body: v.string()"), None, """\
posts, in schema.ts
  ~ body: optional → required
      --apply writes it: models/posts.sql""",
    ),
    "a label of an enum": (
        "ALTER TYPE blog.posts_stage ADD VALUE 'lost'", None, None, """\
blog.posts, in the source
  + stage: new value 'lost'
      --apply writes it: models/posts.sql""",
    ),
    "a literal": (
        "", ('v.literal("live")', 'v.literal("live"), v.literal("lost")'), None, """\
posts, in schema.ts
  + stage: new value 'lost'
      nothing to do: no model needs a change""",
    ),
    "a foreign key": (
        "ALTER TABLE blog.posts ADD COLUMN owner uuid REFERENCES blog.authors", None, None, """\
blog.posts, in the source
  + owner: uuid, to blog.authors(id)
      nothing to do: no field of posts uses it""",
    ),
    "a foreign key that is gone": (
        "ALTER TABLE blog.posts DROP CONSTRAINT posts_author_id_fkey", None, None, """\
blog.posts, in the source
  - author_id: foreign key to blog.authors(id)
      nothing to do: no model needs a change""",
    ),
    "a primary key": (
        "ALTER TABLE blog.posts DROP CONSTRAINT posts_pkey, ADD PRIMARY KEY (headline)", None,
        None, """\
blog.posts, in the source
  ~ primary key headline: id → headline
      --apply writes it: models/posts.sql""",
    ),
}  # fmt: skip


def test_each_change_is_printed_with_what_becomes_of_it(
    torture: sandbox.State, tmp_path: Path
) -> None:
    """All of them at once, each in a table of its own."""
    names = {what: f"posts_{chr(97 + number // 26)}{chr(97 + number % 26)}x"
             for number, what in enumerate(CHANGES)}  # fmt: skip
    with blog_tables(torture) as connection:
        blog = Blog(
            folder=blog_project(tmp_path / "blog"), source=source_of(torture), connection=connection
        )
        schema = blog.folder / "convex" / "schema.ts"
        table = re.search(r"  posts: .*?\}\),\n", schema.read_text("utf-8"), re.DOTALL)
        sql = (HERE / "blog" / "source.sql").read_text("utf-8")
        create = re.search(r"CREATE TABLE blog.posts .*?;", sql, re.DOTALL)
        assert table and create
        tables = ""
        for name in names.values():
            blog.alter(
                f"CREATE TYPE blog.{name}_stage AS ENUM ('draft', 'live')",
                create[0].replace("posts", name).replace("blog.stage", f"blog.{name}_stage"),
            )
            tables += table[0].replace("posts", name)
        blog.edit_schema("  ...stages", f"{tables}  ...stages")
        blog.run(
            schemas=("blog",),
            renames=[f"{t}.headline={t}.title" for t in ("posts", *names.values())],
        )
        assert blog.printed(update=True) == NO_CHANGE
        text = schema.read_text("utf-8")
        for what, (statement, schema_edit, model_edit, _) in CHANGES.items():
            name = names[what]
            if statement:
                blog.alter(statement.replace("posts", name))
            if schema_edit:
                before, rest = text.split(f"  {name}: ")
                text = f"{before}  {name}: {rest.replace(*schema_edit, 1)}"
            if model_edit:
                blog.edit_model(name, *model_edit)
        schema.write_text(text, "utf-8")
        kept = files_of(blog.folder / MIGRATIONS)
        shown = sections(blog.run(update=True))
        assert files_of(blog.folder / MIGRATIONS) == kept
        expected = {
            names[what]: change[-1].replace("posts", names[what])
            for what, change in CHANGES.items()
        }
        assert shown == expected
        # What --apply writes is done; what is by hand stays, and is printed as before.
        by_hand = {name: text for name, text in expected.items() if "by hand: " in text}
        written = blog.run(apply=True)
        assert "--apply writes" not in text_of(written) and not written.pending
        again = blog.run(apply=True)
        assert {name: without_lines(text) for name, text in sections(again).items()} == {
            name: without_lines(text) for name, text in by_hand.items()
        }
        assert again.written == ()
        for name, change in zip(names.values(), CHANGES.values(), strict=True):
            if change[2]:
                assert change[2][1] in model(blog.folder, name), "a line of the user's"
        assert blog.printed(done=tuple(by_hand)) != NO_CHANGE
        assert blog.printed(update=True) == NO_CHANGE


def sections(result: InitResult) -> dict[str, str]:
    """Table → what is printed of its changes, and of its lines by hand."""
    text = text_of(result).partition(":\n\n")[2].partition("\n\n--apply writes, without")[0]
    found: dict[str, list[str]] = {}
    for part in re.sub(r"\.planning/migrations/(?=\S+:\d+\n)", "", text).split("\n\n"):
        name = re.match(r"(?:blog\.|models/)?(posts_\w+)", part)
        if name:
            found.setdefault(name[1], []).append(part)
    return {name: "\n".join(parts) for name, parts in found.items()}


def without_lines(text: str) -> str:
    return re.sub(r"\.sql:\d+", ".sql", text)


def test_tables_come_go_and_are_renamed(torture: sandbox.State, tmp_path: Path) -> None:
    with blog_tables(torture) as connection:
        blog = Blog(
            folder=blog_project(tmp_path / "blog"), source=source_of(torture), connection=connection
        )
        blog.alter(
            "CREATE TABLE blog.ratings (id int PRIMARY KEY, stars int NOT NULL, at date NOT NULL)",
            "CREATE TABLE blog.tags (id int PRIMARY KEY, label text NOT NULL, colour text)",
        )
        blog.edit_schema("  ...stages", """\
  ratings: defineTable({ stars: v.number(), at: v.string() }),
  tags: defineTable({ label: v.string(), colour: v.optional(v.string()) }),
  ...stages""")  # fmt: skip
        blog.run(schemas=("blog",))
        blog.edit_model("tags", "    colour", "    lower(colour) AS colour")
        blog.alter(
            "CREATE TABLE blog.audits (id int PRIMARY KEY, what text)",
            "CREATE TABLE blog.badges (id int PRIMARY KEY, since date NOT NULL)",
            "DROP TABLE blog.comments",
            "ALTER TABLE blog.ratings RENAME TO scores",
        )
        blog.edit_schema("  tags: def", "  labels: def")
        blog.edit_schema("  ...stages", """\
  badges: defineTable({ since: v.string() }),
  ghosts: defineTable({ name: v.string() }),
  ...stages""")  # fmt: skip
        shown = blog.run(update=True)
        assert text_of(shown).partition("\n\n--apply writes, without")[0] == TABLES
        assert not model_file(blog.folder, "badges").exists()
        plan = blog.folder / MIGRATIONS / "plan.toml"
        text = plan.read_text("utf-8")
        result = blog.run(apply=True)
        assert set(result.written) == {*shown.pending, "convex/stages.ts"}
        assert plan.read_text("utf-8") == text.replace("blog.ratings", "blog.scores") + (
            '\n[sources.badges]\ntable = "blog.badges"\n\n[tables.badges]\nsource = "badges"\n'
        )
        assert "bulkInsertBadges" in (blog.folder / "convex" / "stages.ts").read_text("utf-8")
        assert model_file(blog.folder, "comments").exists()
        # As the hints say.
        edit(plan, "[tables.tags]", '[tables.labels]\nmodel = "models/tags.sql"')
        text = plan.read_text("utf-8")
        gone = text.index("[tables.comments]")
        plan.write_text(text[:gone] + text[text.index("\n\n", gone) + 2 :], "utf-8")
        blog.edit_schema("  comments: defineTable({\n    postId: v.id(\"posts\"),\n"
                         "    text: v.string(),\n    kind: v.string(),\n  }),\n", "")  # fmt: skip
        after = blog.run(apply=True)
        assert {(c.table, c.state) for c in after.changes} == {
            ("comments", "handled"), ("blog.comments", "handled"), ("labels", "handled"),
        }  # fmt: skip
        assert blog.printed(update=True) == NO_CHANGE
        assert load_plan(plan).tables["labels"].model == "models/tags.sql"
        assert "lower(colour) AS colour" in model(blog.folder, "tags")


TABLES = """\
written  convex/stages.ts
7 changes since the last init:

blog.audits, in the source
  + the table: 2 columns
      nothing to do: no Convex table uses it

blog.badges, in the source
  + the table: 2 columns
      --apply writes it: models/badges.sql

blog.scores, in the source
  ~ the table: renamed from blog.ratings (same columns)
      --apply writes it: plan.toml

blog.comments, in the source
  - the table: 4 columns
      by hand: remove [tables.comments] from plan.toml, and its model

labels, in schema.ts
  ~ the table: renamed from tags (same fields)
      by hand: in plan.toml, rename [tables.tags] to [tables.labels], and add model = \
"models/tags.sql"

badges, in schema.ts
  + the table: 1 field
      --apply writes it: models/badges.sql

ghosts, in schema.ts
  + the table: 1 field
      nothing to do: no source table matches; if one does: stages init --update --rename \
<source table>=ghosts"""

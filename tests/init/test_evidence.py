"""Pairs whose names differ, secrets, and tables of the same name in two schemas."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from stages import sandbox
from stages.errors import StagesError, Transient, UserError
from stages.extract.rest import RestReader
from stages.init.catalog import read_rest
from stages.init.evidence import look_at_rest
from stages.progress import Silent
from stages.project.plan_reader import load_plan
from stages.project.settings import Secret, Source
from tests.extract.stub import Answer, error, serving
from tests.init.support import MIGRATIONS, model, run_init, source_of

SOURCE = """
CREATE SCHEMA app;
CREATE TABLE app.profiles (
  id uuid PRIMARY KEY REFERENCES auth.users (id), display_name text NOT NULL, bio text NOT NULL,
  avatar_url text, clerk_user_id text, created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE app.posts (
  id int PRIMARY KEY, author_id uuid NOT NULL REFERENCES app.profiles (id),
  parent_post_id int REFERENCES app.posts (id), headline text NOT NULL,
  status text DEFAULT 'in_progress', created_at timestamptz NOT NULL, editor_key uuid
    REFERENCES app.profiles (id)
);
CREATE TABLE app.shares (
  id int PRIMARY KEY, post_id int NOT NULL REFERENCES app.posts (id), slug text NOT NULL,
  expires_at timestamptz, token text NOT NULL
);
CREATE TABLE app.connections (
  id int PRIMARY KEY, provider text NOT NULL, access_token text NOT NULL, token_hash text,
  content_hash text, password_changed_at timestamptz
);
CREATE TABLE app.people (id text PRIMARY KEY, nick text NOT NULL, best text, mate text);
INSERT INTO app.people VALUES ('user_2abcDEF1', 'a', 'user_2abcDEF2', 'user_2gone0000'),
  ('user_2abcDEF2', 'b', 'user_2gone0000', NULL), ('user_2abcDEF3', 'c', 'user_2gone0000', NULL);
CREATE TABLE app.teams (
  id int PRIMARY KEY, lead text NOT NULL, crew text[] NOT NULL, note text NOT NULL
);
INSERT INTO app.teams VALUES (1, 'user_2abcDEF2', '{user_2abcDEF1,user_2abcDEF2}', 'n');
CREATE SCHEMA billing;
CREATE TABLE billing.posts (id int PRIMARY KEY, headline text NOT NULL);
CREATE TABLE billing.log (line text NOT NULL, entry_id int NOT NULL);
INSERT INTO billing.log VALUES ('a', 1), ('a', 2);
"""
SCHEMA = """import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";
export default defineSchema({
  users: defineTable({ displayName: v.string(), bio: v.string(), image: v.optional(v.string()),
    externalId: v.optional(v.string()), legacySupabaseId: v.optional(v.string()) }),
  posts: defineTable({ rootId: v.optional(v.id("posts")), parentId: v.optional(v.id("posts")),
    author: v.id("users"), title: v.string(),
    status: v.union(v.literal("inProgress"), v.literal("live")),
    deletedAt: v.optional(v.number()) }),
  shareLinks: defineTable({ postId: v.id("posts"), slug: v.string(),
    expiresAt: v.optional(v.number()), encryptedToken: v.optional(v.string()) }),
  connections: defineTable({ provider: v.string(), accessToken: v.string(),
    contentHash: v.optional(v.string()) }),
  log: defineTable({ line: v.string() }),
  people: defineTable({ clerkId: v.string(), nick: v.string(),
    best: v.optional(v.id("people")), mate: v.optional(v.id("people")) }),
  teams: defineTable({ captain: v.id("people"), crew: v.array(v.id("people")),
    note: v.string() }),
});
"""


@pytest.mark.parametrize(
    ("answer", "fails"),
    [
        (error(403, "42501", "permission denied for table rows"), None),
        (error(401, "PGRST301", "JWT expired"), StagesError),
        (Answer(cut=-1), Transient),
    ],
)
def test_only_a_table_of_its_own_is_left_out(
    answer: Answer, fails: type[StagesError] | None
) -> None:
    """A lost connection, or a key that is refused, is no table that could not be looked at."""
    with serving() as stub:
        source = Source(ref="ref", url=stub.url, key=Secret("sb_secret_x"), db_url=None)
        with closing(RestReader(source, ["public"])) as reader:
            tables = read_rest(reader, ["public"]).tables
            assert look_at_rest(reader, tables.values(), Silent())["public", "rows"].looked == 300
            reader.limit(lambda: 0.5)
            stub.always(answer, lambda request: request.is_page)
            if fails is None:
                assert look_at_rest(reader, tables.values(), Silent()) == {}
            else:
                with pytest.raises(fails):
                    look_at_rest(reader, tables.values(), Silent())


def test_pairs_by_evidence_and_what_is_left_out(torture: sandbox.State, project: Path) -> None:
    (project / "convex" / "schema.ts").write_text(SCHEMA)
    with psycopg.connect(torture.source.db_url, autocommit=True) as connection:
        connection.execute(SOURCE)
        try:
            with pytest.raises(UserError, match=r"app\.posts or billing\.posts"):
                run_init(project, source_of(torture), schemas=("app", "billing"),
                         renames=("posts=posts",))  # fmt: skip
            result = run_init(
                project, source_of(torture), schemas=("app",), renames=("billing.log=log",)
            )
        finally:
            connection.execute("DROP SCHEMA app CASCADE; DROP SCHEMA billing CASCADE")
    users, posts = model(project, "users"), model(project, "posts")
    assert "FROM extract.profiles" in users and "avatar_url AS image" in users
    assert "clerk_user_id AS externalId" in users and "id::VARCHAR AS legacySupabaseId" in users
    assert "ref('posts', parent_post_id) AS parentId" in posts and "AS rootId" not in posts
    assert "ref('users', author_id) AS author" in posts and "headline AS title" in posts
    assert "or: coalesce(status, 'inProgress') AS status" in posts and "'in_progress'" not in posts
    assert "to_ms(created_at) AS deletedAt" not in posts
    assert "TODO check: clerk_user_id → externalId: " in users
    shares = model(project, "shareLinks")
    assert "FROM extract.shares" in shares and "token AS encryptedToken" not in shares
    connections = model(project, "connections")
    assert "NULL::VARCHAR AS accessToken" in connections
    assert "content_hash AS contentHash" in connections
    # A key that is the provider's id is that too; values lead to it where no foreign key does.
    people, teams = model(project, "people"), model(project, "teams")
    assert "TODO check: id → clerkId: it holds an identity provider's ids" in people
    assert "TODO check: lead → captain: its values are in people.id" in teams
    assert "ref('people', lead) AS captain" in teams and "refs('people', pg_array(crew))" in teams
    # Its own values are not those of another column, and one whose values repeat is no key, though
    # none is missing there.
    assert "ref('people', best) AS best" in people and "ref('people', mate) AS mate" in people
    plan = load_plan(project / MIGRATIONS / "plan.toml")
    assert plan.sources["connections"].exclude == ("access_token", "token_hash")
    assert plan.sources["log"].schema == "billing"
    text = (project / MIGRATIONS / "plan.toml").read_text("utf-8")
    assert "TODO check: users is taken from app.profiles: " in text
    assert "TODO check: shareLinks is taken from app.shares: " in text
    assert 'key = ["entry_id"] here, and key(entry_id) AS _source_id' in text
    decisions = [todo.what for todo in result.todos if todo.kind == "decide"]
    assert len(decisions) == 1 and decisions[0].startswith("access_token looks like a secret")

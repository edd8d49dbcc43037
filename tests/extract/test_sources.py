"""Samples that are closed over references, and auth.users without what lets somebody in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from extract.support import TRANSPORTS, Database, Project
from stages.errors import UserError
from stages.extract.transport import Via

# ── samples ─────────────────────────────────────────────────────────────────────────────────


def test_sample_is_closed_over_references(database: Database, project: Project) -> None:
    database.sql(
        """
        DROP TABLE IF EXISTS other.leaf, other.branch, other.root;
        CREATE TABLE other.root (a int, b int, PRIMARY KEY (a, b));
        CREATE TABLE other.branch (id int PRIMARY KEY, a int, b int,
          FOREIGN KEY (a, b) REFERENCES other.root);
        CREATE TABLE other.leaf (id int PRIMARY KEY, branch int REFERENCES other.branch,
          above int REFERENCES other.leaf);
        INSERT INTO other.root SELECT i, -i FROM generate_series(1, 500) i;
        INSERT INTO other.branch SELECT i, 501 - i, i - 501 FROM generate_series(1, 500) i;
        INSERT INTO other.leaf SELECT i, 501 - i, nullif(i / 2, 0) FROM generate_series(1, 500) i
        """
    )
    project.plan(**{name: {"table": f"other.{name}"} for name in ("leaf", "branch", "root")})
    project.extract(sample=5)
    leaf, branch, root = (project.table(name).to_pylist() for name in ("leaf", "branch", "root"))
    assert [row["id"] for row in leaf] == [1, 2, 3, 4, 5]
    assert [row["id"] for row in branch] == [1, 2, 3, 4, 5, 496, 497, 498, 499, 500]
    assert {row["branch"] for row in leaf} <= {row["id"] for row in branch}
    assert {row["above"] for row in leaf} <= {row["id"] for row in leaf} | {None}
    assert {(row["a"], row["b"]) for row in branch} <= {(row["a"], row["b"]) for row in root}
    assert len(root) < 20
    assert project.manifest("leaf")["sample"] == 5
    assert "a sample: 5 rows a table, and the rows that they refer to" in project.heard.text
    with pytest.raises(UserError, match="a sample needs Postgres"):
        project.extract("rest", sample=5, restart=True)

    # All rows are another extract.
    assert project.extract("postgres").tables["leaf"]["rows"] == 500
    assert project.manifest("leaf")["sample"] is None


# ── auth.users ──────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def users(database: Database) -> Iterator[Database]:
    """auth.users as far as it is known here, and two of its secrets."""
    database.sql(
        """
        CREATE SCHEMA auth;
        CREATE TABLE auth.users (
          id uuid PRIMARY KEY, aud varchar(255), role varchar(255), email varchar(255),
          encrypted_password varchar(255), confirmation_token varchar(255),
          email_confirmed_at timestamptz, phone_confirmed_at timestamptz,
          last_sign_in_at timestamptz, raw_app_meta_data jsonb, raw_user_meta_data jsonb,
          created_at timestamptz, updated_at timestamptz, phone text, banned_until timestamptz,
          is_anonymous boolean NOT NULL DEFAULT false);
        INSERT INTO auth.users (id, aud, role, email, encrypted_password, confirmation_token,
          raw_user_meta_data, created_at)
        SELECT md5(i::text)::uuid, 'authenticated', 'authenticated', i || '@example.org',
          'hash-of-' || i, 'token-of-' || i, '{"a": 1}', 'epoch'::timestamptz + i * '1 s'::interval
        FROM generate_series(1, 30) i;
        GRANT USAGE ON SCHEMA auth TO supabase_auth_admin;
        GRANT SELECT ON auth.users TO supabase_auth_admin
        """
    )
    yield database
    database.sql("DROP SCHEMA auth CASCADE")


@pytest.mark.parametrize("via", TRANSPORTS)
def test_users_come_without_their_secrets(users: Database, project: Project, via: Via) -> None:
    project.plan(users={"table": "auth.users"})
    assert project.extract(via).failed == [], project.heard.text
    columns = project.table("users").column_names
    assert not {"encrypted_password", "confirmation_token"} & set(columns)
    rows = users.rows("SELECT email FROM auth.users ORDER BY id")
    assert project.column("users", "email") == [email for (email,) in rows]
    for file in project.paths.data.rglob("*"):
        if file.is_file():
            assert b"hash-of" not in file.read_bytes()
            assert b"encrypted_password" not in file.read_bytes()
    assert project.extract(via).tables["users"]["status"] == "unchanged", project.heard.text


def test_users_are_described_alike(users: Database, project: Project) -> None:
    project.plan(users={"table": "auth.users"})
    project.extract("postgres")
    described = project.describe("users")
    project.extract("rest", restart=True)
    assert project.manifest("users")["transport"] == "rest"
    assert project.describe("users") == described


def test_secrets_that_the_plan_names_are_said(users: Database, project: Project) -> None:
    project.plan(users={"table": "auth.users", "include_secrets": ["encrypted_password"]})
    for _ in range(2):
        project.extract("postgres")
        assert "users: secrets are read, as the plan says: encrypted_password" in project.heard.text
    secrets = project.column("users", "encrypted_password")
    assert sorted(secrets) == sorted(f"hash-of-{i}" for i in range(1, 31))
    assert "confirmation_token" not in project.table("users").column_names
    assert project.extract("rest", restart=True).failed == ["users"]

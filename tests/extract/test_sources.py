"""Samples that are closed over references, and whom the Auth service knows: auth.users without
what lets somebody in, and auth.identities, which REST gives a user at a time.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stages.errors import UserError
from stages.extract import auth_api, rest_client
from stages.extract.transport import Via
from stages.project.settings import Secret, Source
from stages.retry import Backoff, retrying
from tests.extract.stub import Answer, Request, Stub, serving
from tests.extract.support import TRANSPORTS, UNMOVED, Database, Project

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
        CREATE TABLE auth.identities (
          provider_id text NOT NULL, user_id uuid NOT NULL REFERENCES auth.users,
          identity_data jsonb NOT NULL, provider text NOT NULL, last_sign_in_at timestamptz,
          created_at timestamptz, updated_at timestamptz,
          email text GENERATED ALWAYS AS (lower(identity_data ->> 'email')) STORED,
          id uuid PRIMARY KEY);
        INSERT INTO auth.identities (id, provider_id, user_id, provider, identity_data,
          last_sign_in_at, created_at, updated_at)
        SELECT md5(i || provider)::uuid, provider || '|' || i, md5(i::text)::uuid, provider,
          CASE WHEN i = 7 THEN '{}' ELSE jsonb_build_object('sub', 'é' || i,
            'email', CASE WHEN i % 4 > 0 THEN i || '@Example.org' END,
            'custom', jsonb_build_object('b', ARRAY[1, 2.5], 'aa', NULL)) END,
          CASE WHEN i % 3 > 0 THEN 'epoch'::timestamptz + i * '1.000001 s'::interval END,
          'epoch'::timestamptz + i * '1 d'::interval, 'epoch'::timestamptz + i * '2 d'::interval
        FROM generate_series(1, 30) i, unnest(ARRAY['email', 'github']) provider
        WHERE i <> 9 AND (provider = 'email' OR i % 5 = 0);
        GRANT USAGE ON SCHEMA auth TO supabase_auth_admin;
        GRANT SELECT ON auth.users, auth.identities TO supabase_auth_admin
        """
    )
    yield database
    database.sql("DROP SCHEMA auth CASCADE")


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """More users than a page, more rows than a batch."""
    monkeypatch.setattr(auth_api, "PER_PAGE", 7)
    monkeypatch.setattr(auth_api, "BATCH_ROWS", 4)


@pytest.mark.parametrize("via", TRANSPORTS)
def test_users_come_without_their_secrets(users: Database, project: Project, via: Via) -> None:
    project.plan(users={"table": "auth.users"})
    assert project.extract(via).failed == [], project.heard.text
    columns = project.table("users").column_names
    assert not {"encrypted_password", "confirmation_token"} & set(columns)
    rows = users.rows("SELECT email FROM auth.users ORDER BY id")
    assert project.column("users", "email") == [email for (email,) in rows]
    for file in project.workspace.data.rglob("*"):
        if file.is_file():
            assert b"hash-of" not in file.read_bytes()
            assert b"encrypted_password" not in file.read_bytes()
    assert project.extract(via).tables["users"]["status"] == UNMOVED[via], project.heard.text


@pytest.mark.parametrize("table", ["users", "identities"])
def test_both_are_described_alike(users: Database, project: Project, table: str) -> None:
    project.plan(**{table: {"table": f"auth.{table}"}})
    project.extract("postgres")
    described = project.describe(table)
    project.extract("rest", restart=True)
    assert project.manifest(table)["transport"] == "rest"
    assert project.describe(table) == described


@pytest.mark.usefixtures("small_pages")
def test_users_are_paged(users: Database, project: Project) -> None:
    project.plan(users={"table": "auth.users"})
    project.extract("postgres")
    direct = {name: project.column("users", name) for name in ("id", "email", "created_at")}
    assert project.extract("rest", restart=True).failed == [], project.heard.text
    assert {name: project.column("users", name) for name in direct} == direct
    assert len(direct["id"]) == 30


def test_secrets_that_the_plan_names_are_said(users: Database, project: Project) -> None:
    project.plan(users={"table": "auth.users", "include_secrets": ["encrypted_password"]})
    for _ in range(2):
        project.extract("postgres")
        assert "users: secrets are read, as the plan says: encrypted_password" in project.heard.text
    secrets = project.column("users", "encrypted_password")
    assert sorted(secrets) == sorted(f"hash-of-{i}" for i in range(1, 31))
    assert "confirmation_token" not in project.table("users").column_names
    assert project.extract("rest", restart=True).failed == ["users"]


# ── auth.identities ─────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("small_pages")
def test_identities_are_equal_over_both_transports(users: Database, project: Project) -> None:
    project.plan(identities={"table": "auth.identities"})
    assert project.extract("postgres").failed == [], project.heard.text
    direct = project.table("identities")
    files = [content for _, _, content in project.files("identities").values()]
    assert direct.num_rows == users.one("SELECT count(*) FROM auth.identities") == 35
    assert None in direct.column("email").to_pylist()
    assert "{}" in direct.column("identity_data").to_pylist()

    assert project.extract("rest", restart=True).failed == [], project.heard.text
    assert project.table("identities").equals(direct)
    assert [content for _, _, content in project.files("identities").values()] == files
    for file in project.workspace.data.rglob("*"):
        if file.is_file():
            assert b"hash-of" not in file.read_bytes()
            assert b"token-of" not in file.read_bytes()


def test_identities_are_proven_by_the_number_of_users(users: Database, project: Project) -> None:
    project.plan(identities={"table": "auth.identities"})
    outcome = project.extract("rest").tables["identities"]
    assert (outcome["status"], outcome["rows"]) == ("complete", 35)
    assert outcome["note"] == "35 rows (not counted over REST, which has 30 users now)"
    manifest = project.manifest("identities")
    assert manifest["counted"] == {"before": 30, "after": 30, "of": "users"}
    assert not manifest["moving"]

    # Each transport compares with what it can count.
    assert project.extract("rest").tables["identities"]["note"] == (
        "same number of users; edits can't be seen, "
        "35 rows (not counted over REST, which has 30 users now)"
    )
    assert project.extract("postgres").tables["identities"]["status"] == "kept"
    users.sql("INSERT INTO auth.users (id) VALUES (md5('new')::uuid)")
    try:
        assert project.extract("rest").tables["identities"]["status"] == "moved"
        assert "31 users instead of 30" in project.heard.text
        project.extract("postgres", restart=True)
        outcome = project.extract("rest").tables["identities"]
        assert outcome["status"] == "kept" and "nothing to compare with" in outcome["note"]
    finally:
        users.sql("DELETE FROM auth.users WHERE id = md5('new')::uuid")


@pytest.mark.parametrize("entry", [{"exclude": ["id"]}, {"as_text": ["id"]}, {"key": ["email"]}])
def test_auth_over_rest_needs_its_key(
    users: Database, project: Project, entry: dict[str, list[str]]
) -> None:
    project.plan(identities={"table": "auth.identities", **entry})
    assert project.extract("rest").failed == ["identities"]
    assert "auth.identities can be read over REST by its key `id` only" in project.heard.text
    assert "set SUPABASE_DB_URL" in project.heard.text


def test_storage_over_rest_names_the_way_out(database: Database, project: Project) -> None:
    project.plan(objects={"table": "storage.objects"})
    assert project.extract("rest").failed == ["objects"]
    assert "storage.objects" in project.heard.text
    assert "set SUPABASE_DB_URL" in project.heard.text


# ── what an Auth service may answer ─────────────────────────────────────────────────────────

ADMIN = "auth/v1/admin/users"
ANN, BEN = ("00000000-0000-4000-8000-00000000000" + digit for digit in "12")


def _user(user: str, **more: Any) -> dict[str, Any]:
    return {"id": user, "aud": "authenticated", **more}


def _identity(user: str) -> dict[str, Any]:
    """As Go writes it: members by name, and no empty email."""
    return {
        "identity_id": user.replace("4", "5", 1),
        "id": user,
        "user_id": user,
        "identity_data": {"email_verified": False, "iss": "<&>", "sub": user},
        "provider": "email",
        "created_at": "2024-01-02T03:04:05.123456Z",
        "updated_at": "2024-01-02T03:04:05Z",
    }


@pytest.fixture
def service() -> Iterator[Stub]:
    """A REST side whose script is an Auth service."""
    with serving() as stub:
        yield stub


@pytest.fixture
def asking(service: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project of its identities, which waits for no backoff of its own."""
    quick = functools.partial(retrying, backoff=Backoff(attempts=4, first=0.001, longest=0.01))
    monkeypatch.setattr(rest_client, "retrying", quick)
    source = Source(ref="stub", url=service.url, key=Secret("sb_secret_x"), db_url=None)
    stubbed = Project(tmp_path, source)
    stubbed.plan(identities={"table": "auth.identities"})
    return stubbed


def _answering(
    one: Callable[[str], Answer], listed: Callable[[int], list[str]], total: int = 2
) -> Callable[[Request], Answer | None]:
    """An Auth service that lists by page and gives one user by id."""

    def script(request: Request) -> Answer | None:
        if request.table.startswith(f"{ADMIN}/"):
            return one(request.table.removeprefix(f"{ADMIN}/"))
        if request.table == ADMIN:
            users = [_user(user, identities=None) for user in listed(int(request.params["page"]))]
            body = json.dumps({"users": users, "aud": "authenticated"}).encode()
            return Answer(body=body, headers={"X-Total-Count": str(total)})
        return None

    return script


def _both(page: int) -> list[str]:
    return [ANN, BEN] if page == 1 else []


def _given(user: str) -> Answer:
    return Answer(body=json.dumps(_user(user, identities=[_identity(user)])).encode())


def test_what_go_writes_is_what_postgres_prints(service: Stub, asking: Project) -> None:
    service.script = _answering(_given, _both)
    assert asking.extract().failed == [], asking.heard.text
    rows = asking.table("identities").to_pylist()
    assert [row["provider_id"] for row in rows] == [ANN, BEN]
    data = f'{{"iss": "<&>", "sub": "{ANN}", "email_verified": false}}'
    assert (rows[0]["identity_data"], rows[0]["email"]) == (data, None)


def test_user_without_a_list_is_not_one_without_identities(service: Stub, asking: Project) -> None:
    for more in ({}, {"identities": None}):
        without = Answer(body=json.dumps(_user(BEN, **more)).encode())
        answers = {ANN: _given(ANN), BEN: without}
        service.script = _answering(answers.__getitem__, _both)
        assert asking.extract().failed == ["identities"]
        assert f"user {BEN} without a list of identities" in asking.heard.text
        assert "set SUPABASE_DB_URL" in asking.heard.text
    service.script = _answering(
        lambda u: Answer(body=json.dumps(_user(u, identities=[])).encode()), _both
    )
    assert asking.extract().tables["identities"]["rows"] == 0


GONE = (
    {"code": 404, "error_code": "user_not_found", "msg": "User not found"},
    {"code": 404, "msg": "User not found"},
    {"code": "user_not_found", "message": "User not found"},
)


@pytest.mark.parametrize("body", GONE)
def test_user_who_is_deleted_meanwhile_has_none(
    service: Stub, asking: Project, body: dict[str, Any]
) -> None:
    deleted: list[str] = []

    def one(user: str) -> Answer:
        if user == ANN:
            return _given(user)
        deleted.append(user)
        return Answer(status=404, body=json.dumps(body).encode())

    def listed(page: int) -> list[str]:
        return [user for user in _both(page) if user not in deleted]

    def script(request: Request) -> Answer | None:
        return _answering(one, listed, total=2 - len(deleted))(request)

    service.script = script
    outcome = asking.extract().tables["identities"]
    assert (outcome["status"], outcome["rows"]) == ("complete", 1), asking.heard.text
    assert asking.manifest("identities")["moving"]
    assert "while the source moved (2 → 1)" in asking.heard.text


def test_users_that_are_withheld_are_no_zero_rows(service: Stub, asking: Project) -> None:
    not_found = Answer(status=404, body=json.dumps(GONE[0]).encode())
    service.script = _answering(lambda user: not_found, _both)
    assert asking.extract().failed == ["identities"]
    assert "lists 2 users, but does not return 2 of them" in asking.heard.text
    # Another 404, as of a gateway without such a route, says nothing about the user.
    service.script = _answering(lambda user: Answer(status=404, body=b"{}"), _both)
    assert asking.extract().failed == ["identities"]
    assert "Supabase answered 404" in asking.heard.text


def test_pages_that_do_not_hold_all_users_are_noticed(service: Stub, asking: Project) -> None:
    service.script = _answering(_given, lambda page: [ANN] if page == 1 else [])
    assert asking.extract().failed == ["identities"]
    assert "counts 2 users, but lists 1" in asking.heard.text
    service.script = _answering(_given, lambda page: _both(1))
    assert asking.extract().failed == ["identities"]
    assert "returns the same page again" in asking.heard.text


def test_a_bad_moment_is_asked_for_again(service: Stub, asking: Project) -> None:
    bad = [Answer(status=503, body=b"{}"), Answer(body=b'{"id": "cut'), Answer(body=b"[]")]
    service.script = _answering(lambda user: bad.pop() if bad else _given(user), _both)
    assert asking.extract().failed == [], asking.heard.text
    assert asking.table("identities").num_rows == 2
    assert not bad

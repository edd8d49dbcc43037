"""The sandbox: what its database holds, and how its services come and go."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest

from stages import sandbox
from stages.errors import StagesError, UserError
from stages.sandbox import SandboxDeployment, State
from stages.sandbox.service import Service
from tests.load.project import Notes
from tests.support.sandboxes import open_folder, own_sandbox

PROJECT = Path(__file__).resolve().parents[2]
ROWS = {
    "ari_ai_comparison": 39,
    "ari_appointments": 78,
    "ari_destinations": 60,
    "ari_flow_stages": 45,
    "ari_knowledge_categories": 31,
    "ari_knowledge_entries": 105,
    "ari_payments": 105,
    "ari_scoring_config": 0,
    "articles": 40,
    "consultant_slots": 48,
    "webinar_registrations": 271,
    "webinars": 26,
}
REFERRED_TO = {
    "ari_conversations": 82,
    "contacts": 100,
    "conversations": 12,
    "workspaces": 10,
}
COLUMNS = """
  SELECT table_name, column_name FROM information_schema.columns
  WHERE table_schema = 'public' AND is_nullable = 'YES' ORDER BY 1, 2
"""
FOREIGN_KEYS = """
  SELECT c.conrelid::regclass::text, a.attname, c.confrelid::regclass::text
  FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
  WHERE c.contype = 'f' ORDER BY 1, 2
"""


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    """A folder for one sandbox, where Postgres' account may go too."""
    with open_folder("test") as folder, own_sandbox(folder / "box") as box:
        yield box


@pytest.fixture
def state(root: Path) -> State:
    return sandbox.up(PROJECT)


@pytest.fixture
def empty(tmp_path: Path, root: Path) -> Iterator[Path]:
    """A project without any SQL, whose sandbox has a folder of its own."""
    with own_sandbox(root.with_name("empty")):
        yield tmp_path


def query(state: State, text: LiteralString | bytes) -> list[tuple[Any, ...]]:
    with psycopg.connect(state.source.db_url) as connection:
        return connection.execute(text).fetchall()


def count(state: State, condition: str) -> int:
    (row,) = query(state, f"SELECT count(*) FROM {condition}".encode())
    return int(row[0])


def digest(state: State) -> dict[str, str]:
    """All rows of each table as one hash."""
    return {
        table: query(
            state, f"SELECT md5(string_agg(t::text, ';' ORDER BY id)) FROM {table} t".encode()
        )[0][0]
        for table in (*ROWS, *REFERRED_TO, "auth.users")
    }


def epoch(deployment: SandboxDeployment, claim: str | None = None) -> str | None:
    """The mark in the ledger, a document that is cheap to write; `claim` becomes it if none is."""
    args = {} if claim is None else {"claim": claim}
    request = urllib.request.Request(
        f"{deployment.url}/api/mutation",
        json.dumps({"path": "migrate:epoch", "args": args}).encode(),
        {"Authorization": f"Convex {deployment.admin_key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        value: str | None = json.load(answer)["value"]["epoch"]
    return value


def kill(root: Path, service: str) -> None:
    os.kill(processes(root)[service], signal.SIGKILL)
    while Service(root=root, name=service).is_alive():
        time.sleep(0.01)


def processes(root: Path) -> dict[str, int]:
    return {lock.stem: int(lock.read_text()) for lock in root.glob("[a-z]*.lock")}


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# ── the database ────────────────────────────────────────────────────────────────────────────


def test_rows_of_each_table(state: State) -> None:
    expected = ROWS | REFERRED_TO
    names = query(state, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert {name for (name,) in names} == set(expected)
    assert {table: count(state, table) for table in expected} == expected


def test_every_nullable_column_has_nulls_and_values(state: State) -> None:
    for table, column in query(state, COLUMNS):
        if table != "ari_scoring_config":
            assert count(state, f"{table} WHERE {column} IS NULL"), (table, column)
            assert count(state, f"{table} WHERE {column} IS NOT NULL"), (table, column)


def test_every_reference_has_orphans(state: State) -> None:
    orphaned = {
        (table, column)
        for table, column, parent in query(state, FOREIGN_KEYS)
        if count(
            state,
            f"{table} c WHERE {column} IS NOT NULL"
            f" AND NOT EXISTS (SELECT FROM {parent} p WHERE p.id = c.{column})",
        )
    }
    references = {
        (table, column)
        for table, column, _ in query(state, FOREIGN_KEYS)
        if table in ROWS and table != "ari_scoring_config"
    }
    assert references - orphaned == set()
    assert {column for _, column in references} == {
        "ari_conversation_id",
        "category_id",
        "consultant_id",
        "contact_id",
        "payment_id",
        "webinar_id",
        "workspace_id",
    }


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        ("articles WHERE published_at < 'epoch'", 2),
        ("articles WHERE created_at < 'epoch'", 1),
        ("webinars WHERE scheduled_at > '2100-01-01'", 1),
        ("articles WHERE created_at IS NULL AND updated_at IS NOT NULL", 1),
        ("articles WHERE created_at IS NULL AND updated_at IS NULL", 1),
        ("ari_destinations WHERE requirements = 'null'", 1),
        (r"ari_destinations WHERE requirements::text LIKE '%\"$%'", 1),
        (r"ari_payments WHERE gateway_response::text LIKE '%\"$%'", 1),
        ("ari_payments WHERE gateway_response::text LIKE '%12345678901234567890.123%'", 1),
        ("ari_destinations WHERE array_position(programs, NULL) > 0", 1),
        ("consultant_slots WHERE end_time = '24:00'", 1),
        ("articles WHERE title LIKE E'%👩‍👩‍👧‍👦%\"%\\\\\\\\%' AND content LIKE E'%\\n%'", 1),
        ("contacts a JOIN contacts b USING (phone) WHERE a.workspace_id <> b.workspace_id", 2),
    ],
)
def test_hazard(state: State, condition: str, rows: int) -> None:
    assert count(state, condition) == rows


def test_most_times_have_microseconds_and_some_have_not(state: State) -> None:
    fine = count(
        state,
        "webinar_registrations WHERE extract(microseconds FROM registered_at)::bigint % 1000 <> 0",
    )
    assert 0.8 * ROWS["webinar_registrations"] < fine < ROWS["webinar_registrations"] - 10


def test_no_row_is_shown_without_a_policy(state: State) -> None:
    with psycopg.connect(state.source.db_url) as connection:
        for role, rows in (("anon", 0), ("authenticated", 0), ("service_role", ROWS["articles"])):
            connection.execute(f"SET ROLE {role}".encode())
            assert connection.execute("SELECT count(*) FROM articles").fetchone() == (rows,)


def test_direct_role_is_not_superuser_and_may_change_rows(state: State) -> None:
    with psycopg.connect(state.source.db_url) as connection:
        connection.execute("SET row_security = off")
        answer = connection.execute(
            "SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        assert answer == (f"postgres.{state.source.ref}", False, True)
        changed = connection.execute("UPDATE articles SET title = 'x' WHERE status = 'draft'")
        assert changed.rowcount > 0
        connection.rollback()


# ── what Convex has before ──────────────────────────────────────────────────────────────────


@pytest.fixture
def seed(state: State) -> list[dict[str, Any]]:
    rows = query(state, (PROJECT / "data" / "sandbox" / "convex.sql").read_bytes())
    return [json.loads(line) for _, line in sorted(rows)]


def test_seed_names_parents_first(seed: list[dict[str, Any]]) -> None:
    keys: set[str] = set()
    for line in seed:
        for value in line["document"].values():
            if isinstance(value, str) and value.startswith("ref:"):
                assert value.removeprefix("ref:") in keys
        keys.add(f"{line['table']}:{line['key']}")
    assert len(keys) == len(seed) <= 200


def test_seed_and_mapping_file_disagree_where_they_should(
    state: State, seed: list[dict[str, Any]]
) -> None:
    mapping = json.loads(
        (PROJECT / ".planning/migrations/workspace-org-mapping.json").read_text("utf-8")
    )
    links = {
        line["document"]["clerk_org_id"]: line["document"].get("workspace_id")
        for line in seed
        if line["table"] == "organizations"
    }
    slugs = Counter(line["document"]["slug"] for line in seed if line["table"] == "workspaces")
    witnesses = {}
    for key, slug in query(state, "SELECT id::text, slug FROM workspaces"):
        org = mapping.get(key)
        match links.get(org, "unknown") if org else "unmapped":
            case None:
                witness = "no workspace"
            case str(link) if link == f"ref:workspaces:{key}":
                witness = "agrees"
            case str(link) if link.startswith("ref:"):
                witness = "disagrees"
            case str(link):
                witness = link
        witnesses[slug] = (slugs[slug], witness)
    assert witnesses == {
        "eduglobal-jakarta": (1, "agrees"),
        "studi-bandung": (1, "agrees"),
        "surabaya-study": (1, "agrees"),
        "medan-abroad": (1, "no workspace"),
        "café-münchen-日本": (1, "agrees"),
        "bali-unmapped": (1, "unmapped"),
        "semarang-lost-org": (1, "unknown"),
        "makassar-torn": (1, "disagrees"),
        "ghost-town": (0, "unmapped"),
        "twin-cities": (2, "unmapped"),
    }


# ── services ────────────────────────────────────────────────────────────────────────────────


def test_services_answer(state: State) -> None:
    request = urllib.request.Request(
        f"{state.source.url}/rest/v1/workspaces?select=slug&order=slug.asc&limit=1",
        headers={"apikey": state.source.secret_key},
    )
    with urllib.request.urlopen(request) as answer:
        assert json.load(answer) == [{"slug": "bali-unmapped"}]
    with urllib.request.urlopen(f"{state.deployments['sandbox'].url}/version") as answer:
        assert answer.status == 200


def test_second_up_changes_nothing(state: State, root: Path) -> None:
    before = processes(root)
    assert sandbox.up(PROJECT) == state == sandbox.status(PROJECT)
    assert processes(root) == before


def test_secrets_are_hidden_and_private(state: State, root: Path) -> None:
    deployment, source = state.deployments["sandbox"], state.source
    for secret in (
        deployment.admin_key,
        deployment.migration_secret,
        source.anon_key,
        source.db_url,
        source.publishable_key,
        source.secret_key,
        source.service_role_key,
    ):
        assert secret not in repr(state)
    assert len(deployment.migration_secret) >= 32
    assert deployment.admin_key.startswith(f"{deployment.name}|")
    for file in root.iterdir():
        assert file.is_dir() or file.stat().st_mode & 0o077 == 0, file


def test_down_leaves_no_process_and_up_keeps_rows_and_documents(state: State, root: Path) -> None:
    running, rows = processes(root), digest(state)
    before = state.deployments["sandbox"]
    mark = epoch(before, claim="kept")
    assert set(running) == {"convex-sandbox", "gateway", "postgres"}
    sandbox.down(PROJECT)
    assert [name for name, pid in running.items() if is_running(pid)] == []
    assert sandbox.status(PROJECT) is None
    again = sandbox.up(PROJECT)
    assert again.source.ref == state.source.ref
    assert digest(again) == rows
    after = again.deployments["sandbox"]
    assert replace(after, url=before.url, site_url=before.site_url) == before
    assert epoch(after) == mark
    # What Convex had before the migration is among the documents that are kept.
    assert list(root.glob("*.seed.jsonl")) == []


def test_reset_makes_another_source_of_the_same_rows(state: State) -> None:
    rows = digest(state)
    sandbox.reset(PROJECT)
    assert not state.root.exists()
    again = sandbox.up(PROJECT)
    assert again.source.ref != state.source.ref
    assert digest(again) == rows


def test_each_target_is_a_deployment(state: State) -> None:
    both = sandbox.up(PROJECT, ["sandbox-two"])
    assert set(both.deployments) == {"sandbox", "sandbox-two"}
    assert both.deployments["sandbox"] == state.deployments["sandbox"]
    assert both.deployments["sandbox-two"].url != state.deployments["sandbox"].url
    with pytest.raises(UserError, match="not a target's name"):
        sandbox.up(PROJECT, ["../sandbox"])


@pytest.mark.parametrize("service", ["convex-sandbox", "gateway", "postgres"])
def test_what_was_killed_is_started_again(state: State, root: Path, service: str) -> None:
    before = processes(root)
    mark = epoch(state.deployments["sandbox"], claim="kept")
    kill(root, service)
    again = sandbox.up(PROJECT)
    after = processes(root)
    assert {name for name in before if before[name] != after[name]} == {service}
    assert again.source.ref == state.source.ref
    same = again.deployments["sandbox"] == state.deployments["sandbox"]
    assert same == (service != "convex-sandbox")  # it is at other ports
    assert epoch(again.deployments["sandbox"]) == mark
    assert count(again, "articles") == ROWS["articles"]


def test_renew_forgets_the_documents_of_a_host_that_does_not_run(state: State, root: Path) -> None:
    mark = epoch(state.deployments["sandbox"], claim="forgotten")
    assert sandbox.up(PROJECT, renew=True) == state
    kill(root, "convex-sandbox")
    renewed = sandbox.up(PROJECT, renew=True).deployments["sandbox"]
    assert renewed.name != state.deployments["sandbox"].name
    assert mark is not None and epoch(renewed) is None


def test_starting_at_once_makes_one_sandbox(root: Path) -> None:
    sandbox.reset(PROJECT)
    program = (
        "import sys, pathlib; from stages import sandbox;"
        "s = sandbox.up(pathlib.Path(sys.argv[1]));"
        "print(s.source.ref, s.source.url, s.deployments['sandbox'].name)"
    )
    command = [sys.executable, "-c", program, str(PROJECT)]
    starters = [
        subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    answers = [starter.communicate(timeout=60)[0] for starter in starters]
    assert len(set(answers)) == 1
    # Its starters are gone, and it is not.
    state = sandbox.up(PROJECT)
    expected = f"{state.source.ref} {state.source.url} {state.deployments['sandbox'].name}\n"
    assert expected == answers[0]


# ── another project ─────────────────────────────────────────────────────────────────────────


def test_project_without_sql_has_only_what_supabase_brings(empty: Path) -> None:
    state = sandbox.up(empty, [])
    assert state.deployments == {}
    tables = query(
        state, "SELECT schemaname, tablename FROM pg_tables WHERE schemaname !~ '^(pg_|info)'"
    )
    assert sorted(tables) == [("auth", "identities"), ("auth", "users")]


def test_sql_that_fails_is_named_and_not_half_kept(empty: Path) -> None:
    file = empty / "data" / "sandbox" / "10_bad.sql"
    file.parent.mkdir(parents=True)
    file.write_text("CREATE TABLE kept (id int); CREATE TABLE wrong (id nosuchtype);")
    with pytest.raises(UserError, match=r"10_bad\.sql: type \"nosuchtype\" does not exist"):
        sandbox.up(empty, [])
    assert sandbox.status(empty) is None
    file.write_text("CREATE TABLE kept (id int);")
    assert count(sandbox.up(empty, []), "kept") == 0


def test_database_of_other_sql_is_not_taken_for_this_one(empty: Path) -> None:
    sandbox.up(empty, [])
    file = empty / "data" / "sandbox" / "10_new.sql"
    file.parent.mkdir(parents=True)
    file.write_text("CREATE TABLE new (id int);")
    with pytest.raises(UserError, match="made from other SQL") as caught:
        sandbox.up(empty, [])
    assert "stages sandbox reset" in str(caught.value)


def test_interrupted_making_begins_again(empty: Path) -> None:
    state = sandbox.up(empty, [])
    # As after a kill before the last step, which writes this file.
    (state.root / "source.json").unlink()
    again = sandbox.up(empty, [])
    assert again.source.ref != state.source.ref
    assert count(again, "auth.users") == 0


def test_host_that_dies_says_why(empty: Path) -> None:
    (empty / "convex").mkdir()
    (empty / "convex" / "schema.ts").write_text("throw new Error('no such luck');")
    with pytest.raises(StagesError, match="no such luck"):
        sandbox.up(empty)


def test_a_database_without_tables_is_no_surprise(empty: Path) -> None:
    notes = Notes()
    sandbox.up(empty, [], notes)
    said = f"{empty / 'data' / 'sandbox'} has no .sql file, so the sandbox's database has no tables"
    assert said in notes.messages


def test_documents_that_the_schema_does_not_take_any_more(empty: Path) -> None:
    (empty / "convex").mkdir()
    schema = empty / "convex" / "schema.ts"
    schema.write_text(
        'import { defineSchema, defineTable } from "convex/server";'
        'import { v } from "convex/values";'
        "export default defineSchema({ notes: defineTable({ n: v.number() }) });"
    )
    root = sandbox.up(empty, []).root
    id = "0" * 21 + "010000notes"
    documents = root / "convex-sandbox.documents.jsonl"
    lines = [
        {"format": 1, "schema": "of another schema.ts", "tables": {"notes": 10001}},
        {"put": [{"_id": id, "_creationTime": 1, "n": "private"}]},
    ]
    (root / "convex-sandbox.deployment.json").write_text(
        json.dumps({"name": "sandbox-0a1b2c", "adminKey": "sandbox-0a1b2c|1", "env": {}})
    )
    documents.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    kept = documents.read_bytes()
    with pytest.raises(UserError) as caught:
        sandbox.up(empty)
    assert str(caught.value) == (
        "documents of the sandbox do not fit schema.ts any more, in notes (1, such as "
        f"{id}: Expected `number`)\n  → change schema.ts, or forget the documents with: "
        "stages --target sandbox sandbox up --renew"
    )
    assert documents.read_bytes() == kept


def test_folder_with_other_things_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "thesis.txt").write_text("x")
    monkeypatch.setenv("STAGES_SANDBOX", str(tmp_path))
    for act in (sandbox.up, sandbox.down, sandbox.reset, sandbox.status):
        with pytest.raises(UserError, match="something other than a sandbox"):
            act(PROJECT)
    assert (tmp_path / "thesis.txt").exists()

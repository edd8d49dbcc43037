"""Personal data and secrets: who may read what is staged, and where neither may ever show."""

from __future__ import annotations

import json
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages import sandbox
from stages.sandbox import State
from tests.support.command_line import ROOT, Stages
from tests.support.project_copies import copy_project, loaded_once

WRONG = "wrong-" + "9d" * 20


@pytest.fixture
def loaded(extracted: Path) -> Stages:
    return loaded_once(extracted)


@pytest.fixture
def state(loaded: Stages) -> State:
    """The sandbox, and its deployment that was loaded."""
    current = sandbox.status(ROOT)
    assert isinstance(current, State)
    return current


def secrets(state: State) -> dict[str, str]:
    """Everything that opens a channel, and the halves that would do as well."""
    source = state.source
    by_name = {
        "service role key": source.service_role_key,
        "its signature": source.service_role_key.rpartition(".")[2],
        "secret key": source.secret_key,
        "database password": urlsplit(source.db_url).password or "",
        "a wrong secret": WRONG,
    }
    for name, deployment in state.deployments.items():
        by_name[f"admin key of {name}"] = deployment.admin_key.partition("|")[2]
        by_name[f"migration secret of {name}"] = deployment.migration_secret
    assert all(len(value) > 15 for value in by_name.values()), by_name.keys()
    return by_name


def real(state: State, loaded: Stages, tmp_path: Path) -> Stages:
    """A user's project with the settings of real deployments, as `default`."""
    deployment = state.deployments["sandbox-loaded"]
    stages = Stages(tmp_path / "data", "default", copy_project(tmp_path / "project"))
    stages.environment = {
        "SUPABASE_URL": state.source.url,
        "SUPABASE_SERVICE_ROLE_KEY": state.source.secret_key,
        "SUPABASE_DB_URL": state.source.db_url,
        "CONVEX_URL": deployment.url,
        "CONVEX_SITE_URL": deployment.site_url,
        "CONVEX_DEPLOY_KEY": deployment.admin_key,
        "MIGRATION_SECRET": deployment.migration_secret,
    }
    return stages


def found_in(text: bytes, state: State) -> list[str]:
    return [name for name, value in secrets(state).items() if value.encode() in text]


def files(folder: Path) -> Iterator[Path]:
    return (file for file in sorted(folder.rglob("*")) if file.is_file())


# ── who may read what is staged ─────────────────────────────────────────────────────────────


def others(folder: Path) -> dict[str, str]:
    """Files and folders that somebody else could read or enter."""
    wanted = {True: 0o700, False: 0o600}
    return {
        str(path.relative_to(folder)): oct(stat.S_IMODE(path.lstat().st_mode))
        for path in (folder, *folder.rglob("*"))
        if stat.S_IMODE(path.lstat().st_mode) != wanted[path.is_dir()]
    }


def test_staged_files_are_private(loaded: Stages) -> None:
    assert len(list(files(loaded.data))) > 100
    assert others(loaded.data) == {}


# ── where no secret shows ───────────────────────────────────────────────────────────────────


def test_no_secret_in_any_file(loaded: Stages, state: State) -> None:
    for folder in (loaded.data, loaded.project / ".planning"):
        for file in files(folder):
            assert found_in(file.read_bytes(), state) == [], file
    # Parquet is compressed: the texts themselves.
    texts = {
        text
        for file in loaded.data.rglob("*.parquet")
        for column in pq.ParquetFile(file).read().columns
        if pa.types.is_string(column.type)
        for text in column.unique().to_pylist()
        if text and len(text) < 10_000
    }
    assert len(texts) > 2000
    assert found_in("\n".join(texts).encode(), state) == []


# Every command that is given settings.
COMMANDS = [
    "check --json", "extract --json", "transform", "load --through http-action", "verify --json",
    "extract --restart --via rest", "report", "--target sandbox-loaded sandbox status",
]  # fmt: skip


def test_every_command_keeps_secrets_and_files_to_itself(
    state: State, loaded: Stages, tmp_path: Path
) -> None:
    """With a umask that would give everything to everybody."""
    stages = real(state, loaded, tmp_path)
    for command in COMMANDS:
        ran = stages.raw(*command.split(), umask=0)
        assert ran.returncode == 0, (command, ran.stderr)
        assert ran.stdout or ran.stderr
        assert found_in((ran.stdout + ran.stderr).encode(), state) == [], command
    for file in files(stages.data):
        assert found_in(file.read_bytes(), state) == [], file
    assert {f.name for f in files(stages.data)} >= {
        ".lock", "stages.duckdb", "stages.sql", "source.json", "target.json", "schema.json",
        "acks.jsonl", "ids.parquet", "part-00000.parquet", "documents.parquet", "manifest.json",
    }  # fmt: skip
    assert others(stages.data) == {}


FAILURES: list[tuple[str, dict[str, str], str, str]] = [
    ("wrong password", {"SUPABASE_DB_URL": "postgresql://{user}:{wrong}@{host}/postgres"},
     "extract --via postgres", "SUPABASE_DB_URL"),
    ("wrong password, as check tells it",
     {"SUPABASE_DB_URL": "postgresql://{user}:{wrong}@{host}/postgres"}, "check --json",
     "SUPABASE_DB_URL"),
    ("unknown host", {"SUPABASE_DB_URL": "postgresql://{user}:{wrong}@nowhere.invalid/postgres"},
     "extract --via postgres", "Postgres can't be reached"),
    ("password that is not encoded",
     {"SUPABASE_DB_URL": "postgresql://{user}:a@b/{wrong}@{host}/postgres"}, "extract",
     "copy it from the project's Connect page; percent-encode the password"),
    ("wrong service key", {"SUPABASE_SERVICE_ROLE_KEY": "sb_secret_{wrong}"},
     "extract --via rest", "SUPABASE_SERVICE_ROLE_KEY"),
    ("key that is none", {"SUPABASE_SERVICE_ROLE_KEY": "{wrong}"}, "extract",
     "SUPABASE_SERVICE_ROLE_KEY is neither"),
    ("wrong admin key", {"CONVEX_DEPLOY_KEY": "{deployment}|{wrong}"}, "check",
     "CONVEX_DEPLOY_KEY"),
    ("wrong secret", {"MIGRATION_SECRET": "{wrong}"}, "check", "MIGRATION_SECRET"),
    ("short secret", {"MIGRATION_SECRET": "tooshort-91b2"}, "check", "shorter than 32"),
    ("admin key without a bar", {"CONVEX_DEPLOY_KEY": "{wrong}"}, "check", "has no `|` in it"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "command", "words"), [f[1:] for f in FAILURES], ids=[f[0] for f in FAILURES]
)
def test_no_secret_where_it_fails(
    state: State, loaded: Stages, tmp_path: Path, settings: dict[str, str], command: str, words: str
) -> None:
    """The setting is named, its value is not; neither is any other."""
    stages = real(state, loaded, tmp_path)
    address = urlsplit(state.source.db_url)
    filled = {
        name: value.format(
            wrong=WRONG, user=address.username, host=f"{address.hostname}:{address.port}",
            deployment=state.deployments["sandbox-loaded"].name,
        )
        for name, value in settings.items()
    }  # fmt: skip
    stages.environment |= filled
    done = stages.run(*command.split(), code=None)
    assert done.returncode in (1, 2, 3)
    output = done.stdout + done.stderr
    assert words in output
    assert "Traceback" not in output
    assert found_in(output.encode(), state) == []
    assert "tooshort-91b2" not in output
    for file in files(stages.data):
        assert found_in(file.read_bytes(), state) == [], file


def test_no_secret_on_any_command_line(state: State, loaded: Stages, tmp_path: Path) -> None:
    """Of the stage while it runs, of what it starts, and of the sandbox's services."""
    stages = real(state, loaded, tmp_path)
    running = stages.start("extract")
    seen = set()
    try:
        while running.poll() is None:
            for process in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(process.read_bytes())
                except (FileNotFoundError, ProcessLookupError):
                    continue  # it has just ended
    finally:
        running.wait(60)
    assert running.returncode == 0
    lines = b"\n".join(seen)
    assert b"-m\0stages\0" in lines and b"host/main.ts" in lines and b"postgres" in lines
    assert found_in(lines, state) == []


# ── what may leave data/ ────────────────────────────────────────────────────────────────────

PERSONAL = {
    "articles": ("title", "slug", "content", "excerpt"),
    "webinars": ("title", "slug", "meeting_url"),
    "contacts": ("phone", "name", "email", "phone_normalized"),
    "ari_destinations": ("university_name", "city", "notes"),
    "ari_knowledge_entries": ("title", "content"),
    "ari_payments": ("gateway_transaction_id",),
    "ari_appointments": ("meeting_link", "notes"),
}


def test_report_and_summary_hold_no_value_of_a_row(loaded: Stages) -> None:
    """Keys, rules and counts only; so do status and what a stage tells."""
    loaded.run("report")
    texts = [
        loaded.report_file("migrations/data-migration-report.json").read_text("utf-8"),
        loaded.report_file("phases/05-data-migration/05-02-SUMMARY.md").read_text("utf-8"),
        loaded.run("status").stdout, loaded.run("status", "--json").stdout,
        loaded.run("transform", "--json").stdout, loaded.run("verify").stderr,
        loaded.run("check").stdout,
    ]  # fmt: skip
    personal: set[str] = set()
    for table, columns in PERSONAL.items():
        for file in (loaded.data / "extract" / table).glob("part-*.parquet"):
            rows = pq.ParquetFile(file).read(columns=list(columns))
            for column in rows.columns:
                personal |= {v for v in column.unique().to_pylist() if v and len(v.strip()) > 4}
    assert len(personal) > 300
    for text in texts:
        assert "articles" in text or "sources exist" in text
        assert [value for value in personal if value in text] == []


def test_convex_words_stay_with_the_data(loaded: Stages, extracted: Path, tmp_path: Path) -> None:
    """A refusal's words may quote a value; the report tells the rule only."""
    folder = loaded.target_folder / "load" / "articles"
    rejects = folder / "rejects.jsonl"
    before, manifest = rejects.read_bytes(), (folder / "manifest.json").read_bytes()
    try:
        line = {"sourceId": "x", "rule": "refused", "reason": 'Value: "Ms. Secret, 0815"'}
        rejects.write_text(json.dumps(line) + "\n")
        counts = json.loads(manifest)
        counts["counts"] |= {"refused": 1}
        (folder / "manifest.json").write_text(json.dumps(counts))
        assert "Ms. Secret" in loaded.run("rejects", "articles").stdout
        summary = loaded.run("report").stdout
        assert "articles: 1 refused" in summary
        report = loaded.report_file("migrations/data-migration-report.json")
        assert "Ms. Secret" not in summary + report.read_text("utf-8")
    finally:
        rejects.write_bytes(before)
        (folder / "manifest.json").write_bytes(manifest)
        loaded.run("report")


def test_staged_data_is_not_committed() -> None:
    """Git takes nothing of data/ but its README and the sandbox's sample."""
    ran = subprocess.run(
        ["git", "check-ignore", "data/extract/articles/part-00000.parquet", "data/stages.duckdb",
         "data/targets/production/target.json", "data/.lock", ".env.local",
         "data/sandbox/dump.sql"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert len(ran.stdout.splitlines()) == 6

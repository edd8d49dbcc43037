"""`stages assess` as a user meets it, in a folder that has nothing but settings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stages import Event, Migration, UserError
from stages.extract.transport import Via
from stages.sandbox import State
from tests.support.command_line import Stages


@pytest.fixture
def bare(supabase: State, tmp_path: Path) -> Stages:
    """An empty project with the source's settings: no plan, no convex/, no deployment."""
    project = tmp_path / "empty"
    project.mkdir()
    return Stages(
        tmp_path / "data",
        "default",
        project,
        {
            "SUPABASE_DB_URL": supabase.source.db_url,
            "SUPABASE_URL": supabase.source.url,
            "SUPABASE_SERVICE_ROLE_KEY": supabase.source.service_role_key,
        },
    )


def test_it_needs_the_source_only_and_writes_nothing(bare: Stages) -> None:
    done = bare.run("assess")
    assert "looking at Supabase" in done.stderr
    cut = [line for line in done.stdout.splitlines() if line.endswith("…")]
    assert cut and "printed in full by: stages assess --markdown" in done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("Supabase ") and ": 16 tables in public, " in lines[0]
    assert len(lines) < 24 + 40
    (row,) = [line.split() for line in lines if line.startswith("work          ari_payments ")]
    assert row[2] == "105"
    assert "JSON keys that Convex refuses (gateway_response)" in " ".join(row)
    assert not list(bare.project.iterdir()) and not bare.data.exists()


def test_it_is_kept_where_the_page_looks_for_it(bare: Stages) -> None:
    done = bare.run("assess", "--keep", "--json")
    file = bare.data / "assessment.json"
    assert json.loads(file.read_text("utf-8")) == json.loads(done.stdout)
    assert f"kept in {file}; see it with: stages ui" in done.stderr
    assert file.stat().st_mode & 0o777 == 0o600 and not list(bare.project.iterdir())


@pytest.mark.parametrize("via", ["postgres", "rest"])
def test_its_forms_say_the_same(bare: Stages, via: str) -> None:
    data = bare.json("assess", "--via", via)
    text = bare.run("assess", "--via", via).stdout
    markdown = bare.run("assess", "--via", via, "--markdown").stdout
    assert data["transport"] == via and len(data["tables"]) == 16
    for table in data["tables"]:
        bare_name = table["name"].removeprefix("public.")
        assert f"{table['verdict']:<12}  {bare_name} " in text
        assert f"| {table['verdict']} | `{table['name']}` |" in markdown


def test_wrong_usage_is_told(bare: Stages) -> None:
    assert "use one" in bare.run("assess", "--json", "--markdown", code=2).stderr
    bare.environment = {}
    assert "no source is set" in bare.run("assess", code=2).stderr


@pytest.mark.parametrize(
    ("via", "words"),
    [
        ("postgres", "the source has no schema `pubic`; it has `public`, "),
        ("rest", "the API exposes no schema `pubic`; it has `public`"),
    ],
)
def test_a_schema_that_is_not_there_is_a_typo(bare: Stages, via: str, words: str) -> None:
    failed = bare.run("assess", "--via", via, "--schema", "pubic", code=2)
    assert words in failed.stderr and "stages assess --schema public" in failed.stderr
    assert "information_schema" in failed.stderr or via == "rest"
    assert failed.stdout == ""


def test_python_has_the_same(bare: Stages) -> None:
    migration = Migration(bare.project, environment=bare.environment)
    seen = migration.assess(via="postgres")
    assert seen.as_json()["verdicts"] == bare.json("assess")["verdicts"]
    with pytest.raises(UserError, match="via can't be"):
        migration.assess(via="ftp")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("via", "shown"),
    [
        ("postgres", ["catalog", "statistics", "Auth and Storage", "samples", "references"]),
        ("rest", ["catalog", "ari_ai_comparison"]),
    ],
)
def test_what_it_looks_at_is_shown(bare: Stages, via: Via, shown: list[str]) -> None:
    events: list[Event] = []
    Migration(
        bare.project, data=bare.data, environment=bare.environment, on_event=events.append
    ).assess(via=via)
    begun = [event.table for event in events if (event.kind, event.stage) == ("start", "assess")]
    ended = [event.table for event in events if (event.kind, event.stage) == ("done", "assess")]
    assert begun == ended and begun[: len(shown)] == shown
    assert via == "postgres" or len(begun) == 1 + 16

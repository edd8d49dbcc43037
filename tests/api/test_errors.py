"""Errors have typed fields for what a program does about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from stages import (
    ConsentRequired,
    Declined,
    FileError,
    Migration,
    OverLimit,
    Question,
    SettingError,
    Shortfall,
    StagesError,
    Stopped,
    TooManyRejects,
    UserError,
    Verified,
)
from stages.errors import Transient
from stages.results import (
    Extracted,
    Loaded,
    RolledBack,
    TableExtracted,
    TableLoaded,
    TableRolledBack,
    TableVerified,
)
from stages.state.lock import data_lock
from tests.api.support import PRODUCTION, SETTINGS
from tests.support.command_line import ROOT
from tests.support.project_copies import edit_plan

DB_URL = "postgresql://u:p@127.0.0.1:9/x"

# ── tables ──────────────────────────────────────────────────────────────────────────────────


def test_an_unknown_table_is_named(transformed: Migration) -> None:
    with pytest.raises(UserError) as error:
        transformed.transform(["articles", "articels"])
    assert error.value.tables == ("articels",)


def test_a_table_that_is_not_loaded_is_named(transformed: Migration) -> None:
    with pytest.raises(StagesError) as error:
        transformed.verify("webinars")
    assert error.value.tables == ("webinars",)


# ── settings ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"CONVEX_URL": ""}, ("CONVEX_URL",)),
        ({"CONVEX_DEPLOY_KEY": ""}, ("CONVEX_DEPLOY_KEY", "MIGRATION_SECRET")),
        ({"CONVEX_DEPLOY_KEY": "prod:other|x"}, ("CONVEX_URL", "CONVEX_DEPLOY_KEY")),
        ({"CONVEX_URL": "", "CONVEX_SELF_HOSTED_URL": "x"}, ("CONVEX_SELF_HOSTED_URL",)),
        ({"MIGRATION_SECRET": "short"}, ("MIGRATION_SECRET",)),
        ({"SUPABASE_DB_URL": "x"}, ("SUPABASE_DB_URL",)),
        ({"SUPABASE_URL": "x", "SUPABASE_SERVICE_ROLE_KEY": "y"}, ("SUPABASE_URL",)),
        (
            {"SUPABASE_URL": "https://x.test", "SUPABASE_SERVICE_ROLE_KEY": "sb_publishable_x"},
            ("SUPABASE_SERVICE_ROLE_KEY",),
        ),
    ],
)
def test_a_setting_is_named(
    project: Path, change: Mapping[str, str], names: tuple[str, ...]
) -> None:
    migration = Migration(project, target="default", environment={**SETTINGS, **change})
    with pytest.raises(SettingError) as error:
        migration.settings()
    assert error.value.settings == names


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({"SHOP_DB": "x"}, "SHOP_DB"),
        ({"SHOP_DB": DB_URL}, "SHOP_URL"),
        (
            {"SHOP_DB": DB_URL, "SHOP_URL": "x", "MIGRATION_SECRET": "x" * 32},
            "SHOP_URL",
        ),
    ],
)
def test_a_setting_is_named_as_the_plan_renames_it(
    project: Path, environment: Mapping[str, str], name: str
) -> None:
    targets = '[targets.shop]\nsupabase_db_url = "SHOP_DB"\nconvex_url = "SHOP_URL"\n'
    edit_plan(project, "[tables.articles]\n", f"{targets}\n[tables.articles]\n")
    with pytest.raises(SettingError, match=f"^{name} is not ") as error:
        Migration(project, target="shop", environment=environment).settings()
    assert error.value.settings == (name,)


# ── files ───────────────────────────────────────────────────────────────────────────────────


def test_a_plan_error_has_file_and_line(project: Path) -> None:
    file = project / ".planning" / "migrations" / "plan.toml"
    edit_plan(project, "[tables.articles]\n", "[tables.articles]\norphan = 3\n")
    line = file.read_text("utf-8").splitlines().index("orphan = 3") + 1
    with pytest.raises(FileError) as error:
        Migration(project).status()
    assert (error.value.file, error.value.line) == (file, line)
    file.write_text("[tables\n", "utf-8")
    with pytest.raises(FileError) as error:
        Migration(project).status()
    assert (error.value.file, error.value.line) == (file, 1)
    file.unlink()
    with pytest.raises(FileError) as error:
        Migration(project).status()
    assert (error.value.file, error.value.line) == (file, None)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("    title,", "    titel,", "titel"),
        ("    title,", "    title, 1 AS nothing,", "nothing"),
        ("    title,", "    title || current_timestamp::VARCHAR AS title,", "current_timestamp"),
        ("    title,", "    ['a'] AS title,", "['a']"),
    ],
)
def test_a_model_error_has_file_and_line(
    transformed: Migration, old: str, new: str, line: str
) -> None:
    model = transformed.project / ".planning" / "migrations" / "models" / "articles.sql"
    text = model.read_text("utf-8")
    assert old in text
    model.write_text(text.replace(old, new), "utf-8")
    with pytest.raises(FileError) as error:
        transformed.transform(["articles"])
    lines = model.read_text("utf-8").splitlines()
    assert error.value.file == model
    assert error.value.line and line in lines[error.value.line - 1]


@pytest.mark.parametrize("text", ["\nexport default 3 +", "\nthrow new Error('no')"])
def test_an_error_in_the_schema_has_file_and_line(transformed: Migration, text: str) -> None:
    convex = transformed.project / "convex"
    convex.unlink()
    convex.mkdir()
    (convex / "node_modules").symlink_to(ROOT / "node_modules")
    (convex / "schema.ts").write_text(text, "utf-8")
    with pytest.raises(FileError) as error:
        transformed.transform()
    assert (error.value.file, error.value.line) == (convex / "schema.ts", 2)


# ── consent ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("consent", [None, True, "happy-otter-124"])
def test_consent_that_is_missing_has_the_question(
    production: Migration, consent: bool | str | None
) -> None:
    with pytest.raises(ConsentRequired) as error:
        production.load(consent=consent)
    assert error.value.question.deployment == PRODUCTION
    assert error.value.question.by_name
    assert isinstance(error.value, UserError)


def test_an_answer_of_no_has_the_question(production: Migration) -> None:
    asked: list[Question] = []

    def refuse(question: Question) -> bool:
        asked.append(question)
        return False

    with pytest.raises(Declined) as error:
        production.load(consent=refuse)
    assert [error.value.question] == asked


@pytest.mark.parametrize("consent", [None, True, "other-name"])
def test_rollback_asks_for_the_name_of_a_deployment_of_unknown_kind(
    production: Migration, monkeypatch: pytest.MonkeyPatch, consent: bool | str | None
) -> None:
    """MIGRATION_SECRET alone does not say whose documents these are: it may be production."""
    settings = {k: v for k, v in SETTINGS.items() if k != "CONVEX_DEPLOY_KEY"}
    unknown = Migration(
        production.project,
        data=production.workspace.data,
        target="default",
        environment={**settings, "MIGRATION_SECRET": "s" * 32},
    )

    def asking(*args: Any) -> dict[str, TableRolledBack]:
        confirm = args[5]
        confirm({"articles": 3})
        return {}

    monkeypatch.setattr("stages.rollback.rollback", asking)
    with pytest.raises(ConsentRequired) as error:
        unknown.rollback(["articles"], consent=consent)
    question = error.value.question
    assert question.by_name and question.deployment == PRODUCTION
    assert question.action == (
        f"delete from Convex {PRODUCTION}: 3 of articles: `{PRODUCTION}` may be a production "
        "deployment, as no deploy key says otherwise"
    )
    assert f" rollback articles --yes {PRODUCTION}" in (error.value.hint or "")
    assert unknown.rollback(["articles"], consent=PRODUCTION).tables == {}


# ── what falls short ────────────────────────────────────────────────────────────────────────


def test_a_limit_of_rejects_has_its_figures(transformed: Migration) -> None:
    edit_plan(transformed.project, "[tables.articles]\n", "[tables.articles]\nmax_rejects = 5\n")
    migration = Migration(
        transformed.project, data=transformed.workspace.data, target="sandbox", environment={}
    )
    result = migration.transform(["articles"])
    over = OverLimit(table="articles", rejects=6, rows=40, limit=5)
    assert result.over_limit == (over,)
    calls: list[Callable[[], Any]] = [result.raise_if_wrong, migration.load]
    for call in calls:
        with pytest.raises(TooManyRejects) as error:
            call()
        assert over in error.value.over_limit
        assert (error.value.tables, error.value.counts) == (("articles",), {"articles": 6})


SHORT: list[tuple[Any, tuple[str, ...], dict[str, int]]] = [
    (
        Extracted(
            transport="rest",
            tables={"a": TableExtracted(status="failed", rows=0, error="it broke")},
        ),
        ("a",),
        {},
    ),
    (
        Loaded(
            tables={
                "a": TableLoaded(status="complete", inserted=9),
                "b": TableLoaded(status="partial", inserted=1, refused=2, held_back=3, conflict=4),
            },
            failed={"c": "it broke"},
        ),
        ("c", "b"),
        {"b": 9},
    ),
    (
        Verified(
            tables={"a": TableVerified(missing=2, dangling=1, removed=7)},
            differences={"a": {"missing": 2, "dangling": 1}},
            moved={},
            folder=Path("verify"),
        ),
        ("a",),
        {"a": 3},
    ),
    (
        Verified(tables={}, differences={}, moved={"s": ("2 more rows",)}, folder=Path("verify")),
        ("s",),
        {},
    ),
    (
        RolledBack(
            tables={
                "a": TableRolledBack(removed=1, kept=2, gone=0),
                "b": TableRolledBack(removed=1, kept=0, gone=0),
            }
        ),
        ("a",),
        {"a": 2},
    ),
]


@pytest.mark.parametrize(("result", "tables", "counts"), SHORT)
def test_a_shortfall_has_tables_and_counts(
    result: Any, tables: tuple[str, ...], counts: dict[str, int]
) -> None:
    with pytest.raises(Shortfall) as error:
        result.raise_if_wrong()
    assert (error.value.tables, error.value.counts) == (tables, counts)


# ── what stopped ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("stage", "call"),
    [
        ("extract", lambda m: m.extract()),
        ("transform", lambda m: m.preview_transform(limit=1)),
        ("load", lambda m: m.load()),
        ("verify", lambda m: m.verify()),
        ("rollback", lambda m: m.rollback()),
        ("clean", lambda m: m.clean()),
    ],
)
def test_what_stopped_is_named(
    transformed: Migration, stage: str, call: Callable[[Migration], Any]
) -> None:
    with data_lock(transformed.workspace), pytest.raises(Stopped) as error:
        call(transformed)
    assert (error.value.stage, error.value.retry_after) == (stage, None)


def test_a_server_says_how_long_to_wait(
    transformed: Migration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pause that a rate limit asks for reaches whoever schedules the retry."""
    limit = Transient("the deployment answers 429", retry_after=30.0)
    assert limit.stopped("run again: stages load").retry_after == 30.0

    def limited(*_: Any) -> None:
        raise limit

    monkeypatch.setattr("stages.load.run.load", limited)
    with pytest.raises(Stopped) as error:
        transformed.load(["articles"])
    assert (error.value.stage, error.value.retry_after) == ("load", 30.0)

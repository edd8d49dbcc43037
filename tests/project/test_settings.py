"""Environment and .env.local: what is refused, what wins, and that no secret shows."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jwt
import pytest

from stages import Migration
from stages.consent import deletion, require_production
from stages.errors import SettingError, StagesError, UserError
from stages.load.pace import PRODUCTION_RATE, Rate
from stages.load.run import _rate
from stages.progress import Silent
from stages.project.plan import Plan
from stages.project.plan_reader import load_plan
from stages.project.settings import (
    Secret,
    Settings,
    convex_is_sandbox,
    load_settings,
    note_readable,
    read_environment,
    resolve_target,
)
from stages.retry import Backoff
from stages.sandbox import State
from tests.support.command_line import Stages
from tests.support.project_copies import copy_project

REF = "abcdefghijklmnopqrst"
OTHER = "zyxwvutsrqponmlkjihg"
SECRET = "0123456789abcdef" * 2


def service_key(**claims: Any) -> str:
    return jwt.encode({"role": "service_role", "ref": REF, **claims}, "x" * 32)


GOOD = {
    "SUPABASE_URL": f"https://{REF}.supabase.co",
    "SUPABASE_SERVICE_ROLE_KEY": service_key(),
    "SUPABASE_DB_URL": f"postgresql://postgres:pw@db.{REF}.supabase.co:5432/postgres",
    "CONVEX_URL": "https://fine-otter-123.convex.cloud",
    "CONVEX_DEPLOY_KEY": "dev:fine-otter-123|secret",
    "MIGRATION_SECRET": SECRET,
}


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    file = tmp_path / "plan.toml"
    file.write_text(
        "[tables.a]\n[targets.production]\nconvex_url = 'PROD_URL'\n"
        "convex_deploy_key = 'PROD_KEY'\nmigration_secret = 'PROD_SECRET'\n"
    )
    return load_plan(file)


def load(plan: Plan, changes: Mapping[str, str | None], target: str = "default") -> Settings:
    environment = {k: v for k, v in {**GOOD, **changes}.items() if v is not None}
    return load_settings(plan.file.parent, plan, target, environment)


def test_without_a_deployment_a_rehearsal_is_offered(plan: Plan) -> None:
    """The plan's own one, or how to get one."""
    with pytest.raises(SettingError) as error:
        load(plan, {"CONVEX_URL": None})
    assert str(error.value.hint).endswith(
        'add [targets.rehearsal] with convex = "sandbox" to the plan'
    )
    with plan.file.open("a") as file:
        file.write("[targets.rehearsal]\nconvex = 'sandbox'\n")
    with pytest.raises(SettingError) as error:
        load(load_plan(plan.file), {"CONVEX_URL": None})
    assert str(error.value.hint).endswith(": stages --target rehearsal check")


# ── refusals ────────────────────────────────────────────────────────────────────────────────

NO_SOURCE: dict[str, str | None] = {"SUPABASE_URL": None, "SUPABASE_DB_URL": None}
REFUSALS: list[tuple[str, dict[str, str | None], str]] = [
    ("no source", NO_SOURCE, "no source is set: SUPABASE_DB_URL, or SUPABASE_URL with"),
    ("no key", {"SUPABASE_SERVICE_ROLE_KEY": None, "SUPABASE_DB_URL": None}, "no source is set"),
    ("two projects by url",
     {"SUPABASE_DB_URL": f"postgresql://postgres:pw@db.{OTHER}.supabase.co/postgres"},
     f"two Supabase projects: SUPABASE_URL is of {REF}"),
    ("two projects by pooler",
     {"SUPABASE_DB_URL": f"postgresql://postgres.{OTHER}:pw@aws-0-eu.pooler.supabase.com:5432/p"},
     f"SUPABASE_DB_URL is of {OTHER}"),
    ("two projects by key", {"SUPABASE_SERVICE_ROLE_KEY": service_key(ref=OTHER)},
     f"SUPABASE_SERVICE_ROLE_KEY is of {OTHER}"),
    ("anon key", {"SUPABASE_SERVICE_ROLE_KEY": service_key(role="anon")},
     "SUPABASE_SERVICE_ROLE_KEY is a key of the role `anon`: row security would hide rows"),
    ("key without role", {"SUPABASE_SERVICE_ROLE_KEY": jwt.encode({"ref": REF}, "x" * 32)},
     "is a key of the role `None`"),
    ("publishable key", {"SUPABASE_SERVICE_ROLE_KEY": "sb_publishable_abc"},
     "SUPABASE_SERVICE_ROLE_KEY is a publishable key"),
    ("key of no kind", {"SUPABASE_SERVICE_ROLE_KEY": "hello"}, "neither an sb_secret_… key nor"),
    ("broken JWT", {"SUPABASE_SERVICE_ROLE_KEY": "a.%%%.c"}, "neither an sb_secret_… key nor"),
    ("JWT of another alphabet", {"SUPABASE_SERVICE_ROLE_KEY": "a.é.c"}, "neither an sb_secret_…"),
    ("expired key", {"SUPABASE_SERVICE_ROLE_KEY": service_key(exp=int(time.time()) - 60)},
     "SUPABASE_SERVICE_ROLE_KEY has expired"),
    ("url of no kind", {"SUPABASE_URL": REF}, "SUPABASE_URL is not an address"),
    ("plain http to Supabase", {"SUPABASE_URL": "http://example.org"},
     "SUPABASE_URL is not encrypted (http://example.org)"),
    ("db url of no kind", {"SUPABASE_DB_URL": "mysql://u:p@localhost/x"},
     "SUPABASE_DB_URL is not a postgresql:// address"),
    ("db url without host", {"SUPABASE_DB_URL": "postgresql:///x"},
     "SUPABASE_DB_URL is not a postgresql:// address"),
    ("Unix socket", {"SUPABASE_DB_URL": "postgresql:///x?host=/var/run/postgresql"},
     "SUPABASE_DB_URL names a Unix socket"),
    ("Unix socket as the host", {"SUPABASE_DB_URL": "postgresql://u:p@%2Fvar%2Frun/x"},
     "SUPABASE_DB_URL names a Unix socket"),
    ("password with a bare /", {"SUPABASE_DB_URL": "postgresql://u:12/3secret@db.host.co/x"},
     "SUPABASE_DB_URL is not a postgresql:// address"),
    ("password with a bare / and ?", {"SUPABASE_DB_URL": "postgresql://u:12/x?secret=y@host"},
     "SUPABASE_DB_URL is not a postgresql:// address"),
    ("port of no kind", {"SUPABASE_DB_URL": "postgresql://u:p@127.0.0.1:54x2/x"},
     "SUPABASE_DB_URL is not a postgresql:// address"),
    ("broken Supabase url", {"SUPABASE_URL": "https://[abc"}, "SUPABASE_URL is not an address"),
    ("broken Convex url", {"CONVEX_URL": "https://[abc"}, "CONVEX_URL is not an address"),
    ("plain text to Postgres",
     {"SUPABASE_DB_URL": f"postgresql://u:p@db.{REF}.supabase.co/x?sslmode=prefer"},
     "SUPABASE_DB_URL says sslmode=prefer"),
    ("TLS off", {"SUPABASE_DB_URL": f"postgresql://u:p@db.{REF}.supabase.co/x?sslmode=disable"},
     "SUPABASE_DB_URL says sslmode=disable"),
    ("TLS off, said later",
     {"SUPABASE_DB_URL": f"postgresql://u:p@db.{REF}.supabase.co/x?sslmode=require&sslmode=disable"},
     "SUPABASE_DB_URL says sslmode=disable"),
    ("TLS off, encoded",
     {"SUPABASE_DB_URL": f"postgresql://u:p@db.{REF}.supabase.co/x?ssl%6Dode=disable"},
     "SUPABASE_DB_URL says sslmode=disable"),
    ("TLS off to another host",
     {"SUPABASE_DB_URL": "postgresql://u:p@127.0.0.1/x?host=db.example.org&sslmode=disable"},
     "SUPABASE_DB_URL says sslmode=disable"),
    ("a parameter of another client",
     {"SUPABASE_DB_URL": f"postgresql://u:p@db.{REF}.supabase.co/x?pgbouncer=true"},
     "SUPABASE_DB_URL has the parameter `pgbouncer`, which libpq does not know"),
    ("no deployment", {"CONVEX_URL": None}, "CONVEX_URL is not set"),
    ("no channel", {"CONVEX_DEPLOY_KEY": None, "MIGRATION_SECRET": None},
     "neither CONVEX_DEPLOY_KEY nor MIGRATION_SECRET is set"),
    ("short secret", {"MIGRATION_SECRET": "x" * 31},
     "MIGRATION_SECRET is shorter than 32 characters"),
    ("key of another deployment", {"CONVEX_DEPLOY_KEY": "dev:sad-mole-9|s"},
     "the deploy key is of `sad-mole-9`, the address of `fine-otter-123`"),
    ("key without bar", {"CONVEX_DEPLOY_KEY": "dev:fine-otter-123"}, "has no `|` in it"),
    ("plain http to Convex", {"CONVEX_URL": "http://convex.example.org"},
     "CONVEX_URL is not encrypted (http://convex.example.org)"),
    ("convex url of no kind", {"CONVEX_URL": "fine-otter-123"}, "CONVEX_URL is not an address"),
    ("user in the Convex url", {"CONVEX_URL": "https://moe:pw@fine-otter-123.convex.cloud"},
     "CONVEX_URL has a user or a password in it"),
    ("user in the Supabase url", {"SUPABASE_URL": f"https://moe:pw@{REF}.supabase.co"},
     "SUPABASE_URL has a user or a password in it"),
    ("user in the site url", {"CONVEX_SITE_URL": "https://moe:pw@fine-otter-123.convex.site"},
     "CONVEX_SITE_URL has a user or a password in it"),
    ("path of the API", {"SUPABASE_URL": f"https://{REF}.supabase.co/rest/v1/"},
     "SUPABASE_URL has the path /rest/v1 in it"),
    ("plain http to the site", {"CONVEX_SITE_URL": "http://fine-otter-123.convex.site"},
     "CONVEX_SITE_URL is not encrypted (http://fine-otter-123.convex.site)"),
    ("site of no kind", {"CONVEX_SITE_URL": "fine-otter-123.convex.site"},
     "CONVEX_SITE_URL is not an address"),
    ("site of another deployment", {"CONVEX_SITE_URL": "https://sad-mole-9.convex.site"},
     "CONVEX_SITE_URL is at sad-mole-9.convex.site, which is not the deployment at "
     "fine-otter-123.convex.cloud"),
    ("site of another region",
     {"CONVEX_SITE_URL": "https://fine-otter-123.eu-west-1.convex.site"}, "is not the deployment"),
    ("site of nobody knows whom", {"CONVEX_SITE_URL": "https://attic.example.org"},
     "is not the deployment at fine-otter-123.convex.cloud"),
    ("TLS off at an address of its own",
     {"SUPABASE_DB_URL": "postgresql://u:p@localhost/x?hostaddr=203.0.113.9&sslmode=prefer"},
     "SUPABASE_DB_URL says sslmode=prefer"),
    ("TLS off in a service file",
     {"SUPABASE_DB_URL": "postgresql://u:p@127.0.0.1/x?service=shop&sslmode=disable"},
     "SUPABASE_DB_URL says sslmode=disable"),
    ("a mode of another client",
     {"SUPABASE_DB_URL": f"postgresql://u:p@db.{REF}.supabase.co/x?sslmode=no-verify"},
     "SUPABASE_DB_URL says sslmode=no-verify, which libpq does not know"),
    ("a mode of another client, here",
     {"SUPABASE_DB_URL": "postgresql://u:p@127.0.0.1/x?sslmode=no-verify"},
     "sslmode=no-verify, which libpq does not know"),
    ("a # in the password", {"SUPABASE_DB_URL": "postgresql://moe:pw#Secret@db.host.co:5432/x"},
     "SUPABASE_DB_URL is not a postgresql:// address"),
    ("a # behind the password", {"SUPABASE_DB_URL": "postgresql://moe:pw@db.host.co/x#y"},
     "SUPABASE_DB_URL is not a postgresql:// address"),
]  # fmt: skip

REFUSALS += [
    (f"a parameter of another client: {name}",
     {"SUPABASE_DB_URL": f"postgresql://u:p@db.{REF}.supabase.co/x?{name}=1"},
     f"SUPABASE_DB_URL has the parameter `{name}`, which libpq does not know")
    for name in ("connection_limit", "schema", "pool-mode")
]  # fmt: skip

REFUSALS += [
    (f"password with a bare {sign}", {"SUPABASE_DB_URL": f"postgresql://u:pa{sign}ss[w@h:1/x"},
     "SUPABASE_DB_URL is not a postgresql:// address")
    for sign in "/#?@[]"
]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "words"), [r[1:] for r in REFUSALS], ids=[r[0] for r in REFUSALS]
)
def test_refusal(plan: Plan, changes: dict[str, str | None], words: str) -> None:
    with pytest.raises(UserError) as error:
        load(plan, changes)
    assert error.value.exit_code == 2
    assert words in error.value.message
    message = str(error.value)
    for name, value in {**GOOD, **changes}.items():
        if value and ("KEY" in name or "SECRET" in name):
            assert value not in message, name
    assert "pw" not in message and "Secret" not in message
    assert "ss[w" not in message and "u:pa" not in message


def test_unknown_target_and_bad_names(plan: Plan) -> None:
    with pytest.raises(UserError, match=r"the plan has no \[targets\.staging\]"):
        resolve_target(plan.file.parent, plan, "staging", {})
    for name in ("a/b", "..", "-x", "a b", ".hidden"):
        with pytest.raises(UserError, match="is not a target's name"):
            resolve_target(plan.file.parent, plan, name, {})


# ── what is accepted ────────────────────────────────────────────────────────────────────────


def test_all_of_it(plan: Plan) -> None:
    settings = load(plan, {})
    assert settings.source.ref == REF
    assert settings.source.url == f"https://{REF}.supabase.co"
    target = settings.target
    assert (target.deployment, target.url, target.site_url, target.production) == (
        "fine-otter-123", "https://fine-otter-123.convex.cloud",
        "https://fine-otter-123.convex.site", False,
    )  # fmt: skip
    assert target.admin_key and target.admin_key.reveal() == GOOD["CONVEX_DEPLOY_KEY"]


def test_either_source_is_enough(plan: Plan) -> None:
    by_db = load(plan, {"SUPABASE_URL": None, "SUPABASE_SERVICE_ROLE_KEY": None})
    assert (by_db.source.ref, by_db.source.url) == (REF, None)
    by_rest = load(plan, {"SUPABASE_DB_URL": None, "SUPABASE_SERVICE_ROLE_KEY": "sb_secret_x"})
    assert (by_rest.source.ref, by_rest.source.db_url) == (REF, None)
    pooled = f"postgresql://postgres.{REF}:pw@aws-0-eu.pooler.supabase.com:6543/postgres"
    assert load(plan, {"SUPABASE_DB_URL": pooled}).source.ref == REF


def test_plain_text_on_this_machine_only(plan: Plan) -> None:
    here = {
        "SUPABASE_URL": None,
        "SUPABASE_DB_URL": "postgresql://u:p@127.0.0.1:5432/x?sslmode=disable",
        "CONVEX_URL": None,
        "CONVEX_DEPLOY_KEY": None,
        "CONVEX_SELF_HOSTED_URL": "http://localhost:3210",
        "CONVEX_SELF_HOSTED_ADMIN_KEY": "convex-self-hosted|0a",
        "CONVEX_SITE_URL": "http://localhost:3211/",
    }
    settings = load(plan, here)
    assert settings.source.ref == "127.0.0.1:5432/x"
    target = settings.target
    assert (target.url, target.site_url) == ("http://localhost:3210", "http://localhost:3211")
    assert target.deployment == "convex-self-hosted"


def test_site_address_is_taken_for_the_deployment(plan: Plan) -> None:
    for url in (
        "https://fine-otter-123.convex.site", "https://fine-otter-123.convex.cloud/",
    ):  # fmt: skip
        target = load(plan, {"CONVEX_URL": url}).target
        assert target.url == "https://fine-otter-123.convex.cloud"
        assert target.site_url == "https://fine-otter-123.convex.site"
    regional = load(plan, {"CONVEX_URL": "https://fine-otter-123.eu-west-1.convex.cloud"}).target
    assert regional.site_url == "https://fine-otter-123.eu-west-1.convex.site"


def test_target_renames_settings(plan: Plan) -> None:
    production = {"PROD_URL": "https://calm-fox-7.convex.cloud", "PROD_KEY": "prod:calm-fox-7|s"}
    target = load(plan, production, "production").target
    assert (target.deployment, target.production, target.secret) == ("calm-fox-7", True, None)
    # The plain names are the default target's; they must not be used for another by mistake.
    with pytest.raises(UserError, match="PROD_URL is not set"):
        load(plan, {}, "production")
    with pytest.raises(UserError, match="neither PROD_KEY nor PROD_SECRET is set"):
        load(plan, {"PROD_URL": production["PROD_URL"]}, "production")


def test_site_of_a_self_hosted_deployment(plan: Plan) -> None:
    """Of this machine, of the same host, or another name of its domain; nothing else."""

    def site(api: str, given: str, key: str = "convex-self-hosted|0a") -> str | None:
        settings = {"CONVEX_URL": api, "CONVEX_SITE_URL": given, "CONVEX_DEPLOY_KEY": key}
        return load(plan, settings).target.site_url

    api = "https://api.shop.example.com"
    for given in ("https://api.shop.example.com:3211", "https://site.shop.example.com",
                  "https://shop.example.com/http"):  # fmt: skip
        assert site(api, f"{given}/") == given
    assert site("http://127.0.0.1:3210", "http://localhost:3211") == "http://localhost:3211"
    # A cloud deployment behind a domain of its own is known by its key.
    own = "https://calm-fox-7.convex.site"
    assert site(api, own, "prod:calm-fox-7|s") == own
    for other in (
        "https://example.com", "https://api.shop.example.org", "https://1.2.3.5", "http://[::1]:1",
        "https://sad-mole-9.convex.site",
    ):  # fmt: skip
        with pytest.raises(UserError, match="is not the deployment at api"):
            site(api, other)
    with pytest.raises(UserError, match=r"is not the deployment at 1\.2\.3\.4"):
        site("https://1.2.3.4", "https://1.2.3.5")


# ── production ──────────────────────────────────────────────────────────────────────────────


def test_production_needs_its_name(plan: Plan) -> None:
    production = load(plan, {"CONVEX_DEPLOY_KEY": "prod:fine-otter-123|s"}).target
    for consent in (None, False, True, "", "yes", "fine-otter-12", "Fine-Otter-123"):
        with pytest.raises(UserError, match="`fine-otter-123` is a production deployment") as error:
            require_production(consent, production, "load")
        assert (error.value.hint or "").startswith("confirm with: stages load --yes fine-otter-123")
    require_production("fine-otter-123", production, "load")
    require_production(None, load(plan, {}).target, "load")


def test_production_is_refused_before_anything_is_sent(
    supabase: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address is one that nobody answers: consent is asked for first."""
    stages = Stages(tmp_path / "data", "default", copy_project(tmp_path / "project"))
    stages.environment = {
        "SUPABASE_DB_URL": supabase.source.db_url,
        "CONVEX_URL": "http://127.0.0.1:9",
        "CONVEX_DEPLOY_KEY": "prod:fine-otter-123|s",
    }
    done = stages.run("load", code=2)
    assert "`fine-otter-123` is a production deployment" in done.stderr
    assert "stages load --yes fine-otter-123" in done.stderr
    done = stages.run("load", "--yes", "fine-otter-12", code=2)
    assert "is a production deployment" in done.stderr
    # With its name, it goes on to the next thing that is wrong.
    monkeypatch.setattr(Backoff, "delay", lambda *_: 0.01)
    migration = Migration(
        stages.project, data=stages.data, target="default", environment=stages.environment
    )
    with pytest.raises(StagesError, match="did not answer"):
        migration.load(consent="fine-otter-123")


def test_a_deployment_of_unknown_kind_is_treated_as_production(plan: Plan, tmp_path: Path) -> None:
    """MIGRATION_SECRET alone does not say whose documents these are."""
    unknown = load(plan, {"CONVEX_DEPLOY_KEY": None}).target
    assert (unknown.production, unknown.certain) == (True, False)
    with pytest.raises(UserError, match="`fine-otter-123` may be a production deployment") as error:
        require_production(True, unknown, "load")
    assert (error.value.hint or "").startswith("confirm with: stages load --yes fine-otter-123")
    asked = deletion(unknown, "delete", "rollback")
    assert asked.by_name and "may be a production deployment" in asked.action
    assert _rate(unknown, Rate(), Silent()).bytes == PRODUCTION_RATE
    # A key of no kind that is known says nothing, either.
    for key in ("fine-otter-123|0a", "project:team:shop|s"):
        assert load(plan, {"CONVEX_DEPLOY_KEY": key}).target.production
    for key in ("dev:fine-otter-123|s", "preview:team:shop|s"):
        assert not load(plan, {"CONVEX_DEPLOY_KEY": key}).target.production
    here = {"CONVEX_URL": "http://127.0.0.1:3210", "CONVEX_DEPLOY_KEY": None}
    assert not load(plan, here).target.production
    stages = Stages(tmp_path / "data", "default", copy_project(tmp_path / "project"))
    stages.environment = {k: v for k, v in GOOD.items() if k != "CONVEX_DEPLOY_KEY"}
    for command in (("load",), ("load", "--prune"), ("clean", "--ledger"), ("clean", "--all")):
        done = stages.run(*command, "--yes", "other-name", code=2)
        assert "`fine-otter-123` may be a production deployment" in done.stderr, command
        assert f"stages {' '.join(command)} --yes fine-otter-123" in done.stderr


# ── where settings come from ────────────────────────────────────────────────────────────────


def test_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env.local").write_text(
        "CONVEX_URL=https://from-file.convex.cloud\n"
        "# a comment\nexport MIGRATION_SECRET='quoted # not a comment'\nSUPABASE_URL=\n"
    )
    monkeypatch.delenv("MIGRATION_SECRET", raising=False)
    monkeypatch.delenv("SUPABASE_URL", raising=False)
    monkeypatch.setenv("CONVEX_URL", "https://from-environment.convex.cloud")
    environment = read_environment(tmp_path)
    assert environment["CONVEX_URL"] == "https://from-environment.convex.cloud"
    quoted = "quoted # not a comment"
    assert environment["MIGRATION_SECRET"] == quoted
    assert "SUPABASE_URL" not in environment, "an empty entry is no setting"


def test_a_file_that_others_can_read_is_reported(plan: Plan) -> None:
    file = plan.file.parent / ".env.local"
    assert note_readable(file.parent) is None
    file.write_text("")
    for mode, shown in ((0o600, False), (0o640, True), (0o604, True), (0o622, False)):
        file.chmod(mode)
        note = note_readable(file.parent)
        assert (note is not None) == shown
        assert note is None or (f"mode {mode:o}" in note and f"chmod 600 {file}" in note)


def test_project_without_settings_is_refused(tmp_path: Path) -> None:
    """The sandbox is used by itself in this repository only."""
    stages = Stages(tmp_path / "data", "default", copy_project(tmp_path / "project"))
    done = stages.run("extract", code=2)
    assert "no source is set" in done.stderr
    assert "stages --target sandbox check" in done.stderr


def test_file_of_the_project_is_used(tmp_path: Path) -> None:
    stages = Stages(tmp_path / "data", "default", copy_project(tmp_path / "project"))
    (stages.project / ".env.local").write_text(
        f"SUPABASE_URL=https://{REF}.supabase.co\nSUPABASE_SERVICE_ROLE_KEY=sb_publishable_x\n"
    )
    (stages.project / ".env.local").chmod(0o644)
    done = stages.run("extract", code=2)
    assert "SUPABASE_SERVICE_ROLE_KEY is a publishable key" in done.stderr
    assert "other users of this machine can read" in done.stderr
    stages.environment = {"SUPABASE_SERVICE_ROLE_KEY": "sb_secret_x"}
    assert "CONVEX_URL is not set" in stages.run("extract", code=2).stderr


# ── secrets ─────────────────────────────────────────────────────────────────────────────────


def test_secrets_do_not_show(plan: Plan) -> None:
    settings = load(plan, {})
    shown = f"{settings!r} {settings} {settings.source.key} {vars(settings.target)}"
    assert "***" in shown
    for name in ("SUPABASE_SERVICE_ROLE_KEY", "CONVEX_DEPLOY_KEY", "MIGRATION_SECRET"):
        assert GOOD[name] not in shown
    assert ":pw@" not in shown
    assert f"{Secret('x')!r} {Secret('x')} {[Secret('x')]}" == "*** *** [***]"
    assert Secret("x").reveal() == "x"


# ── this repository ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("pyproject", "target"),
    [
        ('[project]\nname = "supabase-to-convex"\n', "sandbox"),
        ('[project]\nname = "shop"\n', "default"),
        ('project = "supabase-to-convex"\n', "default"),
        ("[project\n", "default"),
        (None, "default"),
    ],
)
def test_this_repository_is_known_by_its_name(
    plan: Plan, tmp_path: Path, pyproject: str | None, target: str
) -> None:
    if pyproject is not None:
        (tmp_path / "pyproject.toml").write_text(pyproject)
    assert resolve_target(tmp_path, plan, None, {}) == target
    assert resolve_target(tmp_path, plan, None, GOOD) == "default"


@pytest.mark.parametrize(
    ("targets", "target", "is_sandbox"),
    [
        ("", "sandbox-b", True),
        ("", None, False),
        ("[targets.own]\nconvex = 'sandbox'\n", "own", True),
        ("default_target = 'own'\n[targets.own]\nconvex = 'sandbox'\n", None, True),
        ("[targets.sandbox]\nconvex_url = 'DEV_URL'\n", "sandbox", False),
    ],
)
def test_whether_convex_is_a_sandbox(
    tmp_path: Path, targets: str, target: str | None, is_sandbox: bool
) -> None:
    """By its name, or by the plan, which goes before."""
    file = tmp_path / "plan.toml"
    file.write_text(f"{targets}[tables.a]\n")
    assert convex_is_sandbox(tmp_path, load_plan(file), target, GOOD) == is_sandbox

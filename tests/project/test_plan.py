"""plan.toml: what it may hold, every refusal by name, table selection and order."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stages.errors import UserError
from stages.project.plan import Plan, allowed_rejects
from stages.project.plan_reader import load_plan
from stages.project.settings import resolve_target
from tests.support.command_line import ROOT, Stages


def plan_of(folder: Path, text: str) -> Plan:
    file = folder / "plan.toml"
    file.write_text(text, "utf-8")
    return load_plan(file)


ONE = "[tables.articles]\n"

REFUSALS = [
    ("= 3", "plan.toml, line 1: Invalid"),
    ("", "there is no [tables.NAME]"),
    ("tables = 3", "[tables] is not a table"),
    ("[tables]\narticles = 3", "[tables.articles] is not a table"),
    (f"unknown = 1\n{ONE}", "the plan has an unknown entry `unknown`"),
    (f"{ONE}sauce = 'x'", "[tables.articles] has an unknown entry `sauce`"),
    (f"{ONE}source = ''", "[tables.articles]: `source` is not a text"),
    (f"{ONE}source = 3", "[tables.articles]: `source` is not a text"),
    (f"{ONE}source = 'public.articles'", "`source` must be the NAME of a [sources.NAME]"),
    (f"{ONE}model = 3", "[tables.articles]: `model` is not a text"),
    (f"{ONE}function = []", "[tables.articles]: `function` is not a text"),
    (f"{ONE}grain = 'rows'", "`grain` must be one of row, derived, not 'rows'"),
    (f"{ONE}orphans = 'null'", "`orphans` is not a table of field = rule"),
    (f"{ONE}orphans = {{a = 'x'}}", "`a` must be one of reject, null, fail, drop, not 'x'"),
    (f"{ONE}keep_null = 'a'", "`keep_null` is not a list of texts"),
    (f"{ONE}keep_null = [1]", "`keep_null` is not a list of texts"),
    (f"{ONE}from = 'a'", "`from` is not a table of field = source column"),
    (f"{ONE}from = {{a = 3}}", "`from` is not a table of field = source column"),
    (f"{ONE}values = 3", "`values` must be a table of field"),
    (f"{ONE}values = {{a = {{}}}}", "`values` must be a table of field"),
    (f"{ONE}values = {{a = {{b = 1}}}}", "all of them texts"),
    (f"{ONE}unique = ['email']", "`unique` must be a list of lists of fields"),
    (f"{ONE}unique = [[]]", "`unique` must be a list of lists of fields"),
    (f"{ONE}creation_time = ['a']", "[tables.articles]: `creation_time` is not a text"),
    (f"{ONE}order_by = 'a'", "[tables.articles]: `order_by` is not a list of texts"),
    (f"{ONE}[side.map]\nof = 'articles'", "[side.map]: `keys` is not a text"),
    (f"{ONE}[side.map]\nkeys = 'id'", "[side.map]: `of` is not a text"),
    (f"{ONE}[side.map]\nkeys = 'id'\nof = 'nowhere'", "`of` names `nowhere`, which is no source"),
    (f"{ONE}[side.map]\nkeys = 'id'\nof = 'articles'\norphans = 'x'", "one of fail, report"),
    (f"{ONE}[sources.articles]\nunused = 'a'", "`unused` is not a list of texts"),
    (f"{ONE}max_rejects = -1", "[tables.articles]: max_rejects must be a number, or a share"),
    (f"{ONE}max_rejects = true", "max_rejects must be a number, or a share"),
    (f"{ONE}max_rejects = '2'", "max_rejects must be a number, or a share"),
    (f"max_rejects = 'all'\n{ONE}", "max_rejects: max_rejects must be a number, or a share"),
    (f"max_rejects = 0.5\n{ONE}", "max_rejects must be a number, or a share"),
    (f"report = 3\n{ONE}", "[report] is not a table"),
    (f"{ONE}[report]\nxml = 'x'", "[report] has an unknown entry `xml`"),
    (f"{ONE}[report]\njson = 1", "[report]: `json` is not a text"),
    (f"{ONE}[sources]\n'a b' = {{}}", "[sources.a b]: a name has letters, digits, _ and - only"),
    (f"{ONE}[sources.'../x']", "a name has letters, digits, _ and - only"),
    (f"{ONE}[sources.Articles]\n[sources.articles]", "differ only in case"),
    ("[tables.articles]\n[tables.Articles]", "differ only in case"),
    (
        f"{ONE}[sources.articles]\nkeys = ['id']",
        "[sources.articles] has an unknown entry `keys`; is it `key`?",
    ),
    (f"{ONE}[tables.articles.orphan]", "has an unknown entry `orphan`; is it `orphans`?"),
    (f"{ONE}[sources.articles]\nkey = 'id'", "`key` is not a list of texts"),
    (f"{ONE}[sources.articles]\nas_text = [1]", "`as_text` is not a list of texts"),
    (f"{ONE}[sources.articles]\nwhere = ''", "[sources.articles]: `where` is not a text"),
    (f"{ONE}[sources.articles]\ntable = 5", "[sources.articles]: `table` is not a text"),
    (f"{ONE}[sources.articles]\nkey = ['id']\nexclude = ['id']", "a key column is excluded"),
    (f"{ONE}[sources.articles]\non_missing = 'skip'", "`on_missing` must be one of report, fail"),
    (f"{ONE}[reference.w]\nkeys = 'keys/w.sql'", "[reference.w]: `keys` needs the `source`"),
    (f"{ONE}[reference.w]\nsource = 3", "[reference.w]: `source` is not a text"),
    (f"{ONE}[reference.w]\nsource = 'a.b'", "`source` must be the NAME of a [sources.NAME]"),
    (f"{ONE}[reference.w]\nkey = 'x'", "[reference.w] has an unknown entry `key`"),
    (f"{ONE}[reference.articles]", "`articles` is both in [reference] and in [tables]"),
    (f"{ONE}[targets.production]\nurl = 'X'", "[targets.production] has an unknown entry `url`"),
    (f"{ONE}[targets.'a/b']", "[targets.a/b]: a name has letters"),
]


@pytest.mark.parametrize(("text", "words"), REFUSALS, ids=[words for _, words in REFUSALS])
def test_refusal_names_the_entry(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UserError) as error:
        plan_of(tmp_path, text)
    assert error.value.exit_code == 2
    assert words in error.value.message
    assert re.match(r"plan\.toml(, line \d+)?: ", error.value.message)
    assert error.value.hint == f"edit {tmp_path / 'plan.toml'}"


LINES = [
    ("name = 'x'\n[tables.a]\n\nsauce = 1\n", 4),
    ("[tables.a]\n[tables.b]\n# source\nsource = ''\n", 4),
    ("[tables.a]\norphans = { b = 'null',\n  c = 'no' }\n", 2),
    ("[tables.a]\n[tables.a.orphans]\nb = 'null'\nc = 'no'\n", 4),
    ("[tables.a]\norphans.c = 'no'\n", 2),
    ("[tables.a]\n[ tables . 'b' ]\ngrain = 1\n", 3),
    ("tables = { a = { grain = 1 } }\n", 1),
    ("[tables.a]\nkeep_null = [\n", 2),
]


@pytest.mark.parametrize(("text", "line"), LINES)
def test_refusal_names_the_line(tmp_path: Path, text: str, line: int) -> None:
    with pytest.raises(UserError) as error:
        plan_of(tmp_path, text)
    match = re.match(r"plan\.toml(?:, line (\d+))?: ", error.value.message)
    assert match and match[1] == str(line)


def test_missing_and_unreadable_plans(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no plan: .*plan\.toml is missing"):
        load_plan(tmp_path / "plan.toml")
    (tmp_path / "plan.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(UserError, match=r"plan\.toml, line 1: the file is not UTF-8"):
        load_plan(tmp_path / "plan.toml")


def test_refusal_is_exit_2_with_the_way_out(stages: Stages, tmp_path: Path) -> None:
    stages.project = tmp_path / "project"
    assert "there is no plan" in stages.run("status", code=2).stderr
    migrations = stages.project / ".planning" / "migrations"
    migrations.mkdir(parents=True)
    (migrations / "plan.toml").write_text("[tables.articles]\nsauce = 1\n")
    done = stages.run("status", code=2)
    assert done.stdout == ""
    assert "[tables.articles] has an unknown entry `sauce`" in done.stderr
    assert f"→ edit {migrations / 'plan.toml'}" in done.stderr


# ── what is meant where nothing is said ─────────────────────────────────────────────────────


def test_defaults(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "[tables.ariPayments]\nsource = 'ari_payments'")
    table = plan.tables["ariPayments"]
    assert (table.model, table.function, table.grain) == (
        "models/ariPayments.sql", "migrate:bulkInsertAriPayments", "row",
    )  # fmt: skip
    assert plan.max_rejects == 0
    source = plan.sources["ari_payments"]
    assert (source.schema, source.table, source.key, source.on_missing) == (
        "public", "ari_payments", (), "report",
    )  # fmt: skip


def test_entries_are_read(tmp_path: Path) -> None:
    plan = plan_of(
        tmp_path,
        """
        module = "loader"
        max_rejects = "2.5%"
        [sources.old]
        table = "legacy.Old Table"
        key = ["a", "b"]
        where = "a > 0"
        exclude = ["c"]
        as_text = ["d"]
        on_missing = "fail"
        [reference.people]
        source = "users"
        keys = "keys/people.sql"
        [tables.fresh]
        source = "old"
        grain = "derived"
        orphans = { parent = "null" }
        from = { name = "title" }
        max_rejects = 3
        creation_time = "created_at"
        unique = [["email"], ["shop", "slug"]]
        values = { status = { Active = "active", "" = "draft" } }
        [side.map]
        keys = "id"
        of = "old"
        of_column = "email"
        [targets.production]
        convex_url = "PROD_CONVEX_URL"
        """,
    )
    old = plan.sources["old"]
    assert (old.schema, old.table, old.key, old.where) == (
        "legacy", "Old Table", ("a", "b"), "a > 0",
    )  # fmt: skip
    assert (old.exclude, old.as_text, old.on_missing) == (("c",), ("d",), "fail")
    assert set(plan.sources) == {"old", "users"}
    fresh = plan.tables["fresh"]
    assert fresh.function == "loader:bulkInsertFresh"
    assert (fresh.orphans, fresh.lineage, fresh.max_rejects) == (
        {"parent": "null"}, {"name": "title"}, 3,
    )  # fmt: skip
    assert (fresh.creation_time, fresh.order_by) == ("created_at", ("created_at",))
    assert fresh.unique == (("email",), ("shop", "slug"))
    assert fresh.values == {"status": {"Active": "active", "": "draft"}}
    side = plan.sides["map"]
    assert (side.keys, side.of, side.of_column, side.orphans) == ("id", "old", "email", "fail")
    assert plan.targets == {"production": {"convex_url": "PROD_CONVEX_URL"}}


def test_limits_of_rejects() -> None:
    assert allowed_rejects(0, 1000) == 0
    assert allowed_rejects(7, 10) == 7
    assert allowed_rejects("15%", 100) == 15
    assert allowed_rejects("2.5%", 100) == 2
    assert allowed_rejects("29%", 100) == 29, "a share is exact, not a float"
    assert allowed_rejects("50%", 1) == 0
    assert allowed_rejects("100%", 3) == 3


# ── which tables ────────────────────────────────────────────────────────────────────────────

CROSSED = """
[tables.people]
source = "users"
[tables.users]
source = "accounts"
[tables.first]
source = "shared"
[tables.second]
source = "shared"
"""


def names(plan: Plan, *chosen: str) -> list[str]:
    return [table.name for table in plan.select_tables(chosen)]


def test_tables_by_either_name(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, CROSSED)
    assert names(plan) == ["people", "users", "first", "second"]
    assert names(plan, "accounts") == ["users"]
    assert names(plan, "people") == ["people"]
    assert names(plan, "first", "first") == ["first"]


def test_ambiguous_table_shows_both(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, CROSSED)
    for name, meant in {"users": ("people", "users"), "shared": ("first", "second")}.items():
        with pytest.raises(UserError, match=f"`{name}` means more than one table") as error:
            names(plan, name)
        assert error.value.exit_code == 2
        assert all(f"→{each}" in error.value.message for each in meant)
        # As the message writes it, each of them can be named.
        assert [names(plan, full) for full in error.value.message.split(": ")[1].split(", ")] == [
            [each] for each in meant
        ]
    with pytest.raises(UserError, match=r"`nobody` is neither a source nor a target of the plan\n"):
        names(plan, "nobody")


def test_an_unknown_name_is_answered_with_the_nearest(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "[tables.ariPayments]\nsource = 'ari_payments'\n[tables.articles]\n")
    for name, near in {"artcles": "articles", "AriPayment": "ariPayments"}.items():
        for select in (plan.select_tables, plan.select_sources):
            with pytest.raises(UserError, match=f"of the plan; is it `(ari_payments|{near})`\\?"):
                select([name])
    plan = plan_of(tmp_path, f"{ONE}[targets.production]\nconvex_url = 'P'")
    for target, near in {"prodution": "production", "sandbax": "sandbox"}.items():
        with pytest.raises(UserError, match=f"no \\[targets.{target}\\]; is it `{near}`\\?"):
            resolve_target(tmp_path, plan, target, {})


def test_sources_by_either_name(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, CROSSED + "[reference.orgs]\nsource = 'organisations'\n")

    def sources(*chosen: str) -> list[str]:
        return [source.name for source in plan.select_sources(chosen)]

    assert sources() == ["users", "accounts", "shared", "organisations"]
    assert sources("shared") == ["shared"]
    assert sources("first", "second") == ["shared"]
    assert sources("organisations") == ["organisations"]
    with pytest.raises(UserError, match="`users` ") as error:
        sources("users")
    assert "accounts" in error.value.message


def test_globs_and_exclusion(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "".join(f"[tables.{n}]\n" for n in ("ari_a", "ari_b", "other")))

    def chosen(*wanted: str, exclude: tuple[str, ...] = ()) -> tuple[list[str], list[str]]:
        return (
            [table.name for table in plan.select_tables(wanted, exclude)],
            [source.name for source in plan.select_sources(wanted, exclude)],
        )

    assert chosen("ari_*") == (["ari_a", "ari_b"], ["ari_a", "ari_b"])
    assert chosen("ari_*", exclude=("ari_b",)) == (["ari_a"], ["ari_a"])
    assert chosen(exclude=("ari_*",)) == (["other"], ["other"])
    assert chosen("other", "ari_a") == (["ari_a", "other"], ["ari_a", "other"])
    for none in (("x*",), ("ari",)):
        with pytest.raises(UserError, match="is neither a source nor a target"):
            chosen(*none)
        with pytest.raises(UserError, match="is neither a source nor a target"):
            chosen(exclude=none)


def test_unknown_table_is_exit_2_in_every_command(stages: Stages) -> None:
    for command in ("extract", "transform", "rejects", "load", "verify"):
        done = stages.run(command, "nobody", code=2)
        assert "`nobody` is neither a source nor a target of the plan" in done.stderr
        assert "ari_payments" in done.stderr or "ariPayments" in done.stderr, "what there is"


def test_the_shipped_plan_is_good() -> None:
    plan = load_plan(ROOT / ".planning" / "migrations" / "plan.toml")
    assert len(plan.tables) == 13
    assert set(plan.references) == {"workspaces", "contacts", "ariConversations", "organizations"}

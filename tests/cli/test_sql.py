"""data/stages.duckdb in the duckdb shell: before the first part, during a run, and after."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from stages.convex.schema import Schema
from stages.convex.values import Shape, shapes
from stages.project.plan_reader import load_plan
from stages.sandbox import State
from stages.sql import name_sql
from tests.support.command_line import ROOT, Stages
from tests.support.project_copies import copy_data, copy_project, loaded_once

SHELL = shutil.which("duckdb", path=sysconfig.get_path("scripts")) or "duckdb"
PLAN = load_plan(ROOT / ".planning" / "migrations" / "plan.toml")
JAKARTA = "Asia/Jakarta"


def shell(database: Path, sql: str, zone: str | None = None, code: int = 0) -> list[dict[str, Any]]:
    """Rows of the last query in the duckdb shell, as a user starts it."""
    ran = subprocess.run(
        [SHELL, "-readonly", "-json", "-bail", str(database)],
        input=(f"SET TimeZone = '{zone}';\n" if zone else "") + sql,
        capture_output=True, text=True, check=False, timeout=60,
        env={"PATH": "/usr/bin:/bin", "HOME": str(database.parent), "TZ": zone or "UTC"},
    )  # fmt: skip
    assert ran.returncode == code, ran.stderr
    rows: list[dict[str, Any]] = json.loads(ran.stdout) if ran.stdout.strip() else []
    return rows


@pytest.fixture
def loaded(extracted: Path) -> Stages:
    return loaded_once(extracted)


def model(project: Path, name: str) -> str:
    return (project / ".planning" / "migrations" / name).read_text("utf-8").strip().rstrip(";")


# ── after ───────────────────────────────────────────────────────────────────────────────────


def test_every_schema_has_its_views(loaded: Stages) -> None:
    rows = shell(
        loaded.data / "stages.duckdb",
        "SELECT schema_name AS s, count(*) AS n FROM duckdb_views() WHERE NOT internal "
        "GROUP BY 1 ORDER BY 1;",
    )
    # 12 tables that are there; 15 sources; 4 reference tables, 3 of them with keys; 1 mapping file;
    # `rejects`, `load_rejects` and `changes` in main.
    assert {row["s"]: row["n"] for row in rows} == {
        "bound": 12, "extract": 15, "keys": 3, "load": 12, "main": 3, "reference": 4, "side": 1,
        "transform": 12,
    }  # fmt: skip


def test_every_view_can_be_read(loaded: Stages) -> None:
    database = loaded.data / "stages.duckdb"
    names = shell(
        database,
        "SELECT schema_name || '.' || view_name AS n FROM duckdb_views() WHERE NOT internal;",
    )
    counts = " UNION ALL ".join(f"SELECT '{r['n']}' AS n, count(*) AS rows FROM {r['n']}"
                                for r in names)  # fmt: skip
    rows = {row["n"]: row["rows"] for row in shell(database, counts + ";")}
    assert rows["extract.articles"] == 40
    assert rows["transform.articles"] == rows["bound.articles"] == rows["load.articles"] == 34
    assert rows["main.rejects"] == sum(
        loaded.manifest("transform", t.name)["rejects"] for t in PLAN.tables.values()
    )
    assert rows["extract.ari_scoring_config"] == 0


def test_bound_documents_have_the_ids_of_convex(loaded: Stages) -> None:
    """Each reference is the _id of a document that Convex has, or absent in both."""
    rows = shell(
        loaded.data / "stages.duckdb",
        "SELECT count(*) AS n, count(*) FILTER (w._id IS NULL) AS without, "
        "count(*) FILTER ((t.category_id IS NULL) <> (b.category_id IS NULL)) AS lost, "
        "count(b.category_id) AS with_category "
        "FROM bound.ariKnowledgeEntries b JOIN transform.ariKnowledgeEntries t USING (source_id) "
        "LEFT JOIN reference.workspaces w ON w._id = b.workspace_id;",
    )
    assert rows[0]["n"] == 95
    assert (rows[0]["without"], rows[0]["lost"]) == (0, 0)
    assert rows[0]["with_category"] > 0


def fields(loaded: Stages, table: str) -> dict[str, Shape]:
    exported = json.loads((loaded.target_folder / "schema.json").read_text())["exported"]
    return shapes(table, Schema(exported).fields(table))


@pytest.fixture(scope="module")
def database(extracted: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The database, as the shell wrote every model's rows under another time zone."""
    loaded = loaded_once(extracted)
    folder = tmp_path_factory.mktemp("shell")
    copies = "".join(
        f"COPY ({model(loaded.project, name)}\n) TO '{folder / out}.parquet' (FORMAT parquet);\n"
        for name, out in [
            *((t.model, t.name) for t in PLAN.tables.values() if t.name != "formTemplates"),
            *((str(r.keys), f"keys.{r.name}") for r in PLAN.references.values() if r.keys),
        ]
    )
    assert shell(loaded.data / "stages.duckdb", copies + "SELECT 1 AS ok;", JAKARTA)
    yield folder


@pytest.mark.parametrize("table", [t for t in PLAN.tables if t != "formTemplates"])
def test_every_model_runs_as_it_is(database: Path, loaded: Stages, table: str) -> None:
    """In the shell, in Jakarta, it gives what transform staged, value by value."""
    staged = loaded.target_folder / "transform" / table / "documents.parquet"
    with duckdb.connect() as connection:
        given = f"read_parquet('{database / table}.parquet')"
        columns = [row[0] for row in connection.execute(f"DESCRIBE FROM {given}").fetchall()]
        orphans = PLAN.tables[table].orphans
        compared = []
        for name, shape in fields(loaded, table).items():
            # Turned to null by the plan, not by the model; see test_transform.
            if name in columns and orphans.get(name) != "null":
                column = name_sql(name)
                compared.append((name, f"g.{column}::{shape.sql}", f"d.{column}"))
        assert len(compared) > 3
        rows = connection.execute(
            f"SELECT d._source_id, {', '.join(f'{a}, {b}' for _, a, b in compared)} "
            f"FROM read_parquet('{staged}') d LEFT JOIN {given} g USING (_source_id)"
        ).fetchall()
    assert len(rows) == loaded.manifest("transform", table)["documents"]
    any_value = {n for n, shape in fields(loaded, table).items() if shape.sql == "JSON"}
    for row in rows:
        for at, (name, _, _) in enumerate(compared):
            mine, theirs = row[1 + 2 * at], row[2 + 2 * at]
            if name in any_value and mine is not None:
                mine, theirs = json.loads(mine), json.loads(theirs)
            assert mine == theirs, (row[0], name)


@pytest.mark.parametrize("name", [r.name for r in PLAN.references.values() if r.keys])
def test_every_key_model_runs_as_it_is(database: Path, loaded: Stages, name: str) -> None:
    known = loaded.target_folder / "transform" / "_keys" / f"{name}.parquet"
    with duckdb.connect() as connection:
        rows = connection.execute(
            f"SELECT count(*), count(g.source_id) FROM read_parquet('{known}') k "
            f"LEFT JOIN (SELECT DISTINCT source_id, convex_id FROM "
            f"read_parquet('{database}/keys.{name}.parquet')) g USING (source_id, convex_id)"
        ).fetchall()
    assert rows[0][0] == rows[0][1] > 0


def test_a_filter_for_null_finds_the_nulls(loaded: Stages) -> None:
    """Of a text that is always the same or null, too; row for row, and not by a file's bounds."""
    columns = shell(
        loaded.data / "stages.duckdb",
        "SELECT table_schema || '.' || table_name AS t, column_name AS c "
        "FROM information_schema.columns "
        "WHERE table_schema IN ('extract', 'transform', 'reference');",
    )
    assert len(columns) > 200
    by_table: dict[str, list[str]] = {}
    for row in columns:
        by_table.setdefault(row["t"], []).append(
            f"{{'c': '{row['t']}.{row['c']}', "
            f"'found': (SELECT count(*) FROM {row['t']} WHERE \"{row['c']}\" IS NULL), "
            f"'nulls': count(*) - count(\"{row['c']}\"), "
            f"'values': count(DISTINCT \"{row['c']}\"::VARCHAR)}}"
        )
    asked = " UNION ALL ".join(
        f"SELECT unnest([{', '.join(asked)}], recursive := true) FROM {table}"
        for table, asked in by_table.items()
    )
    constant = 0
    for rows in (shell(loaded.data / "stages.duckdb", asked + ";"), loaded.sql(asked)):
        assert [row["c"] for row in rows if row["found"] != row["nulls"]] == []
        constant += sum(row["values"] == 1 and row["nulls"] > 0 for row in rows)
    assert constant > 4, "the sample has such columns"


def test_the_zone_of_the_shell_was_another(loaded: Stages) -> None:
    """Else the tests above would say nothing."""
    sql = "SELECT (TIMESTAMPTZ '2024-01-01 00:00:00+00')::VARCHAR AS t;"
    (row,) = shell(loaded.data / "stages.duckdb", sql, JAKARTA)
    assert row["t"] == "2024-01-01 07:00:00+07"


def test_the_database_is_views_only_and_small(loaded: Stages) -> None:
    file = loaded.data / "stages.duckdb"
    tables = shell(file, "SELECT count(*) AS n FROM duckdb_tables();")
    assert tables == [{"n": 0}]
    assert file.stat().st_size < 2 << 20
    with duckdb.connect(str(file), read_only=True) as connection:
        tags = connection.execute("SELECT tags FROM duckdb_databases() WHERE NOT internal")
        assert "v1.0.0" in str(tags.fetchall()[0][0])


def test_without_the_database_the_stages_lose_nothing(extracted: Path, tmp_path: Path) -> None:
    """An output, never an input: gone, it is made again by the next stage that has to."""
    stages = Stages(
        copy_data(extracted, tmp_path / "data"), project=copy_project(tmp_path / "project")
    )
    for file in stages.data.glob("stages.*"):
        file.unlink()
    stages.run("transform", "articles", "--restart")
    rows = shell(stages.data / "stages.duckdb", "SELECT count(*) AS n FROM transform.articles;")
    assert rows == [{"n": 34}]


# ── before, and during ──────────────────────────────────────────────────────────────────────


@contextmanager
def extracting(stages: Stages, supabase: State, *options: str) -> Iterator[None]:
    """An `extract` that waits for one table, which another transaction holds, until the end."""
    with psycopg.connect(supabase.source.db_url) as locker:
        locker.execute("LOCK TABLE webinar_registrations IN ACCESS EXCLUSIVE MODE")
        running = subprocess.Popen(
            stages.command("extract", "--via", "postgres", *options), cwd=ROOT,
            env=stages.env(), stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert running.stderr is not None
            # The other tables go on meanwhile.
            while "articles" not in (line := running.stderr.readline()):
                assert line, "it ended"
            yield
            assert running.poll() is None
        finally:
            locker.rollback()
            _, words = running.communicate(timeout=60)
        assert running.returncode == 0, words


def test_before_the_first_part(stages: Stages, supabase: State) -> None:
    """Every table can be asked for as soon as its columns are known."""
    database = stages.data / "stages.duckdb"
    with extracting(stages, supabase):
        assert database.exists(), "no stages.duckdb while the first extract runs"
        waiting = shell(
            database,
            "SELECT count(*) AS n, (SELECT count(*) FROM duckdb_columns() WHERE schema_name = "
            "'extract' AND table_name = 'webinar_registrations') AS columns "
            "FROM extract.webinar_registrations;",
        )
        assert waiting == [{"n": 0, "columns": 6}]
        assert shell(database, "SELECT count(*) AS n FROM extract.articles;") == [{"n": 40}]
        looked = stages.run("status").stdout
        assert re.search(r"^running: extract, pid \d+, for ", looked, re.MULTILINE)
        assert re.search(r"^webinarRegistrations +– ", looked, re.MULTILINE)
        assert re.search(r"^articles +40 \(", looked, re.MULTILINE)
    counts = shell(database, "SELECT count(*) AS n FROM extract.webinar_registrations;")
    assert counts == [{"n": 271}]


def test_while_everything_is_read_anew(extracted: Path, supabase: State, tmp_path: Path) -> None:
    """`extract --restart` reads aside: until the swap, the shell shows what was there."""
    stages = Stages(
        copy_data(extracted, tmp_path / "data"), project=copy_project(tmp_path / "project")
    )
    stages.run("transform", "articles", "--restart")  # views over the copy
    both = (
        "SELECT (SELECT count(*) FROM extract.webinar_registrations) AS registrations, "
        "(SELECT count(*) FROM extract.articles) AS articles;"
    )
    complete = [{"registrations": 271, "articles": 40}]
    with extracting(stages, supabase, "--restart"):
        assert shell(stages.data / "stages.duckdb", both) == complete
        assert stages.sql(both) == complete
    assert shell(stages.data / "stages.duckdb", both) == complete


def test_while_transform_runs(extracted: Path, tmp_path: Path) -> None:
    """A slow model; the tables that are done are in the shell, the slow one as it was before."""
    stages = Stages(
        copy_data(extracted, tmp_path / "data"), project=copy_project(tmp_path / "project")
    )
    stages.run("transform", "articles", "--restart")
    models = stages.project / ".planning" / "migrations" / "models"
    for name, extra in {
        "articles": "WHERE slug <> ''",
        "webinars": "WHERE (SELECT count(*) FROM range(20000000) a(i) WHERE sin(i) > 2) = 0",
    }.items():
        (models / f"{name}.sql").write_text(f"{(models / f'{name}.sql').read_text()}\n{extra}\n")
    running = subprocess.Popen(
        stages.command("transform"), cwd=ROOT, env=stages.env(), stderr=subprocess.PIPE, text=True
    )
    try:
        assert running.stderr is not None
        while "articles" not in (line := running.stderr.readline()):
            assert line, "it ended"
        running.send_signal(signal.SIGSTOP)
        rows = shell(
            stages.data / "stages.duckdb",
            "SELECT (SELECT count(*) FROM transform.articles) AS a, "
            "(SELECT count(*) FROM transform.webinars) AS w;",
        )
        assert rows == [{"a": 34, "w": 21}]
        running.send_signal(signal.SIGCONT)
        assert running.wait(60) == 0
    finally:
        running.kill()
        running.communicate()


def test_an_open_shell_does_not_stop_a_stage(extracted: Path, tmp_path: Path) -> None:
    """The stage renames a new file over the one that the shell holds."""
    stages = Stages(
        copy_data(extracted, tmp_path / "data"), project=copy_project(tmp_path / "project")
    )
    database = stages.data / "stages.duckdb"
    stages.run("transform", "articles", "--restart")
    with duckdb.connect(str(database), read_only=True) as connection:
        assert connection.sql("SELECT count(*) FROM transform.articles").fetchall() == [(34,)]
        side = stages.project / ".planning" / "migrations" / "more.csv"
        side.write_text("a,b\n1,2\n")  # a new view: the database is made again
        stages.run("transform", "articles", "--restart")
        assert connection.sql("SELECT count(*) FROM transform.articles").fetchall() == [(34,)]
    assert shell(database, "SELECT a, b FROM side.more;") == [{"a": "1", "b": "2"}]


# ── stages sql ──────────────────────────────────────────────────────────────────────────────


def test_sql_command(loaded: Stages) -> None:
    result = loaded.run("sql", "select source_id, title from transform.articles limit 3")
    assert "source_id" in result.stdout and result.stderr == ""
    assert len(re.findall(r"│ [0-9a-f]{8}-[0-9a-f-]{27} │", result.stdout)) == 3
    rows = loaded.sql("select count(*) AS n, min(rule) AS rule from rejects where rule = 'orphan'")
    assert rows[0]["rule"] == "orphan" and rows[0]["n"] > 10
    assert loaded.sql("from side.workspace_org_mapping limit 1")[0].keys() == {"key", "value"}


def test_sql_from_stdin(loaded: Stages) -> None:
    ran = subprocess.run(
        loaded.command("sql", "--json"), cwd=ROOT, env=loaded.env(), capture_output=True,
        text=True, check=True,
        input="create temp table t as select 1 AS n union all select 2;\nfrom t order by n",
    )  # fmt: skip
    assert json.loads(ran.stdout) == [{"n": 1}, {"n": 2}]
    assert ran.stderr == ""


def test_sql_can_not_harm_the_files(loaded: Stages) -> None:
    """The views are read; a statement that writes meets no table of ours."""
    before = loaded.sql("select count(*) AS n from extract.articles")
    done = loaded.run("sql", "delete from extract.articles", code=2)
    assert done.stdout == ""
    assert loaded.sql("select count(*) AS n from extract.articles") == before
    shell(loaded.data / "stages.duckdb", "DROP VIEW extract.articles;", code=1)
    assert shell(loaded.data / "stages.duckdb", "SELECT 1 AS ok FROM extract.articles LIMIT 1;")


def test_each_statement_has_its_result_and_each_form_all_rows(loaded: Stages) -> None:
    both = "create temp table t as from range(90) r(n); from t; select 'ä,\"b' AS x, NULL AS y"
    text = loaded.run("sql", both).stdout
    assert all(re.search(rf"│ +{n} │", text) for n in range(90)) and 'ä,"b' in text
    lines = loaded.run("sql", both, "--format", "csv").stdout.splitlines()
    assert lines == ["n", *map(str, range(90)), "x,y", '"ä,""b",']
    rows = [json.loads(s) for s in loaded.run("sql", both, "--format", "jsonl").stdout.splitlines()]
    assert rows == [*({"n": n} for n in range(90)), {"x": 'ä,"b', "y": None}]
    wide = loaded.run("sql", "select repeat('x', 500) AS x", "--format", "table").stdout
    assert "x" * 500 in wide
    assert "the query holds no statement" in loaded.run("sql", "/* */", code=2).stderr

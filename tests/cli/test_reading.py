"""`stages sql` and `m.sql` only read, and only what is staged: hostile statements one by one."""

from __future__ import annotations

import hashlib
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from stages import Migration, UserError
from tests.support.command_line import Stages
from tests.support.project_copies import copy_data, copy_project, loaded_once

# {inside} is a file of the staged folder that does not exist, {staged} one that does, {outside} one
# elsewhere.
HOSTILE = [
    # writing where a query may read
    "COPY (SELECT 1) TO '{inside}'",
    "COPY (SELECT 1) TO '{staged}'",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{inside}'",
    "EXPLAIN (ANALYZE, FORMAT json) COPY (SELECT 1) TO '{inside}'",
    "WITH a AS (COPY (SELECT 1) TO '{inside}') SELECT 1",
    "WITH a AS MATERIALIZED (cOpY (SELECT 1) TO '{inside}') SELECT 1",
    "EXPLAIN ANALYZE WITH a AS (COPY (SELECT 1) TO '{inside}') SELECT 1",
    "CREATE TABLE t AS WITH a AS (COPY (SELECT 1) TO '{inside}') SELECT 1",
    "SELECT 1; COPY (SELECT 1) TO '{inside}'; SELECT 2",
    "/* SELECT */ COPY (SELECT 1) TO '{inside}' -- SELECT 1",
    "FROM json_execute_serialized_sql(json_serialize_sql("
    "'WITH a AS (COPY (SELECT 1) TO ''{inside}'') SELECT 1'))",
    'FROM system.main."JSON_EXECUTE_SERIALIZED_SQL" /* */ (json_serialize_sql('
    "'WITH a AS (COPY (SELECT 1) TO ''{inside}'') SELECT 1'))",
    "CREATE MACRO m() AS TABLE FROM json_execute_serialized_sql(json_serialize_sql("
    "'WITH a AS (COPY (SELECT 1) TO ''{inside}'') SELECT 1')); FROM m()",
    "FROM query('FROM json_execute_serialized_sql(json_serialize_sql("
    "''WITH a AS (COPY (SELECT 1) TO ''''{inside}'''') SELECT 1''))')",
    "PREPARE p AS COPY (SELECT 1) TO '{inside}'; EXECUTE p",
    "PRAGMA json_execute_serialized_sql('x')",
    "PRAGMA copy_database('memory', 'other')",
    "EXPORT DATABASE '{inside}'",
    "EXPLAIN ANALYZE EXPORT DATABASE '{inside}'",
    "IMPORT DATABASE '{inside}'",
    "ATTACH '{inside}' AS mine",
    "ATTACH ':memory:' AS mine",
    "EXPLAIN ANALYZE ATTACH '{inside}' AS mine",
    "USE memory",
    # what is elsewhere
    "COPY (SELECT 1) TO '{outside}'",
    "FROM '/etc/passwd'",
    "FROM read_csv('/etc/passwd')",
    "FROM read_text('/etc/passwd')",
    "FROM read_blob('/etc/passwd')",
    "FROM read_text('{staged}/../../../../outside.txt')",
    "FROM read_text('{outside}')",
    "FROM read_json('{environment}', format = 'unstructured')",
    "FROM glob('/etc/*')",
    "FROM sniff_csv('/etc/passwd')",
    "FROM parquet_metadata('/etc/passwd')",
    "FROM read_duckdb('/etc/passwd')",
    "CREATE MACRO f(p) AS TABLE FROM read_text(p); FROM f('/etc/passwd')",
    "CREATE VIEW v AS FROM read_text('/etc/passwd'); FROM v",
    "CREATE TEMP TABLE t AS FROM read_text('/etc/passwd')",
    "SELECT (SELECT content FROM read_text('/etc/passwd'))",
    "FROM 'https://example.invalid/x.parquet'",
    "SELECT getenv('HOME')",
    "COPY t FROM '/etc/passwd'",
    # settings, extensions, secrets, and what is kept beyond the connection
    "INSTALL httpfs",
    "LOAD httpfs",
    "LOAD '/tmp/x.duckdb_extension'",
    "SET enable_external_access = true",
    "SET temp_directory = '{outside}'",
    "RESET allowed_directories",
    "SET log_query_path = '{outside}'",
    "PRAGMA enable_profiling = 'json'",
    "PRAGMA profiling_output = '{outside}'",
    "CALL enable_logging(storage = 'file', storage_config = {{'path': '{outside}'}})",
    "FROM enable_logging(storage = 'file')",
    "FROM enable_profiling()",
    "CREATE SECRET s (TYPE http)",
    "CREATE PERSISTENT SECRET s (TYPE http)",
    "CHECKPOINT",
    "FROM checkpoint()",
    "FROM force_checkpoint()",
    "VACUUM",
    "ANALYZE",
    # rows of ours
    "DELETE FROM extract.articles",
    "UPDATE extract.articles SET title = 'x'",
    "INSERT INTO rejects SELECT * FROM rejects",
    "WITH a AS (DELETE FROM extract.articles RETURNING *) FROM a",
    "DROP VIEW extract.articles",
    "ALTER VIEW extract.articles RENAME TO gone",
]
READING = [
    "SELECT count(*) AS n FROM extract.articles",
    "FROM rejects LIMIT 1",
    "SHOW ALL TABLES",
    "DESCRIBE extract.articles",
    "SUMMARIZE extract.articles",
    "EXPLAIN SELECT 1",
    "EXPLAIN ANALYZE FROM extract.articles",
    "EXPLAIN (FORMAT json) FROM extract.articles",
    "WITH a AS (FROM extract.articles) SELECT count(*) FROM a",
    "SELECT 'COPY' AS \"copy\" -- COPY",
    "SELECT 'é€' AS é, count(*) FROM rejects WHERE reason LIKE '%copy%' OR reason = 'query(1)'",
    'PIVOT (SELECT "table", rule FROM rejects) ON rule USING count(*)',
    "CREATE OR REPLACE TEMP TABLE t AS FROM extract.articles; SELECT count(*) FROM t",
    "CREATE TEMP VIEW v AS FROM changes; FROM v LIMIT 1",
    "CREATE MACRO twice(x) AS 2 * x; SELECT twice(21)",
    "FROM side.workspace_org_mapping LIMIT 1",
    "FROM bound.ariKnowledgeEntries LIMIT 1",
    "FROM load.articles LIMIT 1",
    "FROM keys.workspaces LIMIT 1",
    "FROM reference.workspaces LIMIT 1",
    "SELECT e.key FROM json_each('{\"a\": 1}') e",
]


@pytest.fixture(scope="module", params=["plain", "[odd] *name?"])
def stages(
    request: pytest.FixtureRequest, extracted: Path, tmp_path_factory: pytest.TempPathFactory
) -> Stages:
    """A copy of what is loaded; also in a folder whose name is a pattern for DuckDB."""
    loaded = loaded_once(extracted)
    folder = tmp_path_factory.mktemp("reading") / request.param
    project = copy_project(folder / "project")
    return Stages(copy_data(loaded.data, folder / "data"), loaded.target, project)


def contents(folder: Path) -> dict[str, str]:
    """Every file below a folder, by its hash; what a query spills comes and goes."""
    return {
        str(file): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file()
    }


def stamps(folder: Path) -> dict[str, tuple[int, int, int, int]]:
    """Every file below a folder, by what even a write of the same bytes would change."""
    return {
        str(file): (at.st_ino, at.st_size, at.st_mtime_ns, at.st_ctime_ns)
        for file in folder.rglob("*")
        if file.is_file()
        for at in [file.stat()]
    }


def test_hostile_statements(
    stages: Stages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is refused, or fails; nothing is written anywhere, nothing else is read."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    outside = stages.data.parent / "outside.txt"
    outside.write_text("not staged")
    places = {
        "inside": stages.target_folder / "transform" / "written",
        "staged": next(stages.target_folder.rglob("documents.parquet")),
        "outside": outside,
        "environment": stages.project / ".planning" / "migrations" / "plan.toml",
    }
    texts = {name: str(path).replace("'", "''") for name, path in places.items()}
    files, before = stamps(stages.data.parent), (contents(stages.data.parent), contents(tmp_path))
    migration = Migration(stages.project, data=stages.data, target=stages.target)
    assert len(HOSTILE) > 60
    odd = "[" in str(stages.data)
    # What names no file of ours says the same in a folder of any name.
    for statement in (text for text in HOSTILE if "{" in text or not odd):
        # Some of what DuckDB refuses it refuses with the first row.
        with pytest.raises((UserError, duckdb.PermissionException)):
            rows = migration.sql(statement.format(**texts)).fetchall()
            pytest.fail(f"{statement} gave {rows}")
        assert stamps(stages.data.parent) == files and not any(tmp_path.iterdir()), statement
    assert (contents(stages.data.parent), contents(tmp_path)) == before


@pytest.mark.parametrize("query", READING)
def test_what_reads_works(stages: Stages, query: str) -> None:
    migration = Migration(stages.project, data=stages.data, target=stages.target)
    assert migration.sql(query).fetchall()


def test_tables_of_python_are_joined(stages: Stages) -> None:
    migration = Migration(stages.project, data=stages.data, target=stages.target)
    mine = pa.table({"n": [1, 2]})
    rows = migration.sql("SELECT sum(n) FROM mine, (FROM rejects LIMIT 1)", tables={"mine": mine})
    assert rows.fetchall() == [(3,)]


def test_the_command_names_what_it_refuses(stages: Stages) -> None:
    place = stages.target_folder / "transform" / "written"
    done = stages.run("sql", f"WITH a AS (COPY (SELECT 1) TO '{place}') SELECT 1", code=2)
    assert "only reads, and the query holds COPY" in done.stderr and done.stdout == ""
    done = stages.run("sql", "VACUUM", code=2)
    assert "a statement of type VACUUM" in done.stderr
    assert "stages sql --json" in done.stderr
    assert not place.exists()

"""Over REST nothing sets how values are printed: what is not exact is seen, and never staged."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stages.check.source import check_source
from stages.extract import rest_floats, rest_select
from stages.extract.rest import RestReader
from stages.extract.rest_probe import find_printed_otherwise
from tests.extract import support
from tests.extract.support import Database, Project, with_rest

ROWS = 1500
CUT = {"extra_float_digits": "0"}


@pytest.fixture(scope="module")
def floats(database: Database) -> Iterator[Database]:
    """Tables of floats: `deep` has all kinds of them, `shallow` none of more than 15 digits."""
    database.sql(
        f"""
        CREATE TYPE other.place AS (lat float8, lon float8);
        CREATE TYPE other.mood AS ENUM ('ok', 'a,"b');
        CREATE TABLE other.deep (id int PRIMARY KEY, d float8, r real, ds float8[], at point);
        CREATE TABLE other.reals (id int PRIMARY KEY, r real, words json);
        CREATE TABLE other.shallow (a text, b int, d float8, feels other.mood[], ds real[],
          PRIMARY KEY (a, b));
        CREATE TABLE other.placed (id int PRIMARY KEY, at other.place);
        CREATE TABLE other.keyless (d float8, words text);
        CREATE TABLE other.hidden (id int PRIMARY KEY, d float8, words json);
        INSERT INTO other.deep SELECT i, sqrt(i), sqrt(i), ARRAY[sqrt(i)], point(sqrt(i), 1)
          FROM generate_series(1, {ROWS}) i;
        INSERT INTO other.reals SELECT i, sqrt(i), '1' FROM generate_series(1, {ROWS}) i;
        INSERT INTO other.reals VALUES (0, 'NaN', '{{"r":1}}'),
          (-1, '-Infinity', '"\\",\\"r\\":2"'),
          (-2, NULL, '"x"');
        INSERT INTO other.shallow SELECT 'k' || i % 7, i, i / 8.0,
            (ARRAY['ok', 'a,"b'])[:i % 3]::other.mood[], ARRAY[i / 8.0, NULL]
          FROM generate_series(1, {ROWS}) i;
        UPDATE other.shallow SET d = NULL WHERE b % 3 = 0;
        INSERT INTO other.placed VALUES (1, ROW(0.1::float8, 0.1::float8)::other.place);
        INSERT INTO other.keyless SELECT i / 8.0, 'w' FROM generate_series(1, {ROWS}) i;
        INSERT INTO other.hidden SELECT i, i / 8.0, '1' FROM generate_series(1, {ROWS}) i;
        UPDATE other.hidden SET d = 0.30000000000000004 WHERE id = 1234
        """
    )
    yield database
    database.sql(
        "DROP TABLE other.deep, other.reals, other.shallow, other.keyless, other.hidden,"
        "other.placed; DROP TYPE other.place, other.mood"
    )


def set_for_all(database: Database, settings: dict[str, str]) -> None:
    for name, value in settings.items():
        database.admin.execute(f"ALTER DATABASE {support.DATABASE} SET {name} = '{value}'".encode())


@pytest.fixture
def with_settings(database: Database, tmp_path: Path) -> Iterator[Any]:
    """A function that makes a project whose REST side prints by these settings."""
    gateways: list[Any] = []

    def make(**settings: str) -> Project:
        set_for_all(database, settings)
        folder = tmp_path / f"gateway-{len(gateways)}"
        folder.mkdir()
        gateway = support.gateway(database, folder)
        gateways.append(gateway)
        return Project(tmp_path, with_rest(database.source, gateway.__enter__()))

    yield make
    for gateway in gateways:
        gateway.__exit__(None, None, None)
    database.admin.execute(f"ALTER DATABASE {support.DATABASE} RESET ALL".encode())


def bits(values: list[Any]) -> list[bytes | None]:
    return [None if value is None else struct.pack("<d", value) for value in values]


TABLES: dict[str, dict[str, Any]] = {
    name: {"table": f"other.{name}"} for name in ("deep", "reals", "shallow", "keyless")
}
TABLES["shallow"]["key"] = ["a", "b"]


def assert_as_direct(project: Project, names: list[str], folder: Path) -> None:
    direct = Project(folder / "direct", project.source)
    direct.plan(**{name: TABLES[name] for name in names})
    assert direct.extract("postgres").failed == []
    for name in names:
        ours, theirs = project.table(name), direct.table(name)
        assert ours.schema.equals(theirs.schema)
        for column in ours.column_names:
            values, right = ours.column(column).to_pylist(), theirs.column(column).to_pylist()
            if name == "keyless":
                values, right = sorted(values), sorted(right)
            assert repr(values) == repr(right), (name, column)


def test_all_digits_are_proven_by_the_response(
    floats: Database, with_settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing more is asked, even of values that are short."""
    monkeypatch.setattr(rest_floats, "_compare", None)
    project = with_settings(extra_float_digits="1")
    project.plan(**TABLES)
    result = project.extract("rest")
    assert result.failed == [], result.tables
    assert_as_direct(project, list(TABLES), tmp_path)


def test_digits_that_are_cut_are_refused(
    floats: Database, with_settings: Any, tmp_path: Path
) -> None:
    """Where a value has lost some. A real has not, since it comes as a double."""
    project = with_settings(**CUT)
    project.plan(**TABLES, hidden={"table": "other.hidden"}, placed={"table": "other.placed"})
    result = project.extract("rest")
    assert sorted(result.failed) == ["deep", "hidden", "placed"], result.tables
    error = result.tables["hidden"]["error"]
    assert "other.hidden: floats come with 15 digits only over REST" in error
    assert "ALTER ROLE service_role SET extra_float_digits = 1; NOTIFY pgrst" in error
    assert 'floats = "15 digits" in [sources.hidden]' in error
    # Points have no `=` that compares all digits, and rows as values can't be compared.
    assert "other.placed: floats may come" in result.tables["placed"]["error"]
    assert "other.deep: floats may come with 15 digits only" in result.tables["deep"]["error"]
    assert_as_direct(project, ["reals", "shallow", "keyless"], tmp_path)


def test_values_that_fit_into_no_line_are_compared_in_halves(
    floats: Database, with_settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest_floats, "LINE", 1200)
    project = with_settings(**CUT)
    project.plan(shallow=TABLES["shallow"], hidden={"table": "other.hidden"})
    assert project.extract("rest").failed == ["hidden"]
    assert_as_direct(project, ["shallow"], tmp_path)


def test_short_digits_are_taken_where_the_plan_says_so(
    floats: Database, with_settings: Any
) -> None:
    project = with_settings(**CUT)
    project.plan(
        hidden={"table": "other.hidden", "floats": "15 digits"},
        shallow=TABLES["shallow"],
        reals={"table": "other.reals", "floats": "15 digits"},
    )
    result = project.extract("rest")
    assert result.failed == []
    assert (
        f"the floats of {ROWS:,} with 15 digits as the plan says"
        in (result.tables["hidden"]["note"])
    )
    assert project.manifest("hidden")["unproven"] == ROWS
    assert "15 digits" not in result.tables["reals"]["note"] + result.tables["shallow"]["note"]
    assert project.column("hidden", "d")[1233] == 0.3


def test_a_row_that_comes_meanwhile_is_no_lost_digit(
    floats: Database, with_settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = with_settings(**CUT)
    project.plan(keyless={"table": "other.keyless"})
    settle, left = rest_floats._compare, [77.125]

    def insert_first(*arguments: Any) -> None:
        if left:
            floats.sql(f"INSERT INTO other.keyless VALUES ({left.pop()}, 'new')")
            floats.sql("UPDATE other.keyless SET d = 99.125 WHERE d = 1")
        settle(*arguments)

    monkeypatch.setattr(rest_floats, "_compare", insert_first)
    assert "digits" not in str(project.extract("rest").tables)


def test_check_says_it_before(floats: Database, with_settings: Any) -> None:
    project = with_settings(**CUT)
    plan = project.plan(deep={"table": "other.deep"}, reals=TABLES["reals"])
    source = replace(project.source, db_url=None)
    results = {each.name: each for each in check_source(plan, source, {})}
    assert not results["source deep"].ok
    assert "15 digits only" in results["source deep"].detail
    assert "ALTER ROLE service_role" in (results["source deep"].hint or "")
    assert "source reals" not in results


# ── the other settings ──────────────────────────────────────────────────────────────────────

PRINTED = {
    "bytes": ("bytea", ["\\x5c78", "\\x", "cafebabe"], {"bytea_output": "escape"}),
    "bytes_array": ("bytea[]", ['{"\\\\x00ff",NULL}'], {"bytea_output": "escape"}),
    "iso": ("interval", ["1 day", "0"], {"intervalstyle": "iso_8601"}),
    "verbose": ("interval", ["1 year -2 days 03:04:05"], {"intervalstyle": "postgres_verbose"}),
    "standard": ("interval", ["1 day", "1 mon"], {"intervalstyle": "sql_standard"}),
    "intervals": ("interval[]", ['{"1 year",-00:00:01.5}'], {"intervalstyle": "iso_8601"}),
    "days": ("date[]", ["{2024-02-29,infinity}"], {"datestyle": "German"}),
    "moments": ("timestamptz[]", ['{"0044-03-15 12:00:00.5+00 BC"}'], {"datestyle": "SQL, DMY"}),
    "span": ("tstzrange", ['["2024-01-01 00:00:00+00",infinity)'], {"datestyle": "Postgres"}),
    "spans": ("datemultirange", ["{[2024-01-01,),empty}"], {"datestyle": "SQL, MDY"}),
}  # fmt: skip


def test_other_styles_are_refused(database: Database, with_settings: Any) -> None:
    """Each by the values of its column; with the settings that are needed, all are read."""
    names = list(PRINTED)
    for name, (kind, values, _) in PRINTED.items():
        database.sql(f"CREATE TABLE other.{name} (id int PRIMARY KEY, v {kind})")
        for number, value in enumerate([*values, None]):
            insert = f"INSERT INTO other.{name} VALUES ({number}, %s::text::{kind})"
            database.owner.execute(insert.encode(), [value])
    needed = with_settings()
    needed.plan(**{name: {"table": f"other.{name}"} for name in names})
    assert needed.extract("rest").failed == []
    by_setting: dict[tuple[str, str], list[str]] = {}
    for name, (_, _, settings) in PRINTED.items():
        by_setting.setdefault(next(iter(settings.items())), []).append(name)
    for (setting, value), concerned in by_setting.items():
        project = with_settings(**{setting: value})
        project.plan(**{name: {"table": f"other.{name}"} for name in names})
        result = project.extract("rest", restart=True)
        assert set(concerned) <= set(result.failed), (setting, value)
        for name in concerned:
            error = result.tables[name]["error"]
            assert "column `v` is not printed with" in error
            assert f"ALTER ROLE service_role SET {setting} = " in error
        database.admin.execute(f"ALTER DATABASE {support.DATABASE} RESET ALL".encode())
    database.sql("; ".join(f"DROP TABLE other.{name}" for name in names))


# ── long lines ──────────────────────────────────────────────────────────────────────────────


def test_three_hundred_long_names_are_read(
    database: Database, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"column_with_a_long_name_{n:03}" for n in range(300)]
    columns = ", ".join(f"{name} {'numeric' if n % 2 else 'int'}" for n, name in enumerate(names))
    values = ", ".join(f"i * {n}" for n in range(300))
    database.sql(
        f"""
        CREATE TABLE other.wide (id int PRIMARY KEY, {columns});
        INSERT INTO other.wide SELECT i, {values} FROM generate_series(1, 50) i;
        CREATE VIEW other.wide_view AS SELECT * FROM other.wide
        """
    )
    lines: list[int] = []
    encode = rest_select.encode

    def measured(params: Any) -> str:
        text = encode(params)
        lines.append(len(text))
        return text

    monkeypatch.setattr("stages.extract.rest_client.encode", measured)
    project.plan(
        wide={"table": "other.wide"}, wide_view={"table": "other.wide_view", "key": ["id"]}
    )
    result = project.extract("rest")
    assert max(lines) < 8000
    assert project.column("wide", names[299]) == [str(i * 299) for i in range(1, 51)]
    assert project.column("wide", names[2]) == [i * 2 for i in range(1, 51)]
    # A view's rows have no versions that would join what two requests give.
    assert result.failed == ["wide_view"]
    assert "its rows have no versions to join them by" in result.tables["wide_view"]["error"]
    database.sql("DROP VIEW other.wide_view; DROP TABLE other.wide")


def test_rows_that_change_between_two_requests_are_read_again(
    database: Database, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both columns of a row are always equal: a page of two moments would show it."""
    names = [f"first_{'x' * 40}", f"second_{'x' * 40}"]
    database.sql(
        f"""
        CREATE TABLE other.pairs (id int PRIMARY KEY, {names[0]} int, {names[1]} int);
        INSERT INTO other.pairs SELECT i, 0, 0 FROM generate_series(1, 300) i
        """
    )
    monkeypatch.setattr("stages.extract.rest_select.LINE", 200)

    asked = RestReader._request_page
    calls = iter(range(1000))

    def changing(self: RestReader, *arguments: Any) -> Any:
        if next(calls) in (1, 3, 6, 8):
            row = random.Random(1).randint(1, 300)
            database.sql(
                f"UPDATE other.pairs SET {names[0]} = {names[0]} + 1, {names[1]} = {names[1]} + 1 "
                f"WHERE id = {row}"
            )
        return asked(self, *arguments)

    monkeypatch.setattr(RestReader, "_request_page", changing)
    project.plan(pairs={"table": "other.pairs"})
    assert project.extract("rest").failed == []
    first, second = (project.column("pairs", name) for name in names)
    assert first == second
    assert max(first) > 0
    database.sql("DROP TABLE other.pairs")


def test_init_says_it_before(floats: Database, with_settings: Any) -> None:
    project = with_settings(**CUT)
    reader = RestReader(project.source, ["other"])
    (problem,) = find_printed_otherwise(reader)
    reader.close()
    assert "15 digits only over REST" in problem
    assert "ALTER ROLE service_role" in problem


def test_rights_to_some_columns_are_enough(database: Database, project: Project) -> None:
    """To count, to read, and to prove the key."""
    database.sql(
        """
        CREATE TABLE other.partly (secret text, id int PRIMARY KEY, d float8);
        INSERT INTO other.partly VALUES ('s', 1, 0.30000000000000004);
        REVOKE ALL ON other.partly FROM service_role;
        GRANT SELECT (id, d) ON other.partly TO service_role
        """
    )
    plan = project.plan(partly={"table": "other.partly", "exclude": ["secret"]})
    result = project.extract("rest")
    assert result.failed == [], result.tables
    assert project.column("partly", "d") == [0.30000000000000004]
    checks = {c.name: c.ok for c in check_source(plan, replace(project.source, db_url=None), {})}
    assert checks["key for tables"]
    database.sql("DROP TABLE other.partly")

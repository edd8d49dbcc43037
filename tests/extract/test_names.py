"""Whatever a table is called and however its rows are told apart: all of them, once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stages.extract import rest
from stages.extract.transport import Via
from stages.sql import name_sql
from tests.extract.conftest import FEW_ROWS
from tests.extract.support import (
    PLAIN_TABLES,
    TRANSPORTS,
    UNMOVED,
    Database,
    Project,
    with_rest,
)

# Columns whose names mean something to SQL, to REST, or to nobody.
ODD_COLUMNS = (
    "we.ird", "order", "select", "and", "not", "limit", 'a "b"', "c,d", "e(f)", "back\\slash",
    "per%cent", "plus+", "sp ace", "ünï", "Upper", "t", "ctid2", "*", "a::text", ", \n {",
)  # fmt: skip
ODD_TABLE = 'a.b "c" d\'é%+?#&=,(x)'
ODD_KEYS = (
    '"', "'", ",", ".", "(", ")", "\\", '\\"', "%", "%2C", "+", "&", "=", " lead", "trail ", "{a}",
    "*", "null", "eq.1", ":", "é🎉", "a\nb", "a\tb", ";", "#", "?", "/", '","', "{", "}", "[1,2]",
)  # fmt: skip
# Type of a key → SQL for the i-th of its values; more of them than a page has rows.
KEYS = {
    "int": "i",
    "int8": "i * 40000000000000000",
    "uuid": "md5(i::text)::uuid",
    "text": f"(%s::text[])[1 + (i + 100) %% {len(ODD_KEYS)}] || (i / 7)::text || i",
    "timestamptz": "'2024-02-28 23:59:59.999+05:30'::timestamptz + i * '0.37 s'::interval",
    "timestamptz(3)": "CASE i WHEN 200 THEN 'infinity' WHEN -100 THEN '-infinity' "
    "ELSE 'epoch'::timestamptz + i * '1 month'::interval END",
    "timestamp": "'0900-01-01'::timestamp + i * '1 year 0.001 s'::interval",
    "date": "CASE i WHEN 200 THEN 'infinity' WHEN -100 THEN '-infinity' "
    "ELSE '1970-01-01'::date + i END",
    "numeric": "CASE i WHEN 200 THEN 'NaN' ELSE i / 7.0 END",
    "float8": "CASE i WHEN 200 THEN 'NaN' WHEN 199 THEN 'Infinity' ELSE i / 7.0::float8 END",
    "float4": "i / 7.0::float4",
    "bytea": "decode(md5(i::text), 'hex')",
    "char(9)": "'\"' || i",
    "interval": "i * '1 day 3 hours'::interval",
    "inet": "'10.0.0.0'::inet + (i + 100)",
    'names."Many.Moods"': "('m,' || i)::names.\"Many.Moods\"",
    "int[]": "ARRAY[i, NULL, 3]",
    "bool": "i > 50",
}


@pytest.fixture(scope="module")
def names(database: Database) -> Iterator[Database]:
    """Tables of every kind in the schemas names, other and public."""
    moods = ", ".join(f"'m,{i}'" for i in range(-100, 201))
    odd = ", ".join(f"{name_sql(name)} text" for name in ODD_COLUMNS)
    table = f"names.{name_sql(ODD_TABLE)}"
    database.sql(PLAIN_TABLES)
    database.sql(
        f"""
        CREATE TYPE names."Many.Moods" AS ENUM ({moods});
        CREATE VIEW names.unkeyed AS SELECT name FROM names.keyed;
        CREATE VIEW names.shown AS SELECT id, name FROM names.keyed;
        CREATE MATERIALIZED VIEW names.kept AS SELECT id, name FROM names.keyed;
        CREATE TABLE names.parted (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
        CREATE TABLE names.parted_low PARTITION OF names.parted FOR VALUES FROM (0) TO (100);
        CREATE TABLE names.parted_high PARTITION OF names.parted FOR VALUES FROM (100) TO (1000)
          PARTITION BY RANGE (id);
        CREATE TABLE names.parted_higher PARTITION OF names.parted_high
          FOR VALUES FROM (100) TO (1000);
        INSERT INTO names.parted SELECT i, 'v' || i FROM generate_series(1, 300) i;
        CREATE TABLE {table} ("k.e""y" text PRIMARY KEY, {odd});
        INSERT INTO {table} SELECT i, {", ".join(f"'{n}' || i" for n in range(len(ODD_COLUMNS)))}
          FROM generate_series(1, 100) i;
        CREATE TABLE names.twins (id int PRIMARY KEY, "Name" text, name text, "NAME" int,
          name_2 text);
        INSERT INTO names.twins VALUES (1, 'Name', 'name', 3, 'name_2');
        CREATE TABLE public.convex (id int PRIMARY KEY, _id text, "_creationTime" float8);
        INSERT INTO public.convex VALUES (1, 'x', 1.5);
        CREATE TABLE names.included (a int, b int, v int, PRIMARY KEY (a) INCLUDE (b));
        INSERT INTO names.included SELECT i, NULL, i FROM generate_series(1, 200) i;
        CREATE TABLE names.keyless (a int, b text);
        INSERT INTO names.keyless SELECT i % 150, repeat('x', i % 90)
          FROM generate_series(1, 3000) i;
        DELETE FROM names.keyless WHERE a BETWEEN 20 AND 60;
        UPDATE names.keyless SET b = 'moved' WHERE a < 5;
        CREATE TABLE names.keyless_parts (a int) PARTITION BY LIST (a);
        CREATE TABLE names.keyless_1 PARTITION OF names.keyless_parts FOR VALUES IN (1);
        CREATE TABLE names.keyless_2 PARTITION OF names.keyless_parts FOR VALUES IN (2);
        INSERT INTO names.keyless_parts SELECT 1 + i % 2 FROM generate_series(1, 400) i;
        CREATE TABLE names.empty (id int PRIMARY KEY, v text);
        CREATE TABLE names.empty_keyless (v text);
        CREATE TABLE names.composite (c text, a int, b timestamptz, v int, PRIMARY KEY (b, a, c));
        INSERT INTO names.composite
          SELECT 'c"' || i % 3, i % 10, 'epoch'::timestamptz + (i / 250) * '1.5 s'::interval, i
          FROM generate_series(1, 1000) i ON CONFLICT DO NOTHING
        """
    )
    yield database
    database.sql(
        "DROP SCHEMA names CASCADE; DROP TABLE other.keyed, public.convex; CREATE SCHEMA names"
    )


@pytest.fixture
def narrow(names: Database, few: str, tmp_path: Path) -> Project:
    """A project whose REST side gives fewer rows than are asked for."""
    assert FEW_ROWS < rest.PAGE
    return Project(tmp_path, with_rest(names.source, few))


# ── keys ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("via", TRANSPORTS)
@pytest.mark.parametrize("kind", KEYS)
def test_pages_by_key(names: Database, narrow: Project, small: None, kind: str, via: Via) -> None:
    """A key of every type, with the values that are awkward for its transport."""
    value = KEYS[kind]
    # A name of its own: the stand-in keeps statements that it has prepared, as PostgREST does.
    table = f"other.keys_{list(KEYS).index(kind)}_{via}"
    names.sql(f"CREATE TABLE {table} (k {kind} PRIMARY KEY, v serial)")
    insert = f"INSERT INTO {table} SELECT DISTINCT {value} FROM generate_series(-100, 200) i"
    names.owner.execute(insert.encode(), [list(ODD_KEYS)] if "%s" in value else None)
    names.sql(f"ANALYZE {table}")
    expected = [v for (v,) in names.rows(f"SELECT v FROM {table} ORDER BY k")]
    many = kind != "bool"
    assert len(expected) > (3 * FEW_ROWS if many else 1)

    narrow.plan(keys={"table": table})
    result = narrow.extract(via)
    assert result.failed == [], result.tables
    assert narrow.column("keys", "v") == expected
    if via == "postgres" and many:
        assert len(narrow.parts("keys")) > 2
    assert narrow.extract(via).tables["keys"]["status"] == UNMOVED[via], narrow.heard.text


@pytest.mark.parametrize("via", TRANSPORTS)
@pytest.mark.parametrize("key", [["b", "a", "c"], ["c", "b", "a"]])
def test_composite_key(
    names: Database, narrow: Project, small: None, via: Via, key: list[str]
) -> None:
    narrow.plan(composite={"table": "names.composite", "key": key})
    assert narrow.extract(via).failed == [], narrow.heard.text
    order = ", ".join(key)
    rows = names.rows(f"SELECT v FROM names.composite ORDER BY {order}")
    assert narrow.column("composite", "v") == [v for (v,) in rows]


def test_composite_key_needs_its_order_over_rest(names: Database, project: Project) -> None:
    project.plan(composite={"table": "names.composite"}, empty={"table": "names.empty"})
    result = project.extract("rest")
    assert result.failed == ["composite"]
    error = result.tables["composite"]["error"]
    assert "REST does not show their order" in error
    assert "key = [" in error
    assert "[sources.composite]" in error
    assert result.tables["empty"]["rows"] == 0

    assert project.extract("postgres", restart=True).failed == []
    assert project.manifest("composite")["key"] == ["b", "a", "c"]


@pytest.mark.parametrize("via", TRANSPORTS)
@pytest.mark.parametrize(("key", "words"), [(["v"], "is null"), (["a", "b"], "is not unique")])
def test_key_of_the_plan_that_is_none(
    names: Database, narrow: Project, via: Via, key: list[str], words: str
) -> None:
    names.sql(
        "DROP TABLE IF EXISTS other.loose; CREATE TABLE other.loose (a int, b text, v int);"
        "INSERT INTO other.loose SELECT i / 2, 'x', nullif(i, 7) "
        "FROM generate_series(1, 300) i"
    )
    narrow.plan(loose={"table": "other.loose", "key": key})
    result = narrow.extract(via)
    assert result.failed == ["loose"]
    # Over REST a filter on the key passes over the nulls, so that only the count tells.
    error = result.tables["loose"]["error"]
    assert words in error or (via == "rest" and "300 rows, but 299 were read" in error), error


def test_columns_that_an_index_includes_are_no_key(
    names: Database, project: Project, small: None
) -> None:
    project.plan(included={"table": "names.included"})
    assert project.extract("postgres").failed == []
    assert project.manifest("included")["key"] == ["a"]
    assert project.column("included", "v") == list(range(1, 201))


@pytest.mark.parametrize("via", TRANSPORTS)
def test_table_without_a_key(names: Database, narrow: Project, via: Via) -> None:
    """Direct as a whole, over REST by the places of its rows."""
    narrow.plan(keyless={"table": "names.keyless"})
    assert narrow.extract(via).failed == [], narrow.heard.text
    table = narrow.table("keyless")
    staged = sorted(zip(*(table.column(name).to_pylist() for name in "ab"), strict=True))
    assert staged == sorted(names.rows("SELECT a, b FROM names.keyless"))
    assert narrow.manifest("keyless")["key"] == []


def test_partitions_without_a_key(names: Database, narrow: Project) -> None:
    """Rows of two partitions may have one place: over REST, each is read for itself."""
    narrow.plan(keyless_parts={"table": "names.keyless_parts"})
    for via in TRANSPORTS:
        assert narrow.extract(via, restart=True).failed == [], narrow.heard.text
        assert sorted(narrow.column("keyless_parts", "a")) == [1] * 200 + [2] * 200


# ── names ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("via", TRANSPORTS)
def test_odd_identifiers(names: Database, narrow: Project, small: None, via: Via) -> None:
    entry: dict[str, Any] = {"table": f"names.{name_sql(ODD_TABLE)}"}
    narrow.plan(odd=entry)
    if via == "rest":
        # What PostgREST takes for all columns, in quotes too.
        assert narrow.extract(via).failed == ["odd"]
        assert "has a column called `*`" in narrow.heard.text
        narrow.plan(odd={**entry, "exclude": ["*"]})
    assert narrow.extract(via).failed == [], narrow.heard.text
    table = narrow.table("odd")
    columns = [name for name in ODD_COLUMNS if via != "rest" or name != "*"]
    assert table.column_names == ['k.e"y', *columns]
    order = names.rows(f'SELECT "k.e""y" FROM names.{name_sql(ODD_TABLE)} ORDER BY 1')
    assert table.column('k.e"y').to_pylist() == [key for (key,) in order]
    for number, name in enumerate(ODD_COLUMNS):
        if name not in columns:
            continue
        assert table.column(name).to_pylist() == [f"{number}{key}" for (key,) in order], name


@pytest.mark.parametrize("via", TRANSPORTS)
def test_names_equal_but_for_case_get_a_number(names: Database, project: Project, via: Via) -> None:
    project.plan(twins={"table": "names.twins"})
    project.extract(via)
    assert project.table("twins").to_pylist() == [
        {"id": 1, "Name": "Name", "name_2": "name", "NAME_3": 3, "name_2_2": "name_2"}
    ]
    renamed = {"name": "name_2", "NAME": "NAME_3", "name_2": "name_2_2"}
    assert project.manifest("twins")["renamed"] == renamed
    for name, staged in renamed.items():
        assert f"column {name} is {staged} here" in project.heard.text


@pytest.mark.parametrize("via", TRANSPORTS)
def test_several_schemas_and_a_table_named_convex(
    names: Database, project: Project, via: Via
) -> None:
    project.plan(
        keyed={"table": "names.keyed"}, other={"table": "other.keyed"}, convex={"key": ["id"]}
    )
    assert project.extract(via).failed == []
    assert project.column("keyed", "twice") == [2 * i for i in range(1, 201)]
    assert project.column("other", "elsewhere") == ["other"]
    assert project.table("convex").to_pylist() == [{"id": 1, "_id": "x", "_creationTime": 1.5}]
    assert "not in the plan: " in project.heard.text
    assert "names.shown" in project.heard.text
    assert "names.parted_low" not in project.heard.text


@pytest.mark.parametrize("via", TRANSPORTS)
def test_partitions_are_read_once(names: Database, narrow: Project, small: None, via: Via) -> None:
    narrow.plan(parted={"table": "names.parted"}, low={"table": "names.parted_low"})
    result = narrow.extract(via)
    assert narrow.column("parted", "id") == list(range(1, 301))
    # A partition is no source of its own: its rows are its parent's.
    assert result.tables["low"]["status"] == "missing"


@pytest.mark.parametrize("via", TRANSPORTS)
def test_a_thousand_columns(names: Database, project: Project, via: Via) -> None:
    columns = ", ".join(f"column_number_{i} int DEFAULT {i}" for i in range(1000))
    names.sql(f"CREATE TABLE big.wide (id int PRIMARY KEY, {columns})")
    try:
        names.sql("INSERT INTO big.wide SELECT i FROM generate_series(1, 3) i")
        project.plan(wide={"table": "big.wide"})
        assert project.extract(via).failed == []
    finally:
        names.sql("DROP TABLE big.wide")
    (row,) = [row for row in project.table("wide").to_pylist() if row["id"] == 2]
    assert row == {"id": 2, **{f"column_number_{i}": i for i in range(1000)}}


@pytest.mark.parametrize("via", TRANSPORTS)
def test_empty_and_single(names: Database, project: Project, via: Via) -> None:
    project.plan(
        empty={"table": "names.empty"},
        empty_keyless={"table": "names.empty_keyless"},
        single={"table": "names.single"},
    )
    result = project.extract(via)
    assert {name: outcome["rows"] for name, outcome in result.tables.items()} == {
        "empty": 0,
        "empty_keyless": 0,
        "single": 1,
    }
    assert project.describe("empty") == [("id", "INTEGER"), ("v", "VARCHAR")]
    assert project.column("single", "v") == ["only"]
    again = project.extract(via)
    assert {name: outcome["status"] for name, outcome in again.tables.items()} == {
        "empty": "unchanged",
        "empty_keyless": "unchanged",
        "single": UNMOVED[via],
    }


# ── views ───────────────────────────────────────────────────────────────────────────────────


def test_views_direct(names: Database, project: Project) -> None:
    project.plan(shown={"table": "names.shown"}, kept={"table": "names.kept"})
    assert project.extract("postgres").failed == []
    for name in ("shown", "kept"):
        assert sorted(project.column(name, "id")) == list(range(1, 201))


def test_view_over_rest_needs_a_key(names: Database, narrow: Project) -> None:
    """PostgREST infers one where the view has all of its table's."""
    narrow.plan(unkeyed={"table": "names.unkeyed"}, shown={"table": "names.shown"})
    result = narrow.extract("rest")
    assert result.failed == ["unkeyed"]
    error = result.tables["unkeyed"]["error"]
    assert "names.unkeyed has no primary key" in error
    assert "SUPABASE_DB_URL" in error
    assert "`key` in [sources.unkeyed]" in error
    assert narrow.column("shown", "id") == list(range(1, 201))

    narrow.plan(shown={"table": "names.shown", "key": ["id"]})
    assert narrow.extract("rest").failed == []
    assert narrow.column("shown", "id") == list(range(1, 201))
    # The same rows are the same extract, whichever way they came.
    rest_spec = narrow.manifest("shown")["spec"]
    narrow.extract("postgres", restart=True)
    assert narrow.manifest("shown")["spec"] == rest_spec

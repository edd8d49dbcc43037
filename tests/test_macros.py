"""The macros of models at their edges; none depends on the machine's time zone."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stages.sandbox import State
from stages.views import macros

ZONES = ["UTC", "Asia/Jakarta", "America/St_Johns", "Pacific/Apia"]
INFINITY = 2**63 - 1
# What DuckDB's timestamps reach, and JavaScript's Date, which is narrower.
FIRST, LAST = -9223372022400000000, 9223372036854775806
JS_LAST = 8_640_000_000_000_000_000

CONNECTION = duckdb.connect()
CONNECTION.execute(macros())


def one(sql: str, parameters: list[Any] | None = None) -> Any:
    return CONNECTION.execute(f"SELECT {sql}", parameters).fetchall()[0][0]


@pytest.fixture(params=ZONES)
def zone(request: pytest.FixtureRequest) -> Iterator[str]:
    """One time zone of the session, as a user's machine may have it."""
    CONNECTION.execute(f"SET TimeZone = '{request.param}'")
    yield request.param
    CONNECTION.execute("SET TimeZone = 'UTC'")


def column(micros: list[int | None], tz: str | None) -> pa.Table:
    """Moments as an extract holds them: microseconds in Arrow, with or without a zone."""
    values = pa.array(micros, pa.int64()).cast(pa.timestamp("us", tz))
    return pa.table({"n": range(len(micros)), "m": values})


def over(micros: list[int | None], tz: str | None, expression: str) -> list[Any]:
    CONNECTION.register("moments", column(micros, tz))
    rows = CONNECTION.execute(f"SELECT {expression} FROM moments ORDER BY n").fetchall()
    return [row[0] for row in rows]


# ── to_ms ───────────────────────────────────────────────────────────────────────────────────

MICROS: list[tuple[int | None, int | None]] = [
    (None, None),
    (0, 0),
    (999, 0),
    (1000, 1),
    (-1, -1),
    (-999, -1),
    (-1000, -1),
    (-1001, -2),
    (1717412707654321, 1717412707654),
    (-14182939876544, -14182939877),
    (FIRST, FIRST // 1000),
    (LAST, LAST // 1000),
    # No number field takes these (see test_transform): an infinity is never a time.
    (INFINITY, INFINITY),
    (-INFINITY, INFINITY),
]


@pytest.mark.parametrize("tz", [None, "UTC"])
def test_to_ms_floors_towards_the_past(zone: str, tz: str | None) -> None:
    assert over([m for m, _ in MICROS], tz, "to_ms(m)") == [ms for _, ms in MICROS]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(micros=st.lists(st.integers(FIRST, LAST), min_size=1, max_size=50))
def test_to_ms_is_floor_division(zone: str, micros: list[int]) -> None:
    for tz in (None, "UTC"):
        assert over([*micros], tz, "to_ms(m)") == [m // 1000 for m in micros]


def test_to_ms_of_days(zone: str) -> None:
    days = {
        "DATE '2024-02-29'": 1709164800000,
        "DATE '1969-12-31'": -86400000,
        "DATE '0001-01-01 (BC)'": -62167219200000,
        "DATE '12345-01-01'": 327403382400000,
        "DATE 'infinity'": INFINITY,
        "NULL::DATE": None,
    }
    assert {day: one(f"to_ms({day})") for day in days} == days


def test_to_ms_is_a_whole_number() -> None:
    assert one("typeof(to_ms(TIMESTAMP '2024-01-01'))") == "BIGINT"


# ── to_iso, to_day ──────────────────────────────────────────────────────────────────────────


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(moments=st.lists(st.datetimes(), min_size=1, max_size=50))
def test_to_iso_and_to_day_are_python_s(zone: str, moments: list[datetime]) -> None:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    micros: list[int | None] = [
        (m.replace(tzinfo=UTC) - epoch) // timedelta(microseconds=1) for m in moments
    ]
    for tz in (None, "UTC"):
        iso = [m.isoformat(timespec="milliseconds") + "Z" for m in moments]
        assert over(micros, tz, "to_iso(m)") == iso
        assert over(micros, tz, "to_day(m)") == [m.date().isoformat() for m in moments]


def test_to_iso_is_javascript_s_own_text() -> None:
    """Years before 0 and after 9999 too: Date reads back what the macro writes."""
    micros: list[int | None] = [
        0, -1, -1000, 327403382400000000, -63517824000000000, -62167219200000000,
        -62167219200000001, 253402300799999999, 253402300800000000, JS_LAST, -JS_LAST,
    ]  # fmt: skip
    iso = over(micros, "UTC", "to_iso(m)")
    node = shutil.which("node")
    assert node
    program = "console.log(JSON.stringify(JSON.parse(process.argv[1]).map((ms) => " \
              "new Date(ms).toISOString())))"  # fmt: skip
    argument = json.dumps([m // 1000 for m in micros if m is not None])
    ran = subprocess.run([node, "-e", program, argument], capture_output=True, check=True)
    assert iso == json.loads(ran.stdout)
    assert over(micros, None, "to_day(m)") == [text.partition("T")[0] for text in iso]


@pytest.mark.parametrize("macro", ["to_iso", "to_day"])
@pytest.mark.parametrize("kind", ["TIMESTAMP", "TIMESTAMPTZ", "DATE"])
@pytest.mark.parametrize("sign", ["", "-"])
def test_infinity_has_no_text(macro: str, kind: str, sign: str) -> None:
    with pytest.raises(duckdb.Error, match=f"{macro}: infinity has no"):
        one(f"{macro}({kind} '{sign}infinity')")
    assert one(f"{macro}(NULL::{kind})") is None


def test_to_day_is_of_utc(zone: str) -> None:
    late = "TIMESTAMPTZ '2024-01-01 23:59:59.999999+00'"
    assert one(f"to_day({late})") == "2024-01-01"
    assert one(f"to_iso({late})") == "2024-01-01T23:59:59.999Z"
    assert one("to_day(DATE '2024-02-29')") == "2024-02-29"


# ── key, ref, refs ──────────────────────────────────────────────────────────────────────────


def test_key_is_one_text() -> None:
    assert one("\"key\"('00000000-0000-0000-0000-00000000000A'::UUID)") == (
        "00000000-0000-0000-0000-00000000000a"
    )
    assert one('"key"(42)') == "42"
    assert one('"key"(NULL::VARCHAR)') is None
    assert json.loads(one('"key"(\'a"b\', 2)')) == ['a"b', "2"]
    assert json.loads(one("\"key\"('a', 2, true)")) == ["a", "2", "true"]
    assert json.loads(one("\"key\"('a', 2, 3, 'é')")) == ["a", "2", "3", "é"]


def test_keys_of_several_columns_do_not_meet() -> None:
    """Joined with a separator, these would be one key."""
    pairs = [("a,b", "c"), ("a", "b,c"), ('a","b', "c"), ("", "a"), ("a", "")]
    assert len({one('"key"(?, ?)', [a, b]) for a, b in pairs}) == len(pairs)


def test_ref_and_refs() -> None:
    assert one("ref('contacts', 7)") == "contacts:7"
    assert one("ref('contacts', NULL)") is None
    assert one("refs('contacts', ['b', 'a'])") == ["contacts:b", "contacts:a"]
    assert one("refs('contacts', [NULL, 1])") == [None, "contacts:1"]
    assert one("refs('contacts', []::VARCHAR[])") == []
    assert one("refs('contacts', NULL::VARCHAR[])") is None


# ── pg_array ────────────────────────────────────────────────────────────────────────────────

hard = st.text(st.sampled_from("\"\\,{}NULnul \n\t'é🎉[]="), max_size=6)
plain = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
elements = st.none() | hard | plain | st.sampled_from(["NULL", "null", "", " ", "\\N", '"'])


@pytest.fixture(scope="module")
def postgres(supabase: State) -> Iterator[psycopg.Connection]:
    with psycopg.connect(supabase.source.db_url, autocommit=True) as connection:
        yield connection


@settings(max_examples=60, deadline=None)
@given(arrays=st.lists(st.lists(elements, max_size=6), min_size=1, max_size=20))
def test_pg_array_reads_what_postgres_writes(
    postgres: psycopg.Connection, arrays: list[list[str | None]]
) -> None:
    casts = ", ".join(["%s::text[]::text"] * len(arrays))
    written = postgres.execute(f"SELECT {casts}".encode(), arrays).fetchone()
    assert written is not None
    read = CONNECTION.execute(
        "SELECT pg_array(t) FROM (SELECT unnest(?::VARCHAR[]) AS t, "
        "generate_subscripts(?::VARCHAR[], 1) AS n) ORDER BY n",
        [list(written), list(written)],
    ).fetchall()
    assert [row[0] for row in read] == arrays


def test_pg_array_of_other_types(postgres: psycopg.Connection) -> None:
    row = postgres.execute(
        "SELECT ARRAY[1, NULL, -3]::text, ARRAY[true]::text, ARRAY[1.50, 'NaN'::numeric]::text, "
        "ARRAY['2024-01-01 00:00'::timestamp]::text, ARRAY['{\"a\": [1, 2]}'::jsonb]::text"
    ).fetchone()
    assert row is not None
    assert [one("pg_array(?::VARCHAR)", [text]) for text in row] == [
        ["1", None, "-3"], ["t"], ["1.50", "NaN"], ["2024-01-01 00:00:00"], ['{"a": [1, 2]}'],
    ]  # fmt: skip


def test_pg_array_of_null_is_null() -> None:
    assert one("pg_array(NULL::VARCHAR)") is None
    assert one("typeof(pg_array('{}'))") == "VARCHAR[]"


@pytest.mark.parametrize("sql", ["ARRAY[[1,2],[3,4]]", "'[0:1]={a,b}'::text[]"])
def test_pg_array_refuses_what_a_list_cannot_say(postgres: psycopg.Connection, sql: str) -> None:
    row = postgres.execute(f"SELECT ({sql})::text".encode()).fetchone()
    assert row is not None
    with pytest.raises(duckdb.Error, match="several dimensions or an odd lower bound"):
        one("pg_array(?::VARCHAR)", [row[0]])


# ── all of them ─────────────────────────────────────────────────────────────────────────────


def test_no_macro_has_the_name_of_a_built_in() -> None:
    """A built-in would win, or lose, without a word; and a second run of the file must be good."""
    names = re.findall(r'CREATE OR REPLACE MACRO "?(\w+)"?', macros())
    assert {"to_ms", "to_iso", "to_day", "key", "ref", "refs", "pg_array"} <= set(names)
    with duckdb.connect() as fresh:
        built_in = {row[0] for row in fresh.execute(
            "SELECT DISTINCT function_name FROM duckdb_functions()").fetchall()}  # fmt: skip
        assert not built_in & set(names)
        fresh.execute(macros())
        fresh.execute(macros())

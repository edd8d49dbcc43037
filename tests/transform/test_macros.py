"""The macros of models at their edges; none depends on the machine's time zone."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stages.sandbox import State
from stages.transform.culprits import split_message
from stages.views import NULL_FOR_NO_VALUE, macros

ZONES = ["UTC", "Asia/Jakarta", "America/St_Johns", "Pacific/Apia"]
# What DuckDB's timestamps reach, and JavaScript's Date, which is narrower.
FIRST, LAST = -9223372022400000000, 9223372036854775806
JS_LAST = 8_640_000_000_000_000_000

CONNECTION = duckdb.connect()
CONNECTION.execute(macros())


def one(sql: str, parameters: list[Any] | None = None) -> Any:
    return CONNECTION.execute(f"SELECT {sql}", parameters).fetchall()[0][0]


@pytest.fixture(scope="module")
def postgres(supabase: State) -> Iterator[psycopg.Connection]:
    with psycopg.connect(supabase.source.db_url, autocommit=True) as connection:
        yield connection


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
]


@pytest.mark.parametrize("tz", [None, "UTC"])
def test_to_ms_floors_towards_the_past(zone: str, tz: str | None) -> None:
    assert over([m for m, _ in MICROS], tz, "to_ms(m)") == [ms for _, ms in MICROS]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
        "NULL::DATE": None,
    }
    assert {day: one(f"to_ms({day})") for day in days} == days


def test_to_ms_is_a_whole_number() -> None:
    assert one("typeof(to_ms(TIMESTAMP '2024-01-01'))") == "BIGINT"


# ── to_iso, to_day ──────────────────────────────────────────────────────────────────────────


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
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


def failure(sql: str, parameters: list[Any] | None = None) -> str:
    """What the error says of an expression: rule and value; in stages.duckdb it is NULL."""
    with pytest.raises(duckdb.ConversionException) as error:
        one(sql, parameters)
    split = split_message(str(error.value))
    assert split, error.value
    # TRY takes the macro, as it takes no error().
    assert one(f"TRY(struct_pack(v := {sql})) IS NULL", parameters)
    with duckdb.connect() as shell:
        shell.execute(macros())
        shell.execute(";".join(NULL_FOR_NO_VALUE))
        assert shell.execute(f"SELECT {sql}", parameters).fetchall() == [(None,)]
    return ": ".join(split)


@pytest.mark.parametrize("macro", ["to_ms", "to_unix", "to_iso", "to_day", "to_time"])
@pytest.mark.parametrize("kind", ["TIMESTAMP", "TIMESTAMPTZ", "DATE"])
@pytest.mark.parametrize("sign", ["", "-"])
def test_infinity_is_no_time(macro: str, kind: str, sign: str) -> None:
    said = failure(f"{macro}({kind} '{sign}infinity')")
    assert said == f"infinite_time: {sign}infinity"
    assert one(f"{macro}(NULL::{kind})") is None


def test_a_year_that_javascript_has_not_is_an_error() -> None:
    for micros in (JS_LAST + 1_000, -JS_LAST - 1):
        for macro in ("to_iso", "to_day"):
            said = failure(f"{macro}(make_timestamp({micros}::BIGINT))")
            assert said.startswith("time_out_of_range: ")
    assert over([JS_LAST + 999], "UTC", "to_iso(m)") == ["+275760-09-13T00:00:00.000Z"]


def test_to_unix_floors(zone: str) -> None:
    micros: list[int | None] = [0, -1, 999_999, 1_000_000, -1_000_001, None]
    seconds = [0, -1, 0, 1, -2, None]
    for tz in (None, "UTC"):
        assert over(micros, tz, "to_unix(m)") == seconds


def test_time_of_day(zone: str) -> None:
    assert one("to_time(TIMESTAMPTZ '2024-01-01 23:59:59.9999+00')") == "23:59:59.999"
    assert one("to_time(TIMESTAMP '1969-12-31 23:59:59.9999')") == "23:59:59.999"
    texts = ["00:00:00", "24:00:00", "12:34:56.7", "12:34:56.789999", "12:34:56+07", None]
    ms = [0, 86_400_000, 45_296_700, 45_296_789, 20_096_000, None]
    assert [one("time_ms(?::VARCHAR)", [text]) for text in texts] == ms
    assert failure("time_ms(?::VARCHAR)", ["noon"]) == "invalid_time: noon"


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


def test_a_key_with_a_null_is_none() -> None:
    """As a foreign key with a null is no reference in Postgres."""
    assert one('"key"(1, NULL::INTEGER)') is None
    assert one("ref('t', \"key\"(NULL::VARCHAR, 'b', 'c'))") is None


def test_a_reference_to_several_columns_is_the_parent_s_key() -> None:
    """Whatever the types on both sides: bigint to integer, enum to varchar."""
    parent = one("\"key\"(7::INTEGER, 'x'::VARCHAR, DATE '2024-02-29')")
    child = one("ref('t', \"key\"(7::BIGINT, 'x'::ENUM ('x', 'y'), DATE '2024-02-29'))")
    assert child == f"t:{parent}"


def test_keys_of_any_number_of_columns() -> None:
    for n in range(2, 9):
        columns = ", ".join(str(i) for i in range(n))
        listed = ", ".join(f"key_text({i})" for i in range(n))
        assert one(f'"key"({columns})') == one(f"key_list([{listed}])")
        assert json.loads(one(f'"key"({columns})')) == [str(i) for i in range(n)]


def test_a_time_in_a_key_is_the_same_in_every_zone(zone: str) -> None:
    moment = "TIMESTAMPTZ '2024-01-01 23:59:59.123456+00'"
    text = "2024-01-01 23:59:59.123456+00"
    assert one(f'"key"({moment})') == text
    assert json.loads(one(f'"key"({moment}, 1)')) == [text, "1"]
    assert one(f"ref('t', {moment})") == f"t:{text}"
    assert one(f"refs('t', [{moment}])") == [f"t:{text}"]
    assert one("\"key\"(TIMESTAMPTZ '1883-01-01 00:00+00')") == "1883-01-01 00:00:00+00"


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


# ── to_number, pg_vector ────────────────────────────────────────────────────────────────────


def test_to_number_is_exact_or_an_error() -> None:
    exact = {
        "1.50": 1.5, "0.1": 0.1, "-9.99": -9.99, "9007199254740992": 2.0**53, "0.00": 0.0,
        "10000000000000000000000": 1e22, "0.00000000000000000000001": 1e-23,
        "Infinity": float("inf"), "-Infinity": float("-inf"),
    }  # fmt: skip
    assert {text: one("to_number(?::VARCHAR)", [text]) for text in exact} == exact
    assert one("isnan(to_number('NaN')) AND NOT signbit(to_number('NaN'))"), "NaN is a value"
    assert one("to_number(NULL::VARCHAR)") is None
    for text in (
        "9007199254740993",
        "0.12345678901234567",
        "1e400",
        "abc",
        "",
        " 1",
        "0x1f",
        "1_0",
    ):
        for carried in ("to_number({})", "to_number({}) * 100 + 1", "coalesce(to_number({}), 0)"):
            with pytest.raises(duckdb.ConversionException, match="inexact_number"):
                one(carried.format("?::VARCHAR"), [text])
        assert failure("to_number(?::VARCHAR)", [text]) == f"inexact_number: {text}"


@settings(max_examples=200)
@given(number=st.decimals(allow_nan=False, allow_infinity=False, places=6))
def test_to_number_of_any_decimal(number: Decimal) -> None:
    """It is the number itself, as Python reads and prints it, or an error."""
    text = format(number, "f")
    kept = Decimal(repr(float(text))) == number
    value = one("TRY(to_number(?::VARCHAR))", [text])
    assert value == (float(text) if kept else None)


def test_pg_vector() -> None:
    assert one("pg_vector('[1,2.5,-3e-05]')") == [1.0, 2.5, -3e-05]
    assert one("typeof(pg_vector('[1]'))") == "DOUBLE[]"
    assert one("pg_vector(NULL::VARCHAR)") is None
    with pytest.raises(duckdb.ConversionException):
        one("pg_vector(?::VARCHAR)", ["1,x"])


# ── pg_array ────────────────────────────────────────────────────────────────────────────────

hard = st.text(st.sampled_from("\"\\,{}NULnul \n\t'é🎉[]="), max_size=6)
plain = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
elements = st.none() | hard | plain | st.sampled_from(["NULL", "null", "", " ", "\\N", '"'])


@settings(max_examples=60)
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


def as_text(postgres: psycopg.Connection, sql: str) -> str:
    row = postgres.execute(f"SELECT ({sql})::text".encode()).fetchone()
    assert row is not None
    return str(row[0])


def test_pg_array_reads_one_dimension(postgres: psycopg.Connection) -> None:
    two = as_text(postgres, "ARRAY[[1,2],[3,4]]")
    assert failure("pg_array(?::VARCHAR)", [two]) == "array_dimensions: {{1,2},{3,4}}"
    bounded = as_text(postgres, "'[0:1]={a,b}'::text[]")
    assert one("pg_array(?::VARCHAR)", [bounded]) == ["a", "b"], "the bound is a change"
    assert failure("pg_array(?::VARCHAR)", ["a,b"]) == "invalid_array: a,b"
    texts = as_text(postgres, "ARRAY['{{', '[0:1]={']")
    assert one("pg_array(?::VARCHAR)", [texts]) == ["{{", "[0:1]={"]


def test_pg_array_2d_reads_two(postgres: psycopg.Connection) -> None:
    texts = as_text(postgres, "ARRAY[['a', '{\"},'], [NULL, 'x y']]")
    assert one("pg_array_2d(?::VARCHAR)", [texts]) == [["a", '{"},'], [None, "x y"]]
    bounded = as_text(postgres, "'[0:1][2:3]={{a,b},{c,d}}'::text[]")
    assert one("pg_array_2d(?::VARCHAR)", [bounded]) == [["a", "b"], ["c", "d"]]
    assert one("pg_array_2d('{}')") == [] and one("pg_array_2d(NULL::VARCHAR)") is None
    for other in ("{a,b}", "{{{1}}}"):
        assert failure("pg_array_2d(?::VARCHAR)", [other]) == f"array_dimensions: {other}"


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

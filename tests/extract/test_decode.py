"""The same value is the same Arrow value over REST's text and over ADBC's binary COPY."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.extract.decode import (
    INFINITY_DAYS,
    INFINITY_US,
    DoesNotFit,
    days_of,
    decode_column,
    odd_moment,
)
from stages.extract.types import ALIASES, PRINTED, RULES, Column, arrow_schema, arrow_type
from stages.sandbox import State
from stages.state.parts import write_parquet
from tests.support.command_line import ROOT, Stages

SCHEMA = "decode_edges"
# Column → Postgres type, and the edge values of it; the shorter lists end in nulls.
EDGES: dict[str, tuple[str, list[str | None]]] = {
    "small": ("int2", ["0", "-32768", "32767", None]),
    "plain": ("int4", ["0", "-2147483648", "2147483647"]),
    "big": ("int8", ["0", "-9223372036854775808", "9223372036854775807", "9007199254740993"]),
    "single": ("float4", ["0", "-0", "0.1", "NaN", "Infinity", "-Infinity", "1e-45",
                          "3.4028235e38"]),
    "double": ("float8", ["0", "-0", "0.1", "NaN", "Infinity", "-Infinity", "5e-324",
                          "1.7976931348623157e308", "9007199254740993", "123456789.123456789"]),
    "flag": ("bool", ["true", "false", None]),
    "words": ("text", ["", " ", "null", "a\nb\t\"c\"\\", "é🎉", "\u2028", "},{"]),
    "short": ("varchar(10)", ["", "é🎉"]),
    "id": ("uuid", ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
                    "2e7c1a9e-00ff-4d2b-8a61-5d00ab0000cd", None]),
    "raw": ("bytea", ["\\x", "\\x00", "\\xff00ff", "\\x5c786161", None]),
    "day": ("date", ["1970-01-01", "1969-12-31", "0001-01-01", "0001-01-01 BC", "4714-11-24 BC",
                     "12345-06-07", "5874897-12-31", "infinity", "-infinity", "2024-02-29",
                     "9999-12-31"]),
    "moment": ("timestamp", ["1970-01-01 00:00:00", "1969-12-31 23:59:59.999999",
                             "0001-01-01 00:00:00", "0044-03-15 12:00:00.5 BC",
                             "4714-11-24 00:00:00 BC", "12345-06-07 08:09:10.000001",
                             "294246-12-31 23:59:59.999999", "infinity", "-infinity",
                             "2024-02-29 12:34:56.1", "9999-12-31 23:59:59.999999"]),
    "zoned": ("timestamptz", ["1970-01-01 00:00:00+00", "1969-12-31 23:59:59.999999+00",
                              "2024-06-01 00:00:00.120000+09:30", "0044-03-15 12:00:00 BC",
                              "12345-06-07 08:09:10+00", "294246-12-31 23:59:59.999999+00",
                              "infinity", "-infinity"]),
    "document": ("jsonb", ["null", "{}", '{"b": 1.10, "a": [null, "},{"]}', '"text"',
                           "12345678901234567890.123", None]),
    "document_text": ("json", ['{"b" : 1,  "a":1, "a":2}', "null"]),
    "exact": ("numeric", ["0.10", "NaN", "-12345678901234567890.123456789", "1e100"]),
    "cents": ("numeric(12,2)", ["0", "-0.10", "1234567890.12"]),
    "span": ("interval", ["1 year -2 days 03:04:05.678", "0"]),
    "clock": ("time", ["24:00:00", "00:00:00.000001"]),
    "many": ("text[]", ["{}", '{"a,b",NULL,"NULL","\\"\\\\"}', "{{1,2},{3,4}}", None]),
    "address": ("inet", ["10.0.0.1/8", "::1"]),
}  # fmt: skip
ROWS = max(len(values) for _, values in EDGES.values()) + 1


@pytest.fixture(scope="module")
def connection(supabase: State) -> Iterator[psycopg.Connection]:
    """The sandbox's Postgres with a schema of ours, whose last row is all null."""
    with psycopg.connect(supabase.source.db_url, autocommit=True) as connected:
        # What PostgREST's connections have; the settings of a role must not show.
        connected.execute("SET timezone = 'UTC'; SET extra_float_digits = 1")
        connected.execute(f"CREATE SCHEMA {SCHEMA}".encode())
        try:
            types = ", ".join(f'"{name}" {kind}' for name, (kind, _) in EDGES.items())
            connected.execute(f"CREATE TABLE {SCHEMA}.edges (n int PRIMARY KEY, {types})".encode())
            for n in range(ROWS):
                row = [values[n] if n < len(values) else None for _, values in EDGES.values()]
                holes = ", ".join(f"%s::text::{kind}" for kind, _ in EDGES.values())
                connected.execute(f"INSERT INTO {SCHEMA}.edges VALUES ({n}, {holes})".encode(), row)
            yield connected
        finally:
            connected.execute(f"DROP SCHEMA {SCHEMA} CASCADE".encode())


@pytest.fixture(scope="module")
def direct(
    connection: psycopg.Connection, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], pa.Table]:
    """A table of the schema, as `extract --via postgres` stages it."""
    stages = project(tmp_path_factory.mktemp("decode"))

    def read(table: str) -> pa.Table:
        stages.run("extract", table, "--via", "postgres")
        return pq.ParquetFile(stages.data / "extract" / table / "part-00000.parquet").read()

    return read


def project(folder: Path, rules: str = "") -> Stages:
    """A migration of this schema's tables alone."""
    migrations = folder / ".planning" / "migrations"
    migrations.mkdir(parents=True)
    names = ("edges", "late_timestamp", "late_timestamptz")
    sources = "".join(f'[sources.{n}]\ntable = "{SCHEMA}.{n}"\n{rules}\n' for n in names)
    (migrations / "plan.toml").write_text(f'{sources}[tables.articles]\nsource = "edges"\n')
    (folder / "convex").symlink_to(ROOT / "convex")
    (folder / "data").mkdir()
    (folder / "data" / "sandbox").symlink_to(ROOT / "data" / "sandbox")
    return Stages(folder / "staged", project=folder)


COLUMNS = tuple(
    Column(name=name, type=kind.partition("(")[0])
    for name, kind in {"n": "int4", **{name: kind for name, (kind, _) in EDGES.items()}}.items()
)


def rest_texts(connection: psycopg.Connection, columns: tuple[Column, ...], table: str) -> Any:
    """What PostgREST would send: json_agg of the columns, each cast as its rule says."""
    select = ", ".join(
        f'"{c.name}"::{c.rule.rest_cast} AS "{c.name}"' if c.rule.rest_cast else f'"{c.name}"'
        for c in columns
    )
    row = connection.execute(
        f"""
        SELECT json_agg(t)::text FROM (SELECT {select} FROM {SCHEMA}.{table} ORDER BY n) t
        """.encode()
    ).fetchone()
    assert row is not None
    return json.loads(row[0], parse_int=lambda text: -0.0 if text == "-0" else int(text))


def _sent(value: Any, wire: pa.DataType) -> Any:
    """NaN and the infinities are texts in JSON."""
    return float(value) if pa.types.is_float64(wire) and value is not None else value


def by_rest(connection: psycopg.Connection, columns: tuple[Column, ...], table: str) -> pa.Table:
    rows = rest_texts(connection, columns, table)
    arrays = []
    for column in columns:
        plain = column.rule.form in ("integer", "boolean")
        wire = column.arrow if plain else pa.string()
        if column.rule.rest_cast == "float8":
            wire = pa.float64()
        values = pa.array([_sent(row[column.name], wire) for row in rows], wire)
        arrays.append(decode_column(values, column.rule.form, column.arrow, column.name))
    return pa.Table.from_arrays(arrays, schema=arrow_schema(columns))


def bits(array: pa.ChunkedArray) -> list[Any]:
    """Values by their storage: -0 is not 0, NaN is NaN, and infinities have numbers."""
    whole = array.combine_chunks()
    if isinstance(whole.type, pa.BaseExtensionType):
        whole = whole.storage
    if pa.types.is_timestamp(whole.type):
        whole = whole.cast(pa.int64())
    if pa.types.is_date32(whole.type):
        whole = whole.cast(pa.int32())
    if pa.types.is_floating(whole.type):
        return [None if v is None else float(v).hex() for v in whole.to_pylist()]
    values: list[Any] = whole.to_pylist()
    return values


@pytest.fixture(scope="module")
def both(
    connection: psycopg.Connection,
    direct: Callable[[str], pa.Table],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[pa.Table, pa.Table]:
    """The rows over REST, written as a part is, and those that were extracted directly."""
    rest = by_rest(connection, COLUMNS, "edges")
    part = tmp_path_factory.mktemp("rest") / "part-00000.parquet"
    write_parquet(part, rest.schema, rest.to_batches())
    return pq.ParquetFile(part).read(), direct("edges")


def test_schema_is_one(both: tuple[pa.Table, pa.Table]) -> None:
    assert both[0].schema == both[1].schema


@pytest.mark.parametrize("name", EDGES)
def test_values_are_one(both: tuple[pa.Table, pa.Table], name: str) -> None:
    rest, adbc = both
    assert bits(rest.column(name)) == bits(adbc.column(name))
    edges = EDGES[name][1]
    expected = [value is None for value in edges] + [True] * (ROWS - len(edges))
    assert [value is None for value in bits(rest.column(name))] == expected


def test_values_are_the_true_ones(both: tuple[pa.Table, pa.Table]) -> None:
    """Both transports could be wrong alike."""
    values = {name: bits(both[1].column(name)) for name in EDGES}
    assert values["big"][1:4] == [-(2**63), 2**63 - 1, 9007199254740993]
    assert values["double"][1] == "-0x0.0p+0"
    assert values["double"][3:6] == ["nan", "inf", "-inf"]
    assert values["id"][2] == bytes.fromhex("2e7c1a9e00ff4d2b8a615d00ab0000cd")
    assert values["raw"][:4] == [b"", b"\x00", b"\xff\x00\xff", b"\\xaa"]
    assert values["day"][1] == -1
    assert values["day"][3:6] == [-719528, -2440588, days_of(12345, 6, 7)]
    assert values["day"][7:9] == [INFINITY_DAYS, -INFINITY_DAYS]
    assert values["moment"][1] == -1
    assert values["moment"][4] == -2440588 * 86_400_000_000
    assert values["moment"][7:9] == [INFINITY_US, -INFINITY_US]
    assert values["zoned"][2] == 1717165800120000
    assert values["exact"][:3] == ["0.10", "NaN", "-12345678901234567890.123456789"]
    assert values["document_text"][0] == '{"b" : 1,  "a":1, "a":2}'
    assert values["many"][1] == '{"a,b",NULL,"NULL","\\"\\\\"}'
    assert values["clock"][0] == "24:00:00"


def test_infinities_are_duckdb_s(both: tuple[pa.Table, pa.Table]) -> None:
    import duckdb

    staged = both[1].select(["n", "day", "moment", "zoned"])
    with duckdb.connect() as shell:
        shell.register("staged", staged)
        rows = shell.execute(
            "SELECT day::VARCHAR, moment::VARCHAR FROM staged WHERE isinf(day) OR isinf(moment) "
            "ORDER BY n"
        ).fetchall()
    assert rows == [("infinity", "infinity"), ("-infinity", "-infinity")]


@pytest.mark.parametrize("kind", ["timestamp", "timestamptz"])
def test_years_after_294246_do_not_fit(
    connection: psycopg.Connection, tmp_path: Path, kind: str
) -> None:
    """Postgres goes on to 294276; an int64 of microseconds since 1970 does not. The table stops,
    the row and the column are named, and the way out is one line of the plan."""
    table = f"late_{kind}"
    connection.execute(
        f"CREATE TABLE {SCHEMA}.{table} (n int PRIMARY KEY, late {kind}); "
        f"INSERT INTO {SCHEMA}.{table} VALUES (11, '2024-01-01'), (12, NULL), "
        f"(13, '294276-12-31 23:59:59.999999'), (14, 'infinity')".encode()
    )
    columns = (Column(name="n", type="int4"), Column(name="late", type=kind))
    with pytest.raises(DoesNotFit) as rest:
        by_rest(connection, columns, table)
    assert (rest.value.column, rest.value.row) == ("late", 2)
    assert "294276" in rest.value.value
    stderr = project(tmp_path / "a").run("extract", table, "--via", "postgres", code=1).stderr
    for words in ("of column `late` has no exact form", 'as_text = ["late"]', "(row n = 13)"):
        assert words in stderr
    stages = project(tmp_path / "b", 'as_text = ["late"]')
    stages.run("extract", table, "--via", "postgres")
    rows = stages.sql(f"SELECT late FROM extract.{table} ORDER BY n")
    late = [row["late"] for row in rows]
    assert (late[1], late[3]) == (None, "infinity")
    assert str(late[2]).startswith("294276-12-31 23:59:59.999999")


# ── the rules ───────────────────────────────────────────────────────────────────────────────


def test_a_type_that_nobody_knows_is_text() -> None:
    for kind in ("money", "tsvector", "int4range", "vector", "public.mood", "numeric", "time"):
        assert Column(name="c", type=kind).arrow == pa.string()
        assert Column(name="c", type=kind).rule.direct == PRINTED
        assert Column(name="c", type=kind).rule.rest_cast == "text"


def test_as_text_wins_over_the_type() -> None:
    column = Column(name="c", type="timestamptz", as_text=True)
    assert (column.arrow, column.rule.rest_cast) == (pa.string(), "text")


@pytest.mark.parametrize("alias", ALIASES)
def test_other_names_of_a_type_are_that_type(alias: str) -> None:
    assert Column(name="c", type=alias).rule is RULES[ALIASES[alias]]


def test_every_rule_has_an_arrow_type() -> None:
    assert {name: arrow_type(rule.arrow).id for name, rule in RULES.items()}


# ── the calendar ────────────────────────────────────────────────────────────────────────────


@settings(max_examples=300)
@given(st.dates())
def test_days_of_is_python_s_calendar(day: date) -> None:
    assert days_of(day.year, day.month, day.day) == (day - date(1970, 1, 1)).days


@settings(max_examples=100)
@given(st.lists(st.none() | st.datetimes(), min_size=1, max_size=20), st.booleans())
def test_odd_values_leave_their_neighbours_alone(
    moments: list[datetime | None], with_odd: bool
) -> None:
    """A column with one infinity goes another way than one without; both say the same."""
    texts = [None if m is None else m.isoformat() for m in moments]
    expected = [m and (m - datetime(1970, 1, 1)) // timedelta(microseconds=1) for m in moments]
    if with_odd:
        texts.append("infinity")
        expected.append(INFINITY_US)
    target = pa.timestamp("us")
    decoded = decode_column(pa.array(texts, pa.string()), "timestamp", target, "c").cast(pa.int64())
    for text, was, value in zip(texts, decoded.to_pylist(), expected, strict=True):
        if value is None:
            assert was is None
        else:
            assert was == odd_moment(text or "") == value, text


@pytest.mark.parametrize("text", ["", "yesterday", "2024-13", "12:00", "2024-01-01T00:00:00+05"])
def test_what_is_no_moment_is_named(text: str) -> None:
    values = pa.array(["2024-01-01T00:00:00", text], pa.string())
    with pytest.raises(DoesNotFit) as error:
        decode_column(values, "timestamp", pa.timestamp("us"), "when")
    assert (error.value.column, error.value.value, error.value.row) == ("when", text, 1)


@pytest.mark.parametrize("form", ["uuid", "bytes", "json", "timestamp", "date", "text", "float"])
def test_columns_without_a_value(form: Any) -> None:
    arrow = {
        "uuid": "uuid",
        "bytes": "binary",
        "json": "json",
        "timestamp": "timestamp",
        "date": "date32",
        "text": "string",
        "float": "double",
    }[form]
    target = arrow_type(arrow)
    for nulls in (0, 3):
        decoded = decode_column(pa.nulls(nulls, pa.string()), form, target, "c")
        assert decoded.type == target
        assert decoded.null_count == len(decoded) == nulls


def test_json_text_is_kept_as_it_is() -> None:
    text = '{"b": 1, "a": 1.10}'
    decoded = decode_column(pa.array([text]), "json", arrow_type("json"), "c")
    assert decoded.storage.to_pylist() == [text]
    assert json.loads(decoded.storage[0].as_py()) == {"a": 1.1, "b": 1}

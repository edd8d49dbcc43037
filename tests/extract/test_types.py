"""Every type at its edges is what Postgres itself prints, over both transports."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from stages.extract.decode import INFINITY_DAYS, INFINITY_US
from stages.extract.transport import Via
from tests.extract.support import TRANSPORTS, Database, Project, with_rest

OWN_TYPES = """
CREATE TYPE torture.mood AS ENUM ('ok', 'not "ok"', 'a,b', '', 'ünwell');
CREATE DOMAIN torture.positive AS int8 CHECK (VALUE > 0);
CREATE DOMAIN torture.small_positive AS torture.positive;
CREATE DOMAIN torture.email AS text;
CREATE DOMAIN torture.moody AS torture.mood;
CREATE DOMAIN torture.moment AS timestamptz;
CREATE DOMAIN torture.document AS json;
CREATE TYPE torture.pair AS (a int, "b c" text, m torture.mood);
CREATE TYPE torture.nested AS (p torture.pair, list int[], at timestamptz);
CREATE DOMAIN torture.pair_domain AS torture.pair;
CREATE TYPE torture.span AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE TYPE torture."Odd.Type" AS ENUM ('x', 'Y');
"""
# Column → Postgres type, and the edge values of it; the shorter lists end in nulls.
EDGES: dict[str, tuple[str, list[str | None]]] = {
    # numbers
    "c_int2": ("int2", ["0", "-32768", "32767", None]),
    "c_int4": ("int4", ["0", "-2147483648", "2147483647"]),
    "c_int8": ("int8", ["0", "-9223372036854775808", "9223372036854775807", "9007199254740993"]),
    "c_float4": ("float4", ["0", "-0", "0.1", "NaN", "Infinity", "-Infinity", "1e-45",
                            "3.4028235e38"]),
    "c_float8": ("float8", ["-0", "0.1", "NaN", "Infinity", "-Infinity", "5e-324",
                            "1.7976931348623157e308", "123456789.123456789"]),
    "c_numeric": ("numeric", ["0.10", "NaN", "Infinity", "-Infinity", "1e300", "1e-300",
                              "-12345678901234567890123456789.123456789012345678901234567890"]),
    "c_numeric_12_2": ("numeric(12,2)", ["0", "-0.10", "9999999999.99", "NaN"]),
    "c_numeric_wide": ("numeric(1000,500)", ["1", "-0.5", "1e499"]),
    "c_numeric_negative_scale": ("numeric(3,-5)", ["12300000", "-99900000"]),
    "c_money": ("money", ["$1,234.50", "-0.01", "92233720368547758.07"]),
    "c_oid": ("oid", ["0", "4294967295"]),
    "c_xid8": ("xid8", ["18446744073709551615"]),
    "c_pg_lsn": ("pg_lsn", ["0/0", "FFFFFFFF/FFFFFFFF"]),
    "c_bool": ("bool", ["true", "false", None]),
    # texts
    "c_text": ("text", ["", " ", "null", "NULL", "a\nb\t\"c\"\\,{}", "é🎉\u2028", ", \n {", "[]"]),
    "c_varchar": ("varchar(12)", ["", "é🎉", "trailing  "]),
    "c_char": ("char(6)", ["", "ab", "é", "  x"]),
    "c_char_1": ('"char"', ["", "a", " ", "\\"]),
    "c_name": ("name", ["", "Some Name"]),
    "c_bytea": ("bytea", ["\\x", "\\x00", "\\xff00ff", "\\x5c786161", None]),
    "c_uuid": ("uuid", ["00000000-0000-0000-0000-000000000000",
                        "ffffffff-ffff-ffff-ffff-ffffffffffff", None]),
    # times
    "c_date": ("date", ["1970-01-01", "1969-12-31", "4713-01-01 BC", "0001-12-31 BC",
                        "12345-06-07", "5874897-12-31", "infinity", "-infinity"]),
    "c_timestamp": ("timestamp", ["1969-12-31 23:59:59.999999", "0044-03-15 12:00:00.5 BC",
                                  "4714-11-24 00:00:00 BC", "12345-06-07 08:09:10.000001",
                                  "294246-12-31 23:59:59.999999", "infinity", "-infinity",
                                  "2024-02-29 12:34:56.1"]),
    "c_timestamptz": ("timestamptz", ["1970-01-01 00:00:00+00", "2024-06-01 00:00:00.12+09:30",
                                      "0044-03-15 12:00:00+00 BC", "12345-06-07 08:09:10+00",
                                      "294246-12-31 23:59:59.999999+00", "infinity", "-infinity",
                                      "0001-01-01 00:00:00+00 BC"]),
    "c_time": ("time", ["00:00:00", "24:00:00", "23:59:59.999999"]),
    "c_timetz": ("timetz", ["00:00:00+15:59", "24:00:00-15:59", "12:00:00.5+05:30"]),
    "c_interval": ("interval", ["0", "1 year -2 days 03:04:05.678", "178000000 years",
                                "2562047788:00:54.775807", "-1 mon +1 day"]),
    # documents
    "c_json": ("json", ["null", '{"b" : 1,\n "a":1, "a":2}', "[1E5, 1e400, -0]", '" \\u00e9"', None,
                        "12345678901234567890.1234567890", '{"half": "\\ud83d"}', '"\\u0000"']),
    "c_jsonb": ("jsonb", ["null", '{"b": 1.10, "a": [null, "},{"], "a": 2}', '"text"', "1e5", None,
                          "12345678901234567890.1234567890", "{}"]),
    "c_jsonpath": ("jsonpath", ["$.a[*] ? (@ > 1)"]),
    "c_xml": ("xml", [None]),
    # arrays
    "c_ints": ("int[]", ["{}", "{1,NULL,-3}", "{{1,2},{3,NULL}}", "[2:4]={1,2,3}",
                         "[-1:0][5:6]={{1,2},{3,4}}", "{{{1}},{{2}}}"]),
    "c_texts": ("text[]", ["{}", '{"a,b",NULL,"NULL","\\"\\\\",""}', "{{a,b},{c,d}}", "[0:0]={x}"]),
    "c_floats": ("float8[]", ["{NaN,Infinity,-0,0.1}"]),
    "c_numerics": ("numeric[]", ["{NaN,1.10,12345678901234567890.123}"]),
    "c_moments": ("timestamptz[]", ['{infinity,"0044-03-15 12:00:00+00 BC"}']),
    "c_days": ("date[]", ["{-infinity,12345-06-07}"]),
    "c_documents": ("json[]", ['{"{\\"half\\": \\"\\\\ud83d\\"}",NULL}']),
    "c_jsons": ("jsonb[]", ['{"null",NULL,"{\\"a\\": 1}"}']),
    "c_blobs": ("bytea[]", ['{"\\\\x00ff",NULL}']),
    "c_uuids": ("uuid[]", ["{00000000-0000-0000-0000-000000000000}"]),
    "c_int2vector": ("int2vector", ["", "1 2 -3"]),
    "c_oidvector": ("oidvector", ["4294967295 0"]),
    # ranges
    "c_int4range": ("int4range", ["empty", "[1,10)", "(,5)", "(,)"]),
    "c_int8range": ("int8range", ["[-9223372036854775808,9223372036854775807)"]),
    "c_numrange": ("numrange", ["(1.10,NaN]", "[-Infinity,Infinity]"]),
    "c_tsrange": ("tsrange", ["[-infinity,infinity]", '["2024-01-01 00:00:00.5",)']),
    "c_tstzrange": ("tstzrange", ['("0044-03-15 12:00:00+00 BC","2024-01-01 00:00:00+09:30"]']),
    "c_daterange": ("daterange", ["[2024-01-01,infinity]"]),
    "c_int4multirange": ("int4multirange", ["{}", "{[1,3),[5,9)}"]),
    "c_tstzmultirange": ("tstzmultirange", ['{["2024-01-01 00:00:00+00",)}']),
    "c_span": ("torture.span", ["[0.1,NaN]", "empty"]),
    "c_spans": ("torture.span[]", ['{"[0.1,0.2)",empty}']),
    # networks, bits, search, shapes
    "c_inet": ("inet", ["10.0.0.1/8", "::1", "::ffff:1.2.3.4/128", "192.168.0.1"]),
    "c_cidr": ("cidr", ["10.0.0.0/8", "2001:db8::/32"]),
    "c_macaddr": ("macaddr", ["08:00:2b:01:02:03"]),
    "c_macaddr8": ("macaddr8", ["08:00:2b:01:02:03:04:05"]),
    "c_bit": ("bit(5)", ["10101", "00000"]),
    "c_varbit": ("varbit", ["", "1", "000111"]),
    "c_tsvector": ("tsvector", ["", "a fat cat", "'it''s':1A,2B 'x y':3"]),
    "c_tsquery": ("tsquery", ["fat & (rat | !cat)", "'a b':*A <-> c"]),
    "c_point": ("point", ["(0.1,-0)", "(NaN,Infinity)"]),
    "c_line": ("line", ["{1,-1,0.1}"]),
    "c_lseg": ("lseg", ["[(0,0),(0.1,1)]"]),
    "c_box": ("box", ["(1,1),(0,0.1)"]),
    "c_boxes": ("box[]", ["{(1,1),(0,0);(2,2),(0,0)}"]),
    "c_path": ("path", ["[(0,0),(1,1)]", "((0,0),(0.1,1))"]),
    "c_polygon": ("polygon", ["((0,0),(1,1),(1,0))"]),
    "c_circle": ("circle", ["<(0.1,0),1e300>"]),
    "c_vector": ("extensions.vector(3)", ["[1,2.5,-0.1]"]),
    "c_halfvec": ("extensions.halfvec", ["[1,0.1]"]),
    "c_sparsevec": ("extensions.sparsevec(5)", ["{1:1.5,3:2}/5"]),
    # of the user
    "c_mood": ("torture.mood", ["ok", 'not "ok"', "a,b", "", "ünwell"]),
    "c_moods": ("torture.mood[]", ['{ok,"a,b",NULL,"","not \\"ok\\""}']),
    "c_odd_type": ('torture."Odd.Type"', ["x", "Y"]),
    "c_positive": ("torture.positive", ["1", "9223372036854775807"]),
    "c_small_positive": ("torture.small_positive", ["9007199254740993"]),
    "c_email": ("torture.email", ["", "a@b"]),
    "c_moody": ("torture.moody", ["a,b"]),
    "c_moment": ("torture.moment", ["infinity", "2024-06-01 00:00:00.12+09:30"]),
    "c_document": ("torture.document", ["null", '{"a":1, "a":2}']),
    "c_positives": ("torture.positive[]", ["{1,2}"]),
    "c_pair": ("torture.pair", ["(,,)", '(1,"a ""b"", (c)",ok)', '(-1,"",)']),
    "c_pairs": ("torture.pair[]", ['{"(1,x,ok)",NULL}']),
    "c_pair_domain": ("torture.pair_domain", ["(7,seven,)"]),
    "c_nested": ("torture.nested", ['("(1,x,ok)","{1,NULL}",infinity)']),
}  # fmt: skip
ROWS = max(len(values) for _, values in EDGES.values()) + 1
# Arrow types that are not text, and how Postgres is asked for the same in exact text.
NATIVE = {
    "int32": "{c}::text", "int64": "{c}::text", "bool": "{c}::text",
    "float": "{c}::text", "double": "{c}::text", "binary": "{c}::text",
    "extension<arrow.uuid>": "{c}::text", "extension<arrow.json>": "{c}::text",
    "date32[day]": "CASE WHEN isfinite({c}) THEN ({c} - DATE 'epoch')::text ELSE {c}::text END",
    "timestamp[us]": "CASE WHEN isfinite({c}) THEN (extract(epoch FROM {c}) * 1000000)"
                     "::numeric(30,0)::text ELSE {c}::text END",
}  # fmt: skip
NATIVE["timestamp[us, tz=UTC]"] = NATIVE["timestamp[us]"]
INFINITIES = {INFINITY_US: "infinity", -INFINITY_US: "-infinity"}
INFINITE_DAYS = {INFINITY_DAYS: "infinity", -INFINITY_DAYS: "-infinity"}


def as_text(column: pa.ChunkedArray) -> list[str | None]:
    """Values as Postgres is asked for them; floats by their bits."""
    whole = column.combine_chunks()
    kind = str(whole.type)
    if kind.startswith("timestamp"):
        return [_number(v, INFINITIES) for v in whole.cast(pa.int64()).to_pylist()]
    if kind == "date32[day]":
        return [_number(v, INFINITE_DAYS) for v in whole.cast(pa.int32()).to_pylist()]
    if isinstance(whole.type, pa.JsonType):
        whole = whole.storage
    return [_text(value, kind) for value in whole.to_pylist()]


def _number(value: int | None, infinities: dict[int, str]) -> str | None:
    return None if value is None else infinities.get(value, str(value))


def _text(value: Any, kind: str) -> str | None:
    if value is None:
        return None
    if kind == "bool":
        return "true" if value else "false"
    if kind == "binary":
        return f"\\x{value.hex()}"
    return bits(value, kind) if kind in ("float", "double") else str(value)


def bits(value: float | str, kind: str) -> str:
    """A float by its bits, so that -0 is not 0; all NaN are one."""
    number = float(value)
    if number != number:
        return "NaN"
    return struct.pack("<f" if kind == "float" else "<d", number).hex()


@pytest.fixture(scope="module")
def torture(database: Database) -> Iterator[Database]:
    """The table torture.types; its last row is all null."""
    database.sql(OWN_TYPES)
    columns = ", ".join(f"{name} {kind}" for name, (kind, _) in EDGES.items())
    database.sql(f"CREATE TABLE torture.types (n int PRIMARY KEY, {columns})")
    holes = ", ".join(f"%s::text::{kind}" for kind, _ in EDGES.values())
    for n in range(ROWS):
        row = [values[n] if n < len(values) else None for _, values in EDGES.values()]
        insert = f"INSERT INTO torture.types VALUES ({n}, {holes})"
        database.owner.execute(insert.encode(), row)
    yield database
    database.sql("DROP SCHEMA torture CASCADE; CREATE SCHEMA torture")


@pytest.fixture(scope="module")
def staged(
    torture: Database, rest: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[Via, Project]:
    """The table as it was extracted over each transport."""
    return {via: _extract(torture, rest, tmp_path_factory.mktemp(via), via) for via in TRANSPORTS}


def _extract(torture: Database, rest: str, folder: Path, via: Via) -> Project:
    project = Project(folder, with_rest(torture.source, rest))
    project.plan(types={"table": "torture.types"})
    result = project.extract(via)
    assert result.tables["types"]["status"] == "complete", result.tables
    assert result.tables["types"]["rows"] == ROWS
    return project


@pytest.mark.parametrize("via", TRANSPORTS)
@pytest.mark.parametrize("name", EDGES)
def test_column_is_what_postgres_prints(
    torture: Database, staged: dict[Via, Project], name: str, via: Via
) -> None:
    column = staged[via].table("types").column(name)
    kind = str(column.type)
    query = NATIVE.get(kind, "{c}::text").format(c=name)
    printed = [row[0] for row in torture.rows(f"SELECT {query} FROM torture.types ORDER BY n")]
    if kind in ("float", "double"):
        printed = [None if text is None else bits(text, kind) for text in printed]
    assert as_text(column) == printed
    edges = EDGES[name][1]
    nulls = [value is None for value in edges] + [True] * (ROWS - len(edges))
    assert [value is None for value in printed] == nulls


def test_describe_is_one_over_both(staged: dict[Via, Project]) -> None:
    described = staged["postgres"].describe("types")
    assert staged["rest"].describe("types") == described
    types = dict(described)
    assert [types[name] for name in ("c_int2", "c_small_positive", "c_float4", "c_moment")] == [
        "INTEGER",
        "BIGINT",
        "FLOAT",
        "TIMESTAMP WITH TIME ZONE",
    ]
    assert [types[name] for name in ("c_uuid", "c_jsonb", "c_bytea", "c_date")] == [
        "UUID",
        "JSON",
        "BLOB",
        "DATE",
    ]
    for project in staged.values():
        assert project.manifest("types")["json"] == ["c_json", "c_document"]
    texts = {
        "c_numeric",
        "c_money",
        "c_interval",
        "c_ints",
        "c_pair",
        "c_mood",
        "c_vector",
        "c_oid",
        # The views make JSON of it.
        "c_json",
        "c_document",
    }
    assert {types[name] for name in texts} == {"VARCHAR"}


@pytest.mark.parametrize("via", TRANSPORTS)
def test_duckdb_sees_infinities_and_json_null(staged: dict[Via, Project], via: Via) -> None:
    (part,) = staged[via].parts("types")
    query = f"""
      SELECT count(*) FILTER (c_date = 'infinity'::date), count(*) FILTER (isinf(c_timestamp)),
        count(*) FILTER (c_timestamptz = '-infinity'), count(*) FILTER (c_json::text = 'null'),
        count(c_jsonb)
      FROM read_parquet('{part}')
    """
    row = duckdb.execute(query).fetchone()
    documents = sum(value is not None for value in EDGES["c_jsonb"][1])
    assert row == (1, 2, 1, 1, documents)


# ── what does not fit ───────────────────────────────────────────────────────────────────────

TOO_LATE = ["294270-01-01 00:00:00+00", "294247-01-10 04:00:54.775807+00"]


@pytest.fixture
def late(database: Database) -> Iterator[Callable[[str], None]]:
    """A function that fills the table torture.late, whose key is of two columns."""

    def fill(moment: str) -> None:
        database.sql(
            f"""
            CREATE TABLE torture.late
              (a int, b text, at timestamptz, plain timestamp, PRIMARY KEY (a, b));
            INSERT INTO torture.late SELECT i, 'k' || i, 'epoch', 'epoch'
              FROM generate_series(1, 50) i;
            UPDATE torture.late SET at = '{moment}' WHERE a = 33;
            CREATE TABLE torture.beside (n int PRIMARY KEY);
            INSERT INTO torture.beside VALUES (1)
            """
        )

    yield fill
    database.sql("DROP TABLE IF EXISTS torture.late, torture.beside")


@pytest.mark.parametrize("via", TRANSPORTS)
@pytest.mark.parametrize("moment", TOO_LATE)
def test_moment_that_does_not_fit_stops_its_table_only(
    project: Project, late: Callable[[str], None], database: Database, moment: str, via: Via
) -> None:
    late(moment)
    entry = {"table": "torture.late", "key": ["a", "b"]}
    beside = {"table": "torture.beside"}
    project.plan(late=entry, beside=beside)
    result = project.extract(via)
    assert result.failed == ["late"]
    error = result.tables["late"]["error"]
    assert "`at`" in error, error
    assert "33" in error
    assert "k33" in error
    assert 'as_text = ["at"]' in error
    assert project.column("beside", "n") == [1]

    project.plan(late={**entry, "as_text": ["at"]}, beside=beside)
    assert project.extract(via).failed == []
    printed = database.one("SELECT at::text FROM torture.late WHERE a = 33")
    assert project.column("late", "at")[32] == printed
    assert str(project.table("late").schema.field("plain").type) == "timestamp[us]"

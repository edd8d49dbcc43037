"""Every type at its edges is what Postgres itself prints (what COPY gives), over both transports,
and read directly whatever client, role and database are set up to."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import duckdb
import pyarrow as pa
import pytest

from stages.errors import StagesError
from stages.extract import postgres, postgres_session
from stages.extract.decode import INFINITY_DAYS, INFINITY_US
from stages.extract.transport import Via
from stages.project.settings import Source
from stages.sql import name_sql as sql_name
from tests.extract.pooler import listed, pooler
from tests.extract.support import DATABASE, TRANSPORTS, Database, Project, with_rest
from tests.extract.torture import EDGES, ROWS, copied, make_torture

# REST prints names of the schema that it serves without it, and its cast to text is the type's own.
DIRECT_ONLY = {
    "c_regclass", "c_regtype", "c_regtypes", "c_regprocedure", "c_regnamespace", "c_loud",
}  # fmt: skip
# Arrow types that are no text, and SQL of the same number, where a number is what is staged.
NUMBERS = {
    "date32[day]": "CASE WHEN isfinite({c}) THEN ({c} - DATE 'epoch')::text ELSE {c}::text END",
    "timestamp[us]": "CASE WHEN isfinite({c}) THEN (extract(epoch FROM {c}) * 1000000)"
                     "::numeric(30,0)::text ELSE {c}::text END",
}  # fmt: skip
NUMBERS["timestamp[us, tz=UTC]"] = NUMBERS["timestamp[us]"]
INFINITIES = {INFINITY_US: "infinity", -INFINITY_US: "-infinity"}
INFINITE_DAYS = {INFINITY_DAYS: "infinity", -INFINITY_DAYS: "-infinity"}
# Each changes what a session prints, or reads, by itself.
HOSTILE = {
    "client_encoding": "LATIN1",
    "datestyle": "SQL, DMY",
    "intervalstyle": "iso_8601",
    "timezone": "Asia/Kolkata",
    "extra_float_digits": "-15",
    "bytea_output": "escape",
    "lc_monetary": "POSIX",
    "xmloption": "document",
    "quote_all_identifiers": "on",
    "search_path": "torture, pg_catalog",
    "standard_conforming_strings": "off",
    "array_nulls": "off",
    "transform_null_equals": "on",
    "row_security": "on",
    "gin_fuzzy_search_limit": "1",
}
LEVELS = ("client", "role", "database", "pooler")


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
        return "t" if value else "f"
    if kind == "binary":
        return f"\\x{value.hex()}"
    return bits(value) if kind == "double" else str(value)


def bits(value: float | str) -> str:
    """A float by its bits, so that -0 is not 0; all NaN are one."""
    number = float(value)
    return "NaN" if number != number else struct.pack("<d", number).hex()


@pytest.fixture(scope="module")
def torture(database: Database) -> Iterator[Database]:
    """The table torture.types; its last row is all null."""
    make_torture(database)
    yield database
    database.sql("DROP SCHEMA torture CASCADE; CREATE SCHEMA torture; DROP TABLE public.things")


@pytest.fixture(scope="module")
def staged(
    torture: Database, rest: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[Via, Project]:
    """The table as it was extracted over each transport, once with all columns as text."""
    source = with_rest(torture.source, rest)
    return {via: _extract(source, tmp_path_factory.mktemp(via), via) for via in TRANSPORTS}


def _extract(source: Source, folder: Path, via: Via) -> Project:
    project = Project(folder, source)
    entry = {"table": "torture.types"}
    project.plan(types=entry, texts={**entry, "as_text": list(EDGES)})
    result = project.extract(via)
    for name in ("types", "texts"):
        assert result.tables[name]["status"] == "complete", result.tables
        assert result.tables[name]["rows"] == ROWS
    return project


@pytest.fixture(scope="module")
def printed(torture: Database, staged: dict[Via, Project]) -> dict[str, list[str | None]]:
    """What Postgres prints of each column, or the number that is staged of it."""
    types = staged["postgres"].table("types").schema
    items = [NUMBERS.get(str(types.field(name).type), "{c}").format(c=name) for name in EDGES]
    return dict(zip(EDGES, copied(torture, items), strict=True))


COMPARED = [
    (via, name) for via in TRANSPORTS for name in EDGES if via != "rest" or name not in DIRECT_ONLY
]


@pytest.mark.parametrize(("via", "name"), COMPARED)
def test_column_is_what_postgres_prints(
    printed: dict[str, list[str | None]], staged: dict[Via, Project], name: str, via: Via
) -> None:
    column = staged[via].table("types").column(name)
    texts = printed[name]
    if str(column.type) == "double":
        texts = [None if text is None else bits(text) for text in texts]
    assert as_text(column) == texts
    edges = EDGES[name][1]
    nulls = [value is None for value in edges] + [True] * (ROWS - len(edges))
    assert [value is None for value in texts] == nulls


@pytest.mark.parametrize("via", TRANSPORTS)
def test_as_text_is_what_postgres_prints(
    torture: Database, staged: dict[Via, Project], via: Via
) -> None:
    names = [name for through, name in COMPARED if through == via]
    texts = staged[via].table("texts")
    for name, expected in zip(names, copied(torture, names), strict=True):
        assert texts.column(name).to_pylist() == expected, name


@pytest.fixture
def hostile(
    torture: Database, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Source]:
    """The source, with all settings turned against us on one level."""
    source = torture.source
    assert source.db_url is not None
    role = sql_name(unquote(urlsplit(source.db_url.reveal()).username or ""))
    if request.param == "client":
        options = " ".join(
            f"-c {name}={value.replace(' ', chr(92) + ' ')}" for name, value in HOSTILE.items()
        )
        monkeypatch.setenv("PGOPTIONS", options)
        monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
        monkeypatch.setenv("PGDATESTYLE", "German")
        monkeypatch.setenv("PGTZ", "Asia/Kolkata")
        yield source
    elif request.param == "pooler":
        left = {n: v for n, v in HOSTILE.items() if n != "quote_all_identifiers"}
        with pooler(source, left) as (pooled, pool):
            yield pooled
        assert len(set(pool.used)) > 2
    else:
        of = f"DATABASE {DATABASE}" if request.param == "database" else f"ROLE {role}"
        for name, value in HOSTILE.items():
            torture.admin.execute(f"ALTER {of} SET {name} = {listed(value)}".encode())
        yield source
        for name in HOSTILE:
            torture.admin.execute(f"ALTER {of} RESET {name}".encode())


@pytest.mark.parametrize("hostile", LEVELS, indirect=True)
def test_settings_change_no_byte(
    staged: dict[Via, Project], hostile: Source, tmp_path: Path
) -> None:
    project = _extract(hostile, tmp_path, "postgres")
    for name in ("types", "texts"):
        here, calm = (
            [content for *_, content in each.files(name).values()]
            for each in (project, staged["postgres"])
        )
        assert here == calm


def test_pooler_that_quotes_all_names_is_refused(torture: Database, tmp_path: Path) -> None:
    """The driver asks for the types before its transaction, and asks a session that is spoiled."""
    with (
        pooler(torture.source, {"quote_all_identifiers": "on"}) as (pooled, _),
        pytest.raises(StagesError, match="quote_all_identifiers was on") as refused,
    ):
        _extract(pooled, tmp_path, "postgres")
    assert "to that of the session pooler" in (refused.value.hint or "")


def test_setting_that_does_not_hold_stops_all(
    torture: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(postgres_session.SETTINGS, "DateStyle", "iso, ymd")
    with pytest.raises(StagesError, match="DateStyle is 'ISO, YMD' in the session"):
        _extract(torture.source, tmp_path, "postgres")


def test_money_of_another_scale_is_refused(
    torture: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where lc_monetary is ja_JP, whose yen have no digits after the point. The locale is not on
    every machine: here it is the locale C that is taken to have three."""
    monkeypatch.setattr(postgres, "MONEY_DIGITS", 3)
    project = Project(tmp_path, torture.source)
    entry = {"table": "torture.types"}
    project.plan(types=entry, others={**entry, "exclude": ["c_money", "c_cash"]})
    result = project.extract("postgres")
    assert result.failed == ["types"]
    for words in ("money in `c_money` has 2 digits after its point", '"c_money"::numeric'):
        assert words in result.tables["types"]["error"]


def test_describe_is_one_over_both(staged: dict[Via, Project]) -> None:
    described = staged["postgres"].describe("types")
    assert staged["rest"].describe("types") == described
    types = dict(described)
    assert [types[name] for name in ("c_int2", "c_small_positive", "c_float4", "c_moment")] == [
        "INTEGER",
        "BIGINT",
        "DOUBLE",
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
        "c_char",
        "c_inet",
        # The views make JSON of it.
        "c_json",
        "c_document",
    }
    assert {types[name] for name in texts} == {"VARCHAR"}


def test_real_is_its_shortest_decimal(staged: dict[Via, Project]) -> None:
    assert staged["postgres"].column("types", "c_float4")[2] == 0.1
    assert staged["rest"].column("types", "c_share")[0] == 0.1


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

"""Convex ids: the vectors that are known, what must be refused, and the same in SQL."""

from __future__ import annotations

import uuid

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.convex import ids

VECTORS = [
    (1017, "fb198371cb09d3e19bf923516be973c1", "z43zp6c3e75gkmz1kfwj6mbbx5sw281h"),
    (10001, "1caf7f2fe41b6484925e418ecf0d4d93", "j571sbvz5zj1ps44j9f433pf1n6s7egs"),
    (10003, "f17ae3d31858918e4de376cc0a644d15", "jd7f2yq3tcc5h4ce9qhqdk0ach6hbmyb"),
    (1, "c9ce683d1de9cf8cabde59e211d717ab", "074wwt1x3qmwz35bvscy44eq2yngrt8"),
    (22, "32f64c8e4229bf2c010c5333feb74c43", "2rsfck4e88mvyb011h9k7znq9h1mb00"),
    (21, "a4539e81be4215c9c4e716652e7a4f14", "2pj577m1qs11bje4wwb6abkt9wa3m6g"),
    (540, "1b7f8ea66852b82fae85366770944d13", "kg21pzwemsm55e1fnt2kcsvgjh6h6gtf"),
    (537, "38585ab9ab9e1ab0e467c38983f84ef9", "k423gp2tq6nsw6ngwhkw72c3z17fkb5t"),
    (10017, "032241607f9ebddcfb1a39587796b5d4", "m57068j1c1zsxfewzcd3jp3qjttx99vg"),
    (10009, "0726456483a2c1e0ff1e3d5c7b9ab9d8", "k570e9j5cj1t5gf0zwf3tq3vkawxhqr0"),
    (10001, "000102030405060708090a0b0c0d0e0f", "j57000820c20a1g7104gm2rc1m70ynr8"),
    (16384, "000102030405060708090a0b0c0d0e0f", "g2002001081g81860w40j2gb1g6gw3vs74"),
    (
        4294967295,
        "000102030405060708090a0b0c0d0e0f",
        "zzzzzzrf000g40r40m30e209185gr38e1y1nj",
    ),
]
# The first three are whole ids that are wrong; the others are one character, or its place, off.
REFUSED = [
    "sssswsgggggggggsgcsssfafffsffks",
    "mz1xn7tymdnktmmzqy5xxhn7tjs2nkkfmtjjr",
    ids._base32(b"\0" + bytes(16) + bytes(ids._fletcher(bytes(17)))),  # table 0
    "j571sbvz5zj1ps44j9f433pf1n6s7egt",
    "j571sbvz5zj1ps44j9f433pf1n6s7eg",
    "j571sbvz5zj1ps44j9f433pf1n6s7egs0",
    "J571SBVZ5ZJ1PS44J9F433PF1N6S7EGS",
    "j57lsbvz5zj1ps44j9f433pf1n6s7egs",
    "1caf7f2f-e41b-6484-925e-418ecf0d",
    "",
]


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(ids.macros())
    connection.execute(ids.source_uuid_macro())
    return connection


@pytest.mark.parametrize(("number", "internal", "text"), VECTORS)
def test_vectors_both_ways(number: int, internal: str, text: str) -> None:
    assert ids.encode(number, bytes.fromhex(internal)) == text
    assert ids.decode(text) == (number, bytes.fromhex(internal))


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_id(text: str) -> None:
    with pytest.raises(ValueError, match="is not a Convex id"):
        ids.decode(text)


@pytest.mark.parametrize(("number", "size"), [(0, 16), (2**32, 16), (10001, 15)])
def test_what_no_id_can_hold(number: int, size: int) -> None:
    with pytest.raises(ValueError, match="no id has"):
        ids.encode(number, bytes(size))


@pytest.mark.parametrize(("number", "internal", "text"), VECTORS)
def test_a_uuid_is_the_sixteen_bytes_in_sql_too(
    connection: duckdb.DuckDBPyConnection, number: int, internal: str, text: str
) -> None:
    key = str(uuid.UUID(internal))
    minted = connection.execute(
        "SELECT r, source_uuid(?)::VARCHAR FROM ("
        + ids.minted_sql("SELECT ? AS r", {"r": {"t": number}}) + ")",
        [text, f"t:{key}"],
    ).fetchall()  # fmt: skip
    assert minted == [(text, key)]
    assert ids.mint(number, "t", key) == text


KEYS = st.one_of(
    st.uuids().map(str),
    st.uuids().map(lambda u: str(u).upper()),
    st.integers().map(str),
    st.text(),
)


@settings(max_examples=40)
@given(
    number=st.sampled_from([1, 127, 128, 10001, 16383, 16384, 2**21, 2**28, 2**32 - 1]),
    keys=st.lists(KEYS, min_size=1, max_size=50),
)
def test_sql_mints_what_python_mints(
    connection: duckdb.DuckDBPyConnection, number: int, keys: list[str]
) -> None:
    """Keys of every kind, in one statement; each id is whole, and gives its 16 bytes back."""
    relation = "SELECT key, 'some:' || key AS id FROM unnest(?::VARCHAR[]) t(key)"
    minted = ids.minted_sql(relation, {"id": {"other": 10009, "some": number}})
    rows = connection.execute(
        f"SELECT key, id, source_uuid(id)::VARCHAR FROM ({minted})", [keys]
    ).fetchall()
    assert [row[0] for row in rows] == keys
    for key, text, internal in rows:
        assert text == ids.mint(number, "some", key)
        assert ids.decode(text) == (number, uuid.UUID(internal).bytes)


def test_no_two_spellings_of_a_uuid_are_one_id(connection: duckdb.DuckDBPyConnection) -> None:
    key = "1caf7f2f-e41b-6484-925e-418ecf0d4d93"
    spellings = [key, key.upper(), key.replace("-", ""), f"{{{key}}}"]
    minted = {ids.mint(10001, "t", spelling) for spelling in spellings}
    assert len(minted) == 4


def test_nothing_is_minted_for_null(connection: duckdb.DuckDBPyConnection) -> None:
    sql = ids.minted_sql("SELECT NULL::VARCHAR AS r", {"r": {"t": 10001}})
    rows = connection.execute(sql).fetchall()
    assert rows == [(None,)]


@pytest.mark.parametrize("text", ["", "users", "j571sbvz5zj1ps44j9f433pf1n6s7egl", "x" * 40])
def test_source_uuid_of_what_is_no_id(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    assert connection.execute("SELECT source_uuid(?)", [text]).fetchall() == [(None,)]

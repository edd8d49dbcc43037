"""Side files: every column is text unless the plan types it, and a bad file stops who reads it."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.errors import FileError, UserError
from stages.side_views import side_sql
from stages.views import connect
from tests.support.tiny_project import ANY, STRING, Small

# Texts that a reader by guesses takes for numbers, days, times, flags or nothing at all.
LOOKALIKES = [
    "00123", "123", "12345678901234567890", "1e3", "true", "t", "1.1", "1.10", "01/02/2024",
    "08:30", "0900", "2024-01-02T08:30:00Z", "2024-01-02", "NaN", "null", "NULL", " x ",
    "é", "a,b", 'q"q',
    "two\nlines", "",
]  # fmt: skip


def rows(small: Small, name: str) -> list[tuple[Any, ...]]:
    with connect(small.workspace, small.plan) as connection:
        return connection.execute(f"FROM side.{name}").fetchall()


@pytest.fixture
def one(small: Small) -> Small:
    small.extract("users", pa.table({"id": ["1.10", "1.1"]}), ["id"])
    small.schema("users", {"name?": STRING})
    small.write("plan.toml", "[tables.users]\n")
    small.model("users", "SELECT key(id) AS _source_id FROM extract.users")
    return small


def csv_text(delimiter: str) -> str:
    quoted = ['"' + text.replace('"', '""') + '"' for text in LOOKALIKES]
    lines = [f"{n}{delimiter}{text}" for n, text in enumerate(quoted)]
    bare = [t for t in LOOKALIKES if not set(t) & set(delimiter + '"\n') and t.strip() == t]
    lines += [f"{100 + n}{delimiter}{text}" for n, text in enumerate(bare)]
    return "\n".join([f"n{delimiter}text", *lines]) + "\n"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_csv_file_is_text_as_it_stands(one: Small, delimiter: str, encoding: str) -> None:
    one.workspace.migrations.joinpath("map.csv").write_bytes(csv_text(delimiter).encode(encoding))
    found = dict(rows(one, "map"))
    assert [found[str(n)] for n in range(len(LOOKALIKES))] == LOOKALIKES
    bare = [t for t in LOOKALIKES if not set(t) & set(delimiter + '"\n') and t.strip() == t]
    # A field that is empty without quotes is NULL.
    assert [found[str(100 + n)] for n in range(len(bare))] == [t or None for t in bare]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"a\r\nx\r\n", [("x",)]),
        (b"a,b\r\n1,\"x\r\ny\"\r\n", [("1", "x\r\ny")]),
        (b"a;b\n1,5;2\n", [("1,5", "2")]),
        (b"# a,b\n# 1,2\n", [("# 1", "2")]),
        (b"a,b\n", []),
        ("ï,b\n1,2".encode(), [("1", "2")]),
    ],
)  # fmt: skip
def test_forms_of_csv(one: Small, raw: bytes, expected: list[tuple[str, ...]]) -> None:
    one.workspace.migrations.joinpath("map.csv").write_bytes(raw)
    assert rows(one, "map") == expected


def test_json_is_text_too_and_parquet_has_types(one: Small) -> None:
    one.write("plain.json", "\ufeff" + json.dumps({text: text for text in LOOKALIKES}))
    assert dict(rows(one, "plain")) == {text: text for text in LOOKALIKES}
    one.write(
        "list.json", '[{"a": "08:30", "b": 12345678901234567890}, {"c": {"x": [1]}, "a": null}]'
    )
    assert rows(one, "list") == [
        ("08:30", "12345678901234567890", None), (None, None, '{"x":[1]}'),
    ]  # fmt: skip
    pq.write_table(pa.table({"n": [1], "t": ["1"]}), one.workspace.migrations / "typed.parquet")
    assert rows(one, "typed") == [(1, "1")]


def test_the_plan_types_columns(one: Small) -> None:
    one.write("map.csv", "old,price,day\n1.10,2.50,2024-01-02\n")
    one.write(
        "plan.toml", "[tables.users]\n[side.map.types]\nprice = 'DECIMAL(10,2)'\nday = 'date'\n"
    )
    with connect(one.workspace, one.plan) as connection:
        types = connection.execute("DESCRIBE FROM side.map").fetchall()
    assert [(t[0], t[1]) for t in types] == [
        ("old", "VARCHAR"), ("price", "DECIMAL(10,2)"), ("day", "DATE"),
    ]  # fmt: skip
    # Another type is another content: what was made from it is made again.
    one.schema("users", {"v": ANY})
    one.model("users", "SELECT key(id) AS _source_id, to_json(m.price) AS v FROM extract.users u "
                       "JOIN side.map m ON m.old = u.id")  # fmt: skip
    one.model("users.drop", "SELECT key(id) AS _source_id, 'x' AS reason FROM extract.users "
                            "WHERE id = '1.1'")  # fmt: skip
    one.transform()
    assert json.loads(one.documents("users")["1.10"]["v"]) == 2.5
    first = one.manifest("users")["made_from"]
    one.write("plan.toml", "[tables.users]\n")
    one.transform()
    assert one.manifest("users")["made_from"] != first
    assert json.loads(one.documents("users")["1.10"]["v"]) == "2.50"


REFUSED_ENTRIES = [
    ("[side.map.types]\nold = 'money'", "types.old is 'money'; it must be one of VARCHAR"),
    ("[side.map.types]\nold = 7", "types.old is 7"),
    ("[side.map.types]\nold = 'DECIMAL(99,2)'", "types.old is 'DECIMAL.99,2.'"),
    ("[side.map.types]\nold = 'DECIMAL(5,9)'", "types.old is 'DECIMAL.5,9.'"),
    ("[side.map]\ntypes = 'text'", "`types` is not a table of column = type"),
    ("[side.map]", "`of` is not a text"),
]


@pytest.mark.parametrize(("entry", "words"), REFUSED_ENTRIES)
def test_refused_types(one: Small, entry: str, words: str) -> None:
    one.write("map.csv", "old\n1\n")
    one.write("plan.toml", f"[tables.users]\n{entry}\n")
    with pytest.raises(FileError, match=words):
        one.transform()


BAD = [
    ("map.csv", "old,new\n1,é\n".encode("windows-1252"), "map.csv, line 2: the file is not UTF-8"),
    ("map.csv", b"old,new\n1,2,3\n", "map.csv can't be read: .*Line: 2"),
    ("map.csv", b"old,new\n1\n", "map.csv can't be read: .*Line: 2"),
    ("map.csv", b"", "map.csv, line 1: the first line names the columns"),
    ("map.csv", b"old,old\n1,2\n", "names `old` twice"),
    ("map.csv", b"old,OLD\n1,2\n", "differ only in case"),
    ("map.csv", b"old,\n1,2\n", "leaves a column without a name"),
    (
        "map.csv",
        b'old,"' + b"x" * 200_000,
        "the first line names the columns, and it can't be read",
    ),
    ("map.json", b'[{"": 1}]', "leaves a column without a name"),
    ("map.json", b'{"a": 1,}', "map.json, line 1: this is not JSON"),
    ("map.json", b"[]", "neither a list of objects nor an object of plain values"),
    ("map.json", b"7", "neither a list of objects nor an object of plain values"),
    ("map.json", '{"a": "é"}'.encode("utf-16"), "it looks like UTF-16"),
    ("map.parquet", b"PAR1", "map.parquet is not a Parquet file"),
]


@pytest.mark.parametrize(("name", "raw", "words"), BAD, ids=[words for _, _, words in BAD])
def test_a_bad_file_stops_who_reads_it_and_nobody_else(
    one: Small, name: str, raw: bytes, words: str
) -> None:
    one.workspace.migrations.joinpath(name).write_bytes(raw)
    one.transform()
    assert len(one.documents("users")) == 2
    # In SQL it is not missing in silence: the query has the reason.
    with pytest.raises(duckdb.Error, match=words.rpartition(".*")[2]):
        rows(one, "map")
    one.model("users", "SELECT key(id) AS _source_id, m.old AS name FROM extract.users u "
                       "LEFT JOIN Side.MAP m ON m.old = u.id")  # fmt: skip
    with pytest.raises(UserError, match=words):
        one.transform()


def test_a_value_that_has_not_the_type_is_named_with_its_file(one: Small) -> None:
    one.write("map.csv", "old,price\n1,\n2,'1'\n")
    one.write("plan.toml", "[tables.users]\n[side.map.types]\nprice = 'DECIMAL(10,2)'\n")
    one.transform()
    one.model("users", "SELECT key(id) AS _source_id, m.old AS name FROM extract.users u "
                       "LEFT JOIN side.map m ON m.old = u.id")  # fmt: skip
    error = one.fails()
    assert error.message.startswith("map.csv can't be read: ") and "'1'" in error.message
    one.write("plan.toml", "[tables.users]\n[side.map.types]\nprices = 'DATE'\n")
    assert "plan.toml, line 3: [side.map] types names `prices`" in one.fails().message
    with pytest.raises(FileError):
        side_sql(one.plan, "map", one.workspace.migrations / "map.csv")

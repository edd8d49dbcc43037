"""The ZIP of `load --through import`, with a strict reader as its judge."""

from __future__ import annotations

import base64
import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.convex import export_json, ids
from stages.convex.schema import Schema
from stages.convex.snapshots import assigned_numbers
from stages.errors import StagesError
from stages.load.importing.snapshot_file import Snapshot
from stages.progress import Silent
from stages.project.plan import Plan, ReferenceTable, TargetTable
from stages.state.fingerprints import hash_file
from stages.state.parts import write_parquet
from stages.state.workspace import Workspace
from stages.views import values
from tests.support.snapshot_zip import Refused, parse, read_snapshot

Validator = dict[str, Any]
NULL = {"type": "null"}
UUIDS = [f"0000000{n}-aaaa-4bbb-8ccc-dddddddddddd" for n in range(4)]


def of(kind: str, **more: Any) -> Validator:
    return {"type": kind, **more}


def union(*members: Validator) -> Validator:
    return of("union", value=list(members))


def literals(*values: Any) -> Validator:
    return union(*(of("literal", value=value) for value in values))


class Project:
    """A migration of which only documents.parquet is there."""

    def __init__(self, folder: Path) -> None:
        self.workspace = Workspace(project=folder, data=folder / "data", target="here")
        self.exported: dict[str, Any] = {"tables": [], "schemaValidation": True}
        self.tables: dict[str, TargetTable] = {}
        self.references: dict[str, ReferenceTable] = {}

    def table(
        self, name: str, fields: Mapping[str, Validator], rows: pa.Table | None, **plan: Any
    ) -> None:
        """Fields whose name ends with ? are optional."""
        described = {
            field.rstrip("?"): {"fieldType": validator, "optional": field.endswith("?")}
            for field, validator in fields.items()
        }
        document = of("object", value=described)
        self.exported["tables"].append({"tableName": name, "documentType": document})
        if rows is not None:
            self.tables[name] = TargetTable(name=name, source=name, model="", function="", **plan)
            file = self.workspace.transform(name) / "documents.parquet"
            write_parquet(file, rows.schema, rows.to_batches())

    def known(self, name: str, keys: Mapping[str, str]) -> None:
        """A [reference] table with the ids of its keys."""
        self.references[name] = ReferenceTable(name=name, source=name, keys="")
        rows = pa.table({"source_id": list(keys), "convex_id": list(keys.values())})
        write_parquet(self.workspace.keys / f"{name}.parquet", rows.schema, rows.to_batches())

    @property
    def numbers(self) -> dict[str, int]:
        return assigned_numbers(Schema(self.exported))

    def snapshot(self, *names: str) -> Snapshot:
        plan = Plan(
            file=self.workspace.plan,
            name="",
            module="migrate",
            sources={},
            references=self.references,
            tables=self.tables,
            targets={},
            report_json="",
            report_summary="",
            sides={},
        )
        chosen = [self.tables[name] for name in names or self.tables]
        return Snapshot(self.workspace, plan, Schema(self.exported), chosen, self.numbers)

    def write(self, *names: str) -> Path:
        file = self.workspace.imports / "snapshot.zip"
        self.snapshot(*names).write(file, Silent())
        return file

    def read(self, *names: str) -> dict[str, list[dict[str, Any]]]:
        return read_snapshot(self.write(*names), self.exported, self.numbers)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def documents(keys: list[str], **columns: Any) -> pa.Table:
    return pa.table({"_source_id": keys, **columns})


# ── values ──────────────────────────────────────────────────────────────────────────────────


def test_every_kind_of_value_is_exact(project: Project) -> None:
    project.table(
        "things",
        {
            "text": of("string"),
            "large?": of("bigint"),
            "float?": of("number"),
            "flag?": of("boolean"),
            "raw?": of("bytes"),
            "choice?": literals("a", "b"),
            "tags?": of("array", value=of("string")),
            "sizes?": of("array", value=of("number")),
            "counts?": of("array", value=of("bigint")),
            "anything?": of("any"),
            "nullable": union(of("number"), NULL),
            "kept?": union(of("string"), NULL),
        },
        documents(
            ["1", "2", "3"],
            text=['"quoted" \\ \n\t\x01 é 😀', "", '{5, [6] "7"'],
            large=pa.array([2**53 + 1, -(2**63), None], pa.int64()),
            float=pa.array([-0.0, math.nan, 1e21], pa.float64()),
            flag=pa.array([True, False, None]),
            raw=pa.array([b"\x00\x10\x83", b"", None], pa.binary()),
            choice=["a", "b", None],
            tags=[["x", ""], [], None],
            sizes=pa.array([[1.0, -math.inf], [5e-324], None], pa.list_(pa.float64())),
            counts=pa.array([[2**63 - 1], [], None], pa.list_(pa.int64())),
            anything=pa.array(
                [
                    '{"a":[1,2.5,{"$integer":"AQAAAAAAAAA="}],"b":"5, 6"}',
                    '{"$float":"AAAAAAAA8H8="}',
                    None,
                ]
            ),
            nullable=pa.array([1.0, None, 2.0]),
            kept=pa.array([None, "x", None], pa.string()),
        ),
        keep_null=("kept",),
    )
    first, second, third = project.read()["things"]
    assert first.pop("_id") == ids.mint(10001, "things", "1")
    # The order of the fields in the file does not matter; what each is does.
    assert str(first.pop("float")) == "-0.0"
    assert first == {
        "text": '"quoted" \\ \n\t\x01 é 😀',
        "large": 2**53 + 1,
        "flag": True,
        "raw": b"\x00\x10\x83",
        "choice": "a",
        "tags": ["x", ""],
        "sizes": [1.0, -math.inf],
        "counts": [2**63 - 1],
        "anything": {"a": [1.0, 2.5, 1], "b": "5, 6"},
        "nullable": 1.0,
        "kept": None,
    }
    assert type(first["anything"]["a"][0]) is float
    assert type(first["anything"]["a"][2]) is int
    assert math.isnan(second.pop("float"))
    assert second == {
        "_id": ids.mint(10001, "things", "2"),
        "text": "",
        "large": -(2**63),
        "flag": False,
        "raw": b"",
        "choice": "b",
        "tags": [],
        "sizes": [5e-324],
        "counts": [],
        "anything": math.inf,
        "nullable": None,
        "kept": "x",
    }
    third.pop("_id")
    assert third == {"text": '{5, [6] "7"', "float": 1e21, "nullable": 2.0, "kept": None}


def encoded(value: Any) -> Any:
    """Convex' encoded JSON of a value: int for int64."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return {"$integer": base64.b64encode(struct.pack("<q", value)).decode()}
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, float):
        if math.isfinite(value) and not (value == 0 and math.copysign(1, value) < 0):
            return int(value) if value == int(value) and abs(value) < 1e15 else value
        return {"$float": base64.b64encode(struct.pack("<d", value)).decode()}
    if isinstance(value, list):
        return [encoded(item) for item in value]
    return {key: encoded(item) for key, item in value.items()}


FIELD_NAMES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=5).filter(
    lambda name: not name.startswith("$")
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.binary(max_size=5)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(FIELD_NAMES, inner, max_size=4),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def encoder() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(values())
    connection.execute(export_json.macros())
    return connection


@settings(max_examples=60)
@given(st.lists(VALUES, min_size=1, max_size=30))
def test_encoded_json_becomes_export_json(
    encoder: duckdb.DuckDBPyConnection, given_values: list[Any]
) -> None:
    """Whatever is inside of v.any(), objects and records, it is the same value afterwards."""
    texts = [
        json.dumps(encoded(v), separators=(",", ":"), ensure_ascii=False) for v in given_values
    ]
    rows = encoder.execute("SELECT export_any(t) FROM unnest(?::VARCHAR[]) u(t)", [texts])
    for value, (text,) in zip(given_values, rows.fetchall(), strict=True):
        assert repr(parse(text)) == repr(value), text


# ── ids, references, times ──────────────────────────────────────────────────────────────────


def test_references_are_bound_without_asking(project: Project) -> None:
    """Those of the import are minted, those of what is there already are looked up."""
    workspaces = ids.mint(10003, "elsewhere", "17")
    project.table("authors", {"name": of("string")}, documents(UUIDS[:2], name=["a", "b"]))
    project.table(
        "posts",
        {"author?": of("id", tableName="authors"), "workspace": of("id", tableName="workspaces")},
        documents(
            ["1", "2"],
            author=[f"authors:{UUIDS[1]}", None],
            workspace=["workspaces:17", "workspaces:17"],
        ),
    )
    project.table("workspaces", {"slug": of("string")}, None)
    project.known("workspaces", {"17": workspaces})
    imported = project.read()
    assert imported["posts"][0]["author"] == imported["authors"][1]["_id"]
    assert imported["posts"][0]["workspace"] == workspaces
    assert "author" not in imported["posts"][1]
    internal = ids.decode(imported["authors"][1]["_id"])[1]
    assert internal.hex() == UUIDS[1].replace("-", "")


def test_a_parent_that_was_loaded_before_keeps_its_id(project: Project) -> None:
    project.table("authors", {"name": of("string")}, documents(["1"], name=["a"]))
    project.table(
        "posts",
        {"author": of("id", tableName="authors")},
        documents(["1"], author=["authors:1"]),
    )
    loaded = ids.encode(10001, bytes(range(16)))
    rows = pa.table({"source_id": ["1"], "convex_id": [loaded]})
    write_parquet(project.workspace.load("authors") / "ids.parquet", rows.schema, rows.to_batches())
    assert project.read("posts")["posts"][0]["author"] == loaded
    # Imported itself, it gets an id of its own.
    assert project.read()["posts"][0]["author"] == ids.mint(10001, "authors", "1")


def test_a_reference_without_an_id_is_refused(project: Project) -> None:
    project.table("authors", {"name": of("string")}, documents(["1"], name=["a"]))
    project.table(
        "posts",
        {"author": of("id", tableName="authors")},
        documents(["1"], author=["authors:1"]),
    )
    with pytest.raises(StagesError, match=r"1 documents of `posts` refer to .* authors:1"):
        project.write("posts")


def test_a_cycle_of_required_references(project: Project) -> None:
    project.table(
        "eggs", {"hen": of("id", tableName="hens")}, documents(["1", "2"], hen=["hens:1"] * 2)
    )
    project.table("hens", {"egg": of("id", tableName="eggs")}, documents(["1"], egg=["eggs:2"]))
    imported = project.read()
    assert {egg["hen"] for egg in imported["eggs"]} == {imported["hens"][0]["_id"]}
    assert imported["hens"][0]["egg"] == imported["eggs"][1]["_id"]


def test_creation_times_are_kept_and_never_invented(project: Project) -> None:
    project.table(
        "events",
        {"name": of("string")},
        documents(
            ["1", "2", "3"],
            name=["a", "b", "c"],
            _creation_time=pa.array([1700000000000.0, 1699999999999.5, None], pa.float64()),
            _order=[2, 1, 3],
        ),
    )
    imported = project.read()["events"]
    assert [d.get("_creationTime") for d in imported] == [1700000000000.0, 1699999999999.5, None]
    assert all(set(d) <= {"_id", "_creationTime", "name"} for d in imported)


def test_two_keys_that_would_be_one_id_are_refused(project: Project) -> None:
    """A UUID that is the beginning of another key's hash."""
    twin = ids.internal_id("things", "1").hex()
    uuid = "-".join([twin[:8], twin[8:12], twin[12:16], twin[16:20], twin[20:]])
    project.table("things", {"n": of("number")}, documents(["1", uuid], n=[1.0, 2.0]))
    with pytest.raises(StagesError, match=f"the source keys 1 and {uuid} would get the same id"):
        project.write()
    assert list(project.workspace.imports.iterdir()) == []


# ── the file ────────────────────────────────────────────────────────────────────────────────


def test_lines_keep_the_order_of_source_keys_and_bytes_are_the_same(project: Project) -> None:
    """Two row groups, and a join."""
    keys = [f"{n:06}" for n in range(150_000)]
    parents = ["workspaces:17" if n % 3 else None for n in range(len(keys))]
    project.table(
        "rows",
        {"workspace?": of("id", tableName="workspaces"), "n": of("number")},
        documents(keys, workspace=parents, n=pa.array(range(len(keys)), pa.float64())),
    )
    project.table("workspaces", {"slug": of("string")}, None)
    project.known("workspaces", {"17": ids.mint(10002, "workspaces", "17")})
    imported = project.read()
    assert [d["n"] for d in imported["rows"]] == list(map(float, range(len(keys))))
    assert sum("workspace" in d for d in imported["rows"]) == 100_000
    before = hash_file(project.workspace.imports / "snapshot.zip")
    assert hash_file(project.write()) == before


def test_an_empty_table_is_there_and_empty(project: Project) -> None:
    project.table(
        "rows",
        {"n": of("number")},
        documents([], n=pa.array([], pa.float64())).cast(
            pa.schema([("_source_id", pa.string()), ("n", pa.float64())])
        ),
    )
    assert project.read() == {"rows": []}


# ── the judge ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "text",
    [
        "9223372036854775808",
        "NaN",
        '{"$integer":"AQAAAAAAAAA="}',
        '{"$float":"AAAAAAAA8D8="}',
        '{"$float":1.0}',
        '{"a":1,"a":2}',
        '{"$x":1}',
        "[1,]",
        '{"a" 1}',
    ],
)
def test_the_judge_refuses_wrong_values(text: str) -> None:
    with pytest.raises(Refused):
        parse(text)


def test_the_judge_refuses_a_wrong_table_number(project: Project) -> None:
    project.table("rows", {"n": of("number")}, documents(["1"], n=[1.0]))
    with pytest.raises(Refused, match="is not of rows, which is 10002"):
        read_snapshot(project.write(), project.exported, {"rows": 10002})


def test_the_judge_refuses_what_the_schema_does(project: Project) -> None:
    project.table("rows", {"n": of("number")}, documents(["1"], n=[1.0]))
    file = project.write()
    project.exported["tables"][0]["documentType"]["value"]["n"]["fieldType"] = of("bigint")
    with pytest.raises(Refused, match="does not match"):
        read_snapshot(file, project.exported, project.numbers)


def test_references_wherever_they_are(project: Project) -> None:
    """In lists, in objects, in unions of several tables: minted ones, and those that are there."""
    there = ids.mint(10003, "workspaces", "17")
    ref = {"type": "id", "tableName": "authors"}
    project.table("authors", {"name": of("string")}, documents(["1", "2"], name=["a", "b"]))
    project.table("workspaces", {"slug": of("string")}, None)
    project.known("workspaces", {"17": there})
    project.table(
        "posts",
        {
            "by": of("array", value=ref),
            "of": union(ref, of("id", tableName="workspaces")),
            "box": of(
                "object",
                value={
                    "who": {"fieldType": ref, "optional": False},
                    "n": {"fieldType": of("bigint"), "optional": False},
                },
            ),
        },
        documents(
            ["1", "2"],
            by=[["authors:2", "authors:1"], []],
            of=["workspaces:17", "authors:1"],
            box=['{"n":{"$integer":"AQAAAAAAAAA="},"who":"authors:1"}'] * 2,
        ),
    )
    imported = project.read()
    one, two = (d["_id"] for d in imported["authors"])
    first, second = imported["posts"]
    assert (first["by"], second["by"]) == ([two, one], [])
    assert (first["of"], second["of"]) == (there, one)
    assert first["box"] == {"n": 1, "who": one}

"""What init writes converts each value exactly, or its row is a reject: reported inputs, and ours.

No model is edited. The inputs of 10_reported.sql were reported to other tools.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages import sandbox
from stages.convex.schema import Schema, export_schema
from stages.extract.run import ExtractOptions, extract
from stages.progress import Silent
from stages.project.plan_reader import load_plan
from stages.state.workspace import Workspace
from stages.transform.run import TransformOptions, transform
from tests.init.support import HERE, copy_project, run_init, source_of
from tests.support.sandboxes import own_source


class Staged:
    """The documents and rejects of a project, as they are on disk."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def rows(self, table: str, what: str) -> list[dict[str, Any]]:
        read = pq.read_table(self.workspace.transform(table) / f"{what}.parquet")
        columns = [
            c.combine_chunks().storage if isinstance(c.type, pa.BaseExtensionType) else c
            for c in read.columns
        ]
        rows: list[dict[str, Any]] = pa.table(columns, names=read.column_names).to_pylist()
        return rows

    def documents(self, table: str) -> dict[str, dict[str, Any]]:
        """Key → the fields that are not null."""
        return {
            row.pop("_source_id"): {name: value for name, value in row.items() if value is not None}
            for row in self.rows(table, "documents")
        }

    def rejects(self, table: str) -> dict[str, tuple[str, str]]:
        """Key → (field, rule)."""
        rows = self.rows(table, "rejects")
        return {row["source_id"]: (row["field"], row["rule"]) for row in rows}

    def reason(self, table: str, key: str) -> str:
        (row,) = [row for row in self.rows(table, "rejects") if row["source_id"] == key]
        return str(row["reason"])


def take_unproven_floats(plan: Path, sources: tuple[str, ...]) -> None:
    """Say it in the plan: their rows hold json, so that no hash of them proves what REST prints."""
    text = plan.read_text("utf-8")
    for source in sources:
        header = f"[sources.{source}]\n"
        text = text if header in text else f"{text}\n{header}"
        text = text.replace(header, f'{header}floats = "15 digits"\n')
    plan.write_text(text, "utf-8")


@pytest.fixture(scope="module", params=["postgres", "rest"])
def staged(
    request: pytest.FixtureRequest, source: sandbox.State, tmp_path_factory: pytest.TempPathFactory
) -> Staged:
    """The project from init to transform, over each transport."""
    project = copy_project("values", tmp_path_factory.mktemp(request.param) / "values")
    run_init(project, source_of(source))
    workspace = Workspace(project=project, data=project / "data", target="test")
    if request.param == "rest":
        take_unproven_floats(workspace.plan, ("odd", "mine"))
    plan = load_plan(workspace.plan)
    via = source_of(source, rest=request.param == "rest")
    assert not extract(workspace, plan, via, ExtractOptions(), Silent()).failed
    schema = Schema(export_schema(workspace.convex))
    result = transform(workspace, plan, schema, TransformOptions(), Silent())
    assert not result.failed
    return Staged(workspace)


@pytest.fixture(scope="module")
def source(sandbox_root: Path) -> Iterator[sandbox.State]:
    with own_source(sandbox_root / "values", HERE / "values") as state:
        yield state


def test_arrays_of_other_dimensions_and_bounds(staged: Staged) -> None:
    assert staged.rejects("notes") == {"2": ("labels", "array_dimensions")}
    assert staged.documents("notes") == {
        "1": {"labels": ["a", "b"], "scores": [1, 2]},
        "3": {"labels": [], "scores": [7, 8]},
        "4": {"labels": ["x"]},
    }
    (change,) = staged.rows("notes", "changes")
    assert (change["source_id"], change["rule"]) == ("3", "lower_bound_dropped")


def test_times_in_lists(staged: Staged) -> None:
    assert staged.rejects("slots") == {
        "2": ("starts", "infinite_time"), "3": ("starts", "failed_expression"),
        "4": ("days", "infinite_time"), "5": ("days", "failed_expression"),
    }  # fmt: skip
    assert staged.reason("slots", "2") == "the time is infinite at starts[0]"
    reason = staged.reason("slots", "3")
    assert "0044-03-15 12:00:00+00 BC" in reason and reason.endswith(" at starts[0]")
    assert staged.documents("slots") == {
        "1": {"starts": "[1704078000123,null]", "days": [1704067200000],
              "isos": ["2024-01-01T03:00:00.123Z"], "plain": [1704103200000]},
    }  # fmt: skip


def test_items_of_json_keep_their_type(staged: Staged) -> None:
    assert staged.rejects("posts") == dict.fromkeys("2345", ("tags", "type_mismatch"))
    assert staged.reason("posts", "2") == "a number, not string at tags[0]"
    (row,) = [r for r in staged.rows("posts", "rejects") if r["source_id"] == "2"]
    assert [(o["field"], o["reason"]) for o in json.loads(row["others"])] == [
        ("scores", "a string, not number at scores[0]"),
        ("flags", "a number, not boolean at flags[0]"),
    ]
    assert staged.documents("posts") == {
        "1": {"tags": ["a", "b"], "scores": [1, 2.5], "flags": [True]}
    }


def test_numbers_beyond_a_float_are_found_in_lists_too(staged: Staged) -> None:
    fields = {"3": "ids", "4": "anyids", "5": "prices", "6": "jids"}
    assert staged.rejects("guilds") == {k: (f, "inexact_number") for k, f in fields.items()}
    for key, field in fields.items():
        assert staged.reason("guilds", key).endswith(f" at {field}[0]")
    assert staged.documents("guilds") == {
        "1": {"ids": [1, 2], "anyids": "[1,2]", "prices": [1.5, 2], "jids": [1, 2]}
    }
    assert staged.rejects("singles") == {
        "2": ("one", "inexact_number"), "3": ("obj", "inexact_number"),
    }  # fmt: skip
    assert staged.reason("singles", "3").endswith(" at obj.n")


def test_odd_types(staged: Staged) -> None:
    assert staged.rejects("odd") == dict.fromkeys("134", ("lasts_s", "inexact_interval"))
    (row,) = [r for r in staged.rows("odd", "rejects") if r["source_id"] == "3"]
    assert [(o["field"], o["rule"]) for o in json.loads(row["others"])] == [
        ("fee_n", "inexact_number")
    ]
    document = staged.documents("odd")["2"]
    numbers = {name: document[name] for name in ("opens_ms", "lasts_s", "fee_n", "flag_b")}
    assert numbers == {"opens_ms": 23400000, "lasts_s": -79020, "fee_n": -1234.56, "flag_b": False}
    assert (document["opens"], document["lasts"]) == ("06:30:00+00", "-1 days +02:03:00")
    assert (document["flag"], document["mask"], document["span"]) == ("0", "", "empty")


def test_each_odd_value_is_exact_or_one_reject(staged: Staged) -> None:
    by_rule = {
        "array_dimensions": {2: "grid", 3: "grid"},
        "required_null": {6: "words"},
        "not_int64": {8: "sums", 9: "sums"},
        "failed_expression": {25: "flag"},
        "type_mismatch": {11: "big", 12: "big", 15: "bigs", 16: "bigs", 18: "word"},
        "inexact_number": {13: "big", 19: "word", 21: "n", 22: "n", 23: "n", 31: "fee",
                           37: "doc", 45: "nums", 46: "obj"},
        "inexact_interval": {28: "span", 29: "span"},
        "invalid_json": {26: "both_of", 34: "doc", 38: "docs", 40: "name"},
        "infinite_time": {43: "moments"},
    }  # fmt: skip
    assert staged.rejects("mine") == {
        str(key): (field, rule) for rule, rows in by_rule.items() for key, field in rows.items()
    }
    for key, end in {
        6: " at words[0][1]", 8: ": 1.5 at sums[1]", 9: ": 9223372036854775808 at sums[0]",
        12: " at big", 13: " at big", 15: " at bigs[1]", 18: " at word", 19: " at word",
        26: ": (1,x)", 34: ': {"a":"\\ud83d"}', 38: ': {"a":"\\ud83d"} at docs[1]',
        43: " at moments[0]", 45: ": x at nums[0]", 46: " at obj.n[1]",
    }.items():  # fmt: skip
        assert staged.reason("mine", str(key)).endswith(end), key
    documents = staged.documents("mine")
    assert math.isnan(documents.pop("44")["nums"][1])
    assert {int(key): list(document.values()) for key, document in documents.items()} == {
        1: ["[[1,2],[3,4]]"], 4: ["[[1,2]]"], 5: ['[["a,b","{c}"],["\\"","d"]]'],
        7: [[9007199254740993, 2]], 10: [9007199254740993], 14: [[9007199254740993, -1]], 17: [5],
        20: [0.1], 24: [True], 27: [-79019.5], 30: [-1234.56], 32: [73800000], 33: [86400000],
        35: ['{"a":"\\u0000"}'], 36: ['{"a":"😀"}'], 39: ['[{"a":1},null]'], 41: ['"x"'],
        42: [[1709208000500]], 47: ['{"n":[1]}'], 48: [],
    }  # fmt: skip
    assert len(staged.rows("mine", "rejects")) + len(documents) + 1 == 48

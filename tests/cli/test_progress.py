"""What a command shows while it works, and at its end."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stages import progress
from stages.duration import duration
from stages.errors import UserError
from stages.progress import Lines
from stages.progress_figures import Run, Standing
from tests.support.command_line import ROOT, Stages
from tests.support.project_copies import copy_data, copy_project

SCHEMA: dict[str, Any] = json.loads(
    (ROOT / "docs" / "reference" / "progress.schema.json").read_text("utf-8")
)
KINDS = {"string": str, "integer": int, "number": int | float, "null": type(None)}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "0 s"), (8.4, "8 s"), (59.6, "1 min"), (61, "1 min"), (3599, "1 h"),
        (5040, "1 h 24 min"), (86_400, "1 d"), (100_000, "1 d 3 h"), (864_000, "10 d"),
    ],
)  # fmt: skip
def test_duration(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_how_far_a_table_is() -> None:
    """The rate is of this run, and no table is beyond its whole."""
    table = Standing("load", "orders", 1_000_000, 400_000, began=100.0)
    assert table.words(100.5) == "400,000 of 1,000,000 rows, 0 s"
    table.advance(50_000, 10 << 20)
    assert table.rate(110.0) == 5_000
    assert table.words(110.0) == ("450,000 of 1,000,000 rows, 10 MiB, 5,000/s, 10 s, 2 min left")
    assert table.words(110.0, 80) == "450,000 of 1,000,000 rows, 2 min left"
    table.advance(600_000, 0)
    assert table.reached == 1_000_000 and table.remaining(120.0) is None
    assert Standing("transform", "orders", None, 0, began=0.0).words(75.0) == "1 min"


def test_the_run_as_a_whole() -> None:
    run = Run(0.0)
    for name, rows in (("a", 10), ("b", 20)):
        run.start("extract", name, None, 5, 0.0)
        run.advance(name, rows, 1 << 20)
    run.advance("a ledger that is read for others", 99, 0)
    run.done("extract", "a")
    run.done("reference", "b")
    assert run.words(3.0) == "1 table, 30 rows, 2 MiB in 3 s"
    run.begin({"a": None, "b": None, "c": None})
    assert run.words(3.0) == "1 of 3 tables, 30 rows, 2 MiB in 3 s"


def test_the_run_s_bar_is_of_rows_where_all_are_known() -> None:
    run = Run(0.0)
    run.begin({"small": 10, "large": 990})
    run.start("load", "small", 10, 0, 0.0)
    run.advance("small", 10, 0)
    run.done("load", "small")
    run.start("load", "large", 990, 90, 0.0)
    assert run.share == (100, 1_000)
    run.advance("large", 5_000, 0)
    assert run.share == (1_000, 1_000)
    # A second pass over a table is beyond what was expected.
    run.start("load", "small", 10, 0, 0.0)
    assert run.share == (1_000, 1_000)


def test_the_run_says_how_long_the_rest_may_take() -> None:
    """By the rows of this run, where those of every table that is left are known."""
    run = Run(100.0)
    run.begin({"a": 300, "b": 1_000, "c": None})
    run.start("load", "a", 300, 200, 100.0)
    run.advance("a", 100, 0)
    assert run.remaining(110.0) is None
    run.start("load", "c", 400, 0, 110.0)
    assert run.remaining(110.0) == 10 * (1_000 + 400) / 100
    assert run.words(110.0) == "0 of 3 tables, 100 rows in 10 s, 2 min left"
    assert run.words(110.0, 80) == "0 of 3 tables, 100 rows, 2 min left"
    run.done("load", "a")
    run.done("load", "c")
    assert run.remaining(110.0) == 10 * 1_000 / 100
    run.done("load", "b")
    assert run.remaining(110.0) is None


def test_the_run_is_never_beyond_its_whole() -> None:
    """Not by a table that is sent twice, nor by one with more rows than were expected."""
    run = Run(0.0)
    run.begin({"a": 10, "b": None})
    run.start("load", "a", 10, 5, 0.0)
    assert run.share == (0.5, 2)
    run.advance("a", 20, 0)
    assert run.share == (1, 2)
    run.done("load", "a")
    run.start("load", "b", None, 0, 0.0)
    run.start("load", "a", 10, 5, 0.0)
    assert run.share == (1, 2)
    run.done("load", "a")
    run.done("load", "b")
    run.start("reference", "c", 10, 5, 0.0)
    assert run.share == (2, 2) and run.words(1.0) == "2 tables, 20 rows in 1 s"


def test_a_second_pass_counts_only_what_the_first_had_not() -> None:
    run = Run(0.0)
    run.start("load", "a", 10, 0, 0.0)
    run.advance("a", 3, 100)
    run.done("load", "a")
    run.start("load", "a", 10, 0, 0.0)
    run.advance("a", 2, 100)
    assert (run.rows_of, run.bytes) == ({"a": 3}, 200)
    run.advance("a", 5, 100)
    assert (run.rows_of, run.rows) == ({"a": 7}, 7)


def test_a_line_every_few_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    """Also of a table that counts nothing while it works."""
    with Lines(every=0.02) as lines:
        lines.start("transform", "orders")
        lines.start("load", "people", 7, 2)
        lines.advance("people", 1)
        seen = ""
        for _ in range(500):
            seen += capsys.readouterr().err
            if "orders" in seen and "3 of 7" in seen:
                break
            lines._ended.wait(0.01)
    assert re.search(r"(?m)^  transform orders {19}\d s$", seen)
    assert re.search(r"(?m)^  load      people {19}3 of 7 rows, \d s$", seen)


def test_what_ends_without_a_word_is_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with Lines() as lines:
        lines.start("ledger", "migrationLedger")
        lines.done("ledger", "migrationLedger", "")
    assert capsys.readouterr().err == ""


def fits(line: dict[str, Any]) -> bool:
    """JSON Schema, as much of it as the file uses."""
    for name, value in line.items():
        rule = SCHEMA["properties"].get(name)
        if rule is None:
            continue
        if "enum" in rule and value not in rule["enum"]:
            return False
        kinds = rule.get("type", [])
        listed = [kinds] if isinstance(kinds, str) else kinds
        if listed and not any(isinstance(value, KINDS[kind]) for kind in listed):
            return False
    return required(line["event"]) <= line.keys()


def required(event: str) -> set[str]:
    names = set(SCHEMA["required"])
    for rule in SCHEMA["allOf"]:
        condition = rule["if"]["properties"]["event"]
        if event in condition.get("enum", [condition.get("const")]):
            names |= set(rule["then"]["required"])
    return names


@pytest.fixture
def staged(extracted: Path, tmp_path: Path) -> Stages:
    data = copy_data(extracted, tmp_path / "data")
    return Stages(data, project=copy_project(tmp_path / "project"))


def lines_of(printed: str) -> Iterator[dict[str, Any]]:
    for text in printed.splitlines():
        line = json.loads(text)
        assert fits(line), line
        yield line


def lines_of_stage(stages: Stages, stage: str, *options: str) -> list[dict[str, Any]]:
    """Every line is as documented; the last one says what was done and what comes next."""
    lines = list(lines_of(stages.run(stage, *options, "--json").stdout))
    assert {line["event"] for line in lines} >= {"begin", "start", "done", "summary"}
    begun = next(line for line in lines if line["event"] == "begin")
    last = lines[-1]
    assert (last["event"], last["stage"]) == ("summary", stage)
    ended = [line for line in lines if line["event"] == "done"]
    tables = {line["table"] for line in ended if line["stage"] == stage}
    assert last["tables"] == len(tables) == begun["tables"] > 10
    assert last["next"].startswith(("stages ", "nothing"))
    assert last["verdict"] or last["next"].startswith("nothing")
    return lines


def test_json_lines(staged: Stages) -> None:
    lines = lines_of_stage(staged, "extract", "--restart")
    assert "note" in {line["event"] for line in lines}
    rows = {line["table"]: line["rows"] for line in lines if line["event"] == "advance"}
    assert rows["articles"] == 40
    lines = lines_of_stage(staged, "transform", "--restart")
    rows = {line["table"]: line["rows"] for line in lines if line["event"] == "advance"}
    assert rows["articles"] == 40


def test_json_lines_of_what_works_with_convex(extracted: Path, tmp_path: Path) -> None:
    own = Stages(
        copy_data(extracted, tmp_path / "data"), "sandbox-lines", copy_project(tmp_path / "project")
    )
    own.run("extract")
    own.run("transform")
    lines = lines_of_stage(own, "load")
    sizes = {line["table"]: line["bytes"] for line in lines if line["event"] == "advance"}
    assert sizes["articles"] > 10_000
    lines_of_stage(own, "verify")
    lines_of_stage(own, "rollback", "--yes")


def test_stopped(staged: Stages) -> None:
    (staged.project / ".planning" / "migrations" / "models" / "articles.sql").write_text("SELECT")
    lines = list(lines_of(staged.run("transform", "articles", "--json", code=2).stdout))
    assert (lines[-1]["event"], lines[-1]["exit_code"]) == ("stopped", 2)
    lines = list(lines_of(staged.run("load", "nothing", "--json", code=2).stdout))
    assert (lines[-1]["event"], lines[-1]["exit_code"]) == ("stopped", 2)
    assert "nothing" in lines[-1]["message"]


def test_a_summary_ends_what_people_read(staged: Stages) -> None:
    *_, summary, following = staged.run("transform").stderr.splitlines()
    assert summary.startswith("transform: 13 tables in ")
    assert summary.endswith("; not everything is loaded")
    assert following == "next: stages load"


def test_every_way_of_showing_takes_all_events(capsys: pytest.CaptureFixture[str]) -> None:
    """Only JSON goes to stdout."""
    for each in (progress.Bars(), progress.Lines(), progress.JsonLines()):
        with each as shown:
            shown.begin("load", {"a": 3})
            shown.start("load", "a", 3, 1)
            shown.start("load", "a", 3)
            shown.advance("a", 5, 10)
            shown.done("load", "a", "5 sent", inserted=5)
            shown.summary("load", "not everything is verified", "stages verify")
            shown.note("n")
            shown.stopped(UserError("m", "h"))
    printed = [line["event"] for line in lines_of(capsys.readouterr().out)]
    assert printed == ["begin", "start", "start", "advance", "done", "summary", "note", "stopped"]

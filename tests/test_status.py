"""What status calls done, and what it does not: the last step, from what is known of the tables."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pyarrow as pa

from stages.errors import OverLimit
from stages.layout import shown_width
from stages.next_step import next_step
from stages.standing import (
    ExtractStatus,
    LastRun,
    LoadStatus,
    RunningCommand,
    Status,
    TableStatus,
    TransformStatus,
    VerifyStatus,
)
from stages.state.failures import Failure
from stages.state.manifests import Moved
from stages.status import status
from stages.status_lines import HEADS, as_text
from tests.support.tiny_project import STRING, Small

EXTRACT = ExtractStatus(
    status="complete", rows=3, parts=1, transport="postgres", age_seconds=1, moving=False,
    moved=None,
)  # fmt: skip
TRANSFORM = TransformStatus(status="complete", documents=3, rejects=0, changes=0, stale=None)
LOAD = LoadStatus(status="complete", counts={"inserted": 3, "removed": 0}, stale=False)
DONE = TableStatus(
    source="orders",
    failures={},
    extract=EXTRACT,
    transform=TRANSFORM,
    load=LOAD,
    verify=VerifyStatus(counts={"verified": 3}, stale=False, wrong=[]),
)


def step(over_limit: tuple[OverLimit, ...] = (), **changes: Any) -> tuple[str, str, bool]:
    table = replace(DONE, **changes)
    found = next_step({"orders": table}, {}, {}, over_limit, None, schema_changed=False)
    return found.verdict, found.command, found.finished


def test_all_is_done() -> None:
    assert step() == (
        "everything is loaded and verified",
        "nothing: everything is loaded and verified; see stages report",
        True,
    )


def test_a_schema_that_was_edited_is_not_done() -> None:
    found = next_step({"orders": DONE}, {}, {}, (), None, schema_changed=True)
    assert found.verdict.startswith("convex/schema.ts, or stages itself, has changed since")
    assert found.command == "stages transform" and not found.finished


def test_rejects_above_the_limit_are_not_done() -> None:
    limit = OverLimit(table="orders", rejects=2, rows=5, limit=1)
    verdict, command, finished = step((limit,))
    assert verdict.startswith("more rejects than the plan allows: orders: 2 of 5 rejected")
    assert command == "stages rejects" and not finished


def test_documents_that_are_not_staged_any_more_are_not_done() -> None:
    verdict, command, finished = step(load=replace(LOAD, counts={"inserted": 3, "removed": 2}))
    assert verdict == "Convex holds documents that are no longer staged: orders: 2"
    assert command.startswith("stages load --prune") and not finished


def test_duplicates_are_not_done() -> None:
    verify = VerifyStatus(counts={"verified": 3}, stale=False, wrong=["1 duplicate"])
    verdict, _, finished = step(verify=verify)
    assert verdict == "Convex differs from what is staged: orders: 1 duplicate" and not finished


def test_a_source_that_has_moved_is_not_done() -> None:
    moved = Moved(seen="2026-01-01T00:00:00+00:00", what=("1 rows written since",))
    verdict, command, finished = step(extract=replace(EXTRACT, moved=moved))
    assert verdict == "the source has moved since it was extracted: orders"
    assert command.startswith("stages extract --restart orders") and not finished


def test_a_source_that_is_only_read_and_has_moved_is_not_done() -> None:
    moved = Moved(seen="2026-01-01T00:00:00+00:00", what=("another greatest key",))
    only_read = {"plans": replace(EXTRACT, moved=moved), "prices": EXTRACT}
    found = next_step({"orders": DONE}, only_read, {}, (), None, schema_changed=False)
    assert found.verdict == "the source has moved since it was extracted: plans"
    assert found.command.startswith("stages extract --restart plans") and not found.finished


def test_nothing_transformed_is_not_done() -> None:
    verdict, command, finished = step(transform=replace(TRANSFORM, documents=0))
    assert verdict == "nothing was transformed: no row became a document"
    assert command.startswith("stages rejects") and not finished
    missing = replace(TRANSFORM, status="missing", documents=0)
    verdict, command, finished = step(transform=missing, load=None, verify=None)
    assert verdict == "nothing was transformed: the source has none of the plan's tables"
    assert command.startswith("stages check") and not finished


def test_a_failure_of_any_stage_comes_first() -> None:
    failure = Failure(reason="no", hint=None, at="2026-01-01T00:00:00+00:00")
    for stage in ("extract", "transform", "load"):
        verdict, command, finished = step(failures={stage: failure})
        assert verdict == f"{stage} failed for orders" and not finished
        assert command == f"stages {stage}"


# ── the screen ──────────────────────────────────────────────────────────────────────────────


def screen(tables: dict[str, TableStatus], **changes: Any) -> list[str]:
    standing = Status(
        source="ref", target="dep", consistency="exported", tables=tables, sources={},
        failed_sources={}, verdict="v", finished=False, next="stages load",
    )  # fmt: skip
    return as_text(replace(standing, **changes)).splitlines()


def test_columns_stay_in_line_for_every_name_and_number() -> None:
    many = replace(EXTRACT, rows=123_456_789_012)
    wide = replace(DONE, extract=many, transform=replace(TRANSFORM, documents=9_876_543_210))
    lines = screen(
        {"a": DONE, "a_table_with_a_name_of_more_than_forty_letters": wide, "日本語": DONE}
    )
    head = next(each for each in lines if each.startswith("table"))
    ends = [shown_width(head[: head.index(word) + len(word)]) for word in HEADS[1:]]
    for line in (each for each in lines if each.startswith(("a", "日本語"))):
        cells = re.findall(r"\S+(?: \S+)*", line)
        assert len(cells) == len(HEADS)
        at = 0
        for cell, end in zip(cells[1:], ends, strict=True):
            at = line.index(cell, at) + len(cell)
            assert shown_width(line[:at]) == end, line


def test_what_is_under_way_shows_how_far_it_is() -> None:
    reading = replace(EXTRACT, status="reading", rows=2583, expected=1_000_000, age_seconds=None)
    loading = replace(DONE, extract=reading, load=None, verify=None, acknowledged=2)
    running = RunningCommand(command="load", pid=4711, since="2026-01-01T00:00:00+00:00")
    (row,) = [each for each in screen({"t": loading}) if each.startswith("t ")]
    assert re.search(r" 2 of 3, not all +–$", row)
    assert "2,583 of 1,000,000, not all" in row
    lines = screen({"t": loading}, running=running)
    assert any(each.startswith("running: load, pid 4711, for ") for each in lines)
    assert any("  2 of 3, running" in each for each in lines)
    extracting = screen({"t": loading}, running=replace(running, command="extract"))
    assert any("2,583 of 1,000,000, running" in each for each in extracting)


def test_each_mark_is_explained_with_its_cause() -> None:
    old = replace(
        DONE,
        transform=replace(TRANSFORM, stale="its model"),
        load=replace(LOAD, stale=True),
        verify=VerifyStatus(counts={"verified": 3}, stale=True, wrong=[]),
    )
    lines = screen({"orders": old, "lines": old, "plans": DONE})
    (row,) = [each for each in lines if each.startswith("orders ")]
    assert row.split()[-4:] == ["3*", "0", "3*", "3*"]
    assert [each for each in lines if each.startswith("*")] == [
        "* transformed before its model changed: orders, lines",
        "* loaded before other documents were staged: orders, lines",
        "* verified before the last load: orders, lines",
    ]


def test_rejects_stand_against_their_limits() -> None:
    limited = replace(TRANSFORM, rejects=5, dropped=1, allowed_rejects=2)
    lines = screen(
        {"orders": replace(DONE, transform=limited), "plans": DONE}, rejects=4, allowed_rejects=10
    )
    assert any(re.match(r"orders .* 4! of 2 ", each) for each in lines)
    assert any(re.match(r"in all .* 4 of 10 ", each) for each in lines)


def test_the_last_run_of_each_stage() -> None:
    run = LastRun(started="2026-01-01T00:00:00+00:00", ended="2026-01-01T00:00:01+00:00")
    (line,) = [s for s in screen({"t": DONE}, last_runs={"load": run}) if s.startswith("last")]
    assert re.fullmatch(r"last runs: load \d+ d ago", line)


def test_answers_of_a_load_that_has_not_ended_are_counted(small: Small) -> None:
    small.write("plan.toml", "[tables.pets]\nsource = 'pets'\n")
    small.schema("pets", {"name": STRING})
    small.model("pets", "SELECT key(id) AS _source_id, name FROM extract.pets")
    small.extract("pets", pa.table({"id": ["a", "b", "c"], "name": ["x", "y", "z"]}), ["id"])
    small.transform()
    file = small.workspace.acks("pets")
    file.parent.mkdir(parents=True)
    file.write_text('{"sourceId": "a"}\n{"sourceId": "b"}\n{"sour')
    standing = status(small.workspace, small.plan, str)
    assert standing.tables["pets"].acknowledged == 2
    assert "2 of 3, not all" in as_text(standing)


def test_all_that_convex_has_counts_in_all() -> None:
    """Also of a table that is not loaded as a whole."""
    whole = screen({"orders": DONE, "plans": DONE})
    part = screen({"orders": replace(DONE, load=None, verify=None, acknowledged=1), "plans": DONE})
    loaded = [
        int(next(line for line in lines if line.startswith("in all")).split()[-2])
        for lines in (whole, part)
    ]
    assert loaded == [6, 4]


def test_load_is_not_next_where_it_would_be_refused() -> None:
    """It failed, and there are more rejects than it accepts."""
    failure = Failure(reason="no", hint=None, at="2026-01-01T00:00:00+00:00")
    limit = OverLimit(table=None, rejects=2, rows=5, limit=1)
    _, command, _ = step((limit,), failures={"load": failure})
    assert command == "stages rejects"

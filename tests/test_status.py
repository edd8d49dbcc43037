"""What status calls done, and what it does not: the last step, from what is known of the tables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from stages.errors import OverLimit
from stages.state.failures import Failure
from stages.state.manifests import Moved
from stages.status import (
    ExtractStatus,
    LoadStatus,
    TableStatus,
    TransformStatus,
    VerifyStatus,
    _next,
)

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
    found = _next({"orders": table}, {}, {}, over_limit, None)
    return found.verdict, found.command, found.finished


def test_all_is_done() -> None:
    assert step() == (
        "everything is loaded and verified",
        "nothing: everything is loaded and verified; see stages report",
        True,
    )


def test_rejects_above_the_limit_are_not_done() -> None:
    limit = OverLimit(table="orders", rejects=2, rows=5, limit=1)
    verdict, command, finished = step((limit,))
    assert verdict.startswith("more rejects than the plan allows: orders: 2 of 5 rejected")
    assert command.startswith("stages rejects; ") and not finished


def test_documents_that_are_not_staged_any_more_are_not_done() -> None:
    verdict, command, finished = step(load=replace(LOAD, counts={"inserted": 3, "removed": 2}))
    assert verdict == "Convex holds documents that are not staged any more: orders: 2"
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
    found = _next({"orders": DONE}, only_read, {}, (), None)
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
        assert command == f"stages {stage}, which failed for orders; see why with: stages rejects"

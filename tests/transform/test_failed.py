"""A table that transform stopped says so in status, rejects and the report until it succeeds."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from stages.rejects import list_rejects
from tests.support.failures import Shown, shown
from tests.support.tiny_project import STRING, Small

STOPS = "SELECT key(id) AS _source_id, name FROM extract.users WHERE name::INTEGER > 0"
GOES = "SELECT key(id) AS _source_id, name FROM extract.users"


@pytest.fixture
def small(tmp_path: Path) -> Small:
    """Two tables, one of which was transformed before its model was changed to one that stops."""
    small = Small(tmp_path)
    for name in ("users", "posts"):
        small.extract(name, pa.table({"id": [1, 2], "name": ["a", "b"]}), ["id"])
        small.schema(name, {"name": STRING})
    small.write("plan.toml", "[tables.users]\n[tables.posts]\n")
    small.model("users", GOES)
    small.model("posts", GOES.replace("users", "posts"))
    assert not small.transform().failed
    small.model("users", STOPS)
    assert set(small.transform().failed) == {"users"}
    return small


def of_users(small: Small) -> Shown:
    return shown(small.workspace, small.plan, "users")


def test_it_stays_until_the_table_is_transformed(small: Small) -> None:
    seen = of_users(small)
    reason = seen.failures["transform"].reason
    assert "models/users.sql, line 1: failed_expression: " in reason
    assert seen.status.tables["users"].transform is not None
    assert seen.status.tables["users"].transform.status == "failed"
    assert seen.status.verdict == "transform failed for users" and not seen.status.finished
    assert seen.status.next == "stages transform"
    assert f"FAILED transform of users, {seen.failures['transform'].at}: {reason}" in seen.text
    assert f"users: transform failed: {reason}\n    → move the call" in seen.rejects
    assert seen.rejects.endswith("; then: stages transform")
    assert seen.entry["status"] == "failed"
    # DuckDB's words may quote a value, and stay with the data.
    assert seen.entry["errors"] == [
        "transform failed: models/users.sql, line 1; see why with: stages rejects users"
    ]
    assert "- users: transform failed: models/users.sql, line 1; see why" in seen.summary
    assert "'a'" in reason and "'a'" not in seen.summary

    # Another table's success is not this one's.
    small.transform("posts")
    assert of_users(small).failures == seen.failures
    assert set(small.transform().failed) == {"users"}
    assert of_users(small).failures == seen.failures, "the same reason keeps its time"

    small.model("users", GOES)
    assert not small.transform("users").failed
    seen = of_users(small)
    assert (seen.failures, seen.rejects, seen.entry["errors"]) == ({}, "no rejects", [])
    assert seen.entry["status"] == "not loaded" and "FAILED" not in seen.text
    assert not list_rejects(small.workspace, small.plan, small.plan.tables.values(), "failed")

"""Pages of rejects and changes: counted, filtered and searched by DuckDB."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa

from stages import Migration
from stages.page.rows import (
    LONGEST,
    Wanted,
    change_page,
    first_changes,
    first_rejects,
    reject_page,
)
from tests.page.support import REJECTED, opened
from tests.support.tiny_project import INT64, STRING, Small


def many(small: Small, rows: int, *, text: str = "no number", filled: str = "none") -> Migration:
    """A table with all rows but one rejected, and one with every row changed."""
    small.write(
        "plan.toml",
        "max_rejects = '100%'\n[tables.a]\nsource = 'a'\n[tables.b]\nsource = 'b'\n"
        "[targets.small]\nconvex_url = 'X'\n",
    )
    small.model("a", "SELECT key(id) AS _source_id, to_int64(n) AS n FROM extract.a")
    small.model("b", f"SELECT key(id) AS _source_id, coalesce(n, '{filled}') AS n FROM extract.b")
    small.schema("a", {"n": INT64})
    small.schema("b", {"n": STRING})
    keys = [f"k{number:06}" for number in range(rows)]
    numbers = [*(f"{text} {number}" for number in range(rows)), "1"]
    small.extract("a", pa.table({"id": [*keys, "whole"], "n": numbers}), ["id"])
    small.extract("b", pa.table({"id": keys, "n": pa.array([None] * rows, pa.string())}), ["id"])
    small.transform()
    return opened(small)


def test_the_first_rows_of_each_group_by_key(small: Small) -> None:
    migration = many(small, 1000)
    rejects = first_rejects(migration.workspace, migration.plan, values=True, most=200)
    assert [row.source_id for row in rejects] == [f"k{number:06}" for number in range(200)]
    assert rejects[0].reason and "no number 0" in rejects[0].reason
    changes = first_changes(migration.workspace, migration.plan, values=False, most=7)
    assert [row.source_id for row in changes] == [f"k{number:06}" for number in range(7)]
    assert (changes[0].table, changes[0].rule, changes[0].new) == ("b", "null_filled", None)


def test_every_row_is_on_one_page(small: Small) -> None:
    migration = many(small, 1000)
    seen: Counter[str] = Counter()
    for offset in range(0, 1001, 90):
        wanted = Wanted(equal={"table": "a"}, offset=offset, limit=90)
        total, rows = reject_page(migration.workspace, migration.plan, wanted)
        assert total == 1000
        seen.update(row.source_id for row in rows)
    assert len(seen) == 1000 and set(seen.values()) == {1}


def test_search_in_keys_and_values(small_page: Migration) -> None:
    workspace, plan = small_page.workspace, small_page.plan

    def found(**options: str) -> tuple[int, list[str]]:
        search = options.pop("search", "")
        total, rows = reject_page(workspace, plan, Wanted(equal=options, search=search))
        return total, [f"{row.table}:{row.source_id}" for row in rows]

    assert found() == (2, ["people:p2", "pets:y"])
    assert found(search=REJECTED.upper()) == (1, ["people:p2"])
    assert found(search="Y") == (1, ["pets:y"])
    assert found(rule="parent_rejected", stage="transform") == (1, ["pets:y"])
    assert found(table="people", field="name") == (0, [])
    assert found(search="' OR true --") == (0, [])
    assert found(table="' OR true --") == (0, [])
    total, changes = change_page(workspace, plan, Wanted(equal={}, search="NAMED"))
    assert (total, changes[0].source_id, changes[0].new) == (1, "p1", "unnamed")


def test_a_huge_value_is_cut(small: Small) -> None:
    migration = many(small, 3, text="x" * 100_000, filled="y" * 100_000)
    (first, *_) = first_changes(migration.workspace, migration.plan, values=True)
    _, (found, *_) = change_page(migration.workspace, migration.plan, Wanted(equal={}))
    assert first.new == found.new == "y" * LONGEST + "…"
    page = migration.page(values=True)
    assert max(len(reason) for group in page.reject_groups for reason in group.reasons) < 500


def test_nothing_is_staged_yet(small: Small) -> None:
    small.write("plan.toml", "[tables.a]\nsource = 'a'\n[targets.small]\nconvex_url = 'X'\n")
    migration = opened(small)
    assert reject_page(migration.workspace, migration.plan, Wanted(equal={})) == (0, [])
    assert change_page(migration.workspace, migration.plan, Wanted(equal={})) == (0, [])

"""A derived table is accounted for in its own rows, not in those of its source."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from stages.report.build import build_report
from tests.support.tiny_project import NUMBER, STRING, Small


@pytest.fixture
def tags(tmp_path: Path) -> Small:
    """101 things, and a table of their five tags."""
    small = Small(tmp_path)
    numbers = pa.array(range(101), pa.int64())
    tag = pa.array([f"t{n % 5}" for n in range(101)])
    small.extract("things", pa.table({"id": numbers, "tag": tag}), ["id"])
    small.schema("tags", {"name": STRING, "size?": NUMBER})
    small.write(
        "plan.toml",
        "max_rejects = 100\n[sources.things]\n[tables.tags]\nsource = 'things'\n"
        "grain = 'derived'\n",
    )
    return small


@pytest.mark.parametrize(
    ("model", "rows", "reasons"),
    [
        ("SELECT DISTINCT tag AS _source_id, NULL::VARCHAR AS name FROM extract.things", 5, None),
        ("SELECT DISTINCT tag AS _source_id, tag AS name FROM extract.things WHERE id < 0", 0, {}),
    ],
    ids=["all rejected", "no rows"],
)
def test_a_derived_table_without_documents_counts_its_own_rows(
    tags: Small, model: str, rows: int, reasons: dict[str, int] | None
) -> None:
    tags.model("tags", model)
    manifest = tags.transform().tables["tags"]
    assert manifest.documents == 0
    entry = build_report(tags.workspace, tags.plan)["things"]
    assert (entry["source"], entry["migrated"], entry["skipped"]) == (rows, 0, rows)
    assert sum(entry["reasons"].values()) == rows
    assert reasons is None or entry["reasons"] == reasons


def test_before_it_is_transformed_nothing_is_known_of_it(tags: Small) -> None:
    entry = build_report(tags.workspace, tags.plan)["things"]
    assert (entry["status"], entry["source"], entry["skipped"]) == ("not transformed", 0, 0)

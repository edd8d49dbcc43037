"""A second look at a source: what has moved, what is known to be unchanged, what is not known."""

from __future__ import annotations

import psycopg
import pytest

from stages.extract.drift import source_drift
from stages.extract.transport import Via
from stages.state.manifests import Moved, write_manifest
from stages.state.workspace import manifest_file
from stages.status import status
from stages.status_lines import as_text
from tests.extract.support import TRANSPORTS, Database, Project

UNSEEN = "same count and greatest key; edits can't be seen"


def look(project: Project, name: str, via: Via = "postgres") -> tuple[str, str]:
    """Status and note of an extract that follows on a complete one."""
    result = project.extract(via).tables[name]
    return result["status"], result["note"]


def moved(project: Project, name: str) -> Moved | None:
    return project.extracted(name).moved


# ── what is known ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("first", "then"), [(a, b) for a in TRANSPORTS for b in TRANSPORTS])
def test_unchanged_is_said_only_where_rows_have_versions(
    database: Database, project: Project, first: Via, then: Via
) -> None:
    database.sql(
        "DROP TABLE IF EXISTS other.seen; CREATE TABLE other.seen (id int PRIMARY KEY, v int); "
        "INSERT INTO other.seen VALUES (1, 1), (2, 2)"
    )
    project.plan(seen={"table": "other.seen"})
    project.extract(first)
    if first == then == "postgres":
        assert look(project, "seen", then) == ("unchanged", "unchanged, 2 rows")
    else:
        assert look(project, "seen", then) == ("kept", f"{UNSEEN}, 2 rows")
    # An edit shows only where rows have versions.
    database.sql("UPDATE other.seen SET v = 3 WHERE id = 1")
    seen = "moved" if first == then == "postgres" else "kept"
    assert look(project, "seen", then)[0] == seen


def test_a_view_s_edits_cant_be_seen(database: Database, project: Project) -> None:
    database.sql(
        "CREATE TABLE other.below (id int PRIMARY KEY, v int); "
        "INSERT INTO other.below VALUES (1, 1), (2, 2); "
        "CREATE VIEW other.lower_view AS SELECT id, v FROM other.below; "
        "CREATE VIEW other.above AS SELECT id, v FROM other.lower_view"
    )
    plan = project.plan(above={"table": "other.above", "key": ["id"]}, none={"table": "other.none"})
    project.extract()
    assert look(project, "above") == ("kept", f"{UNSEEN}, 2 rows")
    drifts = source_drift(project.workspace, plan, project.source, ("above",), project.heard)
    assert (drifts["above"].moved, drifts["above"].words) == ((), UNSEEN)

    for sql in (
        "CREATE OR REPLACE VIEW other.lower_view AS SELECT id, v + 1 AS v FROM other.below",
        "CREATE OR REPLACE VIEW other.above AS SELECT id, -v AS v FROM other.lower_view",
    ):
        database.sql(sql)
        status_now, note = look(project, "above")
        assert status_now == "moved" and "its view has been redefined" in note
        project.extract(restart=True)
        assert look(project, "above")[0] == "kept"


def test_an_empty_table_is_unchanged_also_over_rest(database: Database, project: Project) -> None:
    database.sql("CREATE TABLE other.empty_one (id int PRIMARY KEY)")
    project.plan(empty_one={"table": "other.empty_one"})
    project.extract("rest")
    assert look(project, "empty_one", "rest") == ("unchanged", "unchanged, 0 rows")


def test_rows_that_a_snapshot_may_have_seen_are_at_most_so_many(
    database: Database, project: Project
) -> None:
    """A transaction is open while the table is read, with a part that Postgres does not name."""
    database.sql("CREATE TABLE other.busy (id int PRIMARY KEY, v int)")
    project.plan(busy={"table": "other.busy"})
    assert database.source.db_url is not None
    with psycopg.connect(database.source.db_url.reveal()) as writer:
        writer.execute("INSERT INTO other.busy VALUES (8, 1)")
        with writer.transaction():
            writer.execute("INSERT INTO other.busy VALUES (9, 1)")
        database.sql("INSERT INTO other.busy VALUES (1, 1)")
        project.extract()
        assert project.column("busy", "id") == [1]
        # It was read, and can't be told from one that was not.
        assert look(project, "busy")[0] == "moved"
        seen = moved(project, "busy")
        assert seen and seen.what == ("at most 1 rows written since",)
    note = look(project, "busy")[1]
    assert "3 rows instead of 1, at most 3 rows written since" in note


def test_what_was_written_between_two_snapshots_is_not_unchanged(
    database: Database, project: Project
) -> None:
    """A resumed table has parts of both: the row may be in a part of the first."""
    database.sql(
        "CREATE TABLE other.twice (id int PRIMARY KEY, v int); "
        "INSERT INTO other.twice VALUES (1, 1), (2, 2)"
    )
    project.plan(twice={"table": "other.twice"})
    project.extract()
    first = project.extracted("twice").snapshots
    assert look(project, "twice")[0] == "unchanged"
    database.sql("UPDATE other.twice SET v = 3 WHERE id = 1")
    project.extract(restart=True)
    manifest = project.extracted("twice")
    manifest.snapshots = [*first, *manifest.snapshots]
    write_manifest(project.workspace.extract("twice"), manifest)
    assert look(project, "twice")[0] == "moved"
    seen = moved(project, "twice")
    assert seen and seen.what == ("at most 1 rows written since",)


# ── what no version of a row shows ──────────────────────────────────────────────────────────


@pytest.mark.parametrize("via", TRANSPORTS)
def test_a_renamed_label_is_noticed(database: Database, project: Project, via: Via) -> None:
    """In a column, and read directly in an array and inside of a domain."""
    database.sql(
        "DROP TABLE IF EXISTS other.moody; DROP DOMAIN IF EXISTS other.mood_domain; "
        "DROP TYPE IF EXISTS other.mood, other.weather; "
        "CREATE TYPE other.mood AS ENUM ('glad', 'sad'); "
        "CREATE TYPE other.weather AS ENUM ('dry', 'wet'); "
        "CREATE DOMAIN other.mood_domain AS other.weather; "
        "CREATE TABLE other.moody (id int PRIMARY KEY, mood other.mood, "
        "many other.weather[], strict other.mood_domain); "
        "INSERT INTO other.moody VALUES (1, 'glad', '{wet}', 'dry')"
    )
    project.plan(moody={"table": "other.moody"})
    project.extract(via)
    database.sql("ALTER TYPE other.mood ADD VALUE 'so so' BEFORE 'sad'")
    assert look(project, "moody", via)[0] == ("unchanged" if via == "postgres" else "kept")
    database.sql("ALTER TYPE other.mood RENAME VALUE 'glad' TO 'happy'")
    status_now, note = look(project, "moody", via)
    assert status_now == "moved" and "the labels of mood have changed" in note
    project.extract(via, restart=True)
    assert moved(project, "moody") is None

    if via == "postgres":
        database.sql("ALTER TYPE other.weather RENAME VALUE 'wet' TO 'rainy'")
        note = look(project, "moody", via)[1]
        assert "the labels of many have changed, the labels of strict have changed" in note


def test_a_swapped_partition_is_noticed(database: Database, project: Project) -> None:
    """As many rows, the same greatest key, and no row is written after the snapshot."""
    database.sql(
        "CREATE TABLE other.years (year int, n int, PRIMARY KEY (year, n)) "
        "PARTITION BY LIST (year); "
        "CREATE TABLE other.y1 PARTITION OF other.years FOR VALUES IN (1); "
        "CREATE TABLE other.y2 PARTITION OF other.years FOR VALUES IN (2); "
        "CREATE TABLE other.other_y1 (year int NOT NULL, n int NOT NULL, PRIMARY KEY (year, n)); "
        "INSERT INTO other.years VALUES (1, 1), (1, 2), (2, 1); "
        "INSERT INTO other.other_y1 VALUES (1, 7), (1, 8)"
    )
    project.plan(years={"table": "other.years"})
    project.extract()
    assert look(project, "years") == ("unchanged", "unchanged, 3 rows")
    database.sql(
        "ALTER TABLE other.years DETACH PARTITION other.y1; "
        "ALTER TABLE other.years ATTACH PARTITION other.other_y1 FOR VALUES IN (1)"
    )
    status_now, note = look(project, "years")
    assert status_now == "moved"
    assert "the source has moved: its partitions have changed;" in note


# ── how long it is remembered ───────────────────────────────────────────────────────────────


def test_what_has_moved_stays_until_it_is_read_again(database: Database, project: Project) -> None:
    database.sql(
        "CREATE TABLE other.stays (id int PRIMARY KEY); INSERT INTO other.stays VALUES (1)"
    )
    plan = project.plan(stays={"table": "other.stays"})
    project.extract()
    assert moved(project, "stays") is None
    database.sql("INSERT INTO other.stays VALUES (2)")
    drifts = source_drift(project.workspace, plan, project.source, (), project.heard)
    # Of another database of the server a transaction may be open.
    count, written = drifts["stays"].moved
    assert (count, written.removeprefix("at most ")) == (
        "2 rows instead of 1", "1 rows written since",
    )  # fmt: skip
    seen = moved(project, "stays")
    assert seen and seen.what == drifts["stays"].moved
    manifest = manifest_file(project.workspace.extract("stays")).read_bytes()
    assert look(project, "stays")[0] == "moved"
    assert manifest_file(project.workspace.extract("stays")).read_bytes() == manifest

    # The rows are as they were read: what was seen has happened all the same.
    database.sql("DELETE FROM other.stays WHERE id = 2")
    assert look(project, "stays")[0] == "unchanged"
    assert moved(project, "stays") == seen
    standing = status(project.workspace, plan, str)
    extracted = standing.tables["stays"].extract
    assert extracted and extracted.moved == seen
    assert (
        "the source has moved since stays was extracted: 2 rows instead of 1, "
        f"{written} (seen {seen.seen})"
    ) in as_text(standing)
    assert standing.to_json()["tables"]["stays"]["extract"]["moved"]["seen"] == seen.seen

    project.extract(restart=True)
    assert moved(project, "stays") is None
    assert "has moved" not in as_text(status(project.workspace, plan, str))


def test_a_table_that_is_gone_has_moved(database: Database, project: Project) -> None:
    database.sql("CREATE TABLE other.goes (id int PRIMARY KEY)")
    project.plan(goes={"table": "other.goes"})
    project.extract()
    database.sql("DROP TABLE other.goes")
    project.extract()
    seen = moved(project, "goes")
    assert seen and seen.what == ("the source no longer has this table",)

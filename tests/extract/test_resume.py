"""Stopped anywhere and gone on: nothing missing, nothing twice, nothing done again."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from stages.errors import UserError
from stages.extract.catalog import Reading
from stages.extract.reader import Span
from stages.extract.rest import RestSession
from stages.extract.transport import Via
from stages.status import consistency, status
from tests.extract.support import TRANSPORTS, UNMOVED, Database, Project, run_killed

ROWS = 12_000
Rows = dict[Any, tuple[Any, ...]]

pytestmark = pytest.mark.usefixtures("cut_small")


@pytest.fixture
def rows(database: Database) -> Iterator[Database]:
    """big.rows, whose ids have room between them, and big.pairs with a key of two columns."""
    database.sql(
        f"""
        CREATE TABLE big.rows (id int8 PRIMARY KEY, v int, t text);
        INSERT INTO big.rows SELECT i * 10, 0, repeat(i::text, 5) FROM generate_series(1, {ROWS}) i;
        CREATE TABLE big.pairs (a int, b text, v int, PRIMARY KEY (a, b));
        INSERT INTO big.pairs SELECT i / 700, 'b,"' || i, i FROM generate_series(1, 6000) i;
        ANALYZE big.rows, big.pairs
        """
    )
    yield database
    database.sql("DROP TABLE IF EXISTS big.rows, big.pairs, big.keyless")


def of_source(database: Database) -> Rows:
    return {row[0]: row for row in database.rows("SELECT id, v, t FROM big.rows")}


def of_project(project: Project) -> list[tuple[Any, ...]]:
    table = project.table("rows")
    return list(zip(*(table.column(n).to_pylist() for n in ("id", "v", "t")), strict=True))


def named(project: Project, name: str) -> dict[str, tuple[int, int, bytes]]:
    """The files that the manifest names; a kill may leave one that it does not."""
    kept = {part["file"] for part in project.manifest(name)["parts"]}
    return {file: facts for file, facts in project.files(name).items() if file in kept}


# ── kills ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("via", TRANSPORTS)
@pytest.mark.parametrize("close", [1, 5])
def test_killed_and_gone_on_while_the_source_changes(
    rows: Database, project: Project, tmp_path: Path, via: Via, close: int
) -> None:
    project.plan(rows={"table": "big.rows"})
    before = of_source(rows)
    run_killed(project, tmp_path, close=close, via=via)
    half = project.manifest("rows")
    assert half["status"] == "reading" and half["expected"] == ROWS
    assert close <= len(half["parts"]) < 10
    assert len(half["spans"]) > 2
    kept = named(project, "rows")

    chance = random.Random(7)
    ids = list(before)
    changed, deleted = chance.sample(ids, 2000), chance.sample(ids, 1500)
    rows.owner.execute("UPDATE big.rows SET v = v + 1 WHERE id = ANY (%s)", [changed])
    rows.owner.execute("DELETE FROM big.rows WHERE id = ANY (%s)", [deleted])
    rows.sql(
        "INSERT INTO big.rows SELECT i * 37 + 1, 5, 'new' FROM generate_series(1, 900) i "
        "ON CONFLICT DO NOTHING"
    )
    after = of_source(rows)

    assert project.extract().failed == [], project.heard.text
    staged = of_project(project)
    keys = [row[0] for row in staged]
    assert keys == sorted(set(keys)), "a row is there twice, or out of order"
    assert before.keys() & after.keys() <= set(keys), "a row that lived throughout is missing"
    for row in staged:
        assert row in (before.get(row[0]), after.get(row[0]))
    assert {file: facts for file, facts in project.files("rows").items() if file in kept} == kept
    manifest = project.manifest("rows")
    assert manifest["status"] == "complete"
    assert manifest["rows"] == len(staged)
    assert "resumed" in project.heard.text
    assert {p.name for p in project.parts("rows")} == set(project.files("rows"))
    if via == "postgres":
        assert [s["kind"] for s in manifest["snapshots"]] == ["exported", "exported"]
        assert manifest["snapshots"][0] == half["snapshots"][0] != manifest["snapshots"][1]
        assert consistency([project.extracted("rows")]) == "mixed"
    else:
        assert manifest["moving"]
        assert "while the source moved" in project.heard.text
        assert consistency([project.extracted("rows")]) == "none"

    project.extract(via, restart=True)
    assert of_project(project) == sorted(after.values())
    assert len(project.manifest("rows")["snapshots"]) == 1
    assert consistency([project.extracted("rows")]) == ("exported" if via == "postgres" else "none")


def test_equal_counts_of_other_rows_are_moving_too(
    rows: Database, project: Project, tmp_path: Path
) -> None:
    """Rows come where REST has read already, and as many go where it has not."""
    project.plan(rows={"table": "big.rows"})
    run_killed(project, tmp_path, close=2, via="rest", jobs=1)  # later spans stay unread
    manifest = project.manifest("rows")
    first, last = (int(manifest["parts"][0][end][0]) for end in ("first", "last"))
    begun = {part["span"] for part in manifest["parts"]}
    unread = next(s for n, s in enumerate(manifest["spans"]) if n not in begun and s["after"])
    rows.sql(
        f"INSERT INTO big.rows SELECT {first} + 3 + i * 10, 0, '' FROM generate_series(1, 9) i"
    )
    rows.sql(
        f"DELETE FROM big.rows WHERE id > {unread['after'][0]} AND id <= {unread['after'][0]} + 90"
    )
    assert first + 100 < last
    assert project.extract().failed == []
    complete = project.manifest("rows")
    assert complete["counted"] == {"before": ROWS, "after": ROWS}
    assert (complete["rows"], complete["moving"]) == (ROWS - 9, True)


def test_other_transport_is_refused_for_a_half_read_table(
    rows: Database, project: Project, tmp_path: Path
) -> None:
    project.plan(rows={"table": "big.rows"})
    run_killed(project, tmp_path, close=2, via="rest")
    kept = named(project, "rows")
    with pytest.raises(UserError, match="`rows` is half read over rest") as refused:
        project.extract("postgres")
    assert "--restart" in str(refused.value)
    assert "--via rest" in str(refused.value)
    assert named(project, "rows") == kept
    assert project.extract("auto").transport == "rest"
    assert of_project(project) == sorted(of_source(rows).values())
    assert project.extract("postgres", restart=True).transport == "postgres"


@pytest.mark.parametrize("via", TRANSPORTS)
def test_table_without_a_key_starts_again_whole(
    rows: Database, project: Project, tmp_path: Path, via: Via
) -> None:
    rows.sql("CREATE TABLE big.keyless AS SELECT id % 100 AS a, repeat('x', 50) AS b FROM big.rows")
    project.plan(keyless={"table": "big.keyless"})
    run_killed(project, tmp_path, close=3, via=via)
    assert len(project.manifest("keyless")["parts"]) == 3
    rows.sql(
        "UPDATE big.keyless SET b = 'moved' WHERE a < 30; DELETE FROM big.keyless WHERE a = 50"
    )
    project.extract()
    table = project.table("keyless")
    staged = zip(*(table.column(name).to_pylist() for name in "ab"), strict=True)
    assert sorted(staged) == sorted(rows.rows("SELECT a, b FROM big.keyless"))
    manifest = project.manifest("keyless")
    assert len(manifest["snapshots"]) == 1
    assert not manifest["moving"]


# ── restarts ────────────────────────────────────────────────────────────────────────────────


def test_old_extract_stays_whole_while_a_restart_is_under_way(
    rows: Database, project: Project, tmp_path: Path
) -> None:
    project.plan(rows={"table": "big.rows"}, pairs={"table": "big.pairs"})
    project.extract("postgres")
    old, old_pairs = of_project(project), project.files("pairs")
    kept, manifest = project.files("rows"), project.manifest("rows")
    rows.sql("UPDATE big.rows SET v = 1; DELETE FROM big.rows WHERE id <= 500")
    run_killed(project, tmp_path, close=4, via="postgres", restart=True)
    assert (project.files("rows"), project.manifest("rows")) == (kept, manifest)
    assert project.files("pairs") == old_pairs
    assert of_project(project) == old

    project.extract()
    assert "continuing the restart of rows, pairs" in project.heard.text
    assert of_project(project) == sorted(of_source(rows).values())
    assert not project.workspace.next_extracts.exists()


@pytest.mark.parametrize("swap", [1, 2])
def test_killed_in_the_middle_of_the_swap(
    rows: Database, project: Project, tmp_path: Path, swap: int
) -> None:
    plan = project.plan(rows={"table": "big.rows"}, pairs={"table": "big.pairs"})
    project.extract("postgres")
    rows.sql("UPDATE big.rows SET v = 1; DELETE FROM big.rows WHERE id <= 500")
    run_killed(project, tmp_path, swap=swap, via="postgres", restart=True)
    assert project.workspace.next_extracts.exists()
    # What was read is kept, also if the source is worse off by now.
    rows.sql("DELETE FROM big.rows WHERE id <= 1000")
    result = project.extract()
    assert {name: outcome["status"] for name, outcome in result.tables.items()} == {
        "rows": "moved",
        "pairs": "unchanged",
    }
    staged = of_project(project)
    assert len(staged) == ROWS - 50
    assert {v for _, v, _ in staged} == {1}
    assert not project.workspace.next_extracts.exists()
    assert status(project.workspace, plan, str).consistency == "exported"


# ── damage ──────────────────────────────────────────────────────────────────────────────────


def damage(file: Path, how: str) -> None:
    if how == "deleted":
        file.unlink()
    elif how == "truncated":
        file.write_bytes(file.read_bytes()[:-7])
    else:
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)


WORDS = {"deleted": "is missing", "truncated": "bytes instead of", "flipped": "has other content"}


@pytest.mark.parametrize("via", TRANSPORTS)
@pytest.mark.parametrize(("which", "how"), [(0, "flipped"), (3, "truncated"), (-1, "deleted")])
def test_damaged_part_is_read_again_alone(
    rows: Database, project: Project, via: Via, which: int, how: str
) -> None:
    project.plan(rows={"table": "big.rows"})
    project.extract(via)
    kept = project.files("rows")
    file = project.parts("rows")[which]
    damage(file, how)
    result = project.extract(via)
    assert result.tables["rows"]["status"] == "complete"
    assert f"rows: {file.name} " in project.heard.text
    assert WORDS[how] in project.heard.text
    files = project.files("rows")
    # The same rows give the same bytes, in a new file; no other one was touched.
    assert files[file.name][2] == kept[file.name][2]
    assert {name for name in files if files[name] != kept[name]} == {file.name}
    assert of_project(project) == sorted(of_source(rows).values())
    assert project.extract(via).tables["rows"]["status"] == UNMOVED[via]


@pytest.mark.parametrize("via", TRANSPORTS)
def test_all_kinds_of_damage_at_once_while_the_source_changes(
    rows: Database, project: Project, via: Via
) -> None:
    project.plan(rows={"table": "big.rows"})
    project.extract(via)
    kept, parts = project.files("rows"), project.parts("rows")
    lost = [parts[n] for n in (0, 1, 4, len(parts) - 1)]
    bounds = [project.manifest("rows")["parts"][n] for n in (0, 1, 4, len(parts) - 1)]
    for file, how in zip(lost, [*WORDS, "deleted"], strict=True):
        damage(file, how)
    first, last = bounds[2]["first"][0], bounds[2]["last"][0]
    rows.sql(f"DELETE FROM big.rows WHERE id BETWEEN {first} AND {last}")
    rows.sql(f"INSERT INTO big.rows VALUES ({bounds[0]['last'][0]} - 5, 1, 'between'), (9, 9, '9')")
    project.extract(via)
    files = project.files("rows")
    untouched = set(kept) - {file.name for file in lost}
    assert {name: files[name] for name in untouched} == {name: kept[name] for name in untouched}
    assert parts[4].name not in files
    assert of_project(project) == sorted(of_source(rows).values())


def test_damaged_part_of_a_composite_key_over_rest(rows: Database, project: Project) -> None:
    project.plan(pairs={"table": "big.pairs", "key": ["a", "b"]})
    project.extract("rest")
    kept, parts = project.files("pairs"), project.parts("pairs")
    assert len(parts) > 4
    damage(parts[2], "flipped")
    assert project.extract("rest").failed == []
    files = project.files("pairs")
    changed = {name for name in files if files[name] != kept.get(name)}
    assert changed == {part.name for part in parts[2:]}
    expected = [v for (v,) in rows.rows("SELECT v FROM big.pairs ORDER BY a, b")]
    assert project.column("pairs", "v") == expected
    # Directly it is that part alone, here as everywhere.
    project.extract("postgres", restart=True)
    kept, parts = project.files("pairs"), project.parts("pairs")
    damage(parts[2], "flipped")
    project.extract("postgres")
    files = project.files("pairs")
    assert {name for name in files if files[name] != kept[name]} == {parts[2].name}
    assert project.column("pairs", "v") == expected


@pytest.mark.parametrize("via", TRANSPORTS)
def test_killed_composite_key_goes_on(
    rows: Database, project: Project, tmp_path: Path, via: Via
) -> None:
    project.plan(pairs={"table": "big.pairs", "key": ["a", "b"]})
    run_killed(project, tmp_path, close=3, via=via)
    kept = named(project, "pairs")
    project.extract()
    files = project.files("pairs")
    assert {name: files[name] for name in kept} == kept
    rows_at_source = rows.rows("SELECT v FROM big.pairs ORDER BY a, b")
    assert project.column("pairs", "v") == [v for (v,) in rows_at_source]


# ── a source that moves while it is read ────────────────────────────────────────────────────


def test_moving_over_rest_is_said(
    rows: Database, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, pages = RestSession.read, iter(range(10**6))

    def meanwhile(session: RestSession, reading: Reading, span: Span) -> Iterator[pa.Table]:
        for page in read(session, reading, span):
            yield page
            with rows.owner.cursor() as cursor:
                cursor.execute("INSERT INTO big.rows VALUES (%s, 1, '')", [-1 - next(pages)])

    monkeypatch.setattr(RestSession, "read", meanwhile)
    plan = project.plan(rows={"table": "big.rows"})
    assert project.extract("rest").failed == []
    manifest = project.manifest("rows")
    assert manifest["moving"]
    counted = manifest["counted"]
    assert counted["before"] == ROWS < counted["after"]
    assert f"while the source moved ({ROWS:,} → {counted['after']:,})" in project.heard.text
    extract = status(project.workspace, plan, str).tables["rows"].extract
    assert extract and extract.moving
    keys = project.column("rows", "id")
    assert keys == sorted(set(keys))
    assert set(range(10, ROWS * 10 + 1, 10)) <= set(keys)

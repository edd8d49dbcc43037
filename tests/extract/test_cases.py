"""Public reports of other tools: children by INHERITS (pgcopydb #537, bucardo #90), inet and
char(n) (postgrex #384), read directly and through a pooler in transaction mode."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.extract.pooler import pooler
from tests.extract.support import Database, Project

VEHICLES = """
CREATE SCHEMA cases;
CREATE TABLE cases.vehicles (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE cases.trucks (load_kg int, PRIMARY KEY (id)) INHERITS (cases.vehicles);
CREATE TABLE cases.cars (doors int, PRIMARY KEY (id)) INHERITS (cases.vehicles);
INSERT INTO cases.vehicles VALUES (1, 'bike'), (2, 'boat');
INSERT INTO cases.trucks VALUES (10, 'truck ten', 900);
INSERT INTO cases.cars VALUES (20, 'car twenty', 4);
CREATE TABLE cases.logs (line text NOT NULL);
CREATE TABLE cases.logs_2024 () INHERITS (cases.logs);
INSERT INTO cases.logs VALUES ('own');
INSERT INTO cases.logs_2024 VALUES ('of 2024'), ('of 2024, too');
CREATE TABLE cases.parted (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE cases.parted_1 PARTITION OF cases.parted FOR VALUES FROM (0) TO (10);
INSERT INTO cases.parted VALUES (1);
CREATE TABLE cases.visits (id int PRIMARY KEY, ip inet NOT NULL, ips inet[] NOT NULL,
  net cidr NOT NULL, code char(5) NOT NULL, codes char(5)[] NOT NULL);
INSERT INTO cases.visits VALUES
  (1, '203.0.113.7', '{203.0.113.7}', '203.0.113.0/24', 'ab', '{ab}'),
  (2, '2001:db8::1', '{2001:db8::1}', '10.0.0.1', 'abcde', '{abcde}'),
  (3, '10.0.0.1/24', '{10.0.0.1/24}', '::/0', '', '{""}');
"""
TABLES = ("vehicles", "trucks", "cars", "logs", "logs_2024")
EVERYTHING = {name: {"table": f"cases.{name}"} for name in TABLES}


@pytest.fixture(scope="module")
def cases(database: Database) -> Iterator[Database]:
    database.sql(VEHICLES)
    yield database
    database.sql("DROP SCHEMA cases CASCADE")


@pytest.fixture(params=["direct", "pooler"])
def here(cases: Database, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Project]:
    """A project whose source is the server, or a pooler whose sessions others have spoiled."""
    if request.param == "direct":
        yield Project(tmp_path, cases.source)
        return
    left = {"search_path": "cases, pg_catalog", "client_encoding": "LATIN1"}
    with pooler(cases.source, left) as (source, pool):
        yield Project(tmp_path, source)
    assert len(set(pool.used)) > 2


def test_children_come_with_their_parent_and_again(here: Project) -> None:
    here.plan(**EVERYTHING)
    rows = {name: table["rows"] for name, table in here.extract("postgres").tables.items()}
    assert rows == {"vehicles": 4, "trucks": 1, "cars": 1, "logs": 3, "logs_2024": 2}
    for note in (
        "vehicles: holds the rows of its children cases.cars, cases.trucks too (INHERITS), which "
        "are also read as cars, trucks; to read only its own rows, add only = true to "
        "[sources.vehicles]",
        "logs: holds the rows of its children cases.logs_2024 too (INHERITS), which are also read",
    ):
        assert note in here.heard.text


def test_only_reads_a_table_s_own_rows(here: Project) -> None:
    only = {name: {"table": f"cases.{name}", "only": True} for name in ("vehicles", "logs")}
    here.plan(**(EVERYTHING | only))
    here.extract("postgres")
    assert here.column("vehicles", "name") == ["bike", "boat"]
    assert here.column("logs", "line") == ["own"]
    assert here.column("trucks", "name") == ["truck ten"]
    assert "INHERITS" not in here.heard.text
    again = here.extract("postgres")
    assert {table["status"] for table in again.tables.values()} == {"unchanged"}
    here.extract("postgres", restart=True, sample=9)
    assert here.column("vehicles", "id") == [1, 2]
    # What the plan says now is not what was read.
    here.plan(**EVERYTHING)
    assert here.extract("postgres").tables["vehicles"]["rows"] == 4


def test_a_child_s_row_is_none_of_only(project: Project, cases: Database) -> None:
    """Neither a row of a child nor a new child says that the parent has moved."""
    project.plan(vehicles={"table": "cases.vehicles", "only": True})
    project.extract("postgres")
    cases.sql("INSERT INTO cases.trucks VALUES (11, 'eleven', 1)")
    cases.sql("CREATE TABLE cases.vans () INHERITS (cases.vehicles)")
    try:
        assert project.extract("postgres").tables["vehicles"]["status"] == "unchanged"
    finally:
        cases.sql("DROP TABLE cases.vans; DELETE FROM cases.trucks WHERE id = 11")


def test_key_that_parent_and_child_share_is_named(here: Project, cases: Database) -> None:
    cases.sql("INSERT INTO cases.trucks VALUES (2, 'truck two', 700)")
    try:
        here.plan(**EVERYTHING)
        result = here.extract("postgres")
        assert result.failed == ["vehicles"]
        error = result.tables["vehicles"]["error"]
        assert (
            "cases.vehicles gives the rows of its children cases.cars, cases.trucks too "
            "(INHERITS), and more than one of all these rows has the key id = 2"
        ) in error
        assert "add only = true to [sources.vehicles]" in error
        here.plan(vehicles={"table": "cases.vehicles", "only": True})
        assert here.extract("postgres").failed == []
        assert here.column("vehicles", "id") == [1, 2]
    finally:
        cases.sql("DELETE FROM cases.trucks WHERE id = 2")


def test_only_where_it_can_t_be(project: Project, cases: Database) -> None:
    """Over REST it can't be asked for; of a partitioned table it would read nothing."""
    project.plan(parted={"table": "cases.parted", "only": True})
    error = project.extract("postgres").tables["parted"]["error"]
    assert "all rows of cases.parted are in its partitions" in error
    cases.sql("CREATE TABLE other.own (id int PRIMARY KEY)")
    try:
        project.plan(own={"table": "other.own", "only": True})
        error = project.extract("rest").tables["own"]["error"]
    finally:
        cases.sql("DROP TABLE other.own")
    assert "says only = true, which REST does not support" in error
    assert "SELECT * FROM ONLY other.own" in error


def test_inet_and_char_are_what_postgres_prints(here: Project) -> None:
    here.plan(visits={"table": "cases.visits"})
    here.extract("postgres")
    read = {name: here.column("visits", name) for name in ("ip", "ips", "net", "code", "codes")}
    assert read == {
        "ip": ["203.0.113.7", "2001:db8::1", "10.0.0.1/24"],
        "ips": ["{203.0.113.7}", "{2001:db8::1}", "{10.0.0.1/24}"],
        "net": ["203.0.113.0/24", "10.0.0.1/32", "::/0"],
        "code": ["ab   ", "abcde", "     "],
        "codes": ['{"ab   "}', "{abcde}", '{"     "}'],
    }

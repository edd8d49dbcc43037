"""Queries under a timeout and a budget: what is skipped is named, and the rest goes on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stages import Assessment
from stages.assess import run
from stages.assess.budget import TOGETHER, Budget, Queries, Question, Rows
from stages.assess.run import AssessOptions, assess
from stages.assess.structure import read_structure
from stages.assess.text import as_text
from stages.errors import TableFailed, UserError
from stages.extract.postgres import PostgresReader, PostgresSession
from stages.progress import Silent
from stages.project.settings import Source


@pytest.fixture(scope="module")
def session(source: Source) -> Iterator[PostgresSession]:
    reader = PostgresReader(source)
    session = reader.session()
    yield session
    session.close()
    reader.close()


def one(number: int) -> Question[int]:
    return Question(key=number, sql=f"SELECT {number} AS n, ARRAY[1, 2] AS list", what=str(number))


def test_a_query_that_fails_ends_nothing(session: PostgresSession) -> None:
    budget = Budget(60)
    queries = Queries(session, budget, 5)
    assert queries.rows("SELECT * FROM no_such_table", "this") is None
    assert queries.rows("SELECT 'a secret'::int4", "that") is None
    assert queries.rows("SELECT 1::int4 AS n", "one") == [{"n": 1}]
    assert budget.skipped == (
        "this: Postgres could not answer the query", "that: Postgres could not answer the query",
    )  # fmt: skip
    assert "secret" not in " ".join(budget.skipped)


def test_a_query_that_takes_long_is_left(session: PostgresSession) -> None:
    budget = Budget(60)
    queries = Queries(session, budget, 1)
    assert queries.rows("SELECT pg_sleep(60)", "the sleeper") is None
    assert budget.skipped == ("the sleeper: took too long",)
    assert queries.rows("SELECT 1::int4 AS n", "one") == [{"n": 1}]


def test_nothing_is_written(session: PostgresSession) -> None:
    with pytest.raises(TableFailed, match="read-only"):
        session.attempt("CREATE TABLE written (id int)", 5)


def test_questions_are_asked_together(session: PostgresSession) -> None:
    many = 2 * TOGETHER + 3
    answers = Queries(session, Budget(60), 5).answers(one(number) for number in range(many))
    assert answers == {number: {"n": number, "list": [1, 2]} for number in range(many)}


def test_one_that_fails_takes_no_other_with_it(session: PostgresSession) -> None:
    budget = Budget(60)
    asked = [one(1), Question(key=2, sql="SELECT 1 / 0 AS n", what="the second"), one(3)]
    assert set(Queries(session, budget, 5).answers(asked)) == {1, 3}
    assert budget.skipped == ("the second: Postgres could not answer the query",)


def test_what_there_was_no_time_for_is_named(session: PostgresSession) -> None:
    times = iter(range(100))
    budget = Budget(1.5, clock=lambda: next(times))
    answers = Queries(session, budget, 5).answers(one(n) for n in range(TOGETHER + 2))
    assert set(answers) == set(range(TOGETHER))
    assert budget.skipped == (f"no time left (--seconds 1.5) for: {TOGETHER}, {TOGETHER + 1}",)


class Unmeasured(Queries):
    """Sizes take too long."""

    def rows(self, sql: str, what: str) -> Rows | None:
        if "pg_table_size" in sql:
            self.budget.skip(what, "took too long")
            return None
        return super().rows(sql, what)


def test_without_sizes_there_are_the_planners_pages(session: PostgresSession) -> None:
    budget = Budget(60)
    facts = read_structure(Unmeasured(session, budget, 5), ["public"]).tables
    assert budget.skipped == ("sizes of tables: took too long",)
    many = facts["public", "many"]
    assert many.rows == 8000 and many.heap and many.heap == many.bytes
    assert many.index_bytes is None
    # Nobody knows how large it is, so that it is not counted.
    assert (facts["public", "uncounted"].rows, facts["public", "uncounted"].heap) == (None, None)


def test_a_catalog_that_takes_too_long_is_an_error(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A limit of a millisecond can also end a query after its last row, where the driver does not
    # look: only the next query would fail, and with other words.
    def sleep(reader: PostgresReader, schemas: object) -> None:
        reader.rows("SELECT 1 AS n FROM pg_sleep(60)")

    monkeypatch.setattr(run, "CATALOG_SECONDS", 0.2)
    monkeypatch.setattr(run, "require_schemas", sleep)
    with pytest.raises(UserError, match="a query of the catalog took longer") as error:
        assess(source, AssessOptions(via="postgres"), Silent())
    assert "stages assess" in str(error.value)


def test_without_time_there_is_the_catalog(source: Source, directly: Assessment) -> None:
    """The same tables, keys and what Postgres does; no sample, and each one is named."""
    seen = assess(source, AssessOptions(via="postgres", seconds=1e-9), Silent())
    assert {each.name for each in seen.tables} == {each.name for each in directly.tables}
    assert {each.verdict for each in seen.tables} == {
        "unknown", "decisions", "work", "not possible",
    }  # fmt: skip
    assert all(each.sampled == 0 and each.rows is None for each in seen.tables)
    assert (seen.cost.documents, seen.cost.stored_bytes, seen.users) == (0, 0, None)
    (late,) = seen.skipped
    assert "no time left" in late and "sizes of tables" in late and "users and files" in late


def test_without_counts_there_are_the_planners(
    source: Source, directly: Assessment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a table that was analyzed; nobody knows how many rows another one has."""
    monkeypatch.setattr(Queries, "answers", lambda queries, questions: {})
    seen = assess(source, AssessOptions(via="postgres"), Silent())
    rows = {each.name: (each.rows, each.rows_are, each.verdict) for each in seen.tables}
    assert rows["public.plain_7"] == (3, "estimated", "ready")
    assert rows["public.uncounted"] == (None, "unknown", "unknown")
    assert "  empty: " not in as_text(seen)
    known = [each.stored_bytes for each in seen.tables if each.stored_bytes is not None]
    assert seen.cost.stored_bytes == sum(known) and len(known) < len(seen.tables)
    assert seen.users is not None and seen.users.users == 9

"""Queries that may fail, and whose time is limited: what is left out is listed."""

from __future__ import annotations

import json
import time
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from stages.errors import TableFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from stages.extract.postgres import PostgresSession

Row = dict[str, Any]
Rows = list[Row]
Key = TypeVar("Key", bound=Hashable)
# How many questions go into one query: a server may be far away.
TOGETHER = 10


@dataclass(frozen=True, kw_only=True)
class Question(Generic[Key]):
    """A query that returns one row; `what` names it if it is skipped."""

    key: Key
    sql: str
    what: str


class Budget:
    """A limit in seconds for everything. `skipped` lists what was not looked at, and why."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._seconds = seconds
        self._late: list[str] = []
        self._failed: list[str] = []

    @property
    def spent(self) -> float:
        """Seconds since it began."""
        return self._clock() - self._began

    @property
    def left(self) -> float:
        """Seconds that are left, at least 0."""
        return max(self._seconds - self.spent, 0.0)

    def has_time(self, *what: str) -> bool:
        """Whether there is time left; if not, each of `what` is listed as skipped."""
        if self.spent < self._seconds:
            return True
        self._late += what
        return False

    def skip(self, what: str, why: str) -> None:
        """List what was not looked at for another reason."""
        self._failed.append(f"{what}: {why}")

    @property
    def skipped(self) -> tuple[str, ...]:
        """Sentences: one for each failure, and one for all that there was no time for."""
        if not self._late:
            return tuple(self._failed)
        late = f"no time left (--seconds {self._seconds:g}) for: {', '.join(self._late)}"
        return (*self._failed, late)


class Queries:
    """Queries over a direct connection, each with a timeout of its own and all within a budget."""

    def __init__(self, session: PostgresSession, budget: Budget, seconds: float) -> None:
        self._session = session
        self._seconds = seconds
        self.budget = budget
        session.limit(seconds)

    def rows(self, sql: str, what: str) -> Rows | None:
        """What a query returns; None, with `what` listed as skipped, if there is no time or it
        fails."""
        if not self.budget.has_time(what):
            return None
        try:
            return self._session.attempt(sql, self._seconds)
        except TableFailed as error:
            # Postgres's message may quote a value; the kind of problem is enough.
            self.budget.skip(what, _kind(error.message))
            return None

    def answers(self, questions: Iterable[Question[Key]]) -> dict[Key, Row]:
        """The row of each question, without those that were skipped. Several are asked in one
        query; if that fails, each is asked alone."""
        asked = list(questions)
        answers: dict[Key, Row] = {}
        for start in range(0, len(asked), TOGETHER):
            chunk = asked[start : start + TOGETHER]
            if not self.budget.has_time(*(each.what for each in chunk)):
                continue
            try:
                rows = self._session.attempt(_together(chunk), self._seconds)
                answers |= {chunk[row["n"]].key: json.loads(row["answer"]) for row in rows}
            except TableFailed:
                for each in chunk:
                    row = self.rows(_together([each]), each.what)
                    answers |= {each.key: json.loads(row[0]["answer"])} if row else {}
        return answers


def _together(questions: list[Question[Any]]) -> str:
    return " UNION ALL ".join(
        f"SELECT {number} AS n, row_to_json(q)::text AS answer FROM ({each.sql}) q"
        for number, each in enumerate(questions)
    )


def _kind(message: str) -> str:
    for words, kind in (
        ("statement timeout", "took too long"),
        ("lock timeout", "is locked by another session"),
        ("permission denied", "no right to read it"),
        ("row-level security", "row security hides its rows from this role"),
        ("row security", "row security hides its rows from this role"),
    ):
        if words in message:
            return kind
    return "Postgres could not answer the query"

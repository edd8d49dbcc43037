"""A Supabase project as a probe's checks see it over HTTP: which tables there are to check.

Most checks need a table with rows, a key, or a column of some type. Each table of the plan is
queried once, and the first suitable one is used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote

from stages.errors import StagesError
from stages.extract import auth_tables
from stages.extract.catalog import Relation
from stages.extract.rest import relation_of
from stages.extract.rest_responses import Response, parse_openapi
from stages.extract.rest_select import quoted
from stages.probe.asking import BUDGET, Answer, Asking, Form, Odd, number_in
from stages.probe.checks import NotChecked
from stages.project.plan import Plan, SourceTable
from stages.project.settings import Source

REST = "/rest/v1/"
BUCKETS = "/storage/v1/bucket"
# The first tables of a plan that are examined: each takes one request.
MOST_TABLES = 40
VERSION = re.compile(r"\d+(?:\.\d+){0,3}")
OPENAPI = {"accept": "application/openapi+json, application/json"}


@dataclass(frozen=True, kw_only=True)
class Looked:
    """A table of the plan, its columns if they are listed, and the response for one row of it."""

    entry: SourceTable
    relation: Relation | None
    answer: Answer

    @property
    def planned(self) -> int:
        """The planner's estimate of the number of rows, which may be far off."""
        total = self.answer.headers.get("content-range", "").rpartition("/")[2]
        return number_in(total) or 0


class Project:
    """One source's HTTP APIs, the plan's tables in it, and what is known of them so far."""

    def __init__(self, source: Source, plan: Plan, budget: float = BUDGET) -> None:
        self.source = source
        self.plan = plan
        self.asking = Asking(source, budget)
        self.ask = self.asking.ask
        self._definitions: dict[str, Mapping[str, Any]] = {}

    def close(self) -> None:
        self.asking.close()

    # ── requests ────────────────────────────────────────────────────────────────────────────

    def root(self, schema: str | None = None, form: Form = "ours") -> Answer:
        """The response of the API's root, which lists a schema's tables."""
        profile = {} if schema is None else {"accept-profile": schema}
        return self.ask(REST, headers={**OPENAPI, **profile}, form=form)

    def table(
        self,
        relation: Relation | SourceTable,
        params: Mapping[str, str],
        *,
        prefer: str = "timezone=UTC",
        method: str = "GET",
        even_unable: bool = False,
    ) -> Answer:
        """The response for some rows of a table, requested as extract does."""
        name = relation.table if isinstance(relation, SourceTable) else relation.name
        return self.ask(
            f"{REST}{quote(name, safe='')}",
            params,
            headers={"accept-profile": relation.schema, "prefer": prefer},
            method=method,
            even_unable=even_unable,
        )

    @cached_property
    def storage_form(self) -> Form:
        """The form of the key's headers that Storage accepts; `ours` if it accepts none."""
        forms: tuple[Form, ...] = ("ours", "bearer too")
        return next((f for f in forms if self.ask(BUCKETS, form=f).status == 200), "ours")

    # ── tables ──────────────────────────────────────────────────────────────────────────────

    def require_open(self) -> None:
        """Raise NotChecked if the key does not open the tables: nothing else can be checked."""
        if self._first_root.status != 200:
            raise NotChecked(f"the API's root answers {self._first_root.said} to the key")

    @cached_property
    def _first_root(self) -> Answer:
        return self.root(next(iter(self.schemas), None))

    @property
    def schemas(self) -> list[str]:
        """The schemas of the plan's tables that PostgREST may expose."""
        return list(dict.fromkeys(entry.schema for entry in self.entries))

    @property
    def entries(self) -> list[SourceTable]:
        """The plan's tables, except those of `auth`, which come from another API."""
        tables = self.plan.sources.values()
        return [t for t in tables if (t.schema, t.table) not in auth_tables.TABLES][:MOST_TABLES]

    def definitions(self, schema: str) -> Mapping[str, Any]:
        """Table → its OpenAPI definition. Raises Odd if the body is not an OpenAPI document."""
        if schema not in self._definitions:
            first = schema == next(iter(self.schemas), None)
            answer = self._first_root if first else self.root(schema)
            found: Mapping[str, Any] = {}
            if answer.status == 200:
                found = read_document(answer).get("definitions", {})
            self._definitions[schema] = found
        return self._definitions[schema]

    @cached_property
    def version(self) -> str:
        """PostgREST's version, such as `14.5`; "" if unknown."""
        self.require_open()
        info = read_document(self._first_root).get("info")
        said = str(info.get("version", "")) if isinstance(info, dict) else ""
        match = VERSION.match(said)
        return match[0] if match else ""

    @cached_property
    def looked(self) -> list[Looked]:
        """Each table of the plan, with the response for one row."""
        self.require_open()
        found = []
        for entry in self.entries:
            definition = self.definitions(entry.schema).get(entry.table)
            relation = None
            params = {"limit": "0"}
            if definition is not None:
                relation = relation_of(entry.schema, entry.table, definition)
                if relation.columns:
                    params = {"select": quoted(relation.columns[0].name), "limit": "1"}
            answer = self.table(entry, params, prefer="count=planned", even_unable=True)
            found.append(Looked(entry=entry, relation=relation, answer=answer))
        return found

    @cached_property
    def filled(self) -> list[Relation]:
        """Tables and views with rows that the key can read, largest first."""
        fullest = sorted(self.looked, key=lambda each: -each.planned)
        return [
            each.relation
            for each in fullest
            if each.relation is not None and each.answer.status in (200, 206) and each.answer.rows()
        ]

    def with_rows(self) -> Relation:
        """The table with the most rows. Raises NotChecked if there is none."""
        for relation in self.filled:
            return relation
        raise NotChecked("no table of the plan has rows that the key reads")

    def keyed(self) -> Iterator[tuple[Relation, str]]:
        """Tables with rows and a single-column key, and that column, smallest first, as counting
        them is cheapest. Raises NotChecked if there are none."""
        found = [(each, each.key[0]) for each in reversed(self.filled) if len(each.key) == 1]
        if not found:
            raise NotChecked("no table of the plan has rows and a key of one column")
        yield from found

    def column_where(
        self, fits: Callable[[Any], bool], what: str
    ) -> tuple[Relation, str, list[dict[str, Any]]]:
        """A table with a column that fits, the column, and a row with it, not null, as `value`.
        Raises NotChecked if there is none; `what` describes the values for its message."""
        for relation, name in self._columns(fits):
            answer = self.table(
                relation,
                {"select": f"value:{quoted(name)}", **not_null(name), "limit": "1"},
            )
            if answer.status == 200 and (rows := answer.rows()):
                return relation, name, rows
        raise NotChecked(f"no table of the plan has a column of {what} with a value")

    def _columns(self, fits: Callable[[Any], bool]) -> Iterable[tuple[Relation, str]]:
        for relation in self.filled:
            for column in relation.columns:
                if fits(column):
                    yield relation, column.name
                    break  # one column per table


def not_null(name: str) -> dict[str, str]:
    """The filter for rows where a column is not null."""
    return {"and": f"({quoted(name)}.not.is.null)"}


def read_document(answer: Answer) -> dict[str, Any]:
    """Parse the OpenAPI document. Raises Odd if it is not one."""
    response = Response(status=answer.status, reason="", headers={}, body=answer.body)
    try:
        return parse_openapi(response)
    except StagesError:
        raise Odd("200, with a body that is no OpenAPI document") from None

"""What can be learned over REST, which shows no statistics and no sizes: a few rows of each table.

The rows are fetched and examined in memory; only counts and sizes are kept.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal, DivisionByZero, InvalidOperation, Overflow
from typing import TYPE_CHECKING, Any, TypeVar

from stages.assess.assessment import Bucket, Users
from stages.assess.budget import Budget
from stages.assess.references import Candidate, Included
from stages.assess.sampling import DAYS, NEAR, NUMBERS, TableSample
from stages.assess.structure import EXACT
from stages.errors import StagesError, Stopped
from stages.extract import auth_tables
from stages.extract.rest_responses import NoAnswer, Response, TookTooLong, parse_rows
from stages.extract.rest_select import first_rows, quoted
from stages.init.catalog import CatalogColumn, CatalogTable
from stages.init.conversion import family, family_of
from stages.init.secrets import open_columns
from stages.limits import (
    ARRAY_ITEMS,
    DOCUMENT_BYTES,
    DOCUMENT_NESTING,
    EMPTY_DOCUMENT_BYTES,
    FIELD_NAME_LENGTH,
    OBJECT_FIELDS,
)

if TYPE_CHECKING:
    from stages.extract.rest import RestReader

MOST_ROWS = 200
# Values that are looked up in one request: the length of a URL is limited.
MOST_VALUES = 50
MOST_USERS = 1000
# For one request, including all of its attempts.
REQUEST_SECONDS = 10.0
Answer = TypeVar("Answer")


class RestLook:
    """A few requests per table, within a budget; one that fails is listed as skipped.

    Each method raises NoAnswer if the connection is lost.
    """

    def __init__(self, reader: RestReader, budget: Budget) -> None:
        self._reader = reader
        self.budget = budget
        reader.limit(lambda: min(budget.left, REQUEST_SECONDS))

    def _ask(self, what: str, failed: str, ask: Callable[[], Answer]) -> Answer | None:
        """An answer; None, with `what` listed as skipped, if there is no time or it fails."""
        if not self.budget.has_time(what):
            return None
        try:
            return ask()
        except Stopped:
            raise
        except TookTooLong:
            if self.budget.has_time(what):
                self.budget.skip(what, "took too long")
        except NoAnswer:
            raise
        except StagesError:
            self.budget.skip(what, failed)
        return None

    def rows(self, table: CatalogTable) -> tuple[int, list[dict[str, Any]]] | None:
        """(the number of rows, the first rows as JSON, without columns that look like secrets);
        None if they can't be read. Few rows are counted; else the number is the planner's."""
        names = [column.name for column in open_columns(table)]
        everything = len(names) == len(table.columns)
        params = first_rows(None if everything else names, table.key, MOST_ROWS)

        def parse(response: Response) -> tuple[int, list[dict[str, Any]]]:
            rows = parse_rows(response)
            total = response.headers.get("content-range", "").rpartition("/")[2]
            return (int(total) if total.isdecimal() else len(rows)), rows

        return self._ask(
            f"a sample of {table.name}",
            "the API gave no rows",
            lambda: self._reader.get(
                table.name, params, table.schema, parse, headers={"prefer": "count=estimated"}
            ),
        )

    def look_up(self, candidate: Candidate, values: list[Any]) -> Included | None:
        """How many of some values the parent has; None for users, for no values, or if it fails."""
        parent, column = candidate.parent, candidate.parent_column.name
        if parent.place == auth_tables.USERS or not values:
            return None
        what = f"where {candidate.table.name}.{candidate.column.name} refers to"
        listed = ",".join(quoted(str(value)) for value in values)
        params = {"select": quoted(column), "and": f"({quoted(column)}.in.({listed}))"}
        there = self._ask(
            what,
            "the API did not look it up",
            lambda: self._reader.get(parent.name, params, parent.schema, parse_rows),
        )
        if there is None:
            return None
        return Included(candidate=candidate, looked=len(values), there=len(there))

    def users(self) -> Users | None:
        """The first users, as the admin API shows them: no hash, no second factor, no SSO."""
        answer = self._ask(
            "users",
            "the Auth API did not give them",
            lambda: self._reader.auth.first_users(MOST_USERS),
        )
        if answer is None:
            return None
        total, users = answer
        now = datetime.now(UTC).isoformat()
        emails = Counter(str(user.get("email") or "").lower() for user in users)
        providers: Counter[str] = Counter()
        for user in users:
            metadata = user.get("app_metadata") or {}
            providers.update(str(name) for name in metadata.get("providers") or ())
        if total > len(users):
            self.budget.skip("users", f"the first {len(users):,} of {total:,} were counted")
        return Users(
            users=total,
            counted=len(users),
            providers=dict(providers.most_common()),
            confirmed=sum(
                bool(u.get("confirmed_at") or u.get("email_confirmed_at")) for u in users
            ),
            anonymous=sum(bool(user.get("is_anonymous")) for user in users),
            banned=sum(str(user.get("banned_until") or "") > now for user in users),
            same_email=sum(n for email, n in emails.items() if email and n > 1),
        )

    def buckets(self) -> tuple[Bucket, ...] | None:
        """The buckets; files are not counted."""
        buckets = self._ask(
            "storage buckets", "the Storage API did not list them", self._reader.buckets
        )
        if buckets is None:
            return None
        if buckets:
            self.budget.skip("files by bucket", "they are counted over SUPABASE_DB_URL only")
        return tuple(
            Bucket(name=str(each.get("id")), public=bool(each.get("public"))) for each in buckets
        )


# ── values ──────────────────────────────────────────────────────────────────────────────────


def look_at(table: CatalogTable, rows: list[dict[str, Any]]) -> TableSample:
    """The same figures as a sample over a direct connection."""
    counts: Counter[tuple[str, str]] = Counter()
    sizes: Counter[str] = Counter()
    documents = []
    columns = open_columns(table)
    for row in rows:
        size = EMPTY_DOCUMENT_BYTES
        for column in columns:
            name, value = column.name, row.get(column.name)
            if value is None:
                continue
            counts.update((name, rule) for rule in set(_problems(column, value)))
            each = len(name.encode()) + 1 + _size(column, value)
            sizes[name] += each
            size += each
        documents.append(size)
    return TableSample(
        looked=len(rows),
        document=sum(documents) // len(documents) if documents else 0,
        largest=max(documents, default=0),
        over=sum(size > DOCUMENT_BYTES for size in documents),
        near=sum(size > NEAR for size in documents),
        counts=dict(counts),
        sizes={name: total // len(rows) for name, total in sizes.items()},
        absent=frozenset(column.name for column in columns if column.name not in sizes),
    )


def distinct_values(column: CatalogColumn, rows: list[dict[str, Any]]) -> list[Any]:
    """Some distinct values of a column; the items of arrays count one by one."""
    values: dict[Any, None] = {}
    for row in rows:
        value = row.get(column.name)
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, str | int):
                values.setdefault(each)
    return list(values)[:MOST_VALUES]


def _problems(column: CatalogColumn, value: Any) -> Iterator[str]:
    kind = column.item or column.type
    if column.item is not None and isinstance(value, list):
        if len(value) > ARRAY_ITEMS:
            yield "array_too_long"
        values = value
    else:
        values = [value]
    if kind == "int8" and any(isinstance(v, int) and abs(v) > EXACT for v in values):
        yield "integer_beyond_float64"
    if kind == "numeric" and any(not is_exact(v) for v in values):
        yield "inexact_number"
    if kind in DAYS and column.item is None:
        if str(value).endswith("infinity"):
            yield "infinite_date"
        if str(value).endswith(" BC"):
            yield "date_before_christ"
    if kind in ("json", "jsonb"):
        yield from _json_problems(value, 2)


def _json_problems(value: Any, level: int) -> Iterator[str]:
    if isinstance(value, dict | list):
        if level > DOCUMENT_NESTING:
            yield "json_too_deep"
            return
        if isinstance(value, dict):
            if any(_is_refused(key) for key in value):
                yield "json_key_refused"
            if len(value) > OBJECT_FIELDS:
                yield "json_too_many_fields"
        elif len(value) > ARRAY_ITEMS:
            yield "array_too_long"
        for each in value.values() if isinstance(value, dict) else value:
            yield from _json_problems(each, level + 1)
    elif not is_exact(value):
        yield "inexact_number"


def _is_refused(key: str) -> bool:
    plain = key.isascii() and key.isprintable()
    return not key or key[0] in "$_" or not plain or len(key) > FIELD_NAME_LENGTH


def is_exact(value: Any) -> bool:
    """Whether float64 holds a number exactly; True for anything that is not a number."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return True
    try:
        number = float(value)
        return math.isfinite(number) and Decimal(repr(number)) == Decimal(value)
    except (OverflowError, InvalidOperation, DivisionByZero, Overflow):
        return False


def _size(column: CatalogColumn, value: Any) -> int:
    kind = family(column)
    if kind in NUMBERS:
        return 9
    if isinstance(value, list) and column.item and family_of(column.item) in NUMBERS:
        return 2 + 9 * len(value)
    if kind == "boolean":
        return 1
    if kind == "bytes":
        return 2 + max(len(str(value)) - 2, 0) // 2  # \x00ff
    if kind == "vector":
        return 2 + 9 * (1 + str(value).count(","))
    if isinstance(value, str):
        return 2 + len(value.encode(errors="replace"))
    return 2 + len(json.dumps(value, ensure_ascii=False, default=str).encode(errors="replace"))

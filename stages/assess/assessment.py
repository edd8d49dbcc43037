"""What an assessment says: as types, and as JSON with the same names, which are stable.

Fields may be added; none of these changes its meaning or is removed without a new `format`. Sizes
are bytes. Nothing here holds a value of a row: only names, such as those of tables, and counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Verdict = Literal["ready", "unknown", "decisions", "work", "not possible"]
# Worst last.
VERDICTS: tuple[Verdict, ...] = ("ready", "unknown", "decisions", "work", "not possible")
Basis = Literal["catalog", "statistics", "sample", "name"]
FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Risk:
    """A problem that a table's data will run into. `rule` is its stable name.

    `basis` is what it is based on: catalog (certain), statistics (the planner's), sample (of rows),
    or name (only the column's name). `seen` of `looked` values or rows show it, if they were
    counted. The table's verdict is at least `verdict`; None if the risk does not affect it.
    """

    rule: str
    basis: Basis
    text: str
    table: str
    columns: tuple[str, ...] = ()
    verdict: Verdict | None = None
    seen: int | None = None
    looked: int | None = None


@dataclass(frozen=True, kw_only=True)
class Rebuild:
    """Everything of one kind that Postgres or Supabase does by itself, and Convex will not.

    `names` are the source's, each once; `tables`: table → how many it has. `counterpart` says what
    takes their place in Convex. The verdict of these tables is at least `verdict`.
    """

    kind: str
    heading: str
    count: int
    counterpart: str
    tables: Mapping[str, int] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    verdict: Verdict | None = None


@dataclass(frozen=True, kw_only=True)
class AssessedTable:
    """A table; `name` includes its schema, `verdict` is one of `VERDICTS`. `reasons` are those for
    the verdict, the most serious first, then common things that depend on the table.

    `rows` are `counted` or `estimated`, as `rows_are` says; None if they are `unknown`, and then
    `stored_bytes` is None too. `bytes` is the size of the rows with their large values, without
    `index_bytes`; None over REST. `document_bytes` is the size of an average document, and
    `largest_document` that of the largest of `sampled` rows; None if none was read. `stored_bytes`
    is the size in Convex, with `indexes` and ledger. `idle` is True if nothing was written to it
    since statistics began; None if unknown.
    """

    name: str
    verdict: Verdict
    reasons: tuple[str, ...]
    rows: int | None
    rows_are: Literal["counted", "estimated", "unknown"]
    columns: int
    key: tuple[str, ...]
    bytes: int | None = None
    index_bytes: int | None = None
    analyzed: bool | None = None
    idle: bool | None = None
    sampled: int = 0
    document_bytes: int | None = None
    largest_document: int | None = None
    indexes: int = 0
    stored_bytes: int | None = None
    empty_columns: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LargeColumn:
    """A column, and roughly how many bytes all its values have together."""

    table: str
    column: str
    bytes: int


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """A storage bucket. `files` and `bytes` are None if they could not be counted."""

    name: str
    public: bool
    files: int | None = None
    bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class Users:
    """The users of Supabase Auth, counted; a count is None if it could not be seen.

    `counted` is how many users the counts are based on. `providers` counts identities, or over REST
    users. `passwords` counts the kinds of hashes, which the server recognises by their first
    characters: bcrypt, argon2, firebase scrypt, encrypted (which only the server's own key opens),
    other, none. `same_email` is how many users share an address, ignoring case.
    """

    users: int
    counted: int
    providers: Mapping[str, int] = field(default_factory=dict)
    passwords: Mapping[str, int] | None = None
    confirmed: int | None = None
    anonymous: int | None = None
    banned: int | None = None
    deleted: int | None = None
    sso: int | None = None
    mfa: int | None = None
    same_email: int | None = None


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What the move costs: a forecast, without tables whose rows are unknown.

    `stored_bytes` includes copies in indexes and the ledger; `written_bytes` is what is written:
    documents and ledger. `minutes`: a deployment's write rate → the minutes that takes. `road` is
    the recommended way, `functions` or `import`, and `why` the reasons.
    """

    documents: int
    document_bytes: int
    written_bytes: int
    stored_bytes: int
    calls: int
    minutes: Mapping[str, float]
    reading_seconds: float
    road: Literal["functions", "import"]
    why: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """What there is, what must be rebuilt, what will be a problem, what it costs.

    `partial` is True over REST, which shows only part of the source: the true verdicts may then be
    worse. `skipped` lists what was not looked at, and why. `statistics_since` is when the source
    began to count writes. `tables` are ordered from worst to best.
    """

    format: int
    source: str
    transport: Literal["postgres", "rest"]
    partial: bool
    seconds: float
    schemas: tuple[str, ...]
    statistics_since: str | None
    verdicts: Mapping[Verdict, int]
    tables: tuple[AssessedTable, ...]
    large_columns: tuple[LargeColumn, ...]
    rebuild: tuple[Rebuild, ...]
    risks: tuple[Risk, ...]
    buckets: tuple[Bucket, ...] | None
    users: Users | None
    cost: Cost
    skipped: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The fields, ready for JSON."""
        from dataclasses import asdict

        return asdict(self)

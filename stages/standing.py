"""The state of each table of a migration, as `status` returns it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from stages.state.answers import Answer
from stages.state.failures import Failure, Stage
from stages.state.manifests import Moved


@dataclass(frozen=True, kw_only=True)
class ExtractStatus:
    """Staged rows of a source; `age_seconds` is None until it is read completely. `moved`: what has
    changed there since. `expected`: the estimated number of rows, while it is being read."""

    status: str
    rows: int
    parts: int
    transport: str
    age_seconds: int | None
    moving: bool
    moved: Moved | None
    expected: int | None = None


@dataclass(frozen=True, kw_only=True)
class TransformStatus:
    """What was staged for a Convex table; `stale` says what has changed since, or is None.

    `dropped` rows are rejected on purpose and count towards no limit; `allowed_rejects` is the
    table's own limit, or None.
    """

    status: str
    documents: int
    rejects: int
    changes: int
    stale: str | None
    dropped: int = 0
    allowed_rejects: int | None = None

    @property
    def why_stale(self) -> str | None:
        """Why it is stale, in words; None if it is not."""
        return f"transformed before {self.stale} changed" if self.stale else None


@dataclass(frozen=True, kw_only=True)
class LoadStatus:
    """What was sent for a table, by outcome; `stale`: different documents are staged now."""

    status: str
    counts: Mapping[str, int]
    stale: bool

    @property
    def why_stale(self) -> str | None:
        """Why it is stale, in words; None if it is not."""
        return "loaded before other documents were staged" if self.stale else None


@dataclass(frozen=True, kw_only=True)
class VerifyStatus:
    """What the last verify counted; `stale`: it ran before the last load; `wrong`: its errors."""

    counts: Mapping[str, int]
    stale: bool
    wrong: list[str]

    @property
    def why_stale(self) -> str | None:
        """Why it is stale, in words; None if it is not."""
        return "verified before the last load" if self.stale else None


@dataclass(frozen=True, kw_only=True)
class TableStatus:
    """The state of one Convex table; None for a stage that has not run for it.

    `failures`: stage → why its last run failed; a stage that failed is not `complete`. `existing`:
    what to do with documents that Convex had before the first load, if a load was told to adopt
    them or leave them. `acknowledged`: documents acknowledged so far in a load that has not ended.
    """

    source: str
    failures: Mapping[Stage, Failure]
    extract: ExtractStatus | None
    transform: TransformStatus | None
    load: LoadStatus | None
    verify: VerifyStatus | None
    existing: Answer | None = None
    acknowledged: int | None = None


@dataclass(frozen=True, kw_only=True)
class RunningCommand:
    """A command that another process is running in this data folder, and since when (UTC)."""

    command: str
    pid: int
    since: str


@dataclass(frozen=True, kw_only=True)
class LastRun:
    """When a stage last did any work: ISO 8601, UTC."""

    started: str
    ended: str


@dataclass(frozen=True, kw_only=True)
class Status:
    """The state of a migration. `sources` are those that are not the source of any table.

    `verdict` is a sentence; `finished`: nothing is left to do; `next` is the command to run.
    `failed_sources` are those of `sources` that could not be read, and why. `rejects` counts the
    rejects of all tables, except rows dropped on purpose; the plan allows `allowed_rejects`.
    `last_runs`: stage → its times. `running` is what another process is doing.
    """

    source: str | None
    target: str | None
    consistency: str
    tables: Mapping[str, TableStatus]
    sources: Mapping[str, ExtractStatus | None]
    failed_sources: Mapping[str, Failure]
    verdict: str
    finished: bool
    next: str
    rejects: int = 0
    allowed_rejects: int = 0
    last_runs: Mapping[str, LastRun] = field(default_factory=dict)
    running: RunningCommand | None = None

    def to_json(self) -> dict[str, Any]:
        """The status as printed by `stages status --json`."""
        plain = asdict(self)
        for table in plain["tables"].values():
            if table["verify"]:
                table["verify"] |= table["verify"].pop("counts")
        return plain

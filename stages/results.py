"""What the calls of `Migration` return: frozen, typed, and true also when something falls short.

A call that ran to its end returns its result even where tables failed or differ;
`raise_if_wrong()` turns that into a Shortfall, as the command line does (exit code 1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stages.errors import OverLimit, Shortfall, TooManyRejects
from stages.rejects import RejectGroup

Complete = Callable[[str], str]


def _as_it_is(text: str) -> str:
    return text


@dataclass(frozen=True, kw_only=True)
class _Result:
    """`complete` makes the commands in hints whole."""

    complete: Complete = field(default=_as_it_is, repr=False, compare=False)

    def _fall_short(
        self,
        message: str,
        hint: str,
        tables: Iterable[str] = (),
        counts: Mapping[str, int] | None = None,
    ) -> Shortfall:
        return Shortfall(message, self.complete(hint), tables=tables, counts=counts)


def _moved_sentence(moved: Mapping[str, tuple[str, ...]]) -> str:
    listed = "; ".join(f"{name}: {', '.join(what)}" for name, what in moved.items())
    return f"the source has moved since it was extracted: {listed}"


@dataclass(frozen=True, kw_only=True)
class TableExtracted:
    """One source: `status` is complete, unchanged, kept, moved, missing or failed; `rows` are
    staged.

    unchanged: known to be as it was read. kept: no difference was seen, but edits can't be.
    """

    status: str
    rows: int
    note: str = ""
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class Extracted(_Result):
    """What an extract did, by source. `transport` is postgres or rest.

    `moved`: source → what was seen to have changed there since it was read, now or earlier.
    """

    transport: str
    tables: Mapping[str, TableExtracted]
    moved: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fail_if_moved: bool = False

    @property
    def failed(self) -> list[str]:
        """Sources that could not be read."""
        return [name for name, table in self.tables.items() if table.status == "failed"]

    def raise_if_wrong(self) -> None:
        """Raise Shortfall where a source could not be read, or has moved and was not to."""
        if self.failed:
            raise self._fall_short(
                f"not read: {', '.join(self.failed)}",
                "fix the cause, then: stages extract",
                self.failed,
            )
        if self.moved and self.fail_if_moved:
            raise self._fall_short(
                _moved_sentence(self.moved),
                f"read it anew with: stages extract --restart {' '.join(self.moved)}",
            )


@dataclass(frozen=True, kw_only=True)
class TableTransformed:
    """One Convex table: rows counted by what became of them. `dropped` rows are rejects, too."""

    status: str
    source_rows: int
    documents: int
    rejects: int
    dropped: int
    changes: int


@dataclass(frozen=True, kw_only=True)
class Transformed(_Result):
    """What a transform staged, by Convex table.

    `over_limit`: each limit that has been passed. `failed`: table → why it stopped.
    """

    tables: Mapping[str, TableTransformed]
    over_limit: tuple[OverLimit, ...]
    failed: Mapping[str, str] = field(default_factory=dict)

    def raise_if_wrong(self) -> None:
        """Raise Shortfall where a table stopped, TooManyRejects where there are more rejects than
        the plan allows."""
        if self.failed:
            raise self._fall_short(
                f"not transformed: {', '.join(self.failed)}",
                "fix the models named above, then: stages transform",
                self.failed,
            )
        if self.over_limit:
            raise TooManyRejects(
                self.over_limit,
                self.complete(
                    "see why with: stages rejects; then edit a model, the source, or max_rejects"
                ),
            )


@dataclass(frozen=True, kw_only=True)
class TableLoaded:
    """One Convex table: documents by what became of them, in all loads so far.

    `refused` by Convex; `held_back` since a parent has no document; `removed`: loaded, but not
    staged any more.
    """

    status: str
    inserted: int = 0
    replaced: int = 0
    unchanged: int = 0
    conflict: int = 0
    refused: int = 0
    held_back: int = 0
    removed: int = 0


@dataclass(frozen=True, kw_only=True)
class Loaded(_Result):
    """What a load did, by Convex table; `failed`: table → why it could not go on."""

    tables: Mapping[str, TableLoaded]
    failed: Mapping[str, str]

    @property
    def partial(self) -> list[str]:
        """Tables of which some documents are not in Convex."""
        return [name for name, table in self.tables.items() if table.status != "complete"]

    def raise_if_wrong(self) -> None:
        """Raise Shortfall where a table failed or is not whole."""
        names = [*self.failed, *self.partial]
        if names:
            counts = {
                name: table.conflict + table.refused + table.held_back
                for name, table in self.tables.items()
                if name in self.partial
            }
            raise self._fall_short(
                f"not all is loaded: {', '.join(names)}",
                "see why with: stages rejects; then run again: stages load",
                names,
                counts,
            )


@dataclass(frozen=True, kw_only=True)
class TableForecast:
    """What a load would do with one Convex table, in documents.

    `bytes` are of requests, which are so many `batches`; `written` are bytes of the documents and
    ledger rows to be written, `stored` of all staged documents, their copies in indexes and their
    ledger rows.
    """

    inserted: int
    replaced: int
    unchanged: int
    bytes: int
    batches: int
    written: int
    stored: int


@dataclass(frozen=True, kw_only=True)
class LoadForecast:
    """What a load would do, by Convex table and in `total`.

    `minutes` it would take, by how much a deployment writes, such as `4 MiB/s`. `rejects` are the
    first groups of what is not loaded.
    """

    tables: Mapping[str, TableForecast]
    total: TableForecast
    minutes: Mapping[str, float]
    rejects: Sequence[RejectGroup]


@dataclass(frozen=True, kw_only=True)
class TableVerified:
    """One Convex table: documents by how they compare with what is staged.

    missing: loaded, but no document. changed: differs. mismatched: load has written down another
    document than the ledger. removed: in the ledger, but not staged any
    more. unowned: not in the ledger; duplicate: one of these that equals a loaded one. dangling: a
    reference to no document. unaccounted: a reference of the source that is neither bound, nor set
    to null, nor rejected.
    """

    verified: int = 0
    missing: int = 0
    changed: int = 0
    mismatched: int = 0
    removed: int = 0
    unowned: int = 0
    duplicate: int = 0
    dangling: int = 0
    unaccounted: int = 0


@dataclass(frozen=True, kw_only=True)
class Verified(_Result):
    """What a verify found, by Convex table.

    `differences`: table → kind → how many must not be, such as {"orders": {"missing": 2}};
    empty where Convex is as it should be. `moved`: source → what has changed at
    the source since it was extracted; empty where that was not asked. `folder` holds a file of
    differing rows a table.
    """

    tables: Mapping[str, TableVerified]
    differences: Mapping[str, Mapping[str, int]]
    moved: Mapping[str, tuple[str, ...]]
    folder: Path

    def raise_if_wrong(self) -> None:
        """Raise Shortfall where Convex differs, or the source has moved."""
        words = {
            name: [f"{rows:,} {kind}" for kind, rows in kinds.items()]
            for name, kinds in self.differences.items()
        }
        if words:
            raise self._fall_short(
                f"Convex differs from what is staged: {_listed(words)}",
                f"the rows are in {self.folder}/<table>.parquet",
                words,
                {name: sum(kinds.values()) for name, kinds in self.differences.items()},
            )
        if self.moved:
            raise self._fall_short(
                _moved_sentence(self.moved),
                "move what is new with: stages extract --restart, stages transform, stages load",
                self.moved,
            )


def _listed(words: Mapping[str, Sequence[str]]) -> str:
    return "; ".join(f"{name}: {', '.join(each)}" for name, each in words.items())


@dataclass(frozen=True, kw_only=True)
class TableRolledBack:
    """One Convex table: documents removed, kept since the app has changed them, gone already."""

    removed: int
    kept: int
    gone: int


@dataclass(frozen=True, kw_only=True)
class RolledBack(_Result):
    """What a rollback removed, by Convex table."""

    tables: Mapping[str, TableRolledBack]

    def raise_if_wrong(self) -> None:
        """Raise Shortfall where documents are kept that the app has changed."""
        kept = {name: table.kept for name, table in self.tables.items() if table.kept}
        if kept:
            listed = ", ".join(f"{documents:,} of {name}" for name, documents in kept.items())
            raise self._fall_short(
                f"documents that the app has changed are kept: {listed}; what they refer "
                "to is gone where its table was rolled back",
                "delete them too with: stages rollback --force",
                kept,
                kept,
            )


@dataclass(frozen=True)
class CheckResult:
    """One thing that was looked at. `hint` says how to fix what is not ok."""

    name: str
    ok: bool
    detail: str
    hint: str | None = None


@dataclass(frozen=True, kw_only=True)
class Checked(_Result):
    """What a check looked at, in order; `shortfall` and `hint` are for what is not ok."""

    results: tuple[CheckResult, ...]
    shortfall: str
    hint: str

    @property
    def wrong(self) -> list[str]:
        """Names of what is not ready."""
        return [result.name for result in self.results if not result.ok]

    def raise_if_wrong(self) -> None:
        """Raise Shortfall where something is not ready."""
        if self.wrong:
            raise self._fall_short(self.shortfall, self.hint)


@dataclass(frozen=True, kw_only=True)
class Report:
    """The report as it is in its two files."""

    figures: Mapping[str, Any]
    markdown: str
    file: Path
    summary: Path

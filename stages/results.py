"""What the calls of `Migration` return: frozen and typed, and also returned if tables failed.

A call that finishes returns its result even if tables failed or differ; `raise_if_wrong()` turns
that into a Shortfall, as the command line does (exit code 1).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stages.errors import OverLimit, Shortfall, TooManyRejects
from stages.probe.findings import Finding
from stages.rejects import RejectGroup

Complete = Callable[[str], str]


def _as_it_is(text: str) -> str:
    return text


@dataclass(frozen=True, kw_only=True)
class _Result:
    """`complete` adds global options to the commands in hints."""

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

    unchanged: known not to have changed since it was read. kept: no difference was found, but edits
    to rows can't be detected.
    """

    status: str
    rows: int
    note: str = ""
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class Extracted(_Result):
    """What an extract did, by source. `transport` is postgres or rest.

    `moved`: source → what has changed there since it was read, as found now or earlier.
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
        """Raise Shortfall if a source could not be read, or has moved with `fail_if_moved`."""
        if self.failed:
            raise self._fall_short(
                f"not read: {', '.join(self.failed)}",
                "fix the cause, then: stages extract",
                self.failed,
            )
        if self.moved and self.fail_if_moved:
            raise self._fall_short(
                _moved_sentence(self.moved),
                f"read it again with: stages extract --restart {' '.join(self.moved)}",
            )


@dataclass(frozen=True, kw_only=True)
class TableTransformed:
    """One Convex table: rows counted by outcome. `dropped` rows are also counted as rejects."""

    status: str
    source_rows: int
    documents: int
    rejects: int
    dropped: int
    changes: int


@dataclass(frozen=True, kw_only=True)
class Transformed(_Result):
    """What a transform staged, by Convex table.

    `over_limit`: each reject limit that is exceeded. `failed`: table → why it stopped.
    """

    tables: Mapping[str, TableTransformed]
    over_limit: tuple[OverLimit, ...]
    failed: Mapping[str, str] = field(default_factory=dict)

    def raise_if_wrong(self) -> None:
        """Raise Shortfall if a table failed, TooManyRejects if there are more rejects than the plan
        allows."""
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
    """One Convex table: documents counted by outcome, over all loads so far.

    `refused`: by Convex; `held_back`: because a parent has no document; `removed`: loaded, but no
    longer staged.
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
    """What a load did, by Convex table; `failed`: table → why it could not continue."""

    tables: Mapping[str, TableLoaded]
    failed: Mapping[str, str]

    @property
    def partial(self) -> list[str]:
        """Tables with some documents missing from Convex."""
        return [name for name, table in self.tables.items() if table.status != "complete"]

    def raise_if_wrong(self) -> None:
        """Raise Shortfall if a table failed or is only partly loaded."""
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

    `bytes` is the size of the requests, `batches` their number; `written` is the bytes of documents
    and ledger rows to be written, `stored` those of all staged documents, their copies in indexes
    and their ledger rows.
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

    `minutes` is how long it would take, by the deployment's write rate, such as `4 MiB/s`.
    `rejects` are the first groups of rows that will not be loaded.
    """

    tables: Mapping[str, TableForecast]
    total: TableForecast
    minutes: Mapping[str, float]
    rejects: Sequence[RejectGroup]


@dataclass(frozen=True, kw_only=True)
class TableVerified:
    """One Convex table: documents counted by how they compare with the staged ones.

    missing: loaded, but the document does not exist. changed: differs. mismatched: the load
    recorded a different document than the ledger. removed: in the ledger, but no longer staged.
    unowned: not in the ledger. duplicate: unowned, and equal to a loaded document. dangling: a
    reference to a document that does not exist. unaccounted: a source reference that is neither
    bound, nor set to null, nor rejected.
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

    `differences`: table → kind → number of errors, such as {"orders": {"missing": 2}}; empty if
    Convex is as it should be. `moved`: source → what has changed there since it was extracted;
    empty if that was not checked. `folder` holds one file of differing rows per table.
    """

    tables: Mapping[str, TableVerified]
    differences: Mapping[str, Mapping[str, int]]
    moved: Mapping[str, tuple[str, ...]]
    folder: Path

    def raise_if_wrong(self) -> None:
        """Raise Shortfall if Convex differs, or the source has moved."""
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
                "move the changes with: stages extract --restart, stages transform, stages load",
                self.moved,
            )


def _listed(words: Mapping[str, Sequence[str]]) -> str:
    return "; ".join(f"{name}: {', '.join(each)}" for name, each in words.items())


@dataclass(frozen=True, kw_only=True)
class TableRolledBack:
    """One Convex table: documents removed, kept because the app changed them, or already gone."""

    removed: int
    kept: int
    gone: int


@dataclass(frozen=True, kw_only=True)
class RolledBack(_Result):
    """What a rollback removed, by Convex table."""

    tables: Mapping[str, TableRolledBack]

    def raise_if_wrong(self) -> None:
        """Raise Shortfall if documents were kept because the app has changed them."""
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
    """The result of one check. `hint` says how to fix it if it is not ok."""

    name: str
    ok: bool
    detail: str
    hint: str | None = None


@dataclass(frozen=True, kw_only=True)
class Checked(_Result):
    """All results of a check, in order; `shortfall` and `hint` are used if any is not ok."""

    results: tuple[CheckResult, ...]
    shortfall: str
    hint: str

    @property
    def wrong(self) -> list[str]:
        """Names of the results that are not ok."""
        return [result.name for result in self.results if not result.ok]

    def raise_if_wrong(self) -> None:
        """Raise Shortfall if any result is not ok."""
        if self.wrong:
            raise self._fall_short(self.shortfall, self.hint)


@dataclass(frozen=True, kw_only=True)
class Probed(_Result):
    """What a probe found, in the order of its checks."""

    findings: tuple[Finding, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Number of findings by verdict."""
        return dict(Counter(finding.verdict for finding in self.findings))

    @property
    def wrong(self) -> list[Finding]:
        """Findings that differ from what is expected, and checks that failed."""
        return [each for each in self.findings if each.verdict in ("differs", "failed")]

    def raise_if_wrong(self) -> None:
        """Raise Shortfall if a server did not behave as stages expects, or a check failed."""
        if self.wrong:
            raise self._fall_short(
                f"{len(self.wrong)} of {len(self.findings)} checks are not as expected: "
                f"{', '.join(finding.name for finding in self.wrong)}",
                "report it: paste what this printed, which holds no value, name or key, into an "
                "issue; where it says `failed`, run again: stages check --probe",
            )


@dataclass(frozen=True, kw_only=True)
class Report:
    """The report: its two files and their contents."""

    figures: Mapping[str, Any]
    markdown: str
    file: Path
    summary: Path

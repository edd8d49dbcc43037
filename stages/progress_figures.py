"""The progress of a run's tables: rows, bytes, rate, and the estimated time left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stages.duration import duration
from stages.layout import counted

# Seconds after which a rate is meaningful.
SETTLED = 1.0
# Steps of a stage that are not its tables.
BESIDE = {
    "keys", "side", "reference", "source", "upload", "clean", "adopt", "ledger", "sandbox",
    "catalog", "assess",
}  # fmt: skip
# Terminal columns below which bytes and rate are left out.
NARROW = 100
# Tables that are named where many are under way.
AT_WORK = 3


@dataclass
class Standing:
    """One table under way. `kept` rows are from an earlier run, `rows` and `bytes` from this one;
    `began` is in seconds of the caller's clock. `total` is None if it is not known. `counts`:
    whether its rows count as rows of the run; `repeated` of them have been counted already, in an
    earlier pass."""

    stage: str
    table: str
    total: int | None
    kept: int
    began: float
    rows: int = 0
    bytes: int = 0
    counts: bool = True
    repeated: int = 0

    def advance(self, rows: int, size: int) -> int:
        """Add rows; return how many of them are new to the run."""
        self.rows += rows
        self.bytes += size
        again = min(rows, self.repeated)
        self.repeated -= again
        return rows - again if self.counts else 0

    @property
    def reached(self) -> int:
        """Rows done; never more than the total, which may be an estimate."""
        reached = self.kept + self.rows
        return reached if self.total is None else min(reached, self.total)

    def rate(self, now: float) -> float | None:
        """Rows per second in this run; None before that is meaningful."""
        elapsed = now - self.began
        return self.rows / elapsed if self.rows and elapsed >= SETTLED else None

    def remaining(self, now: float) -> float | None:
        """Estimated seconds left, or None if unknown."""
        rate = self.rate(now)
        if rate is None or self.total is None or self.reached >= self.total:
            return None
        return (self.total - self.reached) / rate

    def words(self, now: float, width: int = NARROW) -> str:
        """All figures as text; without bytes and rate if `width` columns are too few."""
        if not self.reached and not self.total:
            return duration(now - self.began)
        of = f" of {self.total:,}" if self.total is not None else ""
        parts = [f"{self.reached:,}{of} rows"]
        rate, remaining = self.rate(now), self.remaining(now)
        if width >= NARROW:
            if self.bytes >= 1 << 20:
                parts.append(f"{self.bytes / 2**20:,.0f} MiB")
            if rate is not None:
                parts.append(f"{rate:,.0f}/s")
            parts.append(duration(now - self.began))
        if remaining is not None:
            parts.append(f"{duration(remaining)} left")
        return ", ".join(parts)


class Run:
    """The tables of a run, built from what is reported: `rows_of` a table and `bytes` are from this
    run, `began` is in seconds of the caller's clock. Not thread-safe."""

    def __init__(self, now: float) -> None:
        self.began = now
        self.rows_of: dict[str, int] = {}
        self.bytes = 0
        self.under_way: dict[str, Standing] = {}
        self.expected: Mapping[str, int | None] = {}
        self._ended: set[str] = set()

    def begin(self, tables: Mapping[str, int | None]) -> None:
        self.expected = tables

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(self.rows_of.values())

    @property
    def tables(self) -> int:
        """How many have ended."""
        return len(self._ended)

    @property
    def share(self) -> tuple[float, float]:
        """How much is done, and of how much: in rows if those of every table are known, else in
        tables, with the fractions of those under way."""
        sizes = [self._size(name) for name in self.expected]
        known = [(done, total) for done, total in sizes if total is not None]
        whole = sum(total for _, total in known)
        if whole and len(known) == len(sizes):
            return sum(done for done, _ in known), whole
        parts = [done / total for name in self.expected.keys() - self._ended
                 for done, total in [self._size(name)] if total]  # fmt: skip
        return self.tables + sum(parts), len(self.expected)

    def remaining(self, now: float) -> float | None:
        """Estimated seconds left; None while that is unknown, or while the row count of any table
        is."""
        sizes = [self._size(name) for name in self.expected.keys() - self._ended]
        left = [total - done for done, total in sizes if total is not None]
        elapsed = now - self.began
        if len(left) < len(sizes) or not sum(left) or not self.rows or elapsed < SETTLED:
            return None
        return sum(left) * elapsed / self.rows

    def _size(self, name: str) -> tuple[int, int | None]:
        """The rows done of an expected table, and all of its rows, if they are known."""
        total, standing = self.expected[name], self.under_way.get(name)
        if name in self._ended:
            return total or 0, total
        if standing is None or standing.stage in BESIDE:
            return 0, total
        return standing.reached, total if standing.total is None else standing.total

    def at_work(self) -> str:
        """The first tables under way, `load articles, load webinars and 3 more`.

        Reads without a lock, which a thread may hold that waits for the terminal.
        """
        names = [f"{each.stage} {each.table}" for each in list(self.under_way.values())]
        more = len(names) - AT_WORK
        return ", ".join(names[:AT_WORK]) + (f" and {more:,} more" if more > 0 else "")

    def words(self, now: float, width: int = NARROW) -> str:
        """All figures as text."""
        of = len(self.expected) if len(self.expected) > self.tables else None
        all_tables = counted(of or self.tables, "table")
        parts = [f"{self.tables:,} of {all_tables}" if of else all_tables]
        if self.rows:
            parts.append(counted(self.rows, "row"))
        remaining = self.remaining(now)
        if remaining is not None and width < NARROW:
            return ", ".join([*parts, f"{duration(remaining)} left"])
        if self.bytes >= 1 << 20:
            parts.append(f"{self.bytes / 2**20:,.0f} MiB")
        text = f"{', '.join(parts)} in {duration(now - self.began)}"
        return text if remaining is None else f"{text}, {duration(remaining)} left"

    def start(self, stage: str, table: str, total: int | None, kept: int, now: float) -> Standing:
        # A second pass over a table repeats some of its rows.
        repeated = self.rows_of.get(table, 0) if table in self._ended else 0
        standing = Standing(
            stage, table, total, kept, now, counts=stage not in BESIDE, repeated=repeated
        )
        self.under_way[table] = standing
        return standing

    def advance(self, table: str, rows: int, size: int) -> Standing | None:
        """Add to a table's progress; return None for one that was not started, such as the ledger
        when it is read for other tables."""
        standing = self.under_way.get(table)
        if standing:
            new = standing.advance(rows, size)
            if new:
                self.rows_of[table] = self.rows_of.get(table, 0) + new
            if standing.counts:
                self.bytes += size
        return standing

    def done(self, stage: str, table: str) -> Standing | None:
        # A table in a reference cycle ends twice.
        if stage not in BESIDE:
            self._ended.add(table)
        return self.under_way.pop(table, None)

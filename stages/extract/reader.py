"""The interface that both transports offer to the stage."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

    from stages.extract.catalog import Reading, Relations
    from stages.state.manifests import Snapshot, Transport

Key = list[str]
# In a page's schema metadata: its floats may have lost digits, and the plan accepts that.
UNPROVEN = b"unproven"


@dataclass(frozen=True, kw_only=True)
class Span:
    """Rows whose key is greater than `after` and not greater than `until`; None is unbounded."""

    after: Key | None = None
    until: Key | None = None


@dataclass(frozen=True, kw_only=True)
class Size:
    """How large a table is; `rows` is an estimate unless `exact`.

    `bytes` is its size at the source; None if the source does not report it.
    """

    rows: int
    bytes: int | None
    exact: bool = False


@dataclass(frozen=True, kw_only=True)
class TableState:
    """A table at the source now, for a cheap second look."""

    rows: int
    greatest: Key | None
    # Rows written since the snapshot of the extract; None if the source can't say.
    newer: int | None = None


class Reader(Protocol):
    """One source over one transport. Its sessions are used in parallel."""

    transport: Transport
    # All sessions see the source as it was at one moment.
    has_snapshot: bool
    # A span of a composite key can be read alone, whatever its bounds.
    random_access: bool
    # Measured by `make bench` (docs/explanation/figures.md), for forecasts.
    rows_per_second: int

    def catalog(self) -> Relations:
        """Everything that may be read, by (schema, name)."""

    def is_missing(self, schema: str, table: str) -> bool:
        """Whether a table that is not in the catalog does not exist; raises if it is hidden."""

    def identity(self) -> dict[str, Any]:
        """What identifies the source beyond the settings: {"system_identifier": …}."""

    def snapshot(self) -> Snapshot:
        """The snapshot that the rows are consistent with, if there is one."""

    def count_unit(self, reading: Reading) -> str:
        """What `Session.count` counts: "rows", or another unit if rows can't be counted."""

    def allowed_jobs(self, requested: int | None) -> int:
        """How many sessions may be open in parallel without straining the source."""

    def find_blocked(self) -> str | None:
        """Which session waits for a lock that we hold, in a few words; None if none does."""

    def session(self) -> Session:
        """A new connection for one worker."""

    def interrupt(self, reason: str) -> None:
        """Make calls that wait for the source end soon, with Stopped for this reason."""

    def close(self) -> None:
        """End the snapshot and all connections."""


class Session(Protocol):
    """One worker's connection."""

    def size(self, reading: Reading) -> Size:
        """How large the table to be read is; cheap."""

    def count(self, reading: Reading, *, filtered: bool = True) -> int:
        """The rows to be read; with `filtered=False`, also those that `where` leaves out.

        If the reader's `count_unit` is not "rows", the number of those units.
        """

    def probe(self, reading: Reading) -> None:
        """Read one row or a few. Raises TableFailed if the table can't be read."""

    def table_state(self, reading: Reading, snapshot: Snapshot) -> TableState:
        """The number of rows, greatest key and newer rows of a table that was extracted earlier."""

    def split(self, reading: Reading, size: Size, rows: int) -> list[Key]:
        """Keys that cut the table into spans; [] for one span. `rows` is a span's size, roughly."""

    def read(self, reading: Reading, span: Span) -> Generator[pa.Table]:
        """A span's rows in key order, in the reading's Arrow schema; marked UNPROVEN if it is."""

    def close(self) -> None:
        """End the connection."""


def key_texts(table: pa.Table, reading: Reading, row: int) -> Key | None:
    """One row's key as texts that Postgres accepts; None for a table without a key."""
    if not reading.key:
        return None
    return [_text(table.column(c.staged)[row], c.rule.form) for c in reading.key_columns]


def require_key(table: pa.Table, reading: Reading, before: Key | None) -> None:
    """Refuse null and duplicate keys in rows in key order that follow the key `before`.

    Postgres guarantees a primary key, but not a key that the plan names, nor one across INHERITS
    children. Reading on after such a key would silently lose rows.
    """
    import pyarrow.compute as pc

    from stages.errors import TableFailed

    row = 0 if table.num_rows > 0 and key_texts(table, reading, 0) == before else -1
    columns = [table.column(c.staged).combine_chunks() for c in reading.key_columns]
    plain = [getattr(values, "storage", values) for values in columns]
    if row < 0 and not any(values.null_count for values in plain):
        same = [pc.equal(values.slice(1), values.slice(0, len(values) - 1)) for values in plain]
        row = pc.index(reduce(pc.and_, same), True).as_py()
        if row < 0:
            return
        row += 1
    if row >= 0 and reading.heirs:
        values = key_texts(table, reading, row) or []
        key = ", ".join(f"{n} = {v}" for n, v in zip(reading.key, values, strict=True))
        heirs = ", ".join(".".join(place) for place in reading.heirs)
        raise TableFailed(
            f"{reading.schema}.{reading.name} gives the rows of its children {heirs} too "
            f"(INHERITS), and more than one of all these rows has the key {key}",
            f"add only = true to [sources.{reading.source}] of the plan, and a source for each "
            "child to be read",
        )
    raise TableFailed(
        f"key = {list(reading.key)!r} of [sources.{reading.source}] is "
        f"{'not unique' if row >= 0 else 'null in some rows'}",
        "name columns that are unique and not null",
    )


def _text(scalar: Any, form: str) -> str:
    if form in ("timestamp", "date"):
        return _moment(scalar, form)
    if form == "bytes":
        return f"\\x{scalar.as_py().hex()}"
    if form == "boolean":
        return "t" if scalar.as_py() else "f"
    return str(scalar.as_py())


def _moment(scalar: Any, form: str) -> str:
    """A date or timestamp as Postgres' ISO text."""
    from datetime import datetime, timedelta

    import pyarrow as pa

    from stages.errors import TableFailed
    from stages.extract.decode import INFINITY_DAYS, INFINITY_US

    date = form == "date"
    number = scalar.cast(pa.int32() if date else pa.int64()).as_py()
    if abs(number) == (INFINITY_DAYS if date else INFINITY_US):
        return "infinity" if number > 0 else "-infinity"
    try:
        since = timedelta(days=number) if date else timedelta(microseconds=number)
        moment = datetime(1970, 1, 1) + since
    except OverflowError:
        raise TableFailed(
            f"a key holds a {form} outside of the years 1 to 9999",
            "name the key column in as_text of the plan",
        ) from None
    if date:
        return str(moment.date())
    return f"{moment}+00" if scalar.type.tz else str(moment)

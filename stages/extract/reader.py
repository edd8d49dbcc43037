"""What both transports offer to the stage."""

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
# In the metadata of a page's schema: the plan takes its floats, of which digits may be lost.
UNPROVEN = b"unproven"


@dataclass(frozen=True, kw_only=True)
class Span:
    """Rows whose key is greater than `after` and not greater than `until`; None is open."""

    after: Key | None = None
    until: Key | None = None


@dataclass(frozen=True, kw_only=True)
class Size:
    """How large a table is, roughly where `exact` is False.

    Bytes are those at the source; None where it does not say.
    """

    rows: int
    bytes: int | None
    exact: bool = False


@dataclass(frozen=True, kw_only=True)
class TableState:
    """A table at the source now: what a cheap second look compares."""

    rows: int
    greatest: Key | None
    # Rows written since the snapshot of the extract; None where that can't be asked.
    newer: int | None = None


class Reader(Protocol):
    """One source over one transport. Its sessions are used side by side."""

    transport: Transport
    # All sessions see the source as it was at one moment.
    has_snapshot: bool
    # A span of a composite key can be read alone, whatever its bounds.
    random_access: bool
    # As `make bench` measured it (README, Figures), for a forecast.
    rows_per_second: int

    def catalog(self) -> Relations:
        """Everything that may be read, by (schema, name)."""

    def is_missing(self, schema: str, table: str) -> bool:
        """Whether a table that the catalog lacks does not exist; raises where it is hidden."""

    def identity(self) -> dict[str, Any]:
        """What identifies the source beyond the settings: {"system_identifier": …}."""

    def snapshot(self) -> Snapshot:
        """What the rows are consistent with."""

    def count_unit(self, reading: Reading) -> str:
        """What a session's `count` counts: "rows", or what stands for them where they can't be."""

    def allowed_jobs(self, requested: int | None) -> int:
        """How many sessions may be open side by side, kind to the source."""

    def find_blocked(self) -> str | None:
        """Who waits for a lock that we hold, in a few words; None where nobody does."""

    def session(self) -> Session:
        """A connection of its own for one worker."""

    def interrupt(self, reason: str) -> None:
        """Let calls that wait for the source end soon, with Stopped for this reason."""

    def close(self) -> None:
        """End the snapshot and all connections."""


class Session(Protocol):
    """One worker's connection."""

    def size(self, reading: Reading) -> Size:
        """How large the reading is about to be; cheap."""

    def count(self, reading: Reading, *, filtered: bool = True) -> int:
        """Rows that the reading gives; with `filtered=False` also those that `where` leaves out.

        Where the reader's `count_unit` is not "rows", the number of those.
        """

    def probe(self, reading: Reading) -> None:
        """Read one row. Raises TableFailed where the table can't be read."""

    def table_state(self, reading: Reading, snapshot: Snapshot) -> TableState:
        """Rows, greatest key and news, for a table that was extracted earlier."""

    def split(self, reading: Reading, size: Size, rows: int) -> list[Key]:
        """Keys that cut the table into spans of about so many rows; [] where it stays whole."""

    def read(self, reading: Reading, span: Span) -> Generator[pa.Table]:
        """A span's rows in key order, with the reading's Arrow schema, and UNPROVEN where it is."""

    def close(self) -> None:
        """End the connection."""


def key_texts(table: pa.Table, reading: Reading, row: int) -> Key | None:
    """One row's key as the texts that Postgres takes back; None for a table without a key."""
    if not reading.key:
        return None
    return [_text(table.column(c.staged)[row], c.rule.form) for c in reading.key_columns]


def require_key(table: pa.Table, reading: Reading, before: Key | None) -> None:
    """Refuse a key that is null, or there twice, in rows in key order that follow on `before`.

    Postgres vouches for a primary key; for one that the plan names nobody does, nor for one that
    children by INHERITS share. A reading that goes on after such a key would lose rows without a
    word.
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
            f"(INHERITS), and more than one row of them all has the key {key}",
            f"add only = true to [sources.{reading.source}] of the plan, and a source for each "
            "child whose rows are meant to come",
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

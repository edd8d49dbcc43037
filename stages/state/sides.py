"""What transform found in the side files that the plan ties to a source, as a cache."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import field

from stages.state.records import Record


class SideFigures(msgspec.Struct, kw_only=True, frozen=True):
    """Number of keys in a side file, and of those that the source does not have."""

    made_from: str
    rows: int
    orphans: int


class SidesFile(Record, kw_only=True):
    """The figures of each side file, by name."""

    sides: dict[str, SideFigures] = field(default_factory=dict)

    @classmethod
    def way_on(cls, file: Path) -> str:
        return "make it again with: stages transform"

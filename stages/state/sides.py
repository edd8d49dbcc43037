"""What was found of the side files that the plan ties to a source: a cache of transform's."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import field

from stages.state.records import Record


class SideFigures(msgspec.Struct, kw_only=True, frozen=True):
    """Keys of a side file, and those of them that the source has not."""

    made_from: str
    rows: int
    orphans: int


class SidesFile(Record, kw_only=True):
    """The figures of each side file, by name."""

    sides: dict[str, SideFigures] = field(default_factory=dict)

    @classmethod
    def way_on(cls, file: Path) -> str:
        return "make it again with: stages transform"

"""The results of an extract, table by table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from stages.errors import TableFailed

# `status`, `rows`, and either a `note` or an `error` with its `reason` and `hint`, for the user.
TableResult = dict[str, Any]


@dataclass
class ExtractResult:
    """The result of each source."""

    transport: str
    tables: dict[str, TableResult] = field(default_factory=dict)

    @property
    def failed(self) -> list[str]:
        return [name for name, result in self.tables.items() if result["status"] == "failed"]


def failed_result(error: TableFailed) -> TableResult:
    """The result of a table that can't be read."""
    return {
        "status": "failed",
        "rows": 0,
        "error": str(error),
        "reason": error.message,
        "hint": error.hint,
    }


def uncounted_note(unit: str, number: int) -> str:
    """A note's text if the source can't count rows; `unit` as in `Reader.count_unit`."""
    return "" if unit == "rows" else f" (not counted over REST, which has {number:,} {unit} now)"

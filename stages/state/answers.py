"""What to do with documents that a table had before its first load: kept in target.json.

Answered once per table, so that no later load of this target asks again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Answer:
    """`adopt`: they are rows of the source, also found `by` one of their fields if that is named;
    `done` once the ledger has them. `beside`: they are others, and stay beside what is loaded."""

    what: Literal["adopt", "beside"]
    by: str | None = None
    done: bool = False

    @property
    def words(self) -> str:
        """The answer in words."""
        if self.what == "beside":
            return "kept alongside what is loaded"
        found = f"adopted by {self.by}" if self.by else "adopted"
        return found if self.done else f"to be {found}; the next load completes this"

"""One finding of a probe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# differs: the server does something else. failed: it could not be asked, which proves nothing.
Verdict = Literal["confirmed", "measured", "differs", "failed", "not checked"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The result of one check. `seen` contains no row values, keys, names or addresses.

    verdict: confirmed, measured, differs, failed (the server could not be asked, which proves
    nothing), not checked.
    """

    section: str
    name: str
    expected: str
    verdict: Verdict
    seen: str

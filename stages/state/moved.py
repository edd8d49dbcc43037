"""That the source was seen to have moved since a table was extracted.

It is kept in the table's manifest, until the table is read again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from stages.state.manifests import Manifest, write_manifest


@dataclass(frozen=True, kw_only=True)
class Moved:
    """What has moved, in a few words each, and when it was seen first (ISO 8601, UTC)."""

    seen: str
    what: tuple[str, ...]

    def __str__(self) -> str:
        return f"{', '.join(self.what)} (seen {self.seen})"


def record_moved(folder: Path, manifest: Manifest, what: Sequence[str]) -> None:
    """Write down what was seen to have moved; seen again, nothing is written.

    A later look that sees nothing takes nothing back: it may be one that can't see edits.
    """
    if not what or manifest.get("moved", {}).get("what") == list(what):
        return
    manifest["moved"] = {
        "seen": datetime.now(UTC).isoformat(timespec="seconds"),
        "what": list(what),
    }
    write_manifest(folder, manifest)


def read_moved(manifest: Manifest | None) -> Moved | None:
    """What an extract's manifest says has moved since; None where nothing was seen."""
    stored = (manifest or {}).get("moved")
    return Moved(seen=stored["seen"], what=tuple(stored["what"])) if stored else None

"""Record that the source was seen to have changed since a table was extracted.

This is kept in the table's manifest until the table is read again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from stages.state.manifests import ExtractManifest, Moved, write_manifest


def record_moved(folder: Path, manifest: ExtractManifest, what: Sequence[str]) -> None:
    """Record what was seen to have changed; if it is seen again, nothing is written.

    A later look that sees nothing does not clear it: it may be one that can't see edits.
    """
    if not what or (manifest.moved and manifest.moved.what == tuple(what)):
        return
    manifest.moved = Moved(seen=datetime.now(UTC).isoformat(timespec="seconds"), what=tuple(what))
    write_manifest(folder, manifest)

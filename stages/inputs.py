"""What a transformed table was made from, as far as that can be told without running anything."""

from __future__ import annotations

from stages.checkpoint import Manifest, content_hash, hash_file, read_manifest
from stages.paths import Paths
from stages.plan import TargetTable


def staged_inputs(paths: Paths, table: TargetTable) -> dict[str, str | None]:
    """Content of a table's extract and of its model's file, as they are now."""
    extracted = read_manifest(paths.extract(table.source))
    model = paths.model(table.model)
    return {
        "extract": content_hash(extracted["parts"]) if extracted else None,
        "model": hash_file(model) if model.exists() else None,
    }


def stale(paths: Paths, table: TargetTable, transformed: Manifest) -> str | None:
    """What has changed since a table was transformed, in a few words; None where nothing has."""
    if transformed["status"] == "missing":
        return None
    now = staged_inputs(paths, table)
    changed = [name for name, content in now.items() if transformed["inputs"][name] != content]
    words = {"extract": "its extract", "model": f"{table.model}"}
    return " and ".join(words[name] for name in changed) or None

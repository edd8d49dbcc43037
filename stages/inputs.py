"""What a transformed table was made from, as far as that can be told without running anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from stages.checkpoint import (
    Manifest,
    content_hash,
    fingerprint,
    hash_file,
    read_json,
    read_manifest,
)
from stages.paths import Paths
from stages.plan import Plan, TargetTable

WORDS = {
    "extract": "its extract",
    "model": "its model",
    "keys": "a key model",
    "schema": "its table in convex/schema.ts",
    "plan": "its entry in the plan",
}


def staged_inputs(paths: Paths, plan: Plan, table: TargetTable) -> dict[str, str | None]:
    """Content of all that a table's documents hang on, as it is now, by kind."""
    extracted = read_manifest(paths.extract(table.source))
    keys = [paths.model(r.keys) for r in plan.references.values() if r.keys]
    exported = (read_json(paths.schema) or {}).get("exported", {"tables": []})
    document = [checked_by(t) for t in exported["tables"] if t["tableName"] == table.name]
    models = [paths.model(name) for name in (table.model, table.drops)]
    return {
        "extract": content_hash(extracted["parts"]) if extracted else None,
        "model": fingerprint([hash_file(model) for model in models if model.exists()]),
        "keys": fingerprint([hash_file(key) for key in keys if key.exists()]),
        "schema": fingerprint(document),
        "plan": fingerprint(asdict(table)),
    }


def checked_by(exported: Mapping[str, Any]) -> list[Any]:
    """What documents are checked against, of a table as Convex exports it."""
    return [exported.get(name) for name in ("documentType", "vectorIndexes", "stagedVectorIndexes")]


def stale(paths: Paths, plan: Plan, table: TargetTable, transformed: Manifest) -> str | None:
    """What has changed since a table was transformed, in a few words; None where nothing has."""
    if transformed["status"] == "missing":
        return None
    now = staged_inputs(paths, plan, table)
    changed = [WORDS[name] for name in WORDS if transformed["inputs"].get(name) != now[name]]
    return " and ".join(changed) or None

"""What a transformed table was made from, as far as this is known without running anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from stages.convex.schema import staged_schema
from stages.project.code_version import code_hash
from stages.project.plan import Plan, TargetTable
from stages.state.fingerprints import content_hash, fingerprint, hash_file
from stages.state.manifests import TransformManifest, read_extract
from stages.state.workspace import Workspace

WORDS = {
    "extract": "its extract",
    "model": "its model",
    "keys": "a key model",
    "schema": "its table in convex/schema.ts",
    "plan": "its entry in the plan",
    "code": "stages itself",
}


def staged_inputs(workspace: Workspace, plan: Plan, table: TargetTable) -> dict[str, str | None]:
    """Current hashes of all that a table's documents depend on, by kind."""
    extracted = read_extract(workspace.extract(table.source))
    keys = [workspace.model(r.keys) for r in plan.references.values() if r.keys]
    models = [workspace.model(name) for name in (table.model, table.drops)]
    return {
        "extract": content_hash(extracted.parts) if extracted else None,
        "model": fingerprint([hash_file(model) for model in models if model.exists()]),
        "keys": fingerprint([hash_file(key) for key in keys if key.exists()]),
        "schema": _schema_of(workspace, table),
        "plan": fingerprint(asdict(table)),
        "code": code_hash(),
    }


def _schema_of(workspace: Workspace, table: TargetTable) -> str:
    return fingerprint(_documents(workspace).get(table.name, []))


def has_other_form(
    workspace: Workspace, table: TargetTable, transformed: TransformManifest
) -> bool:
    """Whether a table was staged for another schema.ts, so that its files may lack its fields."""
    return transformed.inputs.get("schema") != _schema_of(workspace, table)


def checked_by(exported: Mapping[str, Any]) -> list[Any]:
    """What documents are checked against, from a table as Convex exports it."""
    return [exported.get(name) for name in ("documentType", "vectorIndexes", "stagedVectorIndexes")]


def _documents(workspace: Workspace) -> dict[str, list[Any]]:
    """Table → what its documents are checked against, in a list."""
    file = workspace.schema
    return _documents_in(workspace, file.stat().st_mtime_ns) if file.exists() else {}


@lru_cache(maxsize=1)
def _documents_in(workspace: Workspace, _: int) -> dict[str, list[Any]]:
    """Read once per change of the file: it holds all tables, and each of them is looked up."""
    schema = staged_schema(workspace)
    return {name: [checked_by(table)] for name, table in schema.tables.items()} if schema else {}


def stale(
    workspace: Workspace, plan: Plan, table: TargetTable, transformed: TransformManifest
) -> str | None:
    """What has changed since a table was transformed, in a few words; None if nothing has."""
    if transformed.status == "missing":
        return None
    now = staged_inputs(workspace, plan, table)
    changed = [WORDS[name] for name in WORDS if transformed.inputs.get(name) != now[name]]
    return " and ".join(changed) or None

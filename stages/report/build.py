"""The report: every table of the plan, in keys, rules and counts, never values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from stages.project.plan import Plan, TargetTable
from stages.project.settings import Target
from stages.report.markdown import summary_text
from stages.report.notes import side_figures, unused_columns, url_classes
from stages.state.durable import read_json, write_json, write_text
from stages.state.manifests import Manifest, read_manifest
from stages.state.moved import read_moved
from stages.state.workspace import Workspace
from stages.verify.record import Proof, read_proof

MIGRATED = ("inserted", "replaced", "unchanged", "conflict")


def build_report(workspace: Workspace, plan: Plan) -> dict[str, Any]:
    """{table: {source, migrated, skipped, errors, …}} from the manifests alone.

    Keyed by source, or `source→target` where a source feeds several tables.
    """
    feeds: dict[str, int] = {}
    for table in plan.tables.values():
        feeds[table.source] = feeds.get(table.source, 0) + 1
    unused = unused_columns(workspace, plan)
    return {
        table.source if feeds[table.source] == 1 else f"{table.source}→{table.name}": {
            **_entry(workspace, table),
            "unused_columns": unused.get(table.source, []),
        }
        for table in plan.tables.values()
    }


def write_report(workspace: Workspace, plan: Plan, target: Target | None, seconds: float) -> bool:
    """Write both files, unless no figure has changed. Returns whether they were written."""
    file = workspace.project / plan.report_json
    tables, sides = build_report(workspace, plan), side_figures(workspace)
    stored = read_json(file)
    name = target.deployment if target else (stored or {}).get("target")
    figures = {"target": name, "tables": tables, "side_files": sides}
    if stored and figures == {each: stored.get(each) for each in figures}:
        # A kill may have come between the two files.
        write_text(workspace.project / plan.report_summary, summary_text(stored))
        return False
    report = {
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
        "duration_seconds": round(seconds, 1),
        "plan": plan.name,
        **figures,
    }
    write_json(file, report)
    write_text(workspace.project / plan.report_summary, summary_text(report))
    return True


def _entry(workspace: Workspace, table: TargetTable) -> dict[str, Any]:
    extracted = read_manifest(workspace.extract(table.source))
    if extracted and extracted["status"] == "missing":
        return {
            "source": 0,
            "migrated": 0,
            "skipped": 0,
            "errors": ["the source has no such table"],
            "target": table.name,
            "status": "missing",
            "reasons": {},
        }
    transformed = read_manifest(workspace.transform(table.name)) or {}
    loaded = read_manifest(workspace.load(table.name)) or {}
    proof = read_proof(workspace, table.name, loaded)
    rows = _source_rows(table, extracted, transformed)
    counts: dict[str, int] = loaded.get("counts", {})
    migrated = sum(counts.get(name, 0) for name in MIGRATED)
    reasons = {
        f"{rule['field']}: {rule['rule']}" if rule["field"] else rule["rule"]: rule["rows"]
        for rule in transformed.get("rules", [])
    }
    for name in ("refused", "held_back"):
        if counts.get(name):
            reasons[name] = counts[name]
    accounted = migrated + sum(reasons.values())
    if rows > accounted:
        reasons["not loaded yet"] = rows - accounted
    return {
        "source": rows,
        "migrated": migrated,
        "skipped": rows - migrated,
        "errors": _errors(extracted, loaded, proof),
        "target": table.name,
        "status": _status(extracted, transformed, loaded),
        "reasons": reasons,
        "changes": {
            f"{change['field']}: {change['rule']}": change["rows"]
            for change in transformed.get("changed", [])
        },
        "urls": url_classes(transformed),
        "loaded": {name: counts.get(name, 0) for name in MIGRATED},
        "verified": proof and dict(proof.counts),
        "references": proof and dict(proof.references),
    }


def _source_rows(table: TargetTable, extracted: Manifest | None, transformed: Manifest) -> int:
    """Rows to account for: a derived table's are those of its model, known once it has run."""
    if transformed:
        return int(transformed["source_rows"])
    return int((extracted or {}).get("rows", 0)) if table.grain == "row" else 0


def _errors(extracted: Manifest | None, loaded: Manifest, proof: Proof | None) -> list[str]:
    errors = []
    if extracted and extracted.get("moving"):
        counted = extracted["counted"]
        errors.append(
            f"{counted.get('of', 'rows')} came or went while it was read "
            f"({counted['before']} → {counted['after']})"
        )
    moved = read_moved(extracted)
    if moved:
        errors.append(f"the source has moved since it was extracted: {moved}")
    for name in ("refused", "held_back"):
        if loaded.get("counts", {}).get(name):
            errors.append(f"{loaded['counts'][name]} {name.replace('_', ' ')}")
    return errors + [f"verify: {words}" for words in (proof.wrong if proof else [])]


def _status(extracted: Manifest | None, transformed: Manifest, loaded: Manifest) -> str:
    if extracted is None or extracted["status"] == "reading":
        return "not extracted"
    if not transformed:
        return "not transformed"
    return str(loaded.get("status", "not loaded"))

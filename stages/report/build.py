"""The report: every table of the plan, in keys, rules and counts, never values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from stages.errors import without_values
from stages.hints import Invocation
from stages.project.plan import Plan, TargetTable
from stages.project.settings import Target
from stages.report.files import read_report, report_files
from stages.report.fuller import KeptReport, find_fuller, note_own
from stages.report.markdown import summary_text
from stages.report.notes import side_figures, unused_columns, url_classes
from stages.rules import Rule, known_rule
from stages.state.durable import write_json, write_text
from stages.state.failures import STAGES, Failure, Stage, read_failures
from stages.state.identity import read_answers
from stages.state.manifests import (
    ExtractManifest,
    LoadManifest,
    TransformManifest,
    read_extract,
    read_load,
    read_transform,
)
from stages.state.stage_times import stage_times
from stages.state.workspace import Workspace
from stages.status import IN_CONVEX, in_convex, status
from stages.verify.record import Proof, read_proof


def build_report(workspace: Workspace, plan: Plan) -> dict[str, Any]:
    """{table: {source, migrated, skipped, errors, …}} from the data folder alone.

    Keyed by source, or by `source→target` if a source feeds several tables.
    """
    feeds: dict[str, int] = {}
    for table in plan.tables.values():
        feeds[table.source] = feeds.get(table.source, 0) + 1
    failures = {stage: read_failures(workspace, stage) for stage in STAGES}
    existing = {name: asdict(answer) for name, answer in read_answers(workspace).items()}
    return {
        table.source if feeds[table.source] == 1 else table.full_name: {
            **_entry(workspace, table, failures),
            "existing": existing.get(table.name),
        }
        for table in plan.tables.values()
    }


def write_report(
    workspace: Workspace,
    plan: Plan,
    target: Target | None,
    seconds: float,
    *,
    replace: bool = False,
) -> KeptReport | None:
    """Write both files; if no figure has changed, only the summary.

    A report that holds more, and was not written from this data folder, is kept unless `replace`;
    the reason is then returned, else None.
    """
    file, summary = report_files(workspace, plan)
    stored = read_report(file)
    figures = _figures(workspace, plan, target, stored)
    if stored and figures == {each: stored.get(each) for each in figures}:
        # An earlier run may have been killed between the files.
        write_text(summary, summary_text(stored))
        note_own(workspace, file)
        return None
    kept = find_fuller(workspace, file, stored, figures["tables"]) if stored else None
    if kept and not replace:
        return kept
    report = {
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
        "duration_seconds": round(seconds, 1),
        **figures,
    }
    write_json(file, report)
    write_text(summary, summary_text(report))
    note_own(workspace, file)
    return None


def _figures(
    workspace: Workspace, plan: Plan, target: Target | None, stored: dict[str, Any] | None
) -> dict[str, Any]:
    standing = status(workspace, plan, own_commands(workspace).complete)
    deployment = target.deployment if target else standing.target
    tables = build_report(workspace, plan)
    return {
        "plan": plan.name,
        "verdict": standing.verdict,
        "next": standing.next,
        "source": standing.source,
        "snapshot": standing.consistency,
        "target": deployment or (stored or {}).get("target"),
        "version": version("supabase-to-convex"),
        "stages": stage_times(workspace),
        "tables": tables,
        "rules": _meanings(tables),
        "unused_columns": unused_columns(workspace, plan),
        "side_files": side_figures(workspace),
    }


def _meanings(tables: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Each rule that skipped rows or changed values → what it means."""
    named = {
        reason.rpartition(": ")[2]
        for entry in tables.values()
        for reason in (*entry["reasons"], *entry.get("changes", {}))
    }
    rules = [rule for name in sorted(named) if (rule := known_rule(name))]
    return {rule.value: rule.meaning for rule in rules}


def own_commands(workspace: Workspace) -> Invocation:
    """Commands in a report name its target, but no folder of this machine."""
    target = None if workspace.is_default_target else workspace.target
    return Invocation(project=None, data=None, target=target)


def _entry(
    workspace: Workspace, table: TargetTable, kept: Mapping[Stage, Mapping[str, Failure]]
) -> dict[str, Any]:
    extracted = read_extract(workspace.extract(table.source))
    if extracted and extracted.status == "missing":
        return {
            "source": 0,
            "migrated": 0,
            "skipped": 0,
            "not_loaded": 0,
            "errors": ["the source has no such table"],
            "target": table.name,
            "status": "missing",
            "reasons": {},
        }
    transformed = read_transform(workspace.transform(table.name))
    loaded = read_load(workspace.load(table.name))
    proof = read_proof(workspace, table.name, loaded)
    rows = _source_rows(table, extracted, transformed)
    counts = loaded.counts if loaded else {}
    migrated = in_convex(counts)
    reasons = {
        f"{rule.field}: {rule.rule}" if rule.field else rule.rule: rule.rows
        for rule in (transformed.rules if transformed else [])
    }
    for found in (Rule.REFUSED, Rule.HELD_BACK):
        if counts.get(found):
            reasons[found.value] = counts[found]
    not_loaded = max(0, rows - migrated - sum(reasons.values()))
    failures = _failures(workspace, table, kept)
    return {
        "source": rows,
        "migrated": migrated,
        "skipped": rows - migrated - not_loaded,
        "not_loaded": not_loaded,
        "errors": [*failures.values(), *_errors(extracted, loaded, proof)],
        "target": table.name,
        "status": "failed" if failures else _status(extracted, transformed, loaded),
        "reasons": reasons,
        "changes": {
            f"{change.field}: {change.rule}": change.rows
            for change in (transformed.changed if transformed else [])
        }
        | _unproven(extracted),
        "urls": url_classes(transformed),
        "loaded": {name: counts.get(name, 0) for name in IN_CONVEX},
        "verified": proof and dict(proof.counts),
        "references": proof and dict(proof.references),
    }


def _unproven(extracted: ExtractManifest | None) -> dict[str, int]:
    """Rows whose floats were read with 15 digits, as the plan says."""
    rows = extracted.unproven if extracted else 0
    return {"floats of the source with 15 digits": rows} if rows else {}


def _source_rows(
    table: TargetTable, extracted: ExtractManifest | None, transformed: TransformManifest | None
) -> int:
    """Rows to account for: a derived table's are those of its model, known once it has run."""
    if transformed:
        return transformed.source_rows
    return extracted.rows if extracted and table.grain == "row" else 0


def _failures(
    workspace: Workspace, table: TargetTable, kept: Mapping[Stage, Mapping[str, Failure]]
) -> dict[Stage, str]:
    """Stage → why it failed for the table, in a sentence that holds no value of a row."""
    sentences: dict[Stage, str] = {}
    for stage, by_name in kept.items():
        failure = by_name.get(table.source if stage == "extract" else table.name)
        if failure:
            reason = failure.reason if stage == "extract" else without_values(failure.reason)
            why = own_commands(workspace).complete(f"stages rejects {table.name}")
            sentences[stage] = f"{stage} failed: {reason}; see why with: {why}"
    return sentences


def _errors(
    extracted: ExtractManifest | None, loaded: LoadManifest | None, proof: Proof | None
) -> list[str]:
    errors = []
    if extracted and extracted.moving:
        counted = extracted.counted
        errors.append(
            f"{counted.of} came or went while it was read ({counted.before} → {counted.after})"
        )
    if extracted and extracted.moved:
        errors.append(f"the source has moved since it was extracted: {extracted.moved}")
    for name in ("refused", "held_back"):
        if loaded and loaded.counts.get(name):
            errors.append(f"{loaded.counts[name]} {name.replace('_', ' ')}")
    return errors + [f"verify: {words}" for words in (proof.wrong if proof else [])]


def _status(
    extracted: ExtractManifest | None,
    transformed: TransformManifest | None,
    loaded: LoadManifest | None,
) -> str:
    if extracted is None or extracted.status == "reading":
        return "not extracted"
    if not transformed:
        return "not transformed"
    return loaded.status if loaded else "not loaded"

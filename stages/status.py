"""Where each table stands, from the files alone, and what to run next."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from stages.convex.ledger import CLEARED
from stages.load.importing.import_state import open_import
from stages.project.freshness import stale
from stages.project.plan import Plan
from stages.state.durable import read_json
from stages.state.manifests import Manifest, read_manifest
from stages.state.workspace import Workspace
from stages.verify.record import read_proof

MADE_FROM = ("transform", "verify")


def consistency(manifests: list[Manifest]) -> str:
    """exported (one snapshot for all), per-table, mixed (inside a table), or none (REST)."""
    read = [m for m in manifests if m["status"] != "missing"]
    snapshots = [m["snapshots"] for m in read]
    if not read or any(s["kind"] == "none" for taken in snapshots for s in taken):
        return "none"
    if any(len(taken) > 1 for taken in snapshots):
        return "mixed"
    distinct = {(taken[0]["snapshot"], taken[0]["at"]) for taken in snapshots}
    return "exported" if len(distinct) == 1 else "per-table"


def status(workspace: Workspace, plan: Plan) -> dict[str, Any]:
    """{source, target, consistency, tables: {…}, next}: what is staged, and how old it is."""
    extracts = {name: read_manifest(workspace.extract(name)) for name in plan.sources}
    tables = {table.name: _table(workspace, plan, table.name) for table in plan.tables.values()}
    only_read = {
        name: _extract(manifest)
        for name, manifest in extracts.items()
        if name not in {table.source for table in plan.tables.values()}
    }
    return {
        "source": (read_json(workspace.source) or {}).get("ref"),
        "target": (read_json(workspace.identity) or {}).get("deployment"),
        "consistency": consistency([m for m in extracts.values() if m]),
        "tables": tables,
        "sources": only_read,
        "next": _after(workspace, plan) or _next(tables, only_read),
    }


def staged_age(workspace: Workspace, plan: Plan) -> str | None:
    """How old the staged rows are, for every command that works with them; None without any."""
    manifests = [m for name in plan.sources if (m := read_manifest(workspace.extract(name)))]
    finished = [m["finished"] for m in manifests if m.get("finished")]
    if not finished:
        return None
    since = datetime.now(UTC) - datetime.fromisoformat(min(finished))
    age = _age(int(since.total_seconds())).strip("()")
    sample = " a sample," if any(m.get("sample") for m in manifests) else ""
    return f"the extract is{sample} {age} old, snapshot: {consistency(manifests)}"


def _table(workspace: Workspace, plan: Plan, name: str) -> dict[str, Any]:
    table = plan.tables[name]
    transformed = read_manifest(workspace.transform(name))
    loaded = read_manifest(workspace.load(name))
    counts = (read_json(workspace.verified) or {}).get(name)
    proof = read_proof(workspace, name, loaded)
    return {
        "source": table.source,
        "extract": _extract(read_manifest(workspace.extract(table.source))),
        "transform": transformed
        and {
            "status": transformed["status"],
            "documents": transformed["documents"],
            "rejects": transformed["rejects"],
            "changes": transformed["changes"],
            "stale": stale(workspace, plan, table, transformed),
        },
        "load": loaded
        and {
            "status": loaded["status"],
            "counts": loaded["counts"],
            "stale": transformed is not None
            and transformed["status"] == "complete"
            and transformed["parts"][0]["sha256"] != loaded["content"],
        },
        "verify": counts
        and {**counts, "stale": proof is None, "wrong": proof.wrong if proof else []},
    }


def _extract(manifest: Manifest | None) -> dict[str, Any] | None:
    if manifest is None:
        return None
    finished = manifest.get("finished")
    age = (
        int((datetime.now(UTC) - datetime.fromisoformat(finished)).total_seconds())
        if finished
        else None
    )
    return {
        "status": manifest["status"],
        "rows": sum(part["rows"] for part in manifest["parts"]),
        "parts": len(manifest["parts"]),
        "transport": manifest["transport"],
        "age_seconds": age,
        "moving": manifest.get("moving", False),
    }


def _after(workspace: Workspace, plan: Plan) -> str | None:
    """What to run next where an import is under way, or all is taken back or over, or None."""
    if open_import(workspace):
        return "stages load --through import"
    if (read_json(workspace.identity) or {}).get("ledger") == CLEARED:
        return "stages verify --final; the ledger is emptied"
    begun = (read_json(workspace.rolled_back) or {}).get("tables", [])
    # A load may have followed on it.
    left = [
        name for name in begun if name in plan.tables and not read_manifest(workspace.load(name))
    ]
    return f"stages rollback {' '.join(left)}, which has not ended" if left else None


def _next(tables: dict[str, Any], only_read: dict[str, Any]) -> str:
    extracts = [standing["extract"] for standing in tables.values()] + list(only_read.values())
    if any(e is None or e["status"] == "reading" for e in extracts):
        return "stages extract"
    if any(not t["transform"] or t["transform"]["stale"] for t in tables.values()):
        return "stages transform"
    there = [t for t in tables.values() if t["transform"]["status"] == "complete"]
    if any(not t["load"] or t["load"]["stale"] for t in there):
        return "stages load"
    if any(t["load"]["status"] != "complete" for t in there):
        return "stages rejects"
    if any(not t["verify"] or t["verify"]["stale"] for t in there):
        return "stages verify"
    wrong = [
        f"{name}: {', '.join(t['verify']['wrong'])}"
        for name, t in tables.items()
        if t["verify"] and t["verify"]["wrong"]
    ]
    if wrong:
        return f"look into verify/<table>.parquet ({'; '.join(wrong)}), mend it, stages verify"
    return "nothing: everything is loaded and verified; see stages report"


def as_text(standing: dict[str, Any]) -> str:
    """The status for people: a line a table."""
    lines = [
        f"source {standing['source'] or 'none yet'}, snapshot: {standing['consistency']} · "
        f"target {standing['target'] or 'none yet'}",
        f"{'table':<24} {'extracted':>16} {'documents':>10} {'rejected':>9} {'loaded':>8} "
        f"{'verified':>9}",
    ]
    for name, table in standing["tables"].items():
        transform, load, verify = table["transform"], table["load"], table["verify"]
        loaded = (
            sum(load["counts"][did] for did in ("inserted", "replaced", "unchanged", "conflict"))
            if load
            else None
        )
        stale_mark = "*" if transform and transform["stale"] else ""
        unsure = "*" if verify and verify["stale"] else ""
        lines.append(
            f"{name:<24} {_extracted(table['extract']):>16} "
            f"{_number(transform and transform['documents']) + stale_mark:>10} "
            f"{_number(transform and transform['rejects']):>9} {_number(loaded):>8} "
            f"{_number(verify and verify['verified']) + unsure:>9}"
        )
    for name, extract in standing["sources"].items():
        lines.append(f"{name + ' (read only)':<24} {_extracted(extract):>16}")
    if any(t[what] and t[what]["stale"] for t in standing["tables"].values() for what in MADE_FROM):
        lines.append("* made from an older extract or model, or of an older load")
    lines.append(f"next: {standing['next']}")
    return "\n".join(lines)


def _extracted(extract: dict[str, Any] | None) -> str:
    if extract is None:
        return "–"
    if extract["status"] == "missing":
        return "missing"
    age = _age(extract["age_seconds"])
    return f"{extract['rows']:,} {'reading' if extract['status'] == 'reading' else age}"


def _age(seconds: int | None) -> str:
    if seconds is None:
        return ""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"({seconds // size} {unit})"
    return f"({seconds} s)"


def _number(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"

"""Where each table stands, from the files alone, and what to run next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from stages.convex.ledger import CLEARED
from stages.load.importing.import_state import open_import
from stages.project.freshness import stale
from stages.project.plan import Plan
from stages.state.durable import read_json
from stages.state.manifests import Manifest, read_manifest
from stages.state.moved import Moved, read_moved
from stages.state.workspace import Workspace
from stages.verify.record import read_proof

# What may have become of a sent document that is in Convex.
IN_CONVEX = ("inserted", "replaced", "unchanged", "conflict")


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


@dataclass(frozen=True, kw_only=True)
class ExtractStatus:
    """Staged rows of a source; `age_seconds` is None while it is read. `moved`: what was seen to
    have changed there since."""

    status: str
    rows: int
    parts: int
    transport: str
    age_seconds: int | None
    moving: bool
    moved: Moved | None


@dataclass(frozen=True, kw_only=True)
class TransformStatus:
    """What was staged for a Convex table; `stale` says what has changed since, or is None."""

    status: str
    documents: int
    rejects: int
    changes: int
    stale: str | None


@dataclass(frozen=True, kw_only=True)
class LoadStatus:
    """What was sent of a table, by what became of it; `stale`: other documents are staged now."""

    status: str
    counts: Mapping[str, int]
    stale: bool


@dataclass(frozen=True, kw_only=True)
class VerifyStatus:
    """What the last verify counted; `stale`: of an older load; `wrong`: what must not be."""

    counts: Mapping[str, int]
    stale: bool
    wrong: list[str]


@dataclass(frozen=True, kw_only=True)
class TableStatus:
    """How far one Convex table is; None for a stage that it has not been through."""

    source: str
    extract: ExtractStatus | None
    transform: TransformStatus | None
    load: LoadStatus | None
    verify: VerifyStatus | None


@dataclass(frozen=True, kw_only=True)
class Status:
    """Where a migration stands. `sources` are read for reference only; `next` is what to run."""

    source: str | None
    target: str | None
    consistency: str
    tables: Mapping[str, TableStatus]
    sources: Mapping[str, ExtractStatus | None]
    next: str

    def to_json(self) -> dict[str, Any]:
        """The same as `stages status --json` prints it."""
        plain = asdict(self)
        for table in plain["tables"].values():
            if table["verify"]:
                table["verify"] |= table["verify"].pop("counts")
        return plain


def status(workspace: Workspace, plan: Plan, complete: Callable[[str], str]) -> Status:
    """What is staged, how old it is, and what to run next, which `complete` makes whole."""
    extracts = {name: read_manifest(workspace.extract(name)) for name in plan.sources}
    tables = {table.name: _table(workspace, plan, table.name) for table in plan.tables.values()}
    only_read = {
        name: _extract(manifest)
        for name, manifest in extracts.items()
        if name not in {table.source for table in plan.tables.values()}
    }
    return Status(
        source=(read_json(workspace.source) or {}).get("ref"),
        target=(read_json(workspace.identity) or {}).get("deployment"),
        consistency=consistency([m for m in extracts.values() if m]),
        tables=tables,
        sources=only_read,
        next=complete(
            _after(workspace, plan) or _next(tables, only_read, read_json(workspace.handed_over))
        ),
    )


def staged_age(workspace: Workspace, plan: Plan) -> str | None:
    """How old the staged rows are, for every command that works with them; None without any."""
    manifests = [m for name in plan.sources if (m := read_manifest(workspace.extract(name)))]
    finished = [m["finished"] for m in manifests if m.get("finished")]
    if not finished:
        return None
    since = datetime.now(UTC) - datetime.fromisoformat(min(finished))
    age = _age(int(since.total_seconds())).strip("()")
    sample = " a sample," if any(m.get("sample") for m in manifests) else ""
    moved = ", and the source has moved since" if any(map(read_moved, manifests)) else ""
    return f"the extract is{sample} {age} old, snapshot: {consistency(manifests)}{moved}"


def _table(workspace: Workspace, plan: Plan, name: str) -> TableStatus:
    table = plan.tables[name]
    transformed = read_manifest(workspace.transform(name))
    loaded = read_manifest(workspace.load(name))
    counts = (read_json(workspace.verified) or {}).get(name)
    proof = read_proof(workspace, name, loaded)
    return TableStatus(
        source=table.source,
        extract=_extract(read_manifest(workspace.extract(table.source))),
        transform=TransformStatus(
            status=transformed["status"],
            documents=transformed["documents"],
            rejects=transformed["rejects"],
            changes=transformed["changes"],
            stale=stale(workspace, plan, table, transformed),
        )
        if transformed
        else None,
        load=LoadStatus(
            status=loaded["status"],
            counts=loaded["counts"],
            stale=transformed is not None
            and transformed["status"] == "complete"
            and transformed["parts"][0]["sha256"] != loaded["content"],
        )
        if loaded
        else None,
        verify=VerifyStatus(counts=counts, stale=proof is None, wrong=proof.wrong if proof else [])
        if counts
        else None,
    )


def _extract(manifest: Manifest | None) -> ExtractStatus | None:
    if manifest is None:
        return None
    finished = manifest.get("finished")
    age = (
        int((datetime.now(UTC) - datetime.fromisoformat(finished)).total_seconds())
        if finished
        else None
    )
    return ExtractStatus(
        status=manifest["status"],
        rows=sum(part["rows"] for part in manifest["parts"]),
        parts=len(manifest["parts"]),
        transport=manifest["transport"],
        age_seconds=age,
        moving=manifest.get("moving", False),
        moved=read_moved(manifest),
    )


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


def _next(
    tables: Mapping[str, TableStatus],
    only_read: Mapping[str, ExtractStatus | None],
    handed_over: Mapping[str, Any] | None,
) -> str:
    extracts = [table.extract for table in tables.values()] + list(only_read.values())
    if any(extract is None or extract.status == "reading" for extract in extracts):
        return "stages extract"
    if any(not table.transform or table.transform.stale for table in tables.values()):
        return "stages transform"
    existing = [t for t in tables.values() if t.transform and t.transform.status == "complete"]
    if any(not table.load or table.load.stale for table in existing):
        # What was imported by hand has no ledger yet.
        if handed_over and any(
            not table.load for name, table in tables.items() if name in handed_over["tables"]
        ):
            return str(handed_over["next"])
        return "stages load"
    if any(table.load and table.load.status != "complete" for table in existing):
        return "stages rejects"
    if any(not table.verify or table.verify.stale for table in existing):
        return "stages verify"
    wrong = [
        f"{name}: {', '.join(table.verify.wrong)}"
        for name, table in tables.items()
        if table.verify and table.verify.wrong
    ]
    if wrong:
        return f"look into verify/<table>.parquet ({'; '.join(wrong)}), fix it, stages verify"
    moved = _moved(tables, only_read)
    if moved:
        return f"stages extract --restart {' '.join(moved)}; the source has moved"
    return "nothing: everything is loaded and verified; see stages report"


def _moved(
    tables: Mapping[str, TableStatus], only_read: Mapping[str, ExtractStatus | None]
) -> dict[str, Moved]:
    """Source → what was seen to have moved there since it was extracted."""
    extracts = {table.source: table.extract for table in tables.values()} | dict(only_read)
    return {name: each.moved for name, each in extracts.items() if each and each.moved}


def as_text(standing: Status) -> str:
    """The status for people: a line a table."""
    lines = [
        f"source {standing.source or 'none yet'}, snapshot: {standing.consistency} · "
        f"target {standing.target or 'none yet'}",
        f"{'table':<24} {'extracted':>16} {'documents':>10} {'rejected':>9} {'loaded':>8} "
        f"{'verified':>9}",
    ]
    for name, table in standing.tables.items():
        transform, load, verify = table.transform, table.load, table.verify
        loaded = sum(load.counts[result] for result in IN_CONVEX) if load else None
        stale_mark = "*" if transform and transform.stale else ""
        unsure = "*" if verify and verify.stale else ""
        lines.append(
            f"{name:<24} {_extracted(table.extract):>16} "
            f"{_number(transform.documents if transform else None) + stale_mark:>10} "
            f"{_number(transform.rejects if transform else None):>9} {_number(loaded):>8} "
            f"{_number(verify.counts['verified'] if verify else None) + unsure:>9}"
        )
    for name, extract in standing.sources.items():
        lines.append(f"{name + ' (read only)':<24} {_extracted(extract):>16}")
    if any(
        (table.transform and table.transform.stale) or (table.verify and table.verify.stale)
        for table in standing.tables.values()
    ):
        lines.append("* made from an older extract or model, or of an older load")
    for name, moved in _moved(standing.tables, standing.sources).items():
        lines.append(f"the source has moved since {name} was extracted: {moved}")
    lines.append(f"next: {standing.next}")
    return "\n".join(lines)


def _extracted(extract: ExtractStatus | None) -> str:
    if extract is None:
        return "–"
    if extract.status == "missing":
        return "missing"
    age = "reading" if extract.status == "reading" else _age(extract.age_seconds)
    return f"{extract.rows:,} {age}"


def _age(seconds: int | None) -> str:
    if seconds is None:
        return ""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"({seconds // size} {unit})"
    return f"({seconds} s)"


def _number(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"

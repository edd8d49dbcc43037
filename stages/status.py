"""Where each table stands, from the files alone, and what to run next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from stages.errors import OverLimit
from stages.load.importing.import_state import open_import
from stages.project.freshness import stale
from stages.project.plan import Plan
from stages.project.reject_limits import staged_over_limit
from stages.state.answers import Answer
from stages.state.failures import STAGES, Failure, Stage, read_failures
from stages.state.identity import CLEARED, read_answers, read_source, read_target
from stages.state.imports import HandedOver, read_handed_over
from stages.state.manifests import (
    ExtractManifest,
    Moved,
    read_extract,
    read_load,
    read_transform,
)
from stages.state.records import read_whole
from stages.state.rolled_back import rollback_begun
from stages.state.workspace import Workspace, manifest_file
from stages.verify.record import read_counts, read_proof

# What may have become of a sent document that is in Convex.
IN_CONVEX = ("inserted", "replaced", "unchanged", "conflict")


def consistency(manifests: list[ExtractManifest]) -> str:
    """exported (one snapshot for all), per-table, mixed (inside a table), or none (REST)."""
    read = [m for m in manifests if m.status != "missing"]
    snapshots = [m.snapshots for m in read]
    if not read or any(s.kind == "none" for taken in snapshots for s in taken):
        return "none"
    if any(len(taken) > 1 for taken in snapshots):
        return "mixed"
    distinct = {(taken[0].snapshot, taken[0].at) for taken in snapshots}
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
    """How far one Convex table is; None for a stage that it has not been through.

    `failures`: stage → why its last run failed; a stage that failed is not `complete`.
    `existing`: what is to become of documents that Convex had before the first load, where a load
    was asked to adopt them or to leave them.
    """

    source: str
    failures: Mapping[Stage, Failure]
    extract: ExtractStatus | None
    transform: TransformStatus | None
    load: LoadStatus | None
    verify: VerifyStatus | None
    existing: Answer | None = None


@dataclass(frozen=True, kw_only=True)
class Status:
    """Where a migration stands. `sources` are read for reference only.

    `verdict` is a sentence; `finished`, whether nothing is left to do; `next` is what to run.
    `failed_sources` are among `sources`, with why they could not be read.
    """

    source: str | None
    target: str | None
    consistency: str
    tables: Mapping[str, TableStatus]
    sources: Mapping[str, ExtractStatus | None]
    failed_sources: Mapping[str, Failure]
    verdict: str
    finished: bool
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
    extracts = {name: read_extract(workspace.extract(name)) for name in plan.sources}
    failures = {
        stage: {name: _complete(failure, complete) for name, failure in failed.items()}
        for stage in STAGES
        for failed in [read_failures(workspace, stage)]
    }
    answers = read_answers(workspace)
    tables = {
        name: replace(_table(workspace, plan, name, failures), existing=answers.get(name))
        for name in plan.tables
    }
    failed = failures["extract"]
    only_read = {
        name: _extract(manifest, failed.get(name))
        for name, manifest in extracts.items()
        if name not in {table.source for table in plan.tables.values()}
    }
    failed_sources = {name: failed[name] for name in only_read if name in failed}
    step = _after(workspace, plan) or _next(
        tables,
        only_read,
        failed_sources,
        staged_over_limit(workspace, plan),
        read_handed_over(workspace),
    )
    return Status(
        source=read_source(workspace).ref,
        target=read_target(workspace).deployment,
        consistency=consistency([m for m in extracts.values() if m]),
        tables=tables,
        sources=only_read,
        failed_sources=failed_sources,
        verdict=step.verdict,
        finished=step.finished,
        next=complete(step.command),
    )


def _complete(failure: Failure, complete: Callable[[str], str]) -> Failure:
    return replace(failure, hint=failure.hint and complete(failure.hint))


def staged_age(workspace: Workspace, plan: Plan) -> str | None:
    """How old the staged rows are, for every command that works with them; None without any."""
    # One that is damaged is read anew, or named, by whoever needs it.
    files = [manifest_file(workspace.extract(name)) for name in plan.sources]
    manifests = [m for file in files if (m := read_whole(ExtractManifest, file))]
    finished = [m.finished for m in manifests if m.finished]
    if not finished:
        return None
    since = datetime.now(UTC) - datetime.fromisoformat(min(finished))
    age = _age(int(since.total_seconds())).strip("()")
    sample = " a sample," if any(m.sample for m in manifests) else ""
    moved = ", and the source has moved since" if any(m.moved for m in manifests) else ""
    return f"the extract is{sample} {age} old, snapshot: {consistency(manifests)}{moved}"


def _table(
    workspace: Workspace,
    plan: Plan,
    name: str,
    failures: Mapping[Stage, Mapping[str, Failure]],
) -> TableStatus:
    table = plan.tables[name]
    names: dict[Stage, str] = {"extract": table.source, "transform": name, "load": name}
    failed = {stage: failures[stage][n] for stage, n in names.items() if n in failures[stage]}
    transformed = read_transform(workspace.transform(name))
    loaded = read_load(workspace.load(name))
    counts = read_counts(workspace, name)
    proof = read_proof(workspace, name, loaded)
    return TableStatus(
        source=table.source,
        failures=failed,
        extract=_extract(read_extract(workspace.extract(table.source)), failed.get("extract")),
        transform=TransformStatus(
            status="failed" if "transform" in failed else transformed.status,
            documents=transformed.documents,
            rejects=transformed.rejects,
            changes=transformed.changes,
            stale=stale(workspace, plan, table, transformed),
        )
        if transformed
        else None,
        load=LoadStatus(
            status="failed" if "load" in failed else loaded.status,
            counts=loaded.counts,
            stale=transformed is not None
            and transformed.status == "complete"
            and transformed.parts[0].sha256 != loaded.content,
        )
        if loaded
        else None,
        verify=VerifyStatus(counts=counts, stale=proof is None, wrong=proof.wrong if proof else [])
        if counts
        else None,
    )


def _extract(manifest: ExtractManifest | None, failure: Failure | None) -> ExtractStatus | None:
    if manifest is None:
        return None
    age = None
    if manifest.finished:
        since = datetime.now(UTC) - datetime.fromisoformat(manifest.finished)
        age = int(since.total_seconds())
    return ExtractStatus(
        status="failed" if failure else manifest.status,
        rows=sum(part.rows for part in manifest.parts),
        parts=len(manifest.parts),
        transport=manifest.transport,
        age_seconds=age,
        moving=manifest.moving,
        moved=manifest.moved,
    )


@dataclass(frozen=True, kw_only=True)
class _Step:
    """Where it stands in one sentence, and the command that comes next."""

    verdict: str
    command: str
    finished: bool = False


def _after(workspace: Workspace, plan: Plan) -> _Step | None:
    """The step where an import is under way, or all is taken back or over; or None."""
    if open_import(workspace):
        return _Step(verdict="an import is under way", command="stages load --through import")
    if read_target(workspace).ledger == CLEARED:
        return _Step(
            verdict="the ledger is emptied",
            command="stages verify --final; the ledger is emptied",
        )
    # A load may have followed on it.
    begun = rollback_begun(workspace, plan.tables)
    left = [name for name in begun if not read_load(workspace.load(name))]
    if not left:
        return None
    return _Step(
        verdict="a rollback has not ended",
        command=f"stages rollback {' '.join(left)}, which has not ended",
    )


def _next(
    tables: Mapping[str, TableStatus],
    only_read: Mapping[str, ExtractStatus | None],
    failed_sources: Mapping[str, Failure],
    over_limit: Sequence[OverLimit],
    handed_over: HandedOver | None,
) -> _Step:
    def failed(stage: Stage) -> _Step:
        names = [name for name, table in tables.items() if stage in table.failures]
        names += failed_sources if stage == "extract" else []
        listed = ", ".join(names)
        return _Step(
            verdict=f"{stage} failed for {listed}",
            command=f"stages {stage}, which failed for {listed}; see why with: stages rejects",
        )

    def has_failed(stage: Stage) -> bool:
        return any(stage in table.failures for table in tables.values())

    if failed_sources or has_failed("extract"):
        return failed("extract")
    extracts = [table.extract for table in tables.values()] + list(only_read.values())
    if any(extract is None or extract.status == "reading" for extract in extracts):
        return _Step(verdict="not everything is extracted", command="stages extract")
    if has_failed("transform"):
        return failed("transform")
    if any(not table.transform or table.transform.stale for table in tables.values()):
        return _Step(verdict="not everything is transformed", command="stages transform")
    existing = {
        name: table
        for name, table in tables.items()
        if table.transform and table.transform.status == "complete"
    }
    if not existing:
        return _Step(
            verdict="nothing was transformed: the source has none of the plan's tables",
            command="stages check; the source has none of the plan's tables",
        )
    too_many = "more rejects than the plan allows: " + "; ".join(map(str, over_limit))
    rejects = _Step(verdict=too_many, command=f"stages rejects; {too_many}")
    if has_failed("load"):
        return failed("load")
    if any(not table.load or table.load.stale for table in existing.values()):
        if over_limit:
            return rejects
        # What was imported by hand has no ledger yet.
        if handed_over and any(
            not table.load for name, table in tables.items() if name in handed_over.tables
        ):
            return _Step(
                verdict="what was handed over to an import is not recorded yet",
                command=handed_over.next,
            )
        return _Step(verdict="not everything is loaded", command="stages load")
    partial = [name for name, table in existing.items() if not _is_whole(table)]
    if partial:
        return _Step(
            verdict=f"some documents of {', '.join(partial)} are not loaded",
            command="stages rejects",
        )
    if any(not table.verify or table.verify.stale for table in existing.values()):
        return _Step(verdict="everything is loaded, and not verified", command="stages verify")
    return _last(existing, _moved(tables, only_read), rejects if over_limit else None)


def _is_whole(table: TableStatus) -> bool:
    return table.load is not None and table.load.status == "complete"


def _last(
    tables: Mapping[str, TableStatus], moved: Mapping[str, Moved], rejects: _Step | None
) -> _Step:
    """What is left where all is loaded and verified."""
    wrong = [
        f"{name}: {', '.join(table.verify.wrong)}"
        for name, table in tables.items()
        if table.verify and table.verify.wrong
    ]
    if wrong:
        listed = "; ".join(wrong)
        return _Step(
            verdict=f"Convex differs from what is staged: {listed}",
            command=f"look into verify/<table>.parquet ({listed}), fix it, then: stages verify",
        )
    if moved:
        return _Step(
            verdict=f"the source has moved since it was extracted: {', '.join(moved)}",
            command=f"stages extract --restart {' '.join(moved)}; the source has moved",
        )
    if rejects:
        return rejects
    removed = [
        f"{name}: {table.load.counts['removed']:,}"
        for name, table in tables.items()
        if table.load and table.load.counts.get("removed")
    ]
    if removed:
        listed = "; ".join(removed)
        return _Step(
            verdict=f"Convex holds documents that are not staged any more: {listed}",
            command=f"stages load --prune, which deletes what is not staged any more ({listed})",
        )
    if not any(table.transform and table.transform.documents for table in tables.values()):
        return _Step(
            verdict="nothing was transformed: no row became a document",
            command="stages rejects; no row became a document",
        )
    return _Step(
        verdict="everything is loaded and verified",
        command="nothing: everything is loaded and verified; see stages report",
        finished=True,
    )


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
        documents_mark = "*" if transform and transform.stale else ""
        documents_mark += "!" if "transform" in table.failures else ""
        unsure = "*" if verify and verify.stale else ""
        lines.append(
            f"{name:<24} {_extracted(table.extract):>16} "
            f"{_number(transform.documents if transform else None) + documents_mark:>10} "
            f"{_number(transform.rejects if transform else None):>9} "
            f"{_number(loaded) + ('!' if 'load' in table.failures else ''):>8} "
            f"{_number(verify.counts['verified'] if verify else None) + unsure:>9}"
        )
    for name, extract in standing.sources.items():
        lines.append(f"{name + ' (read only)':<24} {_extracted(extract):>16}")
    if any(
        (table.transform and table.transform.stale) or (table.verify and table.verify.stale)
        for table in standing.tables.values()
    ):
        lines.append("* made from an older extract or model, or of an older load")
    lines += [
        f"documents that {name} had before its first load: {table.existing.words}"
        for name, table in standing.tables.items()
        if table.existing
    ]
    for name, moved in _moved(standing.tables, standing.sources).items():
        lines.append(f"the source has moved since {name} was extracted: {moved}")
    failed = [
        (stage, name, failure)
        for name, table in standing.tables.items()
        for stage, failure in table.failures.items()
    ]
    failed += [("extract", *each) for each in standing.failed_sources.items()]
    for stage, name, failure in failed:
        lines.append(f"FAILED {stage} of {name}, {failure.at}: {failure.reason}")
        if failure.hint:
            lines.append(f"  → {failure.hint}")
    if not standing.finished:
        lines.append(standing.verdict)
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
    return f"({max(0, seconds)} s)"  # the clock may have been set back since


def _number(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"

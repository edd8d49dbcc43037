"""The state of each table, read from local files only, and what to run next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from stages.convex.schema import is_outdated
from stages.duration import age_text, seconds_since
from stages.next_step import next_step, step_after
from stages.project.freshness import stale
from stages.project.plan import Plan, allowed_rejects
from stages.project.reject_limits import staged_over_limit
from stages.standing import (
    ExtractStatus,
    LastRun,
    LoadStatus,
    RunningCommand,
    Status,
    TableStatus,
    TransformStatus,
    VerifyStatus,
)
from stages.state.failures import STAGES, Failure, Stage, read_failures
from stages.state.identity import read_answers, read_source, read_target
from stages.state.imports import read_handed_over
from stages.state.manifests import (
    ExtractManifest,
    LoadManifest,
    read_extract,
    read_load,
    read_transform,
)
from stages.state.records import read_whole
from stages.state.running import read_running
from stages.state.stage_times import stage_times
from stages.state.workspace import Workspace, manifest_file
from stages.verify.record import read_counts, read_proof

# Outcomes of a sent document that mean it is in Convex.
IN_CONVEX = ("inserted", "replaced", "unchanged", "conflict")


def in_convex(counts: Mapping[str, int]) -> int:
    """How many documents are in Convex, from a load's counts by outcome."""
    return sum(counts.get(outcome, 0) for outcome in IN_CONVEX)


def consistency(manifests: list[ExtractManifest]) -> str:
    """exported (one snapshot for all tables), per-table, mixed (within a table), or none (REST)."""
    read = [m for m in manifests if m.status != "missing"]
    snapshots = [m.snapshots for m in read]
    if not read or any(s.kind == "none" for taken in snapshots for s in taken):
        return "none"
    if any(len(taken) > 1 for taken in snapshots):
        return "mixed"
    distinct = {(s.snapshot, s.at) for taken in snapshots for s in taken}
    return "exported" if len(distinct) == 1 else "per-table"


def status_now(workspace: Workspace, plan: Plan, complete: Callable[[str], str]) -> Status:
    """As `status`, but if another process is running, report it and suggest no command."""
    standing = status(workspace, plan, complete)
    running = read_running(workspace)
    if running is None:
        return standing
    return replace(
        standing,
        finished=False,
        next=complete(
            f"nothing now: {running.command} is running (pid {running.pid}); "
            "watch it with: stages status --watch"
        ),
        running=RunningCommand(command=running.command, pid=running.pid, since=running.since),
    )


def status(workspace: Workspace, plan: Plan, complete: Callable[[str], str]) -> Status:
    """What is staged, how old it is, and what to run next; `complete` adds global options to
    commands."""
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
    step = step_after(workspace, plan) or next_step(
        tables,
        only_read,
        failed_sources,
        staged_over_limit(workspace, plan),
        read_handed_over(workspace),
        schema_changed=is_outdated(workspace),
    )
    transforms = [t.transform for t in tables.values() if t.transform]
    rows = sum(m.source_rows for name in tables if (m := read_transform(workspace.transform(name))))
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
        rejects=sum(each.rejects - each.dropped for each in transforms),
        allowed_rejects=allowed_rejects(plan.max_rejects, rows),
        last_runs={stage: LastRun(**times) for stage, times in stage_times(workspace).items()},
    )


def _complete(failure: Failure, complete: Callable[[str], str]) -> Failure:
    return replace(failure, hint=failure.hint and complete(failure.hint))


def staged_age(workspace: Workspace, plan: Plan) -> str | None:
    """How old the staged rows are, for commands that work with them; None if there are none."""
    # Skip damaged manifests: the code that needs them rereads or reports them.
    files = [manifest_file(workspace.extract(name)) for name in plan.sources]
    manifests = [m for file in files if (m := read_whole(ExtractManifest, file))]
    finished = [m.finished for m in manifests if m.finished]
    if not finished:
        return None
    age = age_text(seconds_since(min(finished)))
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
    # A manifest without content: so far the load has only given out ids, as after the first pass
    # over a cycle, and may have counted what it sent.
    ended = loaded if loaded and loaded.content else None
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
            dropped=transformed.dropped,
            allowed_rejects=None
            if table.max_rejects is None
            else allowed_rejects(table.max_rejects, transformed.source_rows),
        )
        if transformed
        else None,
        load=LoadStatus(
            status="failed" if "load" in failed else ended.status,
            counts=ended.counts,
            stale=transformed is not None
            and transformed.status == "complete"
            and transformed.parts[0].sha256 != ended.content,
        )
        if ended
        else None,
        verify=VerifyStatus(counts=counts, stale=proof is None, wrong=proof.wrong if proof else [])
        if counts
        else None,
        acknowledged=None if ended else _acknowledged(workspace, name, loaded),
    )


def _acknowledged(workspace: Workspace, name: str, begun: LoadManifest | None) -> int | None:
    return (begun and in_convex(begun.counts)) or _lines(workspace.acks(name))


def _lines(journal: Path) -> int | None:
    """How many lines a journal has so far; None if it does not exist."""
    try:
        with journal.open("rb") as file:
            return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
    except FileNotFoundError:
        return None


def _extract(manifest: ExtractManifest | None, failure: Failure | None) -> ExtractStatus | None:
    if manifest is None:
        return None
    return ExtractStatus(
        status="failed" if failure else manifest.status,
        rows=sum(part.rows for part in manifest.parts),
        parts=len(manifest.parts),
        transport=manifest.transport,
        age_seconds=seconds_since(manifest.finished) if manifest.finished else None,
        moving=manifest.moving,
        moved=manifest.moved,
        expected=manifest.expected,
    )

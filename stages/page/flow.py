"""How far each table is, and where its rows went, from its status and its manifests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stages.errors import without_values
from stages.page.model import Column, Flow, Loss, StageCell
from stages.project.plan import TargetTable
from stages.rules import Rule
from stages.standing import TableStatus
from stages.state.failures import Failure, Stage
from stages.state.manifests import (
    ExtractManifest,
    RuleCount,
    TransformManifest,
    read_extract,
    read_transform,
)
from stages.state.workspace import Workspace
from stages.verify.record import WRONG

SENT = ("inserted", "replaced", "unchanged")
NOTHING = StageCell(state="none", text="–")
MISSING = StageCell(state="none", text="missing", why="the source has no such table")


@dataclass(frozen=True, kw_only=True)
class TableFigures:
    """A table of the plan, its status, and the manifests with its counts. `running` is the command
    that is running, or empty; with `values`, messages of DuckDB and Convex are shown."""

    table: TargetTable
    status: TableStatus
    extracted: ExtractManifest | None
    transformed: TransformManifest | None
    running: str
    values: bool

    @property
    def rules(self) -> list[Loss]:
        """What fell out, by stage, field and rule."""
        losses = _losses(self.transformed.rules if self.transformed else ())
        counts = self.status.load.counts if self.status.load else {}
        return losses + [
            Loss(stage="load", field="", rule=rule, rows=counts[rule])
            for rule in (Rule.REFUSED, Rule.HELD_BACK)
            if counts.get(rule)
        ]

    @property
    def changes(self) -> list[Loss]:
        """What was changed, by field and rule."""
        return _losses(self.transformed.changed if self.transformed else ())


def _losses(counts: Iterable[RuleCount]) -> list[Loss]:
    return [Loss(stage="transform", field=c.field, rule=c.rule, rows=c.rows) for c in counts]


def read_figures(
    workspace: Workspace, table: TargetTable, status: TableStatus, running: str, *, values: bool
) -> TableFigures:
    """Everything from which a table's rows are counted. Raises Damaged for a damaged manifest."""
    return TableFigures(
        table=table,
        status=status,
        extracted=read_extract(workspace.extract(table.source)),
        transformed=read_transform(workspace.transform(table.name)),
        running=running,
        values=values,
    )


# ── rows ────────────────────────────────────────────────────────────────────────────────────


def flow(figures: TableFigures) -> Flow:
    """Where the rows of a table went."""
    transform, verify = figures.status.transform, figures.status.verify
    documents = transform.documents if transform else 0
    dropped = transform.dropped if transform else 0
    sent = _sent(figures.status, documents)
    source, filtered = _source(figures)
    return Flow(
        source=source,
        filtered=filtered,
        documents=documents,
        rejected=transform.rejects - dropped if transform else 0,
        dropped=dropped,
        **sent,
        not_sent=documents - sum(sent.values()),
        verified=verify.counts.get("verified", 0) if verify else 0,
        wrong=sum(verify.counts.get(kind, 0) for kind in WRONG) if verify else 0,
    )


def _source(figures: TableFigures) -> tuple[int | None, int]:
    """(source rows, those of them that the plan's `where` leaves out)."""
    extracted, transformed = figures.extracted, figures.transformed
    if figures.table.grain == "derived":
        return (transformed.source_rows if transformed else None), 0
    if extracted is None:
        return None, 0
    filtered = extracted.counted.filtered or 0
    staged = sum(part.rows for part in extracted.parts)
    return (transformed.source_rows if transformed else staged) + filtered, filtered


def _sent(status: TableStatus, documents: int) -> dict[str, int]:
    """Documents by the result of the load, never more than there are: the last load may have been
    of other documents, and in a cycle each is acknowledged twice."""
    counts = dict(status.load.counts) if status.load else {"inserted": status.acknowledged or 0}
    wanted = {
        "loaded": sum(counts.get(did, 0) for did in SENT),
        "refused": counts.get(Rule.REFUSED, 0),
        "conflict": counts.get("conflict", 0),
        "held_back": counts.get(Rule.HELD_BACK, 0),
    }
    left = documents
    sent = {}
    for name, rows in wanted.items():
        sent[name] = min(rows, left)
        left -= sent[name]
    return sent


def total(flows: Iterable[Flow]) -> Flow:
    """All tables together; a source that feeds two tables counts for each."""
    flows = list(flows)
    sources = [each.source for each in flows if each.source is not None]
    names = [name for name in Flow.__struct_fields__ if name != "source"]
    sums = {name: sum(getattr(each, name) for each in flows) for name in names}
    return Flow(source=sum(sources) if sources else None, **sums)


# ── stages ──────────────────────────────────────────────────────────────────────────────────


def cells(figures: TableFigures) -> Mapping[Column, StageCell]:
    """How far a table is in each stage."""
    return {
        "extract": _extract(figures),
        "transform": _transform(figures),
        "load": _load(figures),
        "verify": _verify(figures),
    }


def _failed(figures: TableFigures, stage: Stage, text: str) -> StageCell | None:
    failure: Failure | None = figures.status.failures.get(stage)
    if failure is None:
        return None
    reason = failure.reason if figures.values else without_values(failure.reason)
    why = f"{stage} failed, {failure.at}: {reason}"
    return StageCell(
        state="failed", text=text, why=why + (f" → {failure.hint}" * bool(failure.hint))
    )


def _extract(figures: TableFigures) -> StageCell:
    extract = figures.status.extract
    text = f"{extract.rows:,}" if extract else "–"
    if failed := _failed(figures, "extract", text):
        return failed
    if extract is None:
        return NOTHING
    if extract.status == "missing":
        return MISSING
    if extract.age_seconds is None:
        of = f" of {extract.expected:,}" if extract.expected else ""
        return _under_way(figures, "extract", f"{text}{of}")
    if extract.moved:
        why = f"the source has moved since it was extracted: {extract.moved}"
        return StageCell(state="stale", text=text, why=why)
    came_or_went = "rows came or went while it was read" if extract.moving else None
    return StageCell(state="complete", text=text, why=came_or_went)


def _under_way(figures: TableFigures, stage: Column, text: str) -> StageCell:
    if figures.running == stage:
        return StageCell(state="running", text=text)
    return StageCell(state="partial", text=text, why=f"the last {stage} did not get to its end")


def _transform(figures: TableFigures) -> StageCell:
    transform = figures.status.transform
    text = f"{transform.documents:,}" if transform else "–"
    if failed := _failed(figures, "transform", text):
        return failed
    if transform is None:
        return NOTHING
    if transform.status == "missing":
        return MISSING
    if transform.stale:
        return StageCell(state="stale", text=text, why=transform.why_stale)
    return StageCell(state="complete", text=text)


def _load(figures: TableFigures) -> StageCell:
    status = figures.status
    documents = status.transform.documents if status.transform else 0
    rows = flow(figures)
    whole = f" of {documents:,}"
    text = f"{rows.loaded + rows.conflict:,}"
    if failed := _failed(figures, "load", text + whole):
        return failed
    if status.load is None:
        return NOTHING if status.acknowledged is None else _under_way(figures, "load", text + whole)
    if status.load.stale:
        return StageCell(state="stale", text=text, why=status.load.why_stale)
    if status.load.status != "complete":
        counts = {"refused": rows.refused, "held back": rows.held_back, "conflicts": rows.conflict}
        listed = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
        return StageCell(state="partial", text=text + whole, why=listed or None)
    return StageCell(state="complete", text=text)


def _verify(figures: TableFigures) -> StageCell:
    verify = figures.status.verify
    if verify is None:
        return NOTHING
    text = f"{verify.counts.get('verified', 0):,}"
    if verify.stale:
        return StageCell(state="stale", text=text, why=verify.why_stale)
    if verify.wrong:
        return StageCell(state="failed", text=text, why=", ".join(verify.wrong))
    return StageCell(state="complete", text=text)

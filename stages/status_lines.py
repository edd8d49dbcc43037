"""The status as readable lines: one screen, one row per table and one column per stage."""

from __future__ import annotations

from collections.abc import Iterator

from stages.duration import age_text, seconds_since
from stages.layout import Cell, Line, Style, aligned, line, plain
from stages.next_step import moved_sources
from stages.standing import ExtractStatus, Status, TableStatus
from stages.state.failures import Failure
from stages.status import in_convex

HEADS = ("table", "extracted", "documents", "rejected", "loaded", "verified")
NOTHING = Cell("–", "dim", right=True)


def as_lines(standing: Status) -> list[Line]:
    """The full status: the table, then remarks, and the next command."""
    lines = [
        line(
            f"source {standing.source or 'none yet'}, snapshot: {standing.consistency} · "
            f"target {standing.target or 'none yet'}"
        )
    ]
    running = standing.running
    if running:
        since = age_text(seconds_since(running.since))
        lines.append(line(f"running: {running.command}, pid {running.pid}, for {since}", "good"))
    lines += aligned(_rows(standing))
    lines += _marks(standing)
    lines += [
        line(f"documents that {name} had before its first load: {table.existing.words}")
        for name, table in standing.tables.items()
        if table.existing
    ]
    for name, moved in moved_sources(standing.tables, standing.sources).items():
        lines.append(line(f"the source has moved since {name} was extracted: {moved}", "warn"))
    lines += _failures(standing)
    if standing.last_runs:
        lines.append(line(_last_runs(standing), "dim"))
    if not standing.finished:
        lines.append(line(standing.verdict, "good" if running else "warn"))
    lines.append(line(f"next: {standing.next}", "head"))
    return lines


def as_text(standing: Status) -> str:
    """`as_lines` as a string."""
    return plain(as_lines(standing))


# ── the table ───────────────────────────────────────────────────────────────────────────────


def _rows(standing: Status) -> Iterator[tuple[Cell, ...]]:
    yield tuple(Cell(head, "dim", right=n > 0) for n, head in enumerate(HEADS))
    running = standing.running.command if standing.running else ""
    for name, table in standing.tables.items():
        yield (
            Cell(name),
            _extracted(table.extract, running),
            _documents(table),
            _rejected(table),
            _loaded(table, running),
            _verified(table),
        )
    if len(standing.tables) > 1:
        yield _in_all(standing)
    for name, extract in standing.sources.items():
        yield Cell(f"{name} (read only)"), _extracted(extract, running)


def _extracted(extract: ExtractStatus | None, running: str) -> Cell:
    if extract is None:
        return NOTHING
    if extract.status == "missing":
        return Cell("missing", "dim", right=True)
    mark, style = ("!", "bad") if extract.status == "failed" else ("", "")
    if extract.age_seconds is not None:
        moved: Style = "warn" if extract.moved else "bad" if mark else ""
        return Cell(f"{extract.rows:,}{mark} ({age_text(extract.age_seconds)})", moved, right=True)
    whole = f" of {extract.expected:,}" if extract.expected else ""
    word = "running" if running == "extract" else "not all"
    return Cell(
        f"{extract.rows:,}{mark}{whole}, {word}", "bad" if style else _partial(running, "extract"),
        right=True,
    )  # fmt: skip


def _partial(running: str, command: str) -> Style:
    return "good" if running == command else "warn"


def _documents(table: TableStatus) -> Cell:
    transform = table.transform
    failed = "transform" in table.failures
    if transform is None:
        return Cell("–!", "bad", right=True) if failed else NOTHING
    marks = ("*" if transform.stale else "") + ("!" if failed else "")
    style: Style = "bad" if failed else "warn" if marks else ""
    return Cell(f"{transform.documents:,}{marks}", style, right=True)


def _rejected(table: TableStatus) -> Cell:
    transform = table.transform
    if transform is None:
        return NOTHING
    limit = transform.allowed_rejects
    if limit is None:
        return Cell(f"{transform.rejects:,}", right=True)
    return _against(transform.rejects - transform.dropped, limit)


def _against(rejects: int, allowed: int) -> Cell:
    style: Style = "bad" if rejects > allowed else ""
    return Cell(f"{rejects:,}{'!' if style else ''} of {allowed:,}", style, right=True)


def _loaded(table: TableStatus, running: str) -> Cell:
    failed = "!" if "load" in table.failures else ""
    documents = table.transform.documents if table.transform else 0
    if table.load is None:
        if table.acknowledged is None:
            return Cell("–!", "bad", right=True) if failed else NOTHING
        acknowledged = _in_convex(table)
        word = "running" if running == "load" else "not all"
        style: Style = "bad" if failed else _partial(running, "load")
        return Cell(f"{acknowledged:,}{failed} of {documents:,}, {word}", style, right=True)
    loaded = _in_convex(table)
    whole = "" if loaded == documents or table.load.stale else f" of {documents:,}"
    marks = ("*" if table.load.stale else "") + failed
    return Cell(
        f"{loaded:,}{marks}{whole}", "bad" if failed else "warn" if marks or whole else "",
        right=True,
    )  # fmt: skip


def _in_convex(table: TableStatus) -> int:
    """Documents in Convex, as far as acknowledged."""
    if table.load:
        return in_convex(table.load.counts)
    documents = table.transform.documents if table.transform else 0
    # In a reference cycle, documents are acknowledged twice.
    return min(table.acknowledged or 0, documents)


def _verified(table: TableStatus) -> Cell:
    verify = table.verify
    if verify is None:
        return NOTHING
    marks = ("*" if verify.stale else "") + ("!" if verify.wrong else "")
    style: Style = "bad" if verify.wrong else "warn" if marks else "good"
    return Cell(f"{verify.counts['verified']:,}{marks}", style, right=True)


def _in_all(standing: Status) -> tuple[Cell, ...]:
    tables = standing.tables.values()
    extracts = {table.source: table.extract for table in tables}
    documents = [table.transform.documents for table in tables if table.transform]
    loaded = [_in_convex(t) for t in tables if t.load or t.acknowledged is not None]
    verified = [table.verify.counts["verified"] for table in tables if table.verify]
    return (
        Cell("in all", "dim"),
        _sum([each.rows for each in extracts.values() if each]),
        _sum(documents),
        _against(standing.rejects, standing.allowed_rejects) if documents else NOTHING,
        _sum(loaded),
        _sum(verified),
    )


def _sum(numbers: list[int]) -> Cell:
    return Cell(f"{sum(numbers):,}", "dim", right=True) if numbers else NOTHING


# ── remarks ─────────────────────────────────────────────────────────────────────────────────


def _marks(standing: Status) -> Iterator[Line]:
    """Explain the stars, each reason once."""
    reasons: dict[str, list[str]] = {}
    for name, table in standing.tables.items():
        for stage in (table.transform, table.load, table.verify):
            if stage and stage.why_stale:
                reasons.setdefault(stage.why_stale, []).append(name)
    for reason, names in reasons.items():
        listed = "all tables" if len(names) == len(standing.tables) > 1 else ", ".join(names)
        yield line(f"* {reason}: {listed}", "warn")


def _failures(standing: Status) -> Iterator[Line]:
    failed: list[tuple[str, str, Failure]] = [
        (stage, name, failure)
        for name, table in standing.tables.items()
        for stage, failure in table.failures.items()
    ]
    failed += [("extract", *each) for each in standing.failed_sources.items()]
    for stage, name, failure in failed:
        yield line(f"FAILED {stage} of {name}, {failure.at}: {failure.reason}", "bad")
        if failure.hint:
            yield line(f"  → {failure.hint}")


def _last_runs(standing: Status) -> str:
    runs = [
        f"{stage} {age_text(seconds_since(run.ended))} ago"
        for stage, run in standing.last_runs.items()
    ]
    return f"last runs: {', '.join(runs)}"

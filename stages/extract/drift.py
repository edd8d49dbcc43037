"""A cheap second look at the source: has it moved since it was extracted?

Over Postgres, every row written since shows by its version (xmin). Rows of views and foreign
tables, and rows over REST, have no version: edits to them can't be seen.

The number of such rows is exact if one snapshot read the table while no other transaction was open.
Rows written by a transaction that was open then, or between two snapshots, may or may not have been
read: Postgres does not list the subtransactions of open transactions. They are counted, and the
number is reported as "at most".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from stages.errors import StagesError
from stages.extract.catalog import Reading, Relations, resolve_reading
from stages.extract.reader import Reader, Session
from stages.extract.restart import Restart
from stages.extract.transport import open_reader
from stages.progress import Progress
from stages.project.plan import Plan, SourceTable
from stages.project.settings import Source
from stages.state.manifests import ExtractManifest, Moved, Snapshot, read_extract
from stages.state.moved import record_moved
from stages.state.workspace import Workspace

GONE = "the source no longer has this table"


@dataclass(frozen=True, kw_only=True)
class SourceDrift:
    """One source now: `rows` as counted (None if it is missing, was missing, or can't count rows),
    what has moved, in words, and the whole finding in words."""

    rows: int | None
    moved: tuple[str, ...]
    words: str


@dataclass(frozen=True, kw_only=True)
class Look:
    """A second look at a table: the source's count now, and what has moved, in words.

    If nothing has moved, `sure` says whether an edit would have been seen. `words` is the finding.
    """

    number: int
    moved: tuple[str, ...]
    sure: bool
    words: str


def source_drift(
    workspace: Workspace, plan: Plan, source: Source, tables: tuple[str, ...], progress: Progress
) -> dict[str, SourceDrift]:
    """Look again at the sources of the chosen tables, and record what has moved.

    Raises StagesError if one is not extracted yet.
    """
    entries = plan.select_sources(tables)
    drifts = {}
    with open_reader(plan, source, "auto", Restart(workspace), progress) as reader:
        catalog = reader.catalog()
        session = reader.session()
        try:
            for entry in entries:
                folder = workspace.extract(entry.name)
                manifest = read_extract(folder)
                if manifest is None or manifest.status == "reading":
                    raise StagesError(
                        f"`{entry.name}` is not extracted yet", f"run: stages extract {entry.name}"
                    )
                drift = _drift(reader, session, catalog, entry, manifest)
                record_moved(folder, manifest, drift.moved)
                drifts[entry.name] = drift
        finally:
            session.close()
    return drifts


def sources_moved(workspace: Workspace, sources: Iterable[str]) -> dict[str, Moved]:
    """The sources that were seen to have moved since they were read."""
    extracts = {name: read_extract(workspace.extract(name)) for name in sources}
    return {name: each.moved for name, each in extracts.items() if each and each.moved}


def look_again(session: Session, reading: Reading, manifest: ExtractManifest, unit: str) -> Look:
    """Compare the source with a complete table. `unit` as in `Reader.count_unit`."""
    # Rows written after the first of several snapshots may be missing from a part.
    first = manifest.snapshots[0]
    now = session.table_state(reading, first)
    parts, counted = manifest.parts, manifest.counted
    then: int | None = manifest.rows
    last = parts[-1].last if parts else None
    comparable = unit == "rows" or counted.of == unit
    if unit != "rows":
        # A table read over Postgres has no such number to compare with.
        then = counted.after if comparable else now.rows
    moved = []
    if now.rows != then:
        moved.append(f"{now.rows:,} {unit} instead of {then:,}")
    elif reading.key and now.greatest not in (None, last):
        moved.append("another greatest key")
    if now.newer:
        exact = len(manifest.snapshots) == 1 and not _had_open(first)
        moved.append(f"{'' if exact else 'at most '}{now.newer:,} rows written since")
    moved += changed_dependencies(reading, manifest)
    empty = unit == "rows" and now.rows == 0
    sure = not moved and (empty or (now.newer is not None and manifest.depends_on is not None))
    if moved:
        words = ", ".join(moved)
    elif sure:
        words = "unchanged"
    else:
        words = f"{_same(unit, comparable, now.greatest is not None)}; edits can't be seen"
    return Look(number=now.rows, moved=tuple(moved), sure=sure, words=words)


def _had_open(snapshot: Snapshot) -> bool:
    """Whether transactions were open when it was taken: its text is `xmin:xmax:` and their ids."""
    xmin, xmax, _ = (snapshot.transactions or "::").split(":")
    return xmin != xmax


def changed_dependencies(reading: Reading, manifest: ExtractManifest) -> list[str]:
    """What the rows depend on that has changed, in words; only what is known both then and now.

    An added label changes no row; a renamed one does.
    """
    before, now = manifest.depends_on or {}, reading.depends_on
    labels_before, labels = before.get("labels", {}), now.get("labels", {})
    changed = [
        f"the labels of {name} have changed"
        for name, those in labels_before.items()
        if name in labels and not _in_order(those, labels[name])
    ]
    for name, words in (
        ("view", "its view has been redefined"),
        ("children", "its partitions have changed"),
    ):
        if name in before and name in now and before[name] != now[name]:
            changed.append(words)
    return changed


def _in_order(some: list[str], labels: list[str]) -> bool:
    """Whether all of `some` are among the labels, in the same order."""
    rest = iter(labels)
    return all(label in rest for label in some)


def _same(unit: str, comparable: bool, has_key: bool) -> str:
    if not comparable:
        return "nothing to compare with"
    count = "same count" if unit == "rows" else f"same number of {unit}"
    return f"{count} and greatest key" if has_key else count


def _drift(
    reader: Reader,
    session: Session,
    catalog: Relations,
    entry: SourceTable,
    manifest: ExtractManifest,
) -> SourceDrift:
    relation = catalog.get((entry.schema, entry.table))
    if relation is None:
        if manifest.status == "missing":
            return SourceDrift(rows=None, moved=(), words="unchanged: still missing")
        return SourceDrift(rows=None, moved=(GONE,), words=GONE)
    if manifest.status == "missing":
        there = "the table exists now"
        return SourceDrift(rows=None, moved=(there,), words=there)
    reading = resolve_reading(entry, relation)
    unit = reader.count_unit(reading)
    look = look_again(session, reading, manifest, unit)
    moved, words = look.moved, look.words
    if manifest.spec != reading.fingerprint:
        moved = (*moved, "its columns, key or filter have changed")
        words = ", ".join(moved)
    return SourceDrift(rows=look.number if unit == "rows" else None, moved=moved, words=words)

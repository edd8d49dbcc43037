"""A cheap second look at the source: has it moved since it was extracted?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stages.errors import StagesError
from stages.extract.catalog import Reading, Relations, resolve_reading
from stages.extract.reader import Reader, Session
from stages.extract.restart import Restart
from stages.extract.transport import open_reader
from stages.progress import Progress
from stages.project.plan import Plan, SourceTable
from stages.project.settings import Source
from stages.state.manifests import Manifest, read_manifest
from stages.state.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class SourceDrift:
    """One source now: `rows` as counted (None where it is not there, or gives no number of rows),
    and what has moved, in words; empty where it is as it was extracted."""

    rows: int | None
    moved: tuple[str, ...]


def source_drift(
    workspace: Workspace, plan: Plan, source: Source, tables: tuple[str, ...], progress: Progress
) -> dict[str, SourceDrift]:
    """Count the sources of the chosen tables again, and compare greatest keys and, read directly,
    the rows written since. Raises StagesError where one is not extracted yet.
    """
    entries = plan.select_sources(tables)
    drifts = {}
    with open_reader(plan, source, "auto", Restart(workspace), progress) as reader:
        catalog = reader.catalog()
        session = reader.session()
        try:
            for entry in entries:
                manifest = read_manifest(workspace.extract(entry.name))
                if manifest is None or manifest["status"] == "reading":
                    raise StagesError(
                        f"`{entry.name}` is not extracted yet", f"run: stages extract {entry.name}"
                    )
                drifts[entry.name] = _drift(reader, session, catalog, entry, manifest)
        finally:
            session.close()
    return drifts


def moved_since(
    session: Session, reading: Reading, manifest: Manifest, unit: str
) -> tuple[int, list[str]]:
    """What the source counts now, in `unit` (see `Reader.count_unit`), and what has moved
    since a table was extracted, in a few words each."""
    now = session.table_state(reading, manifest["snapshots"][-1])
    parts, counted, then = manifest["parts"], manifest["counted"], manifest["rows"]
    last = parts[-1].get("last") if parts else None
    if unit != "rows":
        # Read directly, it has no such number to compare with.
        then = counted["after"] if counted.get("of") == unit else now.rows
    moved = []
    if now.rows != then:
        moved.append(f"{now.rows:,} {unit} instead of {then:,}")
    elif reading.key and now.greatest not in (None, last):
        moved.append("another greatest key")
    if now.newer:
        moved.append(f"{now.newer:,} rows written since")
    return now.rows, moved


def _drift(
    reader: Reader,
    session: Session,
    catalog: Relations,
    entry: SourceTable,
    manifest: dict[str, Any],
) -> SourceDrift:
    relation = catalog.get((entry.schema, entry.table))
    if relation is None:
        vanished = manifest["status"] != "missing"
        return SourceDrift(
            rows=None, moved=("the source has no such table any more",) if vanished else ()
        )
    if manifest["status"] == "missing":
        return SourceDrift(rows=None, moved=("the table is there now",))
    reading = resolve_reading(entry, relation)
    unit = reader.count_unit(reading)
    number, moved = moved_since(session, reading, manifest, unit)
    if manifest["spec"] != reading.fingerprint:
        moved.append("its columns, key or filter have changed")
    return SourceDrift(rows=number if unit == "rows" else None, moved=tuple(moved))

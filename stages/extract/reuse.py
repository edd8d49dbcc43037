"""What an earlier run read of a table: which of it can be reused, and whether it is up to date."""

from __future__ import annotations

from pathlib import Path

from stages.extract.catalog import Reading
from stages.extract.drift import changed_dependencies, look_again
from stages.extract.gaps import mark_lost
from stages.extract.reader import Reader, Session
from stages.extract.results import TableResult, uncounted_note
from stages.layout import counted
from stages.progress import Progress
from stages.state.durable import remove
from stages.state.integrity import find_damage
from stages.state.manifests import ExtractManifest, write_manifest
from stages.state.moved import record_moved
from stages.state.records import read_whole
from stages.state.workspace import manifest_file


def usable_manifest(
    reader: Reader, reading: Reading, folder: Path, progress: Progress
) -> ExtractManifest | None:
    """The manifest, if its rows are those that would be read now; damaged parts count as lost."""
    manifest = read_whole(
        ExtractManifest,
        manifest_file(folder),
        lambda damage: progress.note(f"{reading.source}: {damage}; reading it again"),
    )
    if manifest is None or manifest.status == "missing":
        return None
    if manifest.status == "reading" and manifest.transport != reader.transport:
        return None  # no parts yet, and its count may be in another unit
    if manifest.spec != reading.fingerprint:
        progress.note(f"{reading.source}: {_describe_change(manifest, reading)}; reading it again")
        return None
    changed = changed_dependencies(reading, manifest)
    if changed and manifest.status == "reading":
        progress.note(f"{reading.source}: {' and '.join(changed)}; reading it again")
        return None  # its parts would be inconsistent
    damaged = {
        part.file: damage
        for part in manifest.parts
        if not part.lost and (damage := find_damage(folder, part))
    }
    for file, damage in damaged.items():
        progress.note(f"{reading.source}: {file} {damage}; reading it again")
    if not reading.key and (damaged or manifest.status == "reading"):
        return None  # without a key, the rows of a part can't be identified
    if damaged:
        alone = reader.random_access or len(reading.key) == 1
        useless = mark_lost(manifest, set(damaged), alone=alone)
        write_manifest(folder, manifest)
        for file in useless:
            remove(folder / file)
    else:
        write_manifest(folder, manifest)  # keeps the renewed `stat` of the parts
    return manifest


def compare_with_source(
    reader: Reader, session: Session, reading: Reading, folder: Path, manifest: ExtractManifest
) -> TableResult:
    """A cheap second look at the source of a complete table; records what has moved.

    The status is `moved`, `unchanged` if that is certain, else `kept`.
    """
    unit = reader.count_unit(reading)
    look = look_again(session, reading, manifest, unit)
    record_moved(folder, manifest, look.moved)
    rows = f"{counted(manifest.rows, 'row')}{uncounted_note(unit, look.number)}"
    if look.moved:
        note = f"the source has moved: {', '.join(look.moved)}; read it again with --restart"
    else:
        note = f"{look.words}, {rows}"
    status = "moved" if look.moved else "unchanged" if look.sure else "kept"
    return {"status": status, "rows": manifest.rows, "note": note}


def _describe_change(manifest: ExtractManifest, reading: Reading) -> str:
    """How the reading now differs from the one before, in a few words."""
    before = [column.name for column in manifest.columns]
    now = [column.staged for column in reading.columns]
    new = [name for name in now if name not in before]
    dropped = [name for name in before if name not in now]
    changes = []
    if new:
        changes.append(f"new columns {', '.join(new)}")
    if dropped:
        changes.append(f"columns gone: {', '.join(dropped)}")
    return "; ".join(changes) or "types, key or filter have changed"

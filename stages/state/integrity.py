"""Whether parts on disk are still what their manifest says."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

from stages.errors import StagesError
from stages.state.fingerprints import hash_file
from stages.state.imports import ImportManifest, read_import
from stages.state.manifests import (
    ExtractManifest,
    FileStat,
    KeysManifest,
    LoadManifest,
    Part,
    ReferenceManifest,
    TransformManifest,
    read_extract,
    read_keys,
    read_load,
    read_reference,
    read_transform,
)
from stages.state.parts import ROW_GROUP_BYTES
from stages.state.records import Damaged, write_record
from stages.state.workspace import Workspace, manifest_file, records_under

WithParts = ExtractManifest | ReferenceManifest | TransformManifest | KeysManifest


def find_damage(folder: Path, part: Part) -> str | None:
    """What is wrong with a part, in a few words; None if it is intact.

    It is read only if it was written to since its `stat`, which is renewed if the content is right;
    the owner of the manifest should then write it, so that the part is not read again.
    """
    file = folder / part.file
    try:
        seen = file.stat()
    except FileNotFoundError:
        return "is missing"
    if seen.st_size != part.bytes:
        return f"has {seen.st_size} bytes instead of {part.bytes}"
    if part.stat == FileStat.of(seen):
        return None
    if hash_file(file) != part.sha256:
        return "has other content than its manifest says"
    part.stat = FileStat.of(seen)
    return None


def describe_damage(folder: Path, parts: Iterable[Part]) -> str:
    """What is wrong with any of these parts, by name; empty if all are intact."""
    return " and ".join(f"{file} {wrong}" for file, wrong in _damaged(folder, parts))


def require_whole(folder: Path, parts: Iterable[Part], redo: str) -> None:
    """Check parts before use. Raises StagesError with the part and the command to make it again."""
    for file, wrong in _damaged(folder, parts):
        raise StagesError(f"{folder / file} {wrong}", f"make it again with: {redo}")


def forget_stats(workspace: Workspace) -> None:
    """Make the next user of every part read it (`--check-files`)."""
    for read, folders in (
        (read_extract, workspace.extracts),
        (read_extract, workspace.next_extracts),
        (read_reference, workspace.references),
        (read_transform, workspace.transforms),
        (read_load, workspace.loads),
    ):
        for file in sorted(folders.glob(manifest_file(Path("*")).as_posix())):
            with suppress(Damaged):
                _forget(file, read(file.parent))
    for file in sorted(records_under(workspace.keys)):
        with suppress(Damaged):
            _forget(file, read_keys(file))
    with suppress(Damaged):
        _forget(manifest_file(workspace.imports), read_import(workspace))


def _forget(file: Path, manifest: WithParts | LoadManifest | ImportManifest | None) -> None:
    if manifest is None:
        return
    for part in _parts(manifest):
        part.stat = None
    write_record(file, manifest)


def _parts(manifest: WithParts | LoadManifest | ImportManifest) -> Iterable[Part]:
    if isinstance(manifest, LoadManifest):
        return [manifest.ids]
    if isinstance(manifest, ImportManifest):
        return [manifest.file] if manifest.file else []
    return manifest.parts


def _damaged(folder: Path, parts: Iterable[Part]) -> Iterator[tuple[str, str]]:
    """(file, what is wrong), in the order of the parts; large ones are read in parallel."""
    there = list(parts)
    large = len(there) > 1 and sum(part.bytes for part in there) > ROW_GROUP_BYTES
    with ThreadPoolExecutor(os.cpu_count() if large else 1) as pool:
        look = pool.map if large else map
        for part, wrong in zip(there, look(partial(find_damage, folder), there), strict=True):
            if wrong:
                yield part.file, wrong

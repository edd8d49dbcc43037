"""Whether parts on disk are still what their manifest says."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from stages.errors import StagesError
from stages.state.fingerprints import hash_file
from stages.state.manifests import Part
from stages.state.parts import ROW_GROUP_BYTES


def find_damage(folder: Path, part: Part) -> str | None:
    """What is wrong with a part, in a few words; None where it is whole."""
    file = folder / part.file
    if not file.exists():
        return "is missing"
    if file.stat().st_size != part.bytes:
        return f"has {file.stat().st_size} bytes instead of {part.bytes}"
    if hash_file(file) != part.sha256:
        return "has other content than its manifest says"
    return None


def describe_damage(folder: Path, parts: Iterable[Part]) -> str:
    """What is wrong with any of these parts, by name; empty where all are whole."""
    return " and ".join(f"{file} {wrong}" for file, wrong in _damaged(folder, parts))


def require_whole(folder: Path, parts: Iterable[Part], redo: str) -> None:
    """Check parts before they are used. Raises StagesError naming the part and the way out."""
    for file, wrong in _damaged(folder, parts):
        raise StagesError(f"{folder / file} {wrong}", f"make it again with: {redo}")


def _damaged(folder: Path, parts: Iterable[Part]) -> Iterator[tuple[str, str]]:
    """(file, what is wrong), in the order of the parts; large ones are read side by side."""
    there = list(parts)
    large = len(there) > 1 and sum(part.bytes for part in there) > ROW_GROUP_BYTES
    with ThreadPoolExecutor(os.cpu_count() if large else 1) as pool:
        look = pool.map if large else map
        for part, wrong in zip(there, look(partial(find_damage, folder), there), strict=True):
            if wrong:
                yield part.file, wrong

"""Durable writes: temporary name → fsync → rename → fsync of the folder.

So a reader sees a whole file or none, and a writer that was killed can do its last step again from
any point. Files and folders are private from the moment they exist, whatever the umask is.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, Literal


def read_json(path: Path) -> dict[str, Any] | None:
    """Read a report; None if there is none, or it is not a JSON object."""
    try:
        loaded = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        return None
    return loaded if isinstance(loaded, dict) else None


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a report durably; a file that would not change is not touched."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    write_text(path, text)


def write_text(path: Path, text: str) -> None:
    """Write a small text file durably; a file that would not change is not touched."""
    data = text.encode()
    if path.exists() and path.read_bytes() == data:
        return
    make_folder(path.parent)
    with _replacing(path) as temporary, open_private(temporary, "wb") as handle:
        handle.write(data)
        sync_file(handle)


def write_project_file(path: Path, data: bytes) -> None:
    """Write a file of the user's project durably: an existing one keeps its mode, a new one has
    that of the umask, and a link stays a link."""
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    with _replacing(path) as temporary:
        with temporary.open("wb") as handle:
            handle.write(data)
            sync_file(handle)
        if path.exists():
            shutil.copymode(path, temporary)


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Yield the temporary file that replaces `path` at the end."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        yield temporary
        publish(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)  # leave no half of a file on a full disk
        raise


def make_folder(folder: Path) -> None:
    """Create a private folder, and its missing parents, just as private."""
    try:
        folder.mkdir(exist_ok=True, mode=0o700)
    except FileNotFoundError:
        make_folder(folder.parent)  # `mkdir(parents=True)` would leave their mode to the umask
        folder.mkdir(exist_ok=True, mode=0o700)


def open_private(path: Path, mode: Literal["wb", "a+b"]) -> BinaryIO:
    """Open a file for writing; a new one is readable by its owner only."""
    return open(path, mode, opener=_open_private)


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def publish(temporary: Path, final: Path) -> None:
    """Rename a synced file to its final name, durably."""
    temporary.replace(final)
    sync_folder(final.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder durable; Windows can't open folders, and needs no such call."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(handle: IO[Any]) -> None:
    handle.flush()
    os.fsync(handle.fileno())


def remove(path: Path) -> None:
    """Remove a file or a folder, if it exists."""
    if path.is_dir():
        shutil.rmtree(path, onerror=_raise_with_path)
    else:
        path.unlink(missing_ok=True)


def _raise_with_path(_: object, path: str, raised: tuple[Any, BaseException, Any]) -> None:
    """Raise again with the path: `rmtree` uses descriptors, so its errors name no folder."""
    error = raised[1]
    if isinstance(error, OSError):
        error.filename = path
    raise error

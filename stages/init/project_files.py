"""Files of the user's project: read as text, written back in the same encoding and line ends."""

from __future__ import annotations

import os
from pathlib import Path

from stages.project.text_files import read_text_file, saved_alike
from stages.state.durable import write_project_file
from stages.state.workspace import Workspace


def text_of(file: Path) -> str | None:
    """The text, with plain line ends; None if there is no file."""
    try:
        return read_text_file(file)
    except FileNotFoundError:
        return None


def takes_text(file: Path) -> bool:
    """Whether the file can be given another text without altering its other lines: not if it
    mixes line ends."""
    return not file.exists() or saved_alike(file.read_bytes(), "") is not None


def write_text_of(file: Path, text: str) -> None:
    """Write a text in the encoding and with the line ends that the file has."""
    data = saved_alike(file.read_bytes(), text) if file.exists() else None
    write_project_file(file, text.encode() if data is None else data)


def convex_place(workspace: Workspace, name: str) -> str:
    """A file of the functions' folder, relative to the project: `convex/schema.ts`."""
    return Path(os.path.relpath(workspace.convex / name, workspace.project)).as_posix()


def place_of(workspace: Workspace, file: Path) -> str:
    """A file's path relative to the project: `.planning/migrations/plan.toml`."""
    return file.relative_to(workspace.project).as_posix()


def spare_copy(file: Path, text: str) -> Path:
    """A free name next to a file, for a copy of its text: `posts.sql.old`, `posts.sql.old2`. A
    copy that already holds this text is used again."""
    number, copy = 1, file.with_name(f"{file.name}.old")
    while copy.exists() and text_of(copy) != text:
        number += 1
        copy = file.with_name(f"{file.name}.old{number}")
    return copy

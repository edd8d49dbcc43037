"""JSON files of stages: typed, with a format number, and intact or reported as damaged.

A file of an older format is read: fields that it lacks have defaults. One of a newer format is
refused, because its meaning is unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from stages.errors import StagesError, UserError
from stages.state.durable import write_text

FORMAT = 1


class Record(msgspec.Struct, kw_only=True, tag_field="format", tag=FORMAT):
    """The content of one JSON file; its format number is written first. Files from before there
    were format numbers have none."""

    @classmethod
    def way_on(cls, file: Path) -> str:
        """The hint for a damaged file: the command that makes it again."""
        raise NotImplementedError


AnyRecord = TypeVar("AnyRecord", bound=Record)


class Damaged(StagesError):
    """A JSON file of stages can't be read: it was cut, emptied, or written by something else."""


class _Header(msgspec.Struct):
    format: Any = 0


def read_record(kind: type[AnyRecord], file: Path) -> AnyRecord | None:
    """The content of a file, or None if there is none yet.

    Raises Damaged with the command that makes it again, UserError for a newer format.
    """
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        _refuse_newer(kind, file, data)
        raise Damaged(f"{file} is damaged: {_words(error)}", kind.way_on(file)) from None


def read_whole(
    kind: type[AnyRecord], file: Path, note: Callable[[str], None] | None = None
) -> AnyRecord | None:
    """Like `read_record`, but None for a damaged file too, with its message passed to `note`."""
    try:
        return read_record(kind, file)
    except Damaged as damaged:
        if note:
            note(damaged.message)
        return None


def write_record(file: Path, record: Record) -> None:
    """Write a file durably; one that would not change is not touched."""
    write_text(file, msgspec.json.format(msgspec.json.encode(record), indent=2).decode() + "\n")


def _refuse_newer(kind: type[Record], file: Path, data: bytes) -> None:
    try:
        number = msgspec.json.decode(data, type=_Header).format
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    known = kind.__struct_config__.tag
    if isinstance(number, int) and isinstance(known, int) and number > known:
        raise UserError(
            f"{file} is of format {number}, and this version of stages reads up to {known}: a "
            "newer version wrote it",
            "upgrade stages: pip install --upgrade supabase-to-convex",
        )


def _words(error: Exception) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)

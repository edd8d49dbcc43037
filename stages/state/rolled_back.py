"""Tables whose rollback has begun and not ended."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from stages.state.durable import remove
from stages.state.records import Damaged, Record, read_record, write_record
from stages.state.workspace import Workspace


class RolledBack(Record, kw_only=True):
    """rollback.json."""

    tables: list[str]

    @classmethod
    def way_on(cls, file: Path) -> str:
        return "end it with: stages rollback"


def rollback_begun(workspace: Workspace, tables: Iterable[str]) -> list[str]:
    """Those of the tables whose rollback has begun and not ended; where the file is damaged, it
    may be any."""
    try:
        stored = read_record(RolledBack, workspace.rolled_back)
    except Damaged:
        return list(tables)
    begun = stored.tables if stored else []
    return [name for name in tables if name in begun]


def record_begun(workspace: Workspace, tables: Iterable[str]) -> None:
    """Write down whose rollback has begun; without any, nothing is kept."""
    names = sorted(tables)
    if names:
        write_record(workspace.rolled_back, RolledBack(tables=names))
    else:
        remove(workspace.rolled_back)

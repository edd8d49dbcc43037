"""Tables whose rollback has begun and not finished."""

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
    """Those of the tables whose rollback has begun and not finished; all of them if the file is
    damaged."""
    try:
        stored = read_record(RolledBack, workspace.rolled_back)
    except Damaged:
        return list(tables)
    begun = stored.tables if stored else []
    return [name for name in tables if name in begun]


def record_begun(workspace: Workspace, tables: Iterable[str]) -> None:
    """Record whose rollback has begun; if there is none, remove the file."""
    names = sorted(tables)
    if names:
        write_record(workspace.rolled_back, RolledBack(tables=names))
    else:
        remove(workspace.rolled_back)

"""`extract --restart`: read into a separate folder, swap at the end."""

from __future__ import annotations

from pathlib import Path

from stages.state.durable import make_folder, publish, remove
from stages.state.records import Damaged, Record, read_record, write_record
from stages.state.workspace import Workspace


class RestartedTables(Record, kw_only=True):
    """tables.json: which tables are read again, and whether all were read and are swapped in."""

    tables: list[str]
    swapping: bool = False

    @classmethod
    def way_on(cls, file: Path) -> str:
        return "read the source again with: stages extract --restart"


class Restart:
    """Tables that are read from scratch into `data/extract.next/`.

    The folder's list says which tables belong to it; while it exists, `extract` continues the
    restart. Each step can be repeated after a kill at any point.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._paths = workspace
        self._folder = workspace.next_extracts
        self._list = workspace.restarted

    @property
    def tables(self) -> list[str]:
        """The tables being read again; empty if no restart is under way."""
        listed = read_record(RestartedTables, self._list)
        return listed.tables if listed else []

    @property
    def swapping(self) -> bool:
        """Whether everything was read, but a kill interrupted the swap."""
        listed = read_record(RestartedTables, self._list)
        return bool(listed and listed.swapping)

    def set_aside_damaged(self) -> None:
        """Remove the folder if its list is damaged: those tables are read once more."""
        try:
            read_record(RestartedTables, self._list)
        except Damaged:
            remove(self._folder)

    def begin(self, tables: list[str]) -> None:
        """Start a restart; one that was under way is discarded."""
        remove(self._folder)
        make_folder(self._folder)
        write_record(self._list, RestartedTables(tables=tables))

    def folder(self, table: str) -> Path:
        """The folder that a table is read into."""
        return self._folder / table if table in self.tables else self._paths.extract(table)

    def finish(self) -> None:
        """Swap in the tables that were read again."""
        tables = self.tables
        write_record(self._list, RestartedTables(tables=tables, swapping=True))
        make_folder(self._paths.extracts)
        for table in tables:
            read = self._folder / table
            if not read.exists():
                continue  # swapped before a kill
            remove(self._paths.extract(table))
            publish(read, self._paths.extract(table))
        remove(self._folder)

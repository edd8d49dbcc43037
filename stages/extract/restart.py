"""`extract --restart`: read aside, swap at the end."""

from __future__ import annotations

from pathlib import Path

from stages.state.durable import make_folder, publish, read_json, remove, write_json
from stages.state.workspace import Workspace


class Restart:
    """Tables that are read anew into `data/extract.next/`.

    The folder's list says which tables belong to it; as long as it is there, `extract` goes on
    with it. Each step can be done again after a kill at any point.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._paths = workspace
        self._folder = workspace.next_extracts
        self._list = self._folder / "tables.json"

    @property
    def tables(self) -> list[str]:
        """What is being read anew; empty where no restart is under way."""
        listed = read_json(self._list)
        return list(listed["tables"]) if listed else []

    @property
    def swapping(self) -> bool:
        """Whether everything was read, and a kill kept it from being swapped in."""
        listed = read_json(self._list)
        return bool(listed and listed.get("swapping"))

    def begin(self, tables: list[str]) -> None:
        """Start anew; a restart that was under way is forgotten."""
        remove(self._folder)
        make_folder(self._folder)
        write_json(self._list, {"tables": tables})

    def folder(self, table: str) -> Path:
        """Where a table is read to."""
        return self._folder / table if table in self.tables else self._paths.extract(table)

    def finish(self) -> None:
        """Swap in what was read aside."""
        tables = self.tables
        write_json(self._list, {"tables": tables, "swapping": True})
        make_folder(self._paths.extracts)
        for table in tables:
            read = self._folder / table
            if not read.exists():
                continue  # swapped before a kill
            remove(self._paths.extract(table))
            publish(read, self._paths.extract(table))
        remove(self._folder)

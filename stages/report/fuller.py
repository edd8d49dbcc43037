"""A report that holds more than the data folder does stays as it is, unless that folder wrote it.

The report is the plan's or the target's, not the data folder's: an empty or fresh folder finds what
another one has written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.state.fingerprints import hash_file
from stages.state.records import Record, read_whole, write_record
from stages.state.workspace import Workspace

# How far a table is; what is not in the list is sent, and not all of it.
STEPS = ("not extracted", "not transformed", "not loaded")
WHOLE = ("complete", "missing")


class Reported(Record, kw_only=True):
    """report.json of a target: the hash of the report that was last written from here."""

    sha256: str

    @classmethod
    def way_on(cls, file: Path) -> str:
        return "write the report again with: stages report --replace"


@dataclass(frozen=True, kw_only=True)
class KeptReport:
    """Why a report is not written over: what it says of a `table`, and what this folder holds."""

    file: Path
    data: Path
    table: str
    there: str
    here: str

    @property
    def message(self) -> str:
        """One sentence, without the way on."""
        return (
            f"{self.file} reports more than {self.data} holds, such as of {self.table}: it says "
            f"`{self.there}`, and here it is `{self.here}`"
        )

    @property
    def hint(self) -> str:
        """The way on."""
        return "name the data folder of that run with --data DIR; or: stages report --replace"


def find_fuller(
    workspace: Workspace, file: Path, stored: Mapping[str, Any], tables: Mapping[str, Any]
) -> KeptReport | None:
    """What the stored report holds beyond `tables`; None where this data folder wrote it."""
    before = stored.get("tables", {})
    fewer = [
        name
        for name in sorted(before.keys() & tables.keys())
        if _progress(tables[name]) < _progress(before[name])
    ]
    if not fewer or _is_own(workspace, file):
        return None
    return KeptReport(
        file=file,
        data=workspace.data,
        table=fewer[0],
        there=before[fewer[0]]["status"],
        here=tables[fewer[0]]["status"],
    )


def _progress(entry: Mapping[str, Any]) -> int:
    status = entry["status"]
    if status == "failed" and not entry["migrated"]:
        return 0
    if status in STEPS:
        return STEPS.index(status)
    return len(STEPS) + (status in WHOLE)


def note_own(workspace: Workspace, file: Path) -> None:
    """Keep that this data folder has written the report as it is now."""
    write_record(workspace.reported, Reported(sha256=hash_file(file)))


def _is_own(workspace: Workspace, file: Path) -> bool:
    stored = read_whole(Reported, workspace.reported)
    return stored is not None and stored.sha256 == hash_file(file)

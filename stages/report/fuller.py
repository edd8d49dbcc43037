"""Keep a report that holds more than the data folder does, unless that folder wrote it.

The report belongs to the plan or the target, not to the data folder: an empty or new folder finds
what another one has written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.state.fingerprints import hash_file
from stages.state.records import Record, read_whole, write_record
from stages.state.workspace import Workspace

# How far a table is; one whose status is in neither list is sent in part.
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
    """Why a report is not overwritten: what it says about a `table`, and what this folder holds."""

    file: Path
    data: Path
    table: str
    there: str
    here: str

    @property
    def message(self) -> str:
        """One sentence, without the next step."""
        return (
            f"{self.file} reports more than {self.data} holds, for example on {self.table}: "
            f"`{self.there}` there, `{self.here}` here"
        )

    @property
    def hint(self) -> str:
        """The next step."""
        return "name the data folder of that run with --data DIR; or: stages report --replace"


def find_fuller(
    workspace: Workspace, file: Path, stored: Mapping[str, Any], tables: Mapping[str, Any]
) -> KeptReport | None:
    """What the stored report holds beyond `tables`; None if nothing, or this folder wrote it."""
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
    """Record that this data folder has written the report in its present form."""
    write_record(workspace.reported, Reported(sha256=hash_file(file)))


def _is_own(workspace: Workspace, file: Path) -> bool:
    stored = read_whole(Reported, workspace.reported)
    return stored is not None and stored.sha256 == hash_file(file)

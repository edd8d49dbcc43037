"""What a probe creates on a deployment without the ledger knowing it: recorded beforehand, so that
the next probe finds and removes it, however this one ended."""

from __future__ import annotations

from pathlib import Path

import msgspec

from stages.state.durable import remove
from stages.state.records import Record, read_whole, write_record
from stages.state.workspace import Workspace


class Probe(Record, kw_only=True):
    """probe.json: ids of imports that were begun; documents that they bring, with their tables."""

    imports: list[str] = msgspec.field(default_factory=list)
    documents: dict[str, str] = msgspec.field(default_factory=dict)

    @classmethod
    def way_on(cls, file: Path) -> str:
        return "run it again: stages check --probe"


def read_probe(workspace: Workspace) -> Probe:
    """What is recorded; nothing if the file is damaged."""
    return read_whole(Probe, workspace.probe) or Probe()


def write_probe(workspace: Workspace, probe: Probe) -> None:
    """Record it; if it is empty, remove the file."""
    if probe == Probe():
        remove(workspace.probe)
    else:
        write_record(workspace.probe, probe)

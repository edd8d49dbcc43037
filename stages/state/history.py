"""`data/history.jsonl`: a line for each finished command, with counts and without values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from stages.state.journal import Journal
from stages.state.running import Running
from stages.state.workspace import Workspace

Outcome = Literal["done", "fell short", "stopped", "refused", "killed"]


class HistoryRun(msgspec.Struct, kw_only=True, frozen=True):
    """One finished command. `started` is ISO 8601, UTC; `rows` are those of this run, by table, and
    `bytes` what was read or sent for them. `message` says why it did not succeed. Of a killed run
    only its start is known: `seconds` is None."""

    command: str
    target: str
    started: str
    seconds: float | None
    outcome: Outcome
    rows: Mapping[str, int] = {}
    bytes: int = 0
    version: str = ""
    message: str = ""


def append_killed(workspace: Workspace, killed: Running) -> None:
    """Add the line of a run that was killed before it could add its own."""
    last = next(reversed(read_history(workspace)), None)
    if last is not None and last.started >= killed.since:
        return  # its own: no other run can have started while it held the lock
    run = HistoryRun(
        command=killed.command,
        target=killed.target,
        started=killed.since,
        seconds=None,
        outcome="killed",
    )
    append_run(workspace, run)


def append_run(workspace: Workspace, run: HistoryRun) -> None:
    """Add a line, durably. A line that a kill cut short is dropped."""
    with Journal(workspace.history) as journal:
        journal.write(msgspec.json.encode(run).decode() + "\n")


def read_history(workspace: Workspace) -> list[HistoryRun]:
    """All runs, the oldest first, whatever their target; lines that can't be read are left out."""
    try:
        lines = workspace.history.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    runs = []
    for line in lines:
        try:
            runs.append(msgspec.json.decode(line, type=HistoryRun))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
    return runs

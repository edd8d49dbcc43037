"""Whose rows a folder holds: settings that name another source or target are refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from msgspec import field, structs

from stages.errors import UserError
from stages.state.answers import Answer
from stages.state.durable import publish
from stages.state.records import Damaged, Record, read_record, write_record
from stages.state.workspace import Workspace, damaged_file

# `ledger` in target.json: it was emptied when the migration was over.
CLEARED = "cleared"
# The epoch where target.json was damaged: that of no ledger, so that no ack is believed.
LOST = "lost"


class SourceIdentity(Record, kw_only=True, omit_defaults=True):
    """source.json: whose rows are extracted."""

    ref: str | None = None
    sandbox: bool | None = None
    system_identifier: str | None = None

    @classmethod
    def way_on(cls, file: Path) -> str:
        return "read all of the source again with: stages extract --restart"


class TargetIdentity(Record, kw_only=True, omit_defaults=True):
    """target.json: which deployment, the epoch of its ledger, and what was answered about documents
    that were there before."""

    deployment: str | None = None
    sandbox: bool | None = None
    epoch: str | None = None
    ledger: Literal["cleared"] | None = None
    existing: dict[str, Answer] = field(default_factory=dict)

    @classmethod
    def way_on(cls, file: Path) -> str:
        return (
            "ask the deployment what is loaded with: stages load --restart (nothing is loaded "
            "twice, and exports stay)"
        )


Identity = SourceIdentity | TargetIdentity


def read_source(workspace: Workspace) -> SourceIdentity:
    """What source.json says; nothing is known where it is not there."""
    return read_record(SourceIdentity, workspace.source) or SourceIdentity()


def read_target(workspace: Workspace) -> TargetIdentity:
    """What target.json says; nothing is known where it is not there."""
    return read_record(TargetIdentity, workspace.identity) or TargetIdentity()


def read_answers(workspace: Workspace) -> dict[str, Answer]:
    """Convex table → what was answered about its documents, where that was."""
    return read_target(workspace).existing


def keep_answer(workspace: Workspace, table: str, answer: Answer) -> None:
    """Write an answer into target.json."""
    stored = read_target(workspace)
    existing = {**stored.existing, table: answer}
    write_record(workspace.identity, structs.replace(stored, existing=existing))


def refuse_other(
    stored: Identity, file: Path, seen: Mapping[str, Any], what: str, ways: str
) -> None:
    """Compare who is named, or answers, with who was there before. Nothing is written.

    A value that only one side knows is no difference. Raises UserError with both values and the
    two ways on.
    """
    for name, value in seen.items():
        if value is not None and getattr(stored, name) not in (None, value):
            raise UserError(
                f"{file.parent} belongs to {what} `{getattr(stored, name)}`, the settings name "
                f"`{value}` ({name})",
                ways,
            )


def record_identity(stored: Identity, file: Path, seen: Mapping[str, Any]) -> None:
    """Write down who has answered: from now on the folder is theirs. A known value stays.

    Only after an answer, so that a typo in an address claims no folder.
    """
    known = {name: value for name, value in seen.items() if value is not None}
    if known:
        write_record(file, structs.replace(stored, **known))


def set_aside_source(workspace: Workspace) -> None:
    """Where source.json is damaged, and all is read again: begin without one."""
    try:
        read_source(workspace)
    except Damaged:
        _keep(workspace.source)


def set_aside_target(workspace: Workspace) -> None:
    """Where target.json is damaged, and the ledger is asked again: begin with one that believes
    no ack."""
    try:
        read_target(workspace)
    except Damaged:
        _keep(workspace.identity)
        write_record(workspace.identity, TargetIdentity(epoch=LOST))


def _keep(file: Path) -> None:
    publish(file, damaged_file(file))

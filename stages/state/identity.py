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

# The value of `ledger` in target.json once it was emptied, after the migration was over.
CLEARED = "cleared"
# The epoch after target.json was damaged: it matches no ledger, so that no ack is trusted.
LOST = "lost"


class SourceIdentity(Record, kw_only=True, omit_defaults=True):
    """source.json: which source the rows were extracted from."""

    ref: str | None = None
    sandbox: bool | None = None
    system_identifier: str | None = None

    @classmethod
    def way_on(cls, file: Path) -> str:
        return "read all of the source again with: stages extract --restart"


class TargetIdentity(Record, kw_only=True, omit_defaults=True):
    """target.json: which deployment, the epoch of its ledger, and the answers about documents that
    existed before the first load."""

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
    """The content of source.json; empty if there is none."""
    return read_record(SourceIdentity, workspace.source) or SourceIdentity()


def read_target(workspace: Workspace) -> TargetIdentity:
    """The content of target.json; empty if there is none."""
    return read_record(TargetIdentity, workspace.identity) or TargetIdentity()


def read_answers(workspace: Workspace) -> dict[str, Answer]:
    """Convex table → the answer about its existing documents, if there is one."""
    return read_target(workspace).existing


def keep_answer(workspace: Workspace, table: str, answer: Answer) -> None:
    """Write an answer into target.json."""
    stored = read_target(workspace)
    existing = {**stored.existing, table: answer}
    write_record(workspace.identity, structs.replace(stored, existing=existing))


def refuse_other(
    stored: Identity, file: Path, seen: Mapping[str, Any], what: str, ways: str
) -> None:
    """Compare the identity that is named, or that answers, with the stored one. Writes nothing.

    A value that only one side knows is no difference. Raises UserError with both values, and
    `ways` to go on.
    """
    for name, value in seen.items():
        if value is not None and getattr(stored, name) not in (None, value):
            raise UserError(
                f"{file.parent} belongs to {what} `{getattr(stored, name)}`, the settings name "
                f"`{value}` ({name})",
                ways,
            )


def record_identity(stored: Identity, file: Path, seen: Mapping[str, Any]) -> None:
    """Record who has answered: from now on the folder is theirs. What was not seen stays.

    Call it only after an answer, so that a typo in an address claims no folder.
    """
    known = {name: value for name, value in seen.items() if value is not None}
    if known:
        write_record(file, structs.replace(stored, **known))


def set_aside_source(workspace: Workspace) -> None:
    """If source.json is damaged, set it aside: everything is read again."""
    try:
        read_source(workspace)
    except Damaged:
        _keep(workspace.source)


def set_aside_target(workspace: Workspace) -> None:
    """If target.json is damaged, set it aside: the new one trusts no ack, and the ledger is asked
    again."""
    try:
        read_target(workspace)
    except Damaged:
        _keep(workspace.identity)
        write_record(workspace.identity, TargetIdentity(epoch=LOST))


def _keep(file: Path) -> None:
    publish(file, damaged_file(file))

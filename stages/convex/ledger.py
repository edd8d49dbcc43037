"""The ledger's epoch: do the local acks belong to this deployment, in its present state?"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any

from msgspec import structs

from stages.convex.client import Deployment, FunctionError
from stages.convex.pages import missing_function, unknown_table
from stages.errors import UserError
from stages.project.settings import Target
from stages.state.identity import (
    CLEARED,
    read_target,
    record_identity,
    refuse_other,
    set_aside_target,
)
from stages.state.records import write_record
from stages.state.workspace import Workspace

WAYS_OUT = (
    "use another target (--target NAME) or data folder, or forget this one: "
    "stages clean --target-folder (in a sandbox: stages sandbox up --renew)"
)


def require_target(workspace: Workspace, target: Target, *, anew: bool = False) -> None:
    """Raise UserError if the target folder belongs to another deployment.

    `anew`: the ledger is about to be read again, so a damaged target.json is set aside.
    """
    if anew:
        set_aside_target(workspace)
    stored = read_target(workspace)
    refuse_other(stored, workspace.identity, _identity(target), "the deployment", WAYS_OUT)


def record_target(workspace: Workspace, target: Target) -> None:
    """Record that the target folder belongs to this deployment, once it has answered."""
    record_identity(read_target(workspace), workspace.identity, _identity(target))


def _identity(target: Target) -> dict[str, Any]:
    return {"deployment": target.deployment, "sandbox": target.sandbox or None}


def refuse_cleared(workspace: Workspace, target: Target) -> None:
    """Raise UserError if `stages clean --ledger` has ended the migration."""
    if read_target(workspace).ledger == CLEARED:
        raise UserError(
            f"the ledger of {target.label} was emptied by stages clean --ledger: what "
            "was loaded is no longer known, and would be loaded a second time",
            f"to start over anyway, remove {workspace.target_folder} with: "
            "stages clean --target-folder",
        )


def require_epoch(
    workspace: Workspace,
    deployment: Deployment,
    module: str,
    *,
    claim: bool,
    loaded: Iterable[str] = (),
    referenced: Iterable[str] = (),
) -> str | None:
    """Compare the ledger's epoch with the one that is kept locally; claim one if there is neither.

    Without `claim` (verify) nothing is written to Convex. Raises UserError if they differ: the
    deployment was reset or restored, and the local acks would be wrong. Raises StagesError if the
    functions do not know a table to be `loaded` or `referenced`.
    """
    refuse_cleared(workspace, deployment.target)
    answer = ask_epoch(deployment, module)
    record_target(workspace, deployment.target)
    require_tables(deployment, answer, loaded, referenced)
    stored = read_target(workspace)
    local = stored.epoch
    remote: str | None = answer["epoch"]
    if remote is None and claim and local is None:
        remote = read_epoch(deployment, module, claim=secrets.token_hex(16))
    if local is not None and remote != local:
        raise UserError(
            f"the ledger of {deployment.target.label} is of epoch {remote or 'none'}, "
            f"the acks here are of {local}: "
            "the deployment was reset or restored, or its ledger is lost",
            "forget the acks and ask the ledger again with: stages load --restart; or use another "
            "--target",
        )
    if remote is not None and local is None:
        write_record(workspace.identity, structs.replace(stored, epoch=remote))
    return remote


def forget_epoch(workspace: Workspace) -> None:
    """For `load --restart`: from here on, only the ledger is trusted."""
    stored = read_target(workspace)
    write_record(workspace.identity, structs.replace(stored, epoch=None))


def read_epoch(deployment: Deployment, module: str, *, claim: str | None = None) -> str | None:
    """The epoch of the deployment's ledger; None if it has none and none is claimed."""
    epoch: str | None = ask_epoch(deployment, module, claim=claim)["epoch"]
    return epoch


def ask_epoch(deployment: Deployment, module: str, *, claim: str | None = None) -> dict[str, Any]:
    """`epoch`, and `tables`: each table that the functions know → whether they load it."""
    args = {} if claim is None else {"claim": claim}
    try:
        answer: dict[str, Any] = deployment.mutation(f"{module}:epoch", args)
    except FunctionError as error:
        raise missing_function(error, deployment) from None
    return answer


def unknown_tables(
    answer: dict[str, Any], loaded: Iterable[str], referenced: Iterable[str]
) -> list[str]:
    """Tables that the functions can't load, or can't read, by the answer of `ask_epoch`.

    Functions of an earlier stages do not list their tables, so all count as unknown: the functions
    must be pushed again.
    """
    known: dict[str, bool] = answer.get("tables", {})
    return sorted(
        {name for name in loaded if not known.get(name)}
        | {name for name in referenced if name not in known}
    )


def require_tables(
    deployment: Deployment,
    answer: dict[str, Any],
    loaded: Iterable[str],
    referenced: Iterable[str],
) -> None:
    """Raise StagesError if the functions do not know a table."""
    unknown = unknown_tables(answer, loaded, referenced)
    if unknown:
        raise unknown_table(deployment, unknown)

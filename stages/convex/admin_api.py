"""What is deployed, by the system functions of every deployment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stages.convex.client import Deployment, FunctionError
from stages.errors import StagesError

# Functions of the plan's module, besides one per table.
GENERAL_FUNCTIONS = (
    "readPage", "readDocuments", "findMissing", "epoch", "adopt", "remove", "clearLedger",
)  # fmt: skip


def call_admin(deployment: Deployment, function: str, args: Mapping[str, Any], rights: str) -> Any:
    """Result of a system query. Raises StagesError that names the `rights` it needs."""
    try:
        return deployment.query(function, dict(args))
    except FunctionError as error:
        raise StagesError(
            f"{deployment.target.label} did not answer a system query: {error.words}",
            f"does the deploy key have {rights}?",
        ) from None

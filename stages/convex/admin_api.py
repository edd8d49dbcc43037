"""What is deployed: asked of the functions that every deployment has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stages.convex.client import Deployment, FunctionError
from stages.errors import StagesError

# Of the plan's module, beside one function a table.
GENERAL_FUNCTIONS = (
    "readPage", "readDocuments", "findMissing", "epoch", "adopt", "remove", "clearLedger",
)  # fmt: skip


def call_admin(deployment: Deployment, function: str, args: Mapping[str, Any], rights: str) -> Any:
    """Result of a query of the system. Raises StagesError that names the `rights` it takes."""
    try:
        return deployment.query(function, dict(args))
    except FunctionError as error:
        raise StagesError(
            f"{deployment.target.label} does not say what it has: {error.words}",
            f"does the deploy key have {rights}?",
        ) from None

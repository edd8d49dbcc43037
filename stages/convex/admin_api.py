"""Functions that every deployment has: what is deployed, and which settings it has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stages.convex.client import Deployment, FunctionError
from stages.errors import StagesError


def call_admin(deployment: Deployment, function: str, args: Mapping[str, Any], rights: str) -> Any:
    """Result of a query of the system. Raises StagesError that names the `rights` it takes."""
    try:
        return deployment.query(function, dict(args))
    except FunctionError as error:
        raise StagesError(
            f"{deployment.target.label} does not say what it has: {error.words}",
            f"does the deploy key have {rights}?",
        ) from None

"""What Convex has of a row now."""

from __future__ import annotations

import json
from typing import Any

from stages.convex.client import Deployment
from stages.convex.ledger import require_target
from stages.convex.pages import read_documents
from stages.progress import Silent
from stages.project.plan import Plan
from stages.project.settings import Target
from stages.retry import Backoff
from stages.show.shown import Shown
from stages.sql import open_duckdb, text_sql
from stages.state.workspace import Workspace

# The user is waiting, and can see everything else without it.
ATTEMPTS = Backoff(attempts=2)


def document_now(
    plan: Plan, workspace: Workspace, target: Target, shown: Shown
) -> dict[str, Any] | None:
    """The document of the row as encoded JSON; None if Convex no longer has one with its id.

    Raises StagesError if Convex can't be asked.
    """
    require_target(workspace, target)
    found: list[tuple[Any, ...]] = []
    with Deployment(target, backoff=ATTEMPTS) as deployment, open_duckdb() as connection:
        wanted = f"SELECT {text_sql(str(shown.convex_id))}"
        for arrived in read_documents(
            connection, deployment, plan.module, shown.table, wanted, Silent()
        ):
            found += connection.execute(f"SELECT document::VARCHAR FROM {arrived}").fetchall()
    document: dict[str, Any] | None = json.loads(found[0][0]) if found else None
    return document

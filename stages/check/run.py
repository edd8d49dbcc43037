"""Check settings, connections, rights, models and the deployment before any data is moved."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace

from stages.check.models import check_models
from stages.check.source import check_source
from stages.convex.client import Channel, Deployment
from stages.convex.ledger import ask_epoch, unknown_tables
from stages.convex.pages import update_hint
from stages.convex.schema import Schema
from stages.decisions import left_open, listed
from stages.extract.catalog import Reading
from stages.project.plan import Plan
from stages.project.settings import Settings, Target
from stages.readiness import LEDGER, check_load, guarded, is_routed, list_functions
from stages.results import CheckResult
from stages.state.workspace import Workspace

# The channel that needs no admin key.
HTTP: Channel = "http-action"
LEAST_DISK = 1 << 30


def check(
    workspace: Workspace, plan: Plan, schema: Schema, settings: Settings
) -> Iterator[CheckResult]:
    """Check everything, one result at a time; a failed check does not end the others."""
    for result in _look(workspace, plan, schema, settings):
        # A hint written for another command may say to run this one.
        circular = result.hint is not None and "stages check" in result.hint
        yield replace(result, hint=None) if circular else result


def _look(
    workspace: Workspace, plan: Plan, schema: Schema, settings: Settings
) -> Iterator[CheckResult]:
    yield CheckResult("plan", True, f"{len(plan.tables)} tables, {len(plan.sources)} sources")
    yield from _decisions(workspace, plan)
    readings: dict[str, Reading] = {}
    yield from check_source(plan, settings.source, readings)
    if readings:
        yield from check_models(workspace, plan, schema, readings)
    for result in check_load(plan, schema, settings.target, list(plan.tables)):
        yield result
        # Without the ledger's table, the functions answer with an error of Convex.
        if result.name == "functions" and result.ok and LEDGER in schema.tables:
            yield from guarded("tables", lambda: _known_tables(plan, schema, settings.target))
    if settings.target.secret and settings.target.site_url:
        for result in guarded("HTTP action", lambda: _http_action(plan, settings)):
            yield result
            # The rest of what is deployed is listed only to the admin key.
            if result.ok and not settings.target.admin_key:
                yield from guarded(
                    "tables", lambda: _known_tables(plan, schema, settings.target, HTTP)
                )
    free = shutil.disk_usage(workspace.data if workspace.data.exists() else workspace.project).free
    yield CheckResult(
        "disk",
        free > LEAST_DISK,
        f"{free / 2**30:,.1f} GiB free for {workspace.data}",
        "make room, or choose another folder with --data",
    )


def _decisions(workspace: Workspace, plan: Plan) -> Iterator[CheckResult]:
    """What `stages init` has left for the user to decide, and is still marked in the files."""
    left = left_open(workspace, plan)
    if decisions := listed(left):
        yield CheckResult(
            "decisions",
            False,
            decisions,
            "decide there and delete the comment, or leave it where rejecting the rows is fine",
        )
    checks = sum(todo.kind == "check" for todo in left)
    if checks:
        detail = f"{checks} to review: grep -rn 'TODO check' {workspace.migrations}"
        yield CheckResult("pairs", True, detail)


def _known_tables(
    plan: Plan, schema: Schema, target: Target, channel: Channel = "functions"
) -> Iterator[CheckResult]:
    """Whether the functions were written for the plan's tables; a load checks this at its start."""
    with Deployment(target, channel) as deployment:
        unknown = unknown_tables(
            ask_epoch(deployment, plan.module),
            [name for name in plan.tables if name in schema.tables],
            [name for name in plan.references if name in schema.tables],
        )
    detail = (
        f"the functions were written for a plan without {', '.join(unknown)}"
        if unknown
        else "the functions know the plan's tables"
    )
    yield CheckResult("tables", not unknown, detail, update_hint(target))


def _http_action(plan: Plan, settings: Settings) -> Iterator[CheckResult]:
    """Whether the action is open. No result if it isn't routed and there is an admin key."""
    if settings.target.admin_key:
        with Deployment(settings.target, "functions") as deployment:
            if not is_routed(list_functions(deployment)):
                return
    with Deployment(settings.target, "http-action") as deployment:
        ask_epoch(deployment, plan.module)
    yield CheckResult("HTTP action", True, "POST /migrate accepts MIGRATION_SECRET")

"""Settings, connections, rights and the deployment's functions, before anything is moved."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from typing import Any

from stages.convex.admin_api import GENERAL_FUNCTIONS, call_admin
from stages.convex.client import Deployment
from stages.convex.ledger import ask_epoch, unknown_tables
from stages.convex.pages import UPDATE_FUNCTIONS
from stages.convex.schema import Schema
from stages.errors import StagesError
from stages.extract.reader import Reader
from stages.project.plan import Plan
from stages.project.settings import Settings
from stages.results import CheckResult
from stages.state.workspace import Workspace

LEAST_DISK = 1 << 30
RIGHTS = "the right deployment:data:view"


def check(
    workspace: Workspace, plan: Plan, schema: Schema, settings: Settings
) -> Iterator[CheckResult]:
    """Look at everything, one finding at a time; a failure of one does not end the others."""
    source, target = settings.source, settings.target
    yield CheckResult("plan", True, f"{len(plan.tables)} tables, {len(plan.sources)} sources")
    if source.db_url:
        yield from _guarded("Postgres", lambda: _postgres(plan, settings))
    if source.url:
        yield from _guarded("REST", lambda: _rest(plan, settings))
    if target.admin_key:
        yield from _guarded("Convex", lambda: _deployment(plan, schema, settings))
    if target.secret and target.site_url:
        yield from _guarded("HTTP action", lambda: _http_action(plan, settings))
    free = shutil.disk_usage(workspace.data if workspace.data.exists() else workspace.project).free
    yield CheckResult(
        "disk",
        free > LEAST_DISK,
        f"{free / 2**30:,.1f} GiB free for {workspace.data}",
        "make room, or choose another folder with --data",
    )


def _guarded(name: str, look: Callable[[], list[CheckResult]]) -> Iterator[CheckResult]:
    try:
        yield from look()
    except StagesError as error:
        yield CheckResult(name, False, error.message, error.hint)


def _postgres(plan: Plan, settings: Settings) -> list[CheckResult]:
    from stages.extract.postgres import PostgresReader

    reader = PostgresReader(settings.source)
    try:
        role = reader.role()
        return [
            CheckResult(
                "Postgres",
                role["bypass"],
                f"{settings.source.label}, as {role['name']}"
                + ("" if role["bypass"] else ", which row security limits"),
                "use a role with BYPASSRLS, such as postgres of the project",
            ),
            _tables("Postgres", plan, reader),
        ]
    finally:
        reader.close()


def _rest(plan: Plan, settings: Settings) -> list[CheckResult]:
    from stages.extract.rest import RestReader

    reader = RestReader(settings.source, {entry.schema for entry in plan.sources.values()})
    try:
        return [
            CheckResult("REST", True, f"{settings.source.label}, with a service key"),
            _tables("REST", plan, reader),
            *_key(plan, settings, reader),
        ]
    finally:
        reader.close()


def _key(plan: Plan, settings: Settings, reader: Reader) -> Iterator[CheckResult]:
    """What the key opens, as the vendor's own client sees it."""
    from stages.extract.key_check import prove_key

    catalog = reader.catalog()
    readable = [s for s in plan.sources.values() if (s.schema, s.table) in catalog]
    for opened in prove_key(settings.source, readable[0]) if readable else ():
        yield CheckResult(
            f"key for {opened.api}",
            opened.ok,
            opened.detail,
            "copy the service_role or sb_secret_ key again from the project's API settings",
        )


def _tables(name: str, plan: Plan, reader: Reader) -> CheckResult:
    """A missing table is told, and is no failure where the plan says `report`."""
    catalog = reader.catalog()
    gone = [s for s in plan.sources.values() if (s.schema, s.table) not in catalog]
    fatal = [s.name for s in gone if s.on_missing == "fail"]
    detail = f"{len(plan.sources) - len(gone)} of {len(plan.sources)} sources are there"
    if gone:
        detail += f"; missing: {', '.join(s.name for s in gone)}"
    return CheckResult(f"{name} tables", not fatal, detail, "create them, or edit the plan")


def _deployment(plan: Plan, schema: Schema, settings: Settings) -> list[CheckResult]:
    push = "push convex/ to it: npx convex deploy (dev: npx convex dev --once)"
    with Deployment(settings.target, "functions") as deployment:
        spec = call_admin(deployment, "_system/cli/modules:apiSpec", {}, RIGHTS)
        deployed = call_admin(
            deployment, "_system/frontend/getSchemas", {"componentId": None}, RIGHTS
        )
        known = _known_tables(plan, schema, deployment, spec)
    functions = {
        each["identifier"].replace(".js:", ":"): each["visibility"]["kind"]
        for each in spec
        if "identifier" in each
    }
    needed = [table.function for table in plan.tables.values() if table.name in schema.tables]
    needed += [f"{plan.module}:{name}" for name in GENERAL_FUNCTIONS]
    lacking = [name for name in needed if name not in functions]
    public = [
        name
        for name, kind in functions.items()
        if kind == "public" and name.startswith(f"{plan.module}:")
    ]
    active = json.loads(deployed["active"]) if deployed.get("active") else None
    same = active is not None and _tables_of(active) == _tables_of(dict(schema.exported))
    return [
        CheckResult("Convex", True, f"{settings.target.label}, with an admin key"),
        CheckResult(
            "functions",
            not lacking,
            f"all {len(needed)} are there" if not lacking else f"missing: {', '.join(lacking)}",
            push,
        ),
        *known,
        CheckResult(
            "visibility",
            not public,
            "all are internal" if not public else f"anybody may call {', '.join(public)}",
            "make them internal and push again",
        ),
        CheckResult(
            "schema",
            same,
            "the deployment has convex/schema.ts as it is here"
            if same
            else "the deployment has another schema than convex/schema.ts",
            push,
        ),
    ]


def _known_tables(
    plan: Plan, schema: Schema, deployment: Deployment, spec: list[dict[str, Any]]
) -> list[CheckResult]:
    """Whether the functions, where they are there, were written for the plan's tables."""
    if not any(each.get("identifier") == f"{plan.module}.js:epoch" for each in spec):
        return []
    unknown = unknown_tables(
        ask_epoch(deployment, plan.module),
        [name for name in plan.tables if name in schema.tables],
        [name for name in plan.references if name in schema.tables],
    )
    detail = (
        f"the functions were written for a plan without {', '.join(unknown)}"
        if unknown
        else "the functions know the plan's tables, and no others"
    )
    return [CheckResult("tables", not unknown, detail, UPDATE_FUNCTIONS)]


def _tables_of(exported: dict[str, Any]) -> dict[str, Any]:
    return {table["tableName"]: table["documentType"] for table in exported["tables"]}


def _http_action(plan: Plan, settings: Settings) -> list[CheckResult]:
    with Deployment(settings.target, "http-action") as deployment:
        ask_epoch(deployment, plan.module)
    return [CheckResult("HTTP action", True, "POST /migrate is open to MIGRATION_SECRET")]

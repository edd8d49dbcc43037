"""What a load needs in Convex: the tables in schema.ts, and the deployed functions and schema.

`stages check` reports the results, and a load refuses to start if anything is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from stages.convex.admin_api import GENERAL_FUNCTIONS, call_admin
from stages.convex.client import Deployment
from stages.convex.pages import update_hint
from stages.convex.schema import Schema
from stages.errors import StagesError
from stages.project.plan import Plan
from stages.project.settings import Target
from stages.results import CheckResult

LEDGER = "migrationLedger"
RIGHTS = "the right deployment:data:view"


def check_load(
    plan: Plan, schema: Schema, target: Target, tables: Sequence[str]
) -> Iterator[CheckResult]:
    """Check whether the tables can be loaded; yields one result at a time.

    Only an admin key can list what is deployed. Without one, a load learns when it begins, from the
    HTTP action's `epoch`, whether the functions know the tables; but not whether the deployed
    schema matches, nor whether a function is public.
    """
    yield _local_schema(schema)
    if target.admin_key:
        yield from guarded("Convex", lambda: _deployed(plan, schema, target, tables))


def require_ready(plan: Plan, schema: Schema, target: Target, tables: Sequence[str]) -> None:
    """Raise StagesError if anything is wrong that would make a load fail."""
    wrong = [result for result in check_load(plan, schema, target, tables) if not result.ok]
    if wrong:
        raise StagesError(
            "the load does not start: "
            + "; ".join(f"{result.name}: {result.detail}" for result in wrong),
            wrong[0].hint,
        )


def guarded(name: str, look: Callable[[], Iterable[CheckResult]]) -> Iterator[CheckResult]:
    """Yield the results; an error becomes the last one."""
    try:
        yield from look()
    except StagesError as error:
        yield CheckResult(name, False, error.message, error.hint)


def is_routed(spec: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the deployment has the HTTP action `POST /migrate`."""
    return any(
        each.get("functionType") == "HttpAction" and each.get("path") == "/migrate" for each in spec
    )


def list_functions(deployment: Deployment) -> list[dict[str, Any]]:
    """List the functions and HTTP actions of a deployment; needs an admin key."""
    spec: list[dict[str, Any]] = call_admin(deployment, "_system/cli/modules:apiSpec", {}, RIGHTS)
    return spec


def _local_schema(schema: Schema) -> CheckResult:
    return CheckResult(
        "schema.ts",
        LEDGER in schema.tables,
        f"{len(schema.tables)} tables, with the ledger"
        if LEDGER in schema.tables
        else f"convex/schema.ts lacks ...stagesTables, which holds the table {LEDGER}",
        'add to it: import { stagesTables } from "./stagesTables"; and ...stagesTables, inside of '
        "defineSchema({ … }), or with convex-ents ...defineEntsFromTables(stagesTables), inside of "
        "defineEntSchema({ … }); then push convex/",
    )


def _deployed(
    plan: Plan, schema: Schema, target: Target, tables: Sequence[str]
) -> Iterator[CheckResult]:
    loaded = [plan.tables[name] for name in tables if name in schema.tables]
    with Deployment(target, "functions") as deployment:
        spec = list_functions(deployment)
        deployed = call_admin(
            deployment, "_system/frontend/getSchemas", {"componentId": None}, RIGHTS
        )
    push = f"push convex/ to it: {target.push}"
    functions = {
        each["identifier"].replace(".js:", ":"): each["visibility"]["kind"]
        for each in spec
        if "identifier" in each
    }
    general = {f"{plan.module}:{name}" for name in GENERAL_FUNCTIONS}
    needed = [*(table.function for table in loaded), *sorted(general)]
    lacking = [name for name in needed if name not in functions]
    public = [
        name
        for name, kind in functions.items()
        if kind == "public" and name.startswith(f"{plan.module}:")
    ]
    yield CheckResult("Convex", True, f"{target.label}, with an admin key")
    yield CheckResult(
        "functions",
        not lacking,
        f"all {len(needed)} are deployed" if not lacking else f"missing: {', '.join(lacking)}",
        # If they were written for another plan, there is nothing here to push.
        update_hint(target) if general.isdisjoint(lacking) else push,
    )
    yield CheckResult(
        "visibility",
        not public,
        "all are internal" if not public else f"anyone can call {', '.join(public)}",
        "make them internal and push again",
    )
    difference = _schema_difference(schema, deployed.get("active"))
    yield CheckResult(
        "schema", not difference, difference or "the deployment has convex/schema.ts as it is here",
        push,
    )  # fmt: skip


def _schema_difference(schema: Schema, active: str | None) -> str:
    """How the deployed schema differs from schema.ts, in one sentence; empty if it does not."""
    if not active:
        return "the deployment has no schema"
    there, here = _tables_of(json.loads(active)), _tables_of(schema.exported)
    parts = []
    lacking = [name for name in here if name not in there]
    if LEDGER in lacking:
        parts.append("it lacks ...stagesTables")
    for words, names in (
        ("it lacks the table", [name for name in lacking if name != LEDGER]),
        ("only the deployment has", [name for name in there if name not in here]),
        ("not the same", [n for n in here if n in there and here[n] != there[n]]),
    ):
        if names:
            parts.append(f"{words}: {', '.join(sorted(names))}")
    if not parts:
        return ""
    return "the deployment has another schema than convex/schema.ts; " + "; ".join(parts)


def _tables_of(exported: Mapping[str, Any]) -> dict[str, Any]:
    return {table["tableName"]: table["documentType"] for table in exported["tables"]}

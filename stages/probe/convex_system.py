"""What stages expects of the `_system/…` functions, which are undocumented: each that it calls."""

from __future__ import annotations

import json

from stages.convex import ids
from stages.probe.checks import Checks, Seen
from stages.probe.deployment import ProbedDeployment, allowed, table_numbers
from stages.readiness import list_functions

CHECKS = Checks[ProbedDeployment]()


@CHECKS.of("Convex 9: functions of the system")
def every_table_has_a_number(convex: ProbedDeployment) -> Seen:
    """Every table of the schema has a number of its own from 10,001, once the schema is pushed."""
    numbers = table_numbers(convex)
    lacking = [name for name in convex.schema.tables if name not in numbers]
    low = [n for name, n in numbers.items() if name in convex.schema.tables if n < ids.FIRST_NUMBER]
    words = f"{len(numbers)} numbers; {len(lacking)} tables lack one; {len(low)} are below 10,001"
    return Seen(words, not lacking and not low)


@CHECKS.of("Convex 9: functions of the system")
def it_lists_its_functions(convex: ProbedDeployment) -> Seen:
    """It lists its functions, each with its visibility, and its HTTP actions to the deploy key."""
    deployment = convex.through("functions")
    spec = allowed(lambda: list_functions(deployment))
    ours = [each for each in spec if each.get("identifier", "").startswith(convex.plan.module)]
    return Seen(f"{len(spec)}, of them {len(ours)} of this migration", bool(ours))


@CHECKS.of("Convex 9: functions of the system")
def it_gives_its_schema(convex: ProbedDeployment) -> Seen:
    """It gives the schema that is deployed as JSON of the form that schema.ts exports."""
    deployed = convex.system("_system/frontend/getSchemas", {"componentId": None})
    active = json.loads(deployed.get("active") or "{}")
    tables = active.get("tables", [])
    whole = bool(tables) and all("tableName" in t and "documentType" in t for t in tables)
    return Seen(f"{len(tables)} tables", whole)


@CHECKS.of("Convex 9: functions of the system")
def it_counts_a_table(convex: ProbedDeployment) -> Seen:
    """It says how many documents a table has."""
    name = convex.sample.table.name
    allowed(lambda: convex.snapshots.table_size(name))
    return Seen("a number", True)


@CHECKS.of("Convex 9: functions of the system")
def it_gives_its_last_export(convex: ProbedDeployment) -> Seen:
    """It gives the state of the last export, or null where there is none."""
    export = convex.system("_system/cli/exports:getLatest", {})
    return Seen("none" if export is None else "one", True)


@CHECKS.of("Convex 9: functions of the system")
def it_looks_up_a_variable(convex: ProbedDeployment) -> Seen:
    """It gives a variable of the deployment with its name, or null where it is not set."""
    name = "STAGES_PROBE_OF_NOTHING"
    variable = convex.system("_system/cli/queryEnvironmentVariables:get", {"name": name})
    return Seen("null for one that is not set", variable is None)


@CHECKS.of("Convex 9: functions of the system")
def it_reads_a_table_in_pages(convex: ProbedDeployment) -> Seen:
    """`_system/cli/tableData` reads a table in pages, without any function of ours."""
    options = {"numItems": 1, "cursor": None}
    args = {"table": convex.sample.table.name, "order": "asc", "paginationOpts": options}
    page = convex.system("_system/cli/tableData", args)
    whole = isinstance(page, dict) and {"page", "isDone", "continueCursor"} <= set(page)
    return Seen("a page and a cursor" if whole else "another answer", whole)

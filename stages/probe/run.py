"""Run a probe: on a deployment that may be written to, and a source."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stages.convex.schema import Schema
from stages.errors import UserError
from stages.probe import (
    convex_api,
    convex_files,
    convex_imports,
    convex_system,
    convex_writes,
)
from stages.probe.checks import Check, Checks, Seen, examine, not_asked
from stages.probe.deployment import ProbedDeployment
from stages.probe.findings import Finding
from stages.probe.leftovers import remove_leftovers
from stages.probe.redaction import NO_ANSWER
from stages.probe.source import probe_source, source_checks
from stages.project.plan import Plan
from stages.project.settings import Settings
from stages.state.workspace import Workspace

BEFORE = Checks[ProbedDeployment]()
AFTER = Checks[ProbedDeployment]()
CLEANING = "What a probe leaves"


@BEFORE.of(CLEANING)
def nothing_is_left_of_an_earlier_probe(convex: ProbedDeployment) -> Seen:
    """What an interrupted probe left behind is found and removed."""
    removed = remove_leftovers(convex)
    listed = ", ".join(f"{number} {what}" for what, number in sorted(removed.items()))
    return Seen(f"removed: {listed}" if listed else "nothing was left", True)


@AFTER.of(CLEANING)
def nothing_is_left_of_this_one(convex: ProbedDeployment) -> Seen:
    """At the end, nothing that the probe has made is there any more."""
    remove_leftovers(convex)
    left = remove_leftovers(convex)
    return Seen(f"{left.total()} things" if left else "nothing is left", not left)


# In this order: first the checks that need no document, then those that write.
CONVEX = (
    BEFORE,
    convex_api.CHECKS,
    convex_writes.CHECKS,
    convex_imports.CHECKS,
    convex_system.CHECKS,
    convex_files.CHECKS,
    AFTER,
)


def all_checks() -> Iterator[Check[Any]]:
    """Every check, in the order in which they run."""
    for checks in CONVEX:
        yield from checks
    yield from source_checks()


def probe(
    workspace: Workspace, plan: Plan, schema: Schema, settings: Settings
) -> Iterator[Finding]:
    """Yield each finding as soon as it is known. What was created is removed even if interrupted.

    Raises UserError, before any request, for a production deployment.
    """
    target = settings.target
    if target.production:
        known = "is" if target.certain else "may be"
        raise UserError(
            f"`{target.deployment}` {known} a production deployment, and a probe writes to what it "
            "probes",
            "name a development deployment in the plan, as [targets.dev], then: "
            "stages --target dev check --probe",
        )
    convex = ProbedDeployment(workspace, plan, schema, target)
    try:
        yield from _convex_findings(convex)
    finally:
        convex.close()
    yield from probe_source(settings.source, plan)


def _convex_findings(convex: ProbedDeployment) -> Iterator[Finding]:
    """If the deployment does not answer at all, it is not asked again: every request would take as
    long."""
    ended = silent = False
    words = convex.redaction.words
    try:
        for checks in CONVEX:
            for check in checks:
                finding = examine(check, convex, words) if not silent else not_asked(check)
                silent = silent or (finding.verdict, finding.seen) == ("failed", NO_ANSWER)
                yield finding
        ended = True
    finally:
        if not ended:
            remove_leftovers(convex)

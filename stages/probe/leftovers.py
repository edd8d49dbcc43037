"""Find and remove what a probe has created: at its end, or in the next probe if it was killed."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from itertools import count

from stages.convex.client import FunctionError
from stages.convex.pages import find_missing
from stages.convex.snapshots import UnknownImport
from stages.errors import StagesError
from stages.probe.checks import NotChecked
from stages.probe.convex_files import delete_files
from stages.probe.deployment import ALL_KEYS, IMPORTED, ProbedDeployment
from stages.retry import Threads, pause
from stages.state.probes import Probe, read_probe, write_probe

SIDE_BY_SIDE = 8
# Seconds between passes, and their maximum number.
BETWEEN = 0.3
MOST_PASSES = 10
# Seconds to wait for the end of an import that is under way.
PATIENCE = 60.0
NOTHING = "0"


def remove_leftovers(convex: ProbedDeployment) -> Counter[str]:
    """Remove what a probe left: documents, their ledger rows, imports, files. Returns the counts.

    Requests that a probe had sent when it was killed may take effect a moment later, so passes
    repeat until nothing is found. Raises StagesError if something can't be removed now.
    """
    removed = _remove(convex)
    for _ in range(MOST_PASSES):
        pause(BETWEEN)
        more = _remove(convex)
        removed += more
        if not more:
            break
    return removed


def _remove(convex: ProbedDeployment) -> Counter[str]:
    removed: Counter[str] = Counter()
    written = read_probe(convex.workspace)
    for import_id in written.imports:
        removed["imports"] += _end_import(convex, import_id)
    known = [name for name in convex.plan.tables if name in convex.schema.tables]
    # The functions only reach the plan's tables: documents in others stay recorded.
    out_of_reach = {d: table for d, table in written.documents.items() if table not in known}
    for document, table in written.documents.items():
        if document not in out_of_reach:
            removed["documents"] += _remove_imported(convex, table, document)
    with Threads(SIDE_BY_SIDE) as pool:
        for results in pool.map(lambda name: convex.remove(name, ALL_KEYS), known):
            removed["documents"] += sum(r["did"] in ("removed", "gone") for r in results)
    if convex.target.admin_key:
        with suppress(NotChecked, FunctionError):  # a key that can't list files has created none
            removed["files"] += delete_files(convex)
    write_probe(convex.workspace, Probe(documents=out_of_reach))
    return +removed


def _end_import(convex: ProbedDeployment, import_id: str) -> int:
    """Cancel a waiting import, or wait for its end; returns 1 if it had not ended yet."""
    try:
        snapshots = convex.snapshots
    except NotChecked:
        raise StagesError(
            "an earlier probe has begun an import, and no deploy key is set to end it",
            "set CONVEX_DEPLOY_KEY, then: stages check --probe",
        ) from None
    deadline = time.monotonic() + PATIENCE
    states = snapshots.states(import_id)
    for number in count():
        try:
            state = next(states)
        except UnknownImport:
            return 0
        if state.state in ("completed", "failed"):
            return int(number > 0)
        if state.state != "in_progress":
            snapshots.cancel(import_id)
        if time.monotonic() > deadline:
            break
    raise StagesError(
        "an import of an earlier probe is still under way",
        "wait for its end, then: stages check --probe",
    )


def _remove_imported(convex: ProbedDeployment, table: str, document: str) -> int:
    """Add an imported document to the ledger, then remove it; returns 1 if it existed."""
    deployment = convex.any_channel
    if find_missing(deployment, convex.plan.module, table, [document]):
        return 0
    record = {"sourceId": IMPORTED, "digest": NOTHING, "documentId": document}
    deployment.mutation(convex.name("adopt"), {"table": table, "records": [record]})
    convex.remove(table, [IMPORTED])
    return 1

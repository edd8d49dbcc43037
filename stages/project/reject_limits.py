"""Find tables with more rejects than the plan allows."""

from __future__ import annotations

from collections.abc import Mapping

from stages.errors import OverLimit
from stages.project.plan import Plan, allowed_rejects
from stages.state.manifests import TransformManifest, read_transform
from stages.state.workspace import Workspace


def staged_over_limit(workspace: Workspace, plan: Plan) -> list[OverLimit]:
    """`over_limit` of everything that is transformed."""
    manifests = {name: read_transform(workspace.transform(name)) for name in plan.tables}
    return over_limit(plan, {name: each for name, each in manifests.items() if each})


def over_limit(plan: Plan, manifests: Mapping[str, TransformManifest]) -> list[OverLimit]:
    """The tables, and the whole migration, that have more rejects than the plan allows."""
    passed = []
    total_rows = total_rejects = 0
    for name, manifest in manifests.items():
        # Rows that are dropped on purpose have a reason, and do not count.
        rows, rejects = manifest.source_rows, manifest.rejects - manifest.dropped
        total_rows += rows
        total_rejects += rejects
        limit = plan.tables[name].max_rejects
        if limit is not None and rejects > allowed_rejects(limit, rows):
            passed.append(OverLimit(table=name, rejects=rejects, rows=rows, limit=limit))
    if total_rejects > allowed_rejects(plan.max_rejects, total_rows):
        passed.append(
            OverLimit(table=None, rejects=total_rejects, rows=total_rows, limit=plan.max_rejects)
        )
    return passed

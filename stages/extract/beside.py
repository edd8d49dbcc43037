"""Tables of the source that are not in the plan: nobody has decided to leave them behind."""

from __future__ import annotations

from stages.extract.catalog import Relations
from stages.layout import counted
from stages.project.plan import Plan

SHOWN = 10


def tables_beside(plan: Plan, catalog: Relations) -> str:
    """How many there are in the schemas of the plan, and which; empty if there are none."""
    planned = {(entry.schema, entry.table) for entry in plan.sources.values()}
    schemas = {schema for schema, _ in planned if schema not in ("auth", "storage")}
    others = sorted(f"{s}.{t}" for s, t in catalog if s in schemas and (s, t) not in planned)
    if not others:
        return ""
    shown = ", ".join(others[:SHOWN]) + (" …" if len(others) > SHOWN else "")
    return f"not in the plan: {counted(len(others), 'table')} ({shown})"

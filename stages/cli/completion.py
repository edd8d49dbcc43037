"""Shell completion of table and target names, from the project's plan."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stages.errors import StagesError

if TYPE_CHECKING:
    from stages.project.plan import Plan


def complete_tables(context: click.Context, _: click.Parameter, begun: str) -> list[str]:
    """Targets, reference tables and sources of the plan."""
    plan = _plan(context)
    if plan is None:
        return []
    return _begun(begun, [*plan.tables, *plan.references, *plan.sources])


def complete_targets(context: click.Context, _: click.Parameter, begun: str) -> list[str]:
    """[targets.NAME] of the plan, and the sandbox."""
    plan = _plan(context)
    return _begun(begun, [*(plan.targets if plan else ()), "sandbox"])


def _plan(context: click.Context) -> Plan | None:
    from stages.project.plan_reader import load_plan
    from stages.state.workspace import plan_file

    project = context.find_root().params.get("project") or Path()
    try:
        return load_plan(plan_file(Path(project)))
    except StagesError:
        return None


def _begun(begun: str, names: Iterable[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if name.startswith(begun)]

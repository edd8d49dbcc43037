"""This repository's own convex/ is made from stages/convex/functions, as init makes that of others.

`make functions` writes it; a test compares.
"""

from __future__ import annotations

from stages.convex.schema import Schema, export_schema
from stages.init.typescript import (
    generated,
    http_action,
    http_route,
    ledger_tables,
    loading_functions,
)
from stages.project.plan_reader import load_plan
from tests.support.command_line import ROOT

CONVEX = ROOT / "convex"


def texts() -> dict[str, str]:
    """File of convex/ → what it has to hold."""
    plan = load_plan(ROOT / ".planning" / "migrations" / "plan.toml")
    schema = Schema(export_schema(CONVEX))
    tables = [name for name in schema.tables if name in plan.tables]
    references = [name for name in schema.tables if name in plan.references]
    return {
        "migrate.ts": loading_functions(tables, references),
        "channel.ts": http_action(),
        "http.ts": http_route("migrate", "channel"),
        "stagesTables.ts": ledger_tables(),
        **{f"_generated/{name}": text for name, text in generated().items()},
    }


def main() -> None:
    for name, text in texts().items():
        (CONVEX / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main()

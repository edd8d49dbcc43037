"""`stages rollback`."""

from __future__ import annotations

import time
from collections.abc import Mapping

import click

from stages.cli.consent import confirm_deletion, yes_option
from stages.cli.context import (
    Context,
    cli,
    json_option,
    pass_context,
    progress_of,
    tables_argument,
)
from stages.errors import Shortfall


@cli.command()
@tables_argument
@click.option("--force", is_flag=True, help="Delete what the app has changed since, too.")
@yes_option
@json_option
@pass_context
def rollback(
    context: Context, tables: tuple[str, ...], force: bool, yes: str | None, as_json: bool
) -> None:
    """Delete from Convex what was loaded, children first.

    TABLE is a source or a target name, or a glob such as 'ari_*'; all where none is given.
    Documents that the app has changed since are kept.
    """
    from stages.convex.schema import load_schema
    from stages.report.build import write_report
    from stages.rollback import RollbackOptions
    from stages.rollback import rollback as run
    from stages.state.lock import data_lock

    began = time.monotonic()
    workspace, plan = context.workspace, context.plan
    with progress_of(as_json) as progress, data_lock(workspace):
        settings = context.settings()
        context.announce(settings, progress)

        def confirm(documents: Mapping[str, int]) -> None:
            listed = ", ".join(f"{rows:,} of {name}" for name, rows in documents.items())
            confirm_deletion(settings, f"delete from {settings.target.label}: {listed}", yes)

        options = RollbackOptions(tables=tables, force=force)
        schema = load_schema(workspace)
        removals = run(workspace, plan, schema, settings.target, options, confirm, progress)
        if not removals:
            progress.note("nothing is loaded")
        write_report(workspace, plan, settings.target, time.monotonic() - began)
    kept = [f"{removal.kept:,} of {name}" for name, removal in removals.items() if removal.kept]
    if kept:
        raise Shortfall(
            f"documents that the app has changed are kept: {', '.join(kept)}; what they refer to "
            "is gone where its table was rolled back",
            "delete them too with: stages rollback --force",
        )

"""`stages check`."""

from __future__ import annotations

from stages.cli.context import Context, cli, json_option, pass_context, print_check_results
from stages.errors import Shortfall


@cli.command()
@json_option
@pass_context
def check(context: Context, as_json: bool) -> None:
    """Look at settings, connections, rights, and the deployment's functions and schema."""
    from stages.check import check as run
    from stages.convex.schema import Schema, export_schema

    settings = context.settings()
    schema = Schema(export_schema(context.workspace.convex))
    results = run(context.workspace, context.plan, schema, settings)
    if not print_check_results(results, as_json):
        raise Shortfall("not everything is ready", "mend what is WRONG, then: stages check")

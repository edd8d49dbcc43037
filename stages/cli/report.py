"""`stages report`."""

from __future__ import annotations

import click

from stages.cli.context import Context, cli, json_option, pass_context, print_json


@cli.command()
@json_option
@pass_context
def report(context: Context, as_json: bool) -> None:
    """Write the report and the summary again, and print the summary."""
    from stages.report.build import write_report
    from stages.state.durable import read_json

    workspace, plan = context.workspace, context.plan
    write_report(workspace, plan, None, 0.0)
    if as_json:
        print_json(read_json(workspace.project / plan.report_json))
    else:
        click.echo((workspace.project / plan.report_summary).read_text("utf-8"), nl=False)

"""`stages report`."""

from __future__ import annotations

import click

from stages.cli.context import Context, cli, json_option, pass_context, print_json


@cli.command()
@click.option("--replace", is_flag=True, help="Also a report of another data folder, holding more.")
@json_option
@pass_context
def report(context: Context, replace: bool, as_json: bool) -> None:
    """Write the report and the summary again, and print the summary."""
    result = context.migration().report(replace=replace)
    if as_json:
        print_json(result.figures)
    else:
        click.echo(result.markdown, nl=False)

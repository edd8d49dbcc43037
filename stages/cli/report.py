"""`stages report`."""

from __future__ import annotations

import click

from stages.cli.context import Context, cli, json_option, pass_context, print_json


@cli.command()
@json_option
@pass_context
def report(context: Context, as_json: bool) -> None:
    """Write the report and the summary again, and print the summary."""
    result = context.migration().report()
    if as_json:
        print_json(result.figures)
    else:
        click.echo(result.markdown, nl=False)

"""`stages status`."""

from __future__ import annotations

import click

from stages.cli.context import Context, cli, json_option, pass_context, print_json


@cli.command()
@json_option
@pass_context
def status(context: Context, as_json: bool) -> None:
    """Tell where each table stands, and what to run next; reads only files."""
    from stages.status import as_text
    from stages.status import status as run

    standing = run(context.workspace, context.plan)
    if as_json:
        print_json(standing)
    else:
        click.echo(as_text(standing))

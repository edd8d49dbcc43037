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

    standing = context.migration().status()
    if as_json:
        print_json(standing.to_json())
    else:
        click.echo(as_text(standing))

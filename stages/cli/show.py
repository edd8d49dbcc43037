"""`stages show`."""

from __future__ import annotations

import click

from stages.cli.completion import complete_tables
from stages.cli.context import (
    Context,
    cli,
    json_option,
    pass_context,
    print_json,
    print_lines,
    screen_width,
)


@cli.command()
@click.argument("table", shell_complete=complete_tables)
@click.argument("row", metavar="KEY")
@click.option(
    "--offline", is_flag=True, help="Read files only; do not ask Convex for the document."
)
@json_option
@pass_context
def show(context: Context, table: str, row: str, offline: bool, as_json: bool) -> None:
    """Show one row's path from source to Convex: where each value came from and where it went.

    KEY is the row's key at the source, as _source_id has it, or its Convex id. Values of the row
    are printed as they are.
    """
    from stages.show.text import as_lines

    shown = context.migration().show(table, row, convex=not offline)
    if as_json:
        print_json(shown.to_json())
    else:
        print_lines(as_lines(shown, screen_width()))

"""`stages rejects`."""

from __future__ import annotations

import click

from stages.cli.context import Context, cli, json_option, pass_context, print_json


@cli.command()
@click.argument("tables", metavar="[TABLE]...", nargs=-1)
@click.option("--rule", help="Only this rule, one of docs/rules.md.")
@json_option
@pass_context
def rejects(context: Context, tables: tuple[str, ...], rule: str | None, as_json: bool) -> None:
    """Show what fell out at transform and at load, by rule, and where to edit."""
    from stages.rejects import as_text

    groups = context.migration().rejects(tables, rule=rule)
    if as_json:
        print_json([vars(group) for group in groups])
    else:
        click.echo(as_text(groups))

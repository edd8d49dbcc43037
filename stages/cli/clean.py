"""`stages clean`."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import click

from stages.cli.consent import consent_of, yes_option
from stages.cli.context import (
    Context,
    cli,
    pass_context,
)

if TYPE_CHECKING:
    from stages.migration import What


@cli.command()
@click.option(
    "--staged", "what", flag_value="staged", default=True, help="All staged files, of all targets."
)
@click.option("--target-folder", "what", flag_value="target", help="This target's folder only.")
@click.option(
    "--ledger", "what", flag_value="ledger", help="The ledger in Convex; the documents stay."
)
@click.option("--all", "what", flag_value="all", help="The ledger, then all staged files.")
@yes_option
@pass_context
def clean(context: Context, what: str, yes: str | None) -> None:
    """Remove staged files or the ledger, and list what only you can remove.

    Nothing in Supabase and no document in Convex is deleted.
    """
    with context.reporting() as migration:
        steps = migration.clean(cast("What", what), consent=consent_of(yes))
    if steps:
        click.echo("left for you to remove, if it exists:")
    for step in steps:
        click.echo(f"  - {step}")

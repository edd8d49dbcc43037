"""`stages rollback`."""

from __future__ import annotations

import click

from stages.cli.consent import consent_of, yes_option
from stages.cli.context import (
    Context,
    cli,
    json_option,
    pass_context,
    tables_argument,
)


@cli.command()
@tables_argument
@click.option(
    "--force", is_flag=True, help="Also delete documents that the app has changed since the load."
)
@yes_option
@json_option
@pass_context
def rollback(
    context: Context, tables: tuple[str, ...], force: bool, yes: str | None, as_json: bool
) -> None:
    """Delete from Convex what was loaded, children first.

    TABLE is a source or target name, or a glob such as 'ari_*'. Default: all tables.
    Documents that the app has changed since the load are kept.
    """
    with context.reporting("rollback", as_json=as_json) as migration:
        result = migration.rollback(tables, force=force, consent=consent_of(yes))
    result.raise_if_wrong()

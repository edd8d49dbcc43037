"""`stages verify`."""

from __future__ import annotations

import click

from stages.cli.context import (
    Context,
    check_files_option,
    cli,
    json_option,
    pass_context,
    print_check,
    print_checked,
    tables_argument,
)
from stages.errors import UserError


@cli.command()
@tables_argument
@click.option(
    "--source",
    is_flag=True,
    help="Also check whether the source has changed since it was extracted.",
)
@click.option(
    "--sample",
    metavar="N",
    type=click.IntRange(1),
    help="Only N documents per table, always the same ones.",
)
@click.option(
    "--final",
    is_flag=True,
    help="Only check for functions and secrets of the migration that are still deployed.",
)
@check_files_option
@json_option
@pass_context
def verify(
    context: Context,
    tables: tuple[str, ...],
    source: bool,
    sample: int | None,
    final: bool,
    as_json: bool,
) -> None:
    """Read Convex back and compare it with what is staged.

    TABLE is a source or target name, or a glob such as 'ari_*'. Default: all tables.
    """
    if final:
        if tables or source or sample:
            hint = context.migration().hint("run it alone: stages verify --final")
            raise UserError("--final checks no tables", hint)
        checked = context.migration(None if as_json else print_check).verify_final()
        if as_json:
            print_checked(checked)
        checked.raise_if_wrong()
        return
    with context.reporting("verify", as_json=as_json) as migration:
        result = migration.verify(tables, source=source, sample=sample)
    result.raise_if_wrong()

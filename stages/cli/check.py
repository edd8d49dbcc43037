"""`stages check`."""

from __future__ import annotations

from stages.cli.context import (
    Context,
    cli,
    json_option,
    pass_context,
    print_check,
    print_checked,
    print_note,
)


@cli.command()
@json_option
@pass_context
def check(context: Context, as_json: bool) -> None:
    """Look at settings, connections, rights, models, and what is deployed."""
    checked = context.migration(print_note if as_json else print_check).check()
    if as_json:
        print_checked(checked)
    checked.raise_if_wrong()

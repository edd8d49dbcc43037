"""`stages clean`."""

from __future__ import annotations

import click

from stages.cli.consent import confirm_deletion, yes_option
from stages.cli.context import (
    Context,
    cli,
    pass_context,
    progress_of,
)


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
    """Remove staged files, or the ledger, and tell what only you can remove.

    Nothing is deleted in Supabase, and no document in Convex.
    """
    from stages.clean import clear_ledger, hand_steps, remove_all, staged_files, target_files
    from stages.state.lock import data_lock

    workspace, plan = context.workspace, context.plan
    with progress_of(False) as progress, data_lock(workspace):
        if what in ("ledger", "all"):
            settings = context.settings()
            confirm_deletion(
                settings,
                f"empty the ledger of {settings.target.label}: nothing loaded can be verified, "
                "rolled back or loaded again after that",
                yes,
            )
            clear_ledger(workspace, plan, settings.target, progress)
        if what != "ledger":
            files = target_files(workspace) if what == "target" else staged_files(workspace)
            listed = ", ".join(str(file) for file in files) or "nothing"
            if yes is None:
                click.confirm(f"remove {listed}?", abort=True, err=True)
            remove_all(files)
    if what in ("ledger", "all"):
        click.echo("left for you, where it is there:")
        for step in hand_steps(plan):
            click.echo(f"  - {step}")

"""The local Supabase and Convex."""

from __future__ import annotations

from typing import Any

import click

from stages.cli.context import Context, cli, json_option, pass_context, print_json
from stages.errors import UserError
from stages.progress import Lines
from stages.project.settings import SANDBOX


@cli.group()
def sandbox() -> None:
    """A whole Supabase and a whole Convex on this machine, for trying and testing."""


@sandbox.command()
@click.option("--renew", is_flag=True, help="Remove what is staged of a sandbox that is gone.")
@json_option
@pass_context
def up(context: Context, renew: bool, as_json: bool) -> None:
    """Start what does not run yet."""
    from stages import sandbox as machine

    migration = context.migration()
    target = migration.named_target or "sandbox"
    if not SANDBOX.fullmatch(target):
        raise UserError(
            f"`{target}` is not a sandbox", "say --target sandbox, or sandbox-NAME for one more"
        )
    state = machine.up(migration.project, [target], Lines())
    if renew:
        migration.renew_sandbox(state)
    _print_sandbox(state, as_json)


@sandbox.command()
@pass_context
def down(context: Context) -> None:
    """Stop all of it. What Postgres holds is kept; Convex' state is in memory, and goes."""
    from stages import sandbox as machine

    machine.down(context.migration().project)


@sandbox.command("status")
@json_option
@pass_context
def sandbox_status(context: Context, as_json: bool) -> None:
    """Tell what runs; starts nothing."""
    from stages import sandbox as machine

    _print_sandbox(machine.status(context.migration().project), as_json)


@sandbox.command()
@pass_context
def reset(context: Context) -> None:
    """Stop all of it and delete what it holds; the next one is made anew."""
    from stages import sandbox as machine

    machine.reset(context.migration().project)


def _print_sandbox(state: Any, as_json: bool) -> None:
    if as_json:
        summary = state and {
            "source": {"ref": state.source.ref, "url": state.source.url},
            "deployments": {
                name: {"name": d.name, "url": d.url, "site_url": d.site_url}
                for name, d in state.deployments.items()
            },
        }
        print_json(summary)
    elif state is None:
        click.echo("the sandbox is not running")
    else:
        click.echo(f"Supabase {state.source.ref} at {state.source.url}")
        for name, deployment in state.deployments.items():
            click.echo(f"Convex {deployment.name} at {deployment.url} (target {name})")

"""The local Supabase and Convex."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from stages.cli.context import (
    Context,
    cli,
    json_option,
    pass_context,
    print_json,
    shown_progress,
)
from stages.errors import UserError
from stages.project.settings import names_sandbox

if TYPE_CHECKING:
    from stages.migration import Migration
    from stages.sandbox import Running


@cli.group()
def sandbox() -> None:
    """A whole Supabase and a whole Convex on this machine, for trying and testing.

    --target sandbox is both. A target with convex = "sandbox" in the plan reads your own project,
    and loads into a Convex on this machine.
    """


@sandbox.command()
@click.option(
    "--renew",
    is_flag=True,
    help="Discard the documents of a Convex that is not running, or whose schema.ts no longer "
    "accepts them, and staged files of a sandbox that no longer exists.",
)
@json_option
@pass_context
def up(context: Context, renew: bool, as_json: bool) -> None:
    """Start whatever is not running yet."""
    migration = context.migration()
    running = _start(migration, renew=renew)
    if renew:
        migration.renew_sandbox(running)
    _print_sandbox(running, as_json)


@sandbox.command()
@json_option
@pass_context
def push(context: Context, as_json: bool) -> None:
    """Push convex/ to the sandbox's Convex; its documents stay.

    Every other command does this too when convex/ has changed. Use this one after a change in code
    that convex/ imports from elsewhere, or to see an error.
    """
    _print_sandbox(_start(context.migration(), push=True), as_json)


def _start(migration: Migration, *, renew: bool = False, push: bool = False) -> Running:
    """Start what the target needs. Raises UserError if the target is not a sandbox."""
    from stages import sandbox as machine

    project, target = migration.project, migration.named_target or "sandbox"
    if names_sandbox(migration.plan_if_any, target):
        with shown_progress() as progress:
            return machine.up(project, [target], progress, renew=renew, push=push)
    if migration.plan.loads_into_sandbox(target):
        with shown_progress() as progress:
            machine.deploy(project, target, progress, renew=renew, push=push)
        running = machine.status(project)
        assert running
        return running
    raise UserError(
        f"`{target}` is not a sandbox",
        "use --target sandbox, or sandbox-NAME for another one; to read a source of your own, "
        "write "
        f'convex = "sandbox" below [targets.{target}] of the plan',
    )


@sandbox.command()
@pass_context
def down(context: Context) -> None:
    """Stop everything. Rows and documents stay; stored files and scheduled functions do not."""
    from stages import sandbox as machine

    machine.down(context.migration().project)
    click.echo("the sandbox is stopped; its rows and documents stay", err=True)


@sandbox.command("status")
@json_option
@pass_context
def sandbox_status(context: Context, as_json: bool) -> None:
    """Show what is running; start nothing. --json includes the keys, which open nothing else."""
    from stages import sandbox as machine

    _print_sandbox(machine.status(context.migration().project), as_json)


@sandbox.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", metavar="[PSQL OPTIONS]...", nargs=-1, type=click.UNPROCESSED)
@pass_context
def psql(context: Context, arguments: tuple[str, ...]) -> None:
    """Open the sandbox's database in psql, or run it with options such as -c 'select 1'."""
    from stages import sandbox as machine

    with shown_progress() as progress:
        state = machine.up(context.migration().project, [], progress)
    program, environment = machine.psql(state)
    os.execve(program, [str(program), *arguments], {**os.environ, **environment})


@sandbox.command()
@pass_context
def reset(context: Context) -> None:
    """Stop everything and delete its data; the next sandbox starts empty."""
    from stages import sandbox as machine

    machine.reset(context.migration().project)
    click.echo("the sandbox and its data are removed", err=True)


def _print_sandbox(running: Running | None, as_json: bool) -> None:
    if as_json:
        print_json(running and _summary(running))
    elif running is None:
        click.echo("the sandbox is not running")
    else:
        if running.source:
            click.echo(f"Supabase {running.source.ref} at {running.source.url}")
        for name, deployment in running.deployments.items():
            click.echo(f"Convex {deployment.name} at {deployment.url} (target {name})")
            if deployment.unrouted:
                click.echo(f"  without HTTP actions: {deployment.unrouted}")


def _summary(running: Running) -> dict[str, object]:
    source = running.source
    return {
        "source": source
        and {
            "ref": source.ref,
            "url": source.url,
            "service_role_key": source.service_role_key,
            "secret_key": source.secret_key,
            "db_url": source.db_url,
        },
        "deployments": {
            name: {
                "name": deployment.name,
                "url": deployment.url,
                "site_url": deployment.site_url,
                "admin_key": deployment.admin_key,
                "migration_secret": deployment.migration_secret,
                "unrouted": deployment.unrouted,
            }
            for name, deployment in running.deployments.items()
        },
    }

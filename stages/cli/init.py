"""`stages init`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stages.cli.context import Context, cli, json_option, pass_context, print_json, via_option
from stages.events import to_progress
from stages.progress import Lines

if TYPE_CHECKING:
    from stages.init.run import InitResult


@cli.command()
@click.argument(
    "folder", metavar="[DIR]", required=False, type=click.Path(file_okay=False, path_type=Path)
)
@click.option(
    "--write-schema",
    is_flag=True,
    help="Make convex/schema.ts of the source's catalog, where there is none.",
)
@click.option(
    "--case",
    type=click.Choice(["camel", "snake", "keep"]),
    help="How --write-schema names tables and fields. Default: camelCase tables, fields as the "
    "columns are called.",
)
@click.option(
    "--rename",
    "renames",
    metavar="A=B",
    multiple=True,
    help="Source table A is Convex table B; or table.column=table.field. May be repeated.",
)
@click.option(
    "--reference",
    "references",
    metavar="TABLE",
    multiple=True,
    help="A Convex table that is filled already: it gets a key model. May be repeated.",
)
@click.option(
    "--schema",
    "schemas",
    metavar="NAME",
    multiple=True,
    default=["public"],
    help="A schema of Postgres to look into. May be repeated. Default: public.",
)
@via_option
@click.option(
    "--http-action",
    is_flag=True,
    help="Write the HTTP action too, for loading without a deploy key.",
)
@click.option(
    "--update",
    is_flag=True,
    help="There is a migration: write what is new, print a diff for the rest.",
)
@json_option
@pass_context
def init(context: Context, folder: Path | None, as_json: bool, **chosen: Any) -> None:
    """Write a migration for the project DIR: plan, models and loading functions.

    They come from a Supabase catalog and the project's convex/schema.ts, paired by name across
    cases and plural forms. schema.ts is executed in Node, with the project's own convex package.
    Nothing that is there is changed: lines for your own files are printed, and so is every TODO
    that is left to you.
    """
    sink = to_progress(Lines())  # on stderr: stdout has the result, as text or as JSON
    migration = context.migration(sink, project=folder)
    result = migration.init(**chosen)
    if as_json:
        print_json(_as_json(result))
    else:
        _print(result, migration.hint("stages check"))


def _as_json(result: InitResult) -> dict[str, Any]:
    return {
        "written": result.written,
        "kept": result.kept,
        "add": [vars(addition) for addition in result.add],
        "todos": [vars(todo) for todo in result.todos],
        "without_source": result.without_source,
        "without_target": result.without_target,
    }


def _print(result: InitResult, check: str) -> None:
    for name in result.written:
        click.echo(f"written  {name}")
    for name, diff in result.kept.items():
        click.echo(f"kept     {name}, which init would write so today:\n{diff}")
    for addition in result.add:
        click.echo(f"\nAdd to {addition.file}:\n")
        for line in addition.lines:
            click.echo(f"    {line}")
    if result.without_source:
        click.echo(f"\nConvex tables without a source: {', '.join(result.without_source)}")
    if result.without_target:
        click.echo(f"\nSource tables without a Convex table: {', '.join(result.without_target)}")
    if result.todos:
        click.echo(f"\n{len(result.todos)} TODO:\n")
    for todo in result.todos:
        click.echo(f"{todo.file}:{todo.line}: {todo.what}")
        for choice in todo.choices:
            click.echo(f"    or: {choice}")
    click.echo(f"\nThen push convex/ (npx convex dev --once), and: {check}")

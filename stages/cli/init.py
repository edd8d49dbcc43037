"""`stages init`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stages.cli.context import (
    Context,
    cli,
    json_option,
    pass_context,
    print_json,
    schema_option,
    via_option,
)
from stages.cli.init_lines import addition_lines, todo_lines, update_lines
from stages.init.options import InitOptions

if TYPE_CHECKING:
    from stages.init.result import InitResult
    from stages.migration import Migration


@cli.command()
@click.argument(
    "folder", metavar="[DIR]", required=False, type=click.Path(file_okay=False, path_type=Path)
)
@click.option(
    "--write-schema",
    is_flag=True,
    help="Write convex/schema.ts from the source's catalog, if there is none.",
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
    help="A Convex table that already has documents: it gets a key model. May be repeated.",
)
@schema_option
@via_option
@click.option(
    "--http-action",
    is_flag=True,
    help="Write the HTTP action too, for loading without a deploy key.",
)
@click.option(
    "--update",
    is_flag=True,
    help="Print what has changed in the source and in schema.ts since the last init.",
)
@click.option(
    "--apply",
    is_flag=True,
    help="With --update: write everything that changes no line of yours.",
)
@click.option(
    "--redo",
    metavar="TABLE",
    multiple=True,
    help="Rewrite the model of this Convex table; a copy of yours is kept. May be repeated.",
)
@click.option(
    "--done",
    metavar="TABLE",
    multiple=True,
    help="Stop printing what has changed in this table: it is handled. May be repeated.",
)
@json_option
@pass_context
def init(context: Context, folder: Path | None, as_json: bool, **chosen: Any) -> None:
    """Write a migration for the project DIR: plan, models and loading functions.

    They come from a Supabase catalog and the project's convex/schema.ts, paired by name across
    cases and plural forms. schema.ts is executed in Node, with the project's own convex package.
    No existing file is changed: it prints the lines to add to your own files, and what is left
    for you to decide or check. The migration can run before you do: rows that need an open
    decision are rejected.

    With --update it prints what has changed since the last init, and what is left to do. The
    options of earlier runs still apply, so there is no need to repeat them.
    """
    options = InitOptions(**chosen)
    with context.working(folder) as migration:
        result = migration.init(**chosen)
    if as_json:
        print_json(_as_json(result))
    elif options.of_existing:
        for line in update_lines(result, migration.hint, options.words):
            click.echo(line)
    else:
        _print(result, _following(migration))


def _following(migration: Migration) -> str:
    """What to do next, in words and commands."""
    check = migration.hint("stages check")
    if migration.convex_is_sandbox:
        return f"Then {check}"  # the sandbox deploys convex/ by itself
    return (
        f"Then push convex/ (npx convex dev --once), and: {check}\n"
        f"or rehearse without a deployment: {migration.hint('stages --target rehearsal check')}"
    )


def _as_json(result: InitResult) -> dict[str, Any]:
    return {
        "written": result.written,
        "add": [vars(addition) for addition in result.add],
        "todos": [vars(todo) for todo in result.todos],
        "without_source": result.without_source,
        "without_target": result.without_target,
        "changes": [vars(change) for change in result.changes],
        "pending": result.pending,
        "by_hand": [vars(each) for each in result.by_hand],
        "copies": result.copies,
        "notes": result.notes,
    }


def _print(result: InitResult, following: str) -> None:
    for name in result.written:
        click.echo(f"written  {name}")
    for line in addition_lines(result):
        click.echo(line)
    if result.without_source:
        click.echo(f"\nConvex tables without a source: {', '.join(result.without_source)}")
    if result.without_target:
        click.echo(f"\nSource tables without a Convex table: {', '.join(result.without_target)}")
    for line in todo_lines(result.todos):
        click.echo(line)
    notes = sum(todo.kind == "note" for todo in result.todos)
    if notes:
        click.echo(f"\n{notes} {'note is' if notes == 1 else 'notes are'} in the files.")
    click.echo(f"\n{following}")

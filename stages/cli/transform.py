"""`stages transform`."""

from __future__ import annotations

import json

import click

from stages.cli.context import (
    Context,
    check_files_option,
    cli,
    json_option,
    pass_context,
    tables_argument,
)


@cli.command()
@tables_argument
@click.option("--restart", is_flag=True, help="Transform again, even if nothing has changed.")
@click.option("--explain", is_flag=True, help="Print the SQL of models and checks; write nothing.")
@click.option("--limit", type=click.IntRange(1), help="Print this many documents; write nothing.")
@check_files_option
@json_option
@pass_context
def transform(
    context: Context,
    tables: tuple[str, ...],
    restart: bool,
    explain: bool,
    limit: int | None,
    as_json: bool,
) -> None:
    """Turn the extract into Convex documents and rejects, by SQL models and checks.

    TABLE is a source or target name, or a glob such as 'ari_*'. Default: all tables.
    """
    shown = explain or limit is not None
    with context.reporting("" if shown else "transform", as_json=as_json) as migration:
        if explain:
            statements = migration.explain_transform(tables)
        elif limit is not None:
            previews = migration.preview_transform(tables, limit=limit)
        else:
            result = migration.transform(tables, restart=restart)
    if not shown:
        result.raise_if_wrong()
    if explain:
        for name, text in statements.items():
            click.echo(
                json.dumps({"table": name, "sql": text}) if as_json else f"-- {name}\n{text};\n"
            )
    elif limit is not None:
        for documents in previews.values():
            for document in documents:
                click.echo(json.dumps(document, ensure_ascii=False, default=str))

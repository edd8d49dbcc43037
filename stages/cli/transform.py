"""`stages transform`."""

from __future__ import annotations

import json

import click

from stages.cli.context import (
    Context,
    cli,
    json_option,
    pass_context,
    tables_argument,
)


@cli.command()
@tables_argument
@click.option("--restart", is_flag=True, help="Do it again, fresh or not.")
@click.option("--explain", is_flag=True, help="Print the checking SQL; write nothing.")
@click.option("--limit", type=click.IntRange(1), help="Print so many documents; write nothing.")
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

    TABLE is a source or a target name, or a glob such as 'ari_*'; all where none is given.
    """
    with context.reporting(as_json=as_json) as migration:
        if explain:
            shown = migration.explain_transform(tables)
            for name, text in shown.items():
                click.echo(
                    json.dumps({"table": name, "sql": text}) if as_json else f"-- {name}\n{text};\n"
                )
            return
        if limit is not None:
            for documents in migration.preview_transform(tables, limit=limit).values():
                for document in documents:
                    click.echo(json.dumps(document, ensure_ascii=False, default=str))
            return
        result = migration.transform(tables, restart=restart)
    result.raise_if_wrong()

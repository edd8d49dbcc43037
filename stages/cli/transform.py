"""`stages transform`."""

from __future__ import annotations

import json

import click

from stages.cli.context import (
    Context,
    cli,
    json_option,
    pass_context,
    progress_of,
    tables_argument,
)
from stages.errors import Shortfall


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
    from stages.convex.schema import load_schema
    from stages.state.lock import data_lock
    from stages.transform.run import TransformOptions
    from stages.transform.run import transform as run

    options = TransformOptions(tables=tables, restart=restart, limit=limit, explain=explain)
    with progress_of(as_json) as progress, data_lock(context.workspace):
        context.announce_staged(progress)
        schema = load_schema(context.workspace)
        result = run(context.workspace, context.plan, schema, options, progress)
    for name, shown in result.shown.items():
        if explain and as_json:
            click.echo(json.dumps({"table": name, "sql": shown}))
        elif explain:
            click.echo(f"-- {name}\n{shown};\n")
        else:
            for document in shown:
                click.echo(json.dumps(document, ensure_ascii=False, default=str))
    if result.over_limit:
        raise Shortfall(
            "more rejects than the plan allows: " + "; ".join(result.over_limit),
            "see why with: stages rejects; then edit a model, the source, or max_rejects",
        )

"""`stages extract`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stages.cli.context import (
    Context,
    cli,
    json_option,
    pass_context,
    print_json,
    progress_of,
    tables_argument,
    via_option,
)
from stages.errors import Shortfall
from stages.progress import Lines


@cli.command()
@tables_argument
@click.option("--exclude", metavar="TABLE", multiple=True, help="Leave out; may be repeated.")
@via_option
@click.option(
    "--jobs",
    type=click.IntRange(1, 16),
    help="Connections side by side. Default: 2 (Postgres, never more than 4), 12 (REST).",
)
@click.option("--restart", is_flag=True, help="Read anew, aside, and swap at the end.")
@click.option("--dry-run", is_flag=True, help="Tell rows, bytes and minutes; read nothing.")
@click.option(
    "--sample",
    metavar="N",
    type=click.IntRange(1),
    help="Only N rows a table, and the rows that they refer to.",
)
@click.option(
    "--max-snapshot",
    metavar="MINUTES",
    type=click.FloatRange(min=0, min_open=True),
    default=120,
    show_default=True,
    help="Let go of a snapshot that is older.",
)
@json_option
@pass_context
def extract(context: Context, as_json: bool, dry_run: bool, **chosen: Any) -> None:
    """Dump source tables, and what Convex has already, to Parquet.

    TABLE is a source or a target name, or a glob such as 'ari_*'; all where none is given.
    """
    from stages.convex.client import Deployment
    from stages.convex.ledger import require_target
    from stages.convex.schema import load_schema
    from stages.extract.forecast import forecast
    from stages.extract.reference import extract_references
    from stages.extract.run import ExtractOptions
    from stages.extract.run import extract as run
    from stages.state.lock import data_lock
    from stages.views import refresh

    chosen["max_snapshot"] *= 60.0
    options = ExtractOptions(**chosen)
    workspace, plan = context.workspace, context.plan
    if dry_run:
        source = context.settings().source
        print_forecast(forecast(plan, source, workspace, options, Lines()), workspace.data, as_json)
        return
    with progress_of(as_json) as progress, data_lock(workspace):
        settings = context.settings()
        context.announce(settings, progress)
        result = run(workspace, plan, settings.source, options, progress)
        require_target(workspace, settings.target)
        schema = load_schema(workspace)
        with Deployment(settings.target) as deployment:
            extract_references(
                workspace, plan, schema, deployment, progress, restart=options.restart
            )
        refresh(workspace, plan)
        if result.transport == "rest":
            progress.note("read over REST, which has no snapshot: rows may be of different moments")
    if result.failed:
        raise Shortfall(
            f"not read: {', '.join(result.failed)}", "mend the cause, then: stages extract"
        )


def print_forecast(found: list[Any], data: Path, as_json: bool) -> None:
    """Print forecasts; bytes that the source does not tell are `?`, and null in JSON."""
    import shutil

    free = shutil.disk_usage(data if data.exists() else data.parent).free
    if as_json:
        print_json({"tables": [vars(each) for each in found], "disk_free": free})
        return
    for each in found:
        size = "?" if each.bytes is None else f"{each.bytes / 2**20:,.1f}"
        click.echo(
            f"{each.table:<28} {each.rows:>14,} rows {size:>10} MiB {each.seconds / 60:>8,.1f} min"
        )
    known = [each.bytes for each in found if each.bytes is not None]
    total = f"{sum(known) / 2**20:,.1f}" if known or not found else "?"
    more = " and more" if known and len(known) < len(found) else ""
    click.echo(
        f"{sum(e.rows for e in found):,} rows, {total} MiB{more} at the source, "
        f"about {sum(e.seconds for e in found) / 60:,.1f} min; "
        f"{free / 2**30:,.1f} GiB are free here"
    )

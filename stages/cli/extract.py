"""`stages extract`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stages.cli.context import (
    Context,
    check_files_option,
    cli,
    json_option,
    pass_context,
    print_json,
    tables_argument,
    via_option,
)


@cli.command()
@tables_argument
@click.option(
    "--exclude", metavar="TABLE", multiple=True, help="A table to leave out. May be repeated."
)
@via_option
@click.option(
    "--jobs",
    type=click.IntRange(1, 16),
    help="Parallel connections. Default: 2 for Postgres (at most 4), 12 for REST.",
)
@click.option(
    "--restart", is_flag=True, help="Read everything again; replace the old extract at the end."
)
@click.option("--dry-run", is_flag=True, help="Estimate rows, bytes and minutes; read no rows.")
@click.option(
    "--sample",
    metavar="N",
    type=click.IntRange(1),
    help="Only N rows per table, and the rows they refer to.",
)
@click.option(
    "--max-snapshot",
    metavar="MINUTES",
    type=click.FloatRange(min=0, min_open=True),
    default=120,
    show_default=True,
    help="Release the snapshot after this many minutes.",
)
@click.option(
    "--fail-if-moved", is_flag=True, help="Exit with 1 if the source has changed since it was read."
)
@check_files_option
@json_option
@pass_context
def extract(context: Context, as_json: bool, dry_run: bool, **chosen: Any) -> None:
    """Dump source tables, and the existing documents of reference tables, to Parquet.

    TABLE is a source or target name, or a glob such as 'ari_*'. Default: all tables.
    """
    chosen["max_snapshot"] *= 60.0
    if dry_run:
        with context.working() as migration:
            forecasts = migration.forecast_extract(
                chosen["tables"], exclude=chosen["exclude"], via=chosen["via"]
            )
        print_forecast(forecasts, migration.workspace.data, as_json)
        return
    with context.reporting("extract", as_json=as_json) as migration:
        result = migration.extract(**chosen)
    result.raise_if_wrong()


def print_forecast(forecasts: list[Any], data: Path, as_json: bool) -> None:
    """Print forecasts; sizes that the source does not report are `?`, or null in JSON."""
    import shutil

    free = shutil.disk_usage(data if data.exists() else data.parent).free
    if as_json:
        print_json({"tables": [vars(forecast) for forecast in forecasts], "disk_free": free})
        return
    for forecast in forecasts:
        size = "?" if forecast.bytes is None else f"{forecast.bytes / 2**20:,.1f}"
        click.echo(
            f"{forecast.table:<28} {forecast.rows:>14,} rows {size:>10} MiB "
            f"{forecast.seconds / 60:>8,.1f} min"
        )
    known = [forecast.bytes for forecast in forecasts if forecast.bytes is not None]
    total = f"{sum(known) / 2**20:,.1f}" if known or not forecasts else "?"
    more = " and more" if known and len(known) < len(forecasts) else ""
    click.echo(
        f"{sum(e.rows for e in forecasts):,} rows, {total} MiB{more} at the source, "
        f"about {sum(e.seconds for e in forecasts) / 60:,.1f} min; "
        f"{free / 2**30:,.1f} GiB are free here"
    )

"""`stages load`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from stages.cli.consent import consent_by_name
from stages.cli.context import (
    Context,
    check_files_option,
    cli,
    json_option,
    pass_context,
    print_json,
    tables_argument,
)
from stages.errors import UserError

if TYPE_CHECKING:
    from stages.convex.client import Channel


@cli.command()
@tables_argument
@click.option(
    "--through",
    type=click.Choice(["functions", "http-action", "import"]),
    default=None,
    help="How to write to Convex. functions (the default with a deploy key); http-action; "
    "import: one file with all tables, its ids made from source keys.",
)
@click.option(
    "--mode",
    type=click.Choice(["require-empty", "append", "replace"]),
    help="Import only: what to do with existing documents. Default: require-empty.",
)
@click.option(
    "--to",
    metavar="FILE.zip",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Import only: write the file for npx convex import, and send nothing.",
)
@click.option(
    "--restart", is_flag=True, help="Discard the local acks and ask the ledger in Convex again."
)
@click.option("--overwrite", is_flag=True, help="Overwrite documents that the app has changed.")
@click.option(
    "--prune", is_flag=True, help="Delete documents that were loaded and are no longer staged."
)
@click.option(
    "--adopt",
    is_flag=True,
    help="Existing documents are these rows: add them to the ledger, matched by the ids of an "
    "import or by equal content.",
)
@click.option(
    "--adopt-by",
    metavar="FIELD",
    help="With --adopt: also match by a field that holds the source key.",
)
@click.option(
    "--beside-existing",
    is_flag=True,
    help="Existing documents are not these rows: insert next to them.",
)
@click.option(
    "--max-rate",
    metavar="RATE",
    multiple=True,
    help="Limit per second: 2MiB, 500docs, or both. Default: 2MiB on production.",
)
@click.option("--dry-run", is_flag=True, help="Report what would be sent; write nothing.")
@click.option(
    "--accept-rejects",
    is_flag=True,
    help="Load even if there are more rejects than the plan allows.",
)
@click.option(
    "--yes",
    metavar="NAME",
    help="The deployment's name, as consent to production, --prune or --mode replace.",
)
@check_files_option
@json_option
@pass_context
def load(
    context: Context,
    tables: tuple[str, ...],
    through: str | None,
    mode: str | None,
    to: Path | None,
    restart: bool,
    overwrite: bool,
    prune: bool,
    adopt: bool,
    adopt_by: str | None,
    beside_existing: bool,
    max_rate: tuple[str, ...],
    dry_run: bool,
    accept_rejects: bool,
    yes: str | None,
    as_json: bool,
) -> None:
    """Write the documents to Convex, each exactly once.

    TABLE is a source or target name, or a glob such as 'ari_*'. Default: all tables.
    """
    from stages.load.forecast import as_text
    from stages.load.pace import read_rate
    from stages.options import refuse_mixed, refuse_unclear

    read_rate(max_rate)
    refuse_mixed(
        through, mode=mode, to=to, overwrite=overwrite, prune=prune, max_rate=max_rate,
        adopt=adopt, beside_existing=beside_existing,
    )  # fmt: skip
    refuse_unclear(adopt, adopt_by, beside_existing)
    if dry_run:
        if adopt or beside_existing:
            option = "--adopt" if adopt else "--beside-existing"
            raise UserError(f"{option} is not for --dry-run", f"leave {option} out")
        if through == "import":
            raise UserError(
                "--dry-run is not for --through import",
                "its documents and bytes are what this reports: stages load --dry-run",
            )
        with context.working() as migration:
            forecast = migration.forecast_load(tables, through=cast("Channel | None", through))
        print_json(forecast) if as_json else click.echo(as_text(forecast))
        return
    with context.reporting("" if to else "load", as_json=as_json) as migration:
        if to:
            migration.write_import_file(
                to, tables, mode=cast("Any", mode), accept_rejects=accept_rejects
            )
            return
        result = migration.load(
            tables,
            through=cast("Any", through),
            mode=cast("Any", mode),
            restart=restart,
            overwrite=overwrite,
            prune=prune,
            adopt=adopt,
            adopt_by=adopt_by,
            beside_existing=beside_existing,
            max_rate=max_rate,
            accept_rejects=accept_rejects,
            consent=consent_by_name(yes),
        )
    result.raise_if_wrong()

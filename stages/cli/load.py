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
from stages.events import to_progress
from stages.progress import Lines

if TYPE_CHECKING:
    from stages.convex.client import Channel


@cli.command()
@tables_argument
@click.option(
    "--through",
    type=click.Choice(["functions", "http-action", "import"]),
    default=None,
    help="The channel. Default: functions where there is a deploy key. import: one file, "
    "all tables at once, ids made from source keys.",
)
@click.option(
    "--mode",
    type=click.Choice(["require-empty", "append", "replace"]),
    help="Of an import: what becomes of documents that are there. Default: require-empty.",
)
@click.option(
    "--to",
    metavar="FILE.zip",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Of an import: only write the file, for npx convex import.",
)
@click.option("--restart", is_flag=True, help="Forget the acks, and ask Convex' ledger.")
@click.option("--overwrite", is_flag=True, help="Write over documents that the app has changed.")
@click.option(
    "--prune", is_flag=True, help="Delete in Convex what was loaded and is not staged any more."
)
@click.option(
    "--adopt",
    is_flag=True,
    help="Existing documents that are these rows become theirs: by ids that an import made, or "
    "where they are equal.",
)
@click.option(
    "--adopt-by",
    metavar="FIELD",
    help="With --adopt: also by a field of the documents that holds the source key.",
)
@click.option(
    "--beside-existing",
    is_flag=True,
    help="Existing documents are others: insert next to them.",
)
@click.option(
    "--max-rate",
    metavar="RATE",
    multiple=True,
    help="At most so much a second: 2MiB, 500docs, or both. Default: 2MiB on production.",
)
@click.option("--dry-run", is_flag=True, help="Tell what would be sent; write nothing.")
@click.option("--accept-rejects", is_flag=True, help="Load although rejects are over the limit.")
@click.option(
    "--yes",
    metavar="NAME",
    help="The name of the deployment: consent to production, --prune, or --mode replace.",
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

    TABLE is a source or a target name, or a glob such as 'ari_*'; all where none is given.
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
        channel = None if through == "import" else cast("Channel | None", through)
        forecast = context.migration(to_progress(Lines())).forecast_load(tables, through=channel)
        print_json(forecast) if as_json else click.echo(as_text(forecast))
        return
    with context.reporting(as_json=as_json) as migration:
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

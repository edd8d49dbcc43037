"""`stages load`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, cast

import click

from stages.cli.consent import confirm_loss, confirm_prune, require_consent
from stages.cli.context import (
    Context,
    cli,
    json_option,
    pass_context,
    print_json,
    progress_of,
    tables_argument,
)
from stages.errors import Shortfall, UserError
from stages.progress import Lines, Progress


@cli.command()
@tables_argument
@click.option("--through", type=click.Choice(["functions", "http-action", "import"]), default=None,
              help="The channel. Default: functions where there is a deploy key. import: one file, "
              "all tables at once, ids made from source keys.")  # fmt: skip
@click.option("--mode", type=click.Choice(["require-empty", "append", "replace"]),
              help="Of an import: what becomes of documents that are there. Default: "
              "require-empty.")  # fmt: skip
@click.option("--to", metavar="FILE.zip", type=click.Path(dir_okay=False, path_type=Path),
              help="Of an import: only write the file, for npx convex import.")  # fmt: skip
@click.option("--restart", is_flag=True, help="Forget the acks, and ask Convex' ledger.")
@click.option("--overwrite", is_flag=True, help="Write over documents that the app has changed.")
@click.option("--prune", is_flag=True,
              help="Delete in Convex what was loaded and is not staged any more.")  # fmt: skip
@click.option("--max-rate", metavar="RATE", multiple=True,
              help="At most so much a second: 2MiB, 500docs, or both. Default: 2MiB on "
              "production.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Tell what would be sent; write nothing.")
@click.option("--accept-rejects", is_flag=True, help="Load although rejects are over the limit.")
@click.option("--yes", metavar="NAME",
              help="The name of the deployment: consent to production, --prune, or --mode "
              "replace.")  # fmt: skip
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
    max_rate: tuple[str, ...],
    dry_run: bool,
    accept_rejects: bool,
    yes: str | None,
    as_json: bool,
) -> None:
    """Write the documents to Convex, each exactly once.

    TABLE is a source or a target name, or a glob such as 'ari_*'; all where none is given.
    """
    from stages.convex.client import Channel
    from stages.convex.schema import load_schema
    from stages.convex.snapshots import Mode
    from stages.load.forecast import as_text, forecast
    from stages.load.importing.context import ImportOptions
    from stages.load.importing.run import import_tables
    from stages.load.pace import read_rate
    from stages.load.run import LoadOptions
    from stages.load.run import load as run
    from stages.report.build import write_report
    from stages.state.lock import data_lock

    began = time.monotonic()
    _refuse_mixed(through, mode=mode, to=to, overwrite=overwrite, prune=prune, max_rate=max_rate)
    rate = read_rate(max_rate)
    channel = None if through == "import" else cast("Channel | None", through)
    if dry_run:
        with data_lock(context.workspace):
            settings = context.settings()
            lines = Lines()
            context.announce(settings, lines)
            schema = load_schema(context.workspace)
            told = forecast(
                context.workspace, context.plan, schema, settings.target, tables, channel, lines
            )
        print_json(told) if as_json else click.echo(as_text(told))
        return
    with progress_of(as_json) as progress, data_lock(context.workspace):
        if to:
            _refuse_rejects(context, accept_rejects)
            write_import(context, tables, to, progress)
            return
        settings = context.settings()
        context.announce(settings, progress)
        require_consent(settings, yes)
        _refuse_rejects(context, accept_rejects)
        schema = load_schema(context.workspace)
        if through == "import":
            importing = ImportOptions(
                tables=tables, mode=cast("Mode | None", mode), restart=restart,
                consent=confirm_loss(settings, yes),
            )  # fmt: skip
            result = import_tables(
                context.workspace, context.plan, schema, settings.target, importing, progress
            )
        else:
            options = LoadOptions(
                tables=tables, through=channel, restart=restart, overwrite=overwrite, rate=rate,
                prune=confirm_prune(settings, yes) if prune else None,
            )  # fmt: skip
            result = run(
                context.workspace, context.plan, schema, settings.target, options, progress
            )
        write_report(context.workspace, context.plan, settings.target, time.monotonic() - began)
    partial = [name for name, told in result.tables.items() if told["status"] != "complete"]
    if result.failed or partial:
        raise Shortfall(
            f"not all is loaded: {', '.join([*result.failed, *partial])}",
            "see why with: stages rejects; then run again: stages load",
        )


def _refuse_rejects(context: Context, accept_rejects: bool) -> None:
    from stages.state.manifests import read_manifest
    from stages.transform.run import over_limit

    manifests = {
        table.name: manifest
        for table in context.plan.tables.values()
        if (manifest := read_manifest(context.workspace.transform(table.name)))
    }
    over = over_limit(context.plan, manifests)
    if over and not accept_rejects:
        raise Shortfall(
            "more rejects than the plan allows: " + "; ".join(over),
            "see why with: stages rejects; or load all the same with --accept-rejects",
        )


def _refuse_mixed(through: str | None, **given: Any) -> None:
    """Options of one road are not silently left out on the other."""
    of_import = through == "import"
    for name in ("overwrite", "prune", "max_rate") if of_import else ("mode", "to"):
        if given[name]:
            option = f"--{name.replace('_', '-')}"
            raise UserError(
                f"{option} is {'not ' if of_import else ''}for --through import",
                f"leave {option} out" if of_import else "add: --through import",
            )


def write_import(context: Context, tables: tuple[str, ...], file: Path, progress: Progress) -> None:
    """`--to FILE.zip`: with the table numbers of the deployment, if the settings name one."""
    from stages.convex.schema import load_schema
    from stages.load.importing.run import write_file

    try:
        target = context.settings().target
    except UserError as error:
        progress.note(f"  {error.message}")
        target = None
    schema = load_schema(context.workspace)
    write_file(context.workspace, context.plan, schema, target, tables, file.absolute(), progress)

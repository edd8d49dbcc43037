"""The three stages."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

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
from stages.errors import Shortfall, UserError
from stages.progress import Lines, Progress
from stages.settings import Settings


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
    from stages.checkpoint import writing
    from stages.convex.client import Deployment
    from stages.convex.ledger import require_target
    from stages.convex.schema import load_schema
    from stages.extract.reference import extract_references
    from stages.extract.run import ExtractOptions, forecast
    from stages.extract.run import extract as run
    from stages.views import refresh

    chosen["max_snapshot"] *= 60.0
    options = ExtractOptions(**chosen)
    paths, plan = context.paths, context.plan
    if dry_run:
        source = context.settings().source
        tell_forecast(forecast(plan, source, paths, options, Lines()), paths.data, as_json)
        return
    with progress_of(as_json) as progress, writing(paths):
        settings = context.settings()
        context.announce(settings, progress)
        result = run(paths, plan, settings.source, options, progress)
        require_target(paths, settings.target)
        schema = load_schema(paths)
        with Deployment(settings.target) as deployment:
            extract_references(paths, plan, schema, deployment, progress, restart=options.restart)
        refresh(paths, plan)
        if result.transport == "rest":
            progress.note("read over REST, which has no snapshot: rows may be of different moments")
    if result.failed:
        raise Shortfall(
            f"not read: {', '.join(result.failed)}", "mend the cause, then: stages extract"
        )


def tell_forecast(found: list[Any], data: Path, as_json: bool) -> None:
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
    from stages.checkpoint import writing
    from stages.convex.schema import load_schema
    from stages.transform.run import TransformOptions
    from stages.transform.run import transform as run

    options = TransformOptions(tables=tables, restart=restart, limit=limit, explain=explain)
    with progress_of(as_json) as progress, writing(context.paths):
        context.announce_staged(progress)
        schema = load_schema(context.paths)
        result = run(context.paths, context.plan, schema, options, progress)
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


@cli.command()
@tables_argument
@click.option("--through", type=click.Choice(["functions", "http-action", "import"]), default=None,
              help="The door. Default: functions where there is a deploy key. import: one file, "
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
    from stages.checkpoint import writing
    from stages.convex.client import Door
    from stages.convex.schema import load_schema
    from stages.convex.snapshots import Mode
    from stages.load.forecast import as_text, forecast
    from stages.load.importing import ImportOptions, import_tables
    from stages.load.pace import read_rate
    from stages.load.run import LoadOptions
    from stages.load.run import load as run
    from stages.report import write_report

    began = time.monotonic()
    _refuse_mixed(through, mode=mode, to=to, overwrite=overwrite, prune=prune, max_rate=max_rate)
    rate = read_rate(max_rate)
    door = None if through == "import" else cast("Door | None", through)
    if dry_run:
        with writing(context.paths):
            settings = context.settings()
            lines = Lines()
            context.announce(settings, lines)
            schema = load_schema(context.paths)
            told = forecast(
                context.paths, context.plan, schema, settings.target, tables, door, lines
            )
        print_json(told) if as_json else click.echo(as_text(told))
        return
    with progress_of(as_json) as progress, writing(context.paths):
        if to:
            _refuse_rejects(context, accept_rejects)
            write_import(context, tables, to, progress)
            return
        settings = context.settings()
        context.announce(settings, progress)
        require_consent(settings, yes)
        _refuse_rejects(context, accept_rejects)
        schema = load_schema(context.paths)
        if through == "import":
            importing = ImportOptions(
                tables=tables, mode=cast("Mode | None", mode), restart=restart,
                consent=confirm_loss(settings, yes),
            )  # fmt: skip
            result = import_tables(
                context.paths, context.plan, schema, settings.target, importing, progress
            )
        else:
            options = LoadOptions(
                tables=tables, through=door, restart=restart, overwrite=overwrite, rate=rate,
                prune=confirm_prune(settings, yes) if prune else None,
            )  # fmt: skip
            result = run(context.paths, context.plan, schema, settings.target, options, progress)
        write_report(context.paths, context.plan, settings.target, time.monotonic() - began)
    partial = [name for name, told in result.tables.items() if told["status"] != "complete"]
    if result.failed or partial:
        raise Shortfall(
            f"not all is loaded: {', '.join([*result.failed, *partial])}",
            "see why with: stages rejects; then run again: stages load",
        )


def _refuse_rejects(context: Context, accept_rejects: bool) -> None:
    from stages.checkpoint import read_manifest
    from stages.transform.run import over_limit

    manifests = {
        table.name: manifest
        for table in context.plan.tables.values()
        if (manifest := read_manifest(context.paths.transform(table.name)))
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
    from stages.load.importing import write_file

    try:
        target = context.settings().target
    except UserError as error:
        progress.note(f"  {error.message}")
        target = None
    schema = load_schema(context.paths)
    write_file(context.paths, context.plan, schema, target, tables, file.absolute(), progress)


def confirm_loss(settings: Settings, yes: str | None) -> Callable[[str], bool]:
    """How an import asks before documents are deleted: the deployment's name, as for --prune."""
    name = settings.target.deployment

    def confirm(words: str) -> bool:
        if yes is None and sys.stdin.isatty():
            typed = click.prompt(f"{words}; type its name, {name}", default="", err=True,
                                 show_default=False)  # fmt: skip
            return bool(typed == name)
        return yes == name

    return confirm


def confirm_prune(settings: Settings, yes: str | None) -> Callable[[Mapping[str, int]], bool]:
    """How --prune asks: the deployment's name, typed or given beforehand.

    Raises UserError where nobody can be asked, before anything is done.
    """
    name = settings.target.deployment
    if yes is None and not sys.stdin.isatty():
        raise UserError(
            f"--prune deletes documents of `{name}`",
            f"say so with: stages load --prune --yes {name}",
        )
    if yes is not None and yes != name:
        raise UserError(f"the deployment is `{name}`, not `{yes}`", f"say --yes {name}")

    def confirm(counts: Mapping[str, int]) -> bool:
        told = ", ".join(f"{rows:,} of {table}" for table, rows in counts.items())
        if yes is not None:
            return True
        typed = click.prompt(
            f"documents to delete in {name}: {told}; type its name", default="", err=True,
            show_default=False,
        )  # fmt: skip
        return bool(typed == name)

    return confirm


def require_consent(settings: Settings, yes: str | None) -> None:
    """A production deployment asks for its name to be typed."""
    target = settings.target
    if not target.production or yes == target.deployment:
        return
    if yes is None and sys.stdin.isatty():
        yes = click.prompt(
            f"{target.deployment} is a production deployment; type its name", err=True
        )
    if yes != target.deployment:
        raise UserError(
            f"`{target.deployment}` is a production deployment",
            f"say so with: stages load --yes {target.deployment}",
        )

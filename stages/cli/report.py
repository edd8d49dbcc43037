"""`stages report`."""

from __future__ import annotations

from pathlib import Path

import click

from stages.cli.context import Context, cli, json_option, pass_context, print_json


@cli.command()
@click.option(
    "--replace", is_flag=True, help="Replace a fuller report that another data folder wrote."
)
@click.option(
    "--html",
    "page",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the page to this file instead, readable without a network.",
)
@click.option("--with-values", is_flag=True, help="With --html: include values of rows.")
@json_option
@pass_context
def report(
    context: Context, replace: bool, page: Path | None, with_values: bool, as_json: bool
) -> None:
    """Write the report and the summary again, and print the summary.

    With --html, write what `stages ui` shows as one file, which needs no network: source keys,
    rules and counts, and no value of a row, unless --with-values.
    """
    if page is not None:
        if replace:
            raise click.UsageError("--replace is for the report, and --html writes the page")
        _write_page(context, page, with_values, as_json)
        return
    if with_values:
        raise click.UsageError("--with-values is for --html: the report holds no values")
    result = context.migration().report(replace=replace)
    if as_json:
        print_json(result.figures)
    else:
        click.echo(result.markdown, nl=False)


def _write_page(context: Context, file: Path, with_values: bool, as_json: bool) -> None:
    migration = context.migration()
    written = migration.write_page(file, with_values=with_values)
    if as_json:
        print_json(written)
        return
    holds = "values of rows" if written.values else "source keys, and no values of rows"
    click.echo(f"{written.file}: {written.bytes / 1e6:.1f} MB, with {holds}")
    if written.fewer_rows:
        shown = f"to keep it small, it has at most {written.rows_of_group} rows of each rule"
        click.echo(migration.hint(f"{shown}; see all of them with: stages ui"))

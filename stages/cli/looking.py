"""Looking at what is staged, what is there, and what went wrong."""

from __future__ import annotations

import sys

import click

from stages.cli.context import (
    Context,
    cli,
    json_option,
    pass_context,
    print_json,
    tell_findings,
)
from stages.errors import Shortfall, UserError


@cli.command()
@json_option
@pass_context
def check(context: Context, as_json: bool) -> None:
    """Look at settings, connections, rights, and the deployment's functions and schema."""
    from stages.check import check as run
    from stages.convex.schema import Schema, export_schema

    settings = context.settings()
    schema = Schema(export_schema(context.paths.convex))
    findings = run(context.paths, context.plan, schema, settings)
    if not tell_findings(findings, as_json):
        raise Shortfall("not everything is ready", "mend what is WRONG, then: stages check")


@cli.command()
@json_option
@pass_context
def status(context: Context, as_json: bool) -> None:
    """Tell where each table stands, and what to run next; reads only files."""
    from stages.status import as_text
    from stages.status import status as run

    told = run(context.paths, context.plan)
    if as_json:
        print_json(told)
    else:
        click.echo(as_text(told))


@cli.command()
@click.argument("tables", metavar="[TABLE]...", nargs=-1)
@click.option("--rule", help="Only this rule.")
@json_option
@pass_context
def rejects(context: Context, tables: tuple[str, ...], rule: str | None, as_json: bool) -> None:
    """Show what fell out at transform and at load, by rule, and where to edit."""
    from stages.rejects import as_text, list_rejects

    chosen = context.plan.select_tables(tables)
    groups = list_rejects(context.paths, context.plan, chosen, rule)
    if as_json:
        print_json(groups)
    else:
        click.echo(as_text(groups))


@cli.command()
@json_option
@pass_context
def report(context: Context, as_json: bool) -> None:
    """Write the report and the summary again, and print the summary."""
    from stages.checkpoint import read_json
    from stages.report import write_report

    paths, plan = context.paths, context.plan
    write_report(paths, plan, None, 0.0)
    if as_json:
        print_json(read_json(paths.project / plan.report_json))
    else:
        click.echo((paths.project / plan.report_summary).read_text("utf-8"), nl=False)


@cli.command()
@click.argument("query", required=False)
@json_option
@pass_context
def sql(context: Context, query: str | None, as_json: bool) -> None:
    """Run SQL over the staged files; without QUERY, over what stdin holds.

    The schemas are extract, reference, side, keys, transform, bound and load; the views rejects
    and changes hold all tables.
    """
    import duckdb

    from stages.views import connect

    text = query if query is not None else sys.stdin.read()
    with connect(context.paths, context.plan, temporary=False) as connection:
        try:
            result = connection.sql(text)
            if result is None:
                return
            if as_json:
                print_json(result.to_arrow_table().to_pylist())
            else:
                result.show(max_width=200)
        except duckdb.Error as error:
            raise UserError(
                str(error).strip(), 'see the tables with: stages sql "show all tables"'
            ) from None

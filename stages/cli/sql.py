"""`stages sql`."""

from __future__ import annotations

import sys

import click

from stages.cli.context import Context, cli, json_option, pass_context, print_json
from stages.errors import UserError


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
    with connect(context.workspace, context.plan, temporary=False) as connection:
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

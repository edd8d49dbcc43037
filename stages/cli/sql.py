"""`stages sql`."""

from __future__ import annotations

import sys

import click

from stages.cli.context import Context, cli, json_option, pass_context, print_json


@cli.command()
@click.argument("query", required=False)
@json_option
@pass_context
def sql(context: Context, query: str | None, as_json: bool) -> None:
    """Run SQL over the staged files; without QUERY, over what stdin holds.

    The schemas are extract, reference, side, keys, transform, bound and load; the views rejects
    and changes hold all tables.
    """
    relation = context.migration().sql(query if query is not None else sys.stdin.read())
    if as_json:
        print_json(relation.to_arrow_table().to_pylist())
    else:
        relation.show(max_width=200)

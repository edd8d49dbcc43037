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

    The schemas are extract, as_text, reference, side, keys, transform, bound and load; the views
    rejects and changes hold all tables.
    """
    from stages.sql import query_errors

    migration = context.migration()
    relation = migration.sql(query if query is not None else sys.stdin.read())
    # The rows are made as they are asked for, and some errors come only then.
    with query_errors(migration.hint('see the tables with: stages sql "show all tables"')):
        if as_json:
            print_json(relation.to_arrow_table().to_pylist())
        else:
            relation.show(max_width=200)

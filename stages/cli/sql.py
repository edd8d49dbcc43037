"""`stages sql`."""

from __future__ import annotations

import sys

import click

from stages.cli.context import (
    Context,
    cli,
    json_option,
    one_form,
    pass_context,
    print_lines,
    screen_width,
)
from stages.cli.formats import FORMATS, Format, print_rows


@cli.command()
@click.argument("query", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="All rows in this form. Without it, a terminal shows only the first and last of many.",
)
@json_option
@pass_context
def sql(context: Context, query: str | None, form: Format | None, as_json: bool) -> None:
    """Run SQL over the staged files. Without QUERY: a prompt on a terminal, otherwise stdin.

    The result of each statement is printed. The schemas are extract, as_text, reference, side,
    keys, transform, bound and load; the views rejects and changes hold all tables. `.help` shows
    useful queries, `.tables` every view and `.macros` every macro, at the prompt and as QUERY.
    """
    from stages.cli.sql_help import answer, is_command

    one_form(as_json, form, "--format")
    migration = context.migration()
    session = migration.sql_session()

    def run(text: str) -> None:
        if is_command(text):
            print_lines(answer(session, text))
            return
        width = screen_width()
        chosen = "json" if as_json else form or (None if width else "table")
        for relation in session.results(text):
            # Rows are computed as they are fetched, and some errors occur only then.
            with session.errors():
                if chosen is None:
                    relation.show(max_width=width)
                else:
                    print_rows(relation, chosen, width=width)

    if query is None and sys.stdin.isatty() and sys.stdout.isatty():
        from stages.cli.sql_prompt import run_prompt

        run_prompt(session, migration.workspace.sql_history, run)
    else:
        run(query if query is not None else sys.stdin.read())

"""`stages assess`."""

from __future__ import annotations

from typing import Any

import click

from stages.cli.context import (
    Context,
    cli,
    json_option,
    one_form,
    pass_context,
    print_json,
    schema_option,
    via_option,
)


@cli.command()
@schema_option
@via_option
@click.option(
    "--seconds",
    type=click.FloatRange(min=1),
    default=60,
    show_default=True,
    help="How long to look. It lists what there was no time for.",
)
@click.option(
    "--keep", is_flag=True, help="Also keep it in data/assessment.json, for the page of stages ui."
)
@json_option
@click.option("--markdown", is_flag=True, help="Markdown on stdout, with every risk and name.")
@pass_context
def assess(
    context: Context, as_json: bool, markdown: bool, schemas: tuple[str, ...], **chosen: Any
) -> None:
    """Report what a move takes, before anything is decided: work, risks, time and cost.

    Looks at a Supabase project: which tables move as they are, what must be rebuilt by hand, which
    data will cause problems, how long it takes and what it costs. Needs the source's settings
    only: no plan, no convex/ folder, no deployment. It reads the catalog, the planner's statistics
    and a sample of at most 1,000 rows a table, in a read-only transaction, and writes nothing
    without --keep. No value of a row is shown.
    """
    one_form(as_json, markdown, "--markdown")
    from stages.assess.markdown import as_markdown
    from stages.assess.text import as_text

    with context.working() as migration:
        assessment = migration.assess(schemas=schemas or ("public",), **chosen)
    if as_json:
        print_json(assessment.as_json())
    elif markdown:
        click.echo(as_markdown(assessment), nl=False)
    else:
        text = as_text(assessment)
        click.echo(text)
        if any(line.endswith("…") for line in text.splitlines()):
            whole = migration.hint("stages assess --markdown")
            click.echo(f"lines that end with … are printed in full by: {whole}", err=True)

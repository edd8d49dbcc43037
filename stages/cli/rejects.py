"""`stages rejects`."""

from __future__ import annotations

import click

from stages.cli.context import (
    Context,
    cli,
    json_option,
    one_form,
    pass_context,
    print_json,
    print_lines,
    tables_argument,
)
from stages.cli.formats import FORMATS, Format, print_rows


@cli.command()
@tables_argument
@click.option("--rule", help="Only this rule, with what it means.")
@click.option("--all", "all_", is_flag=True, help="Every group, reason and source key.")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="Instead of groups, every rejected row: table, stage, source_id, field, rule, reason.",
)
@json_option
@pass_context
def rejects(
    context: Context,
    tables: tuple[str, ...],
    rule: str | None,
    all_: bool,
    form: Format | None,
    as_json: bool,
) -> None:
    """Show what transform and load rejected, causes first, and where to fix it.

    A row that is rejected only because it refers to a rejected row is counted with that cause, and
    listed after all causes. --json prints the groups.
    """
    from stages.reject_lines import as_lines, rule_lines

    one_form(as_json, form, "--format")
    migration = context.migration()
    if form:
        from stages.rejects import readable

        with readable(migration.hint):
            print_rows(migration.reject_rows(tables, rule=rule), form)
        return
    groups = migration.rejects(tables, rule=rule, examples=None if all_ else 3)
    if as_json:
        print_json([group.to_json() for group in groups])
        return
    lacking = migration.not_transformed(tables)
    about = rule_lines(rule) if rule else []
    print_lines([*about, *as_lines(groups, lacking, all_=all_, complete=migration.hint)])

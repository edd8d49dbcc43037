"""`stages check`."""

from __future__ import annotations

from collections.abc import Callable

import click

from stages.cli.context import (
    Context,
    cli,
    json_option,
    pass_context,
    print_check,
    print_checked,
    print_json,
    print_note,
)
from stages.events import Event
from stages.probe.findings import Finding
from stages.probe.text import heading_of, line_of, summary_of


@cli.command()
@click.option(
    "--probe",
    is_flag=True,
    help="Test whether a development deployment and the source behave as stages expects; "
    "everything written is removed again.",
)
@json_option
@pass_context
def check(context: Context, probe: bool, as_json: bool) -> None:
    """Check settings, connections, rights, models, and what is deployed."""
    if probe:
        _probe(context, as_json)
        return
    checked = context.migration(print_note if as_json else print_check).check()
    if as_json:
        print_checked(checked)
    checked.raise_if_wrong()


def _probe(context: Context, as_json: bool) -> None:
    """Print the report on stdout as Markdown, each line as soon as it is known, or as JSON."""
    probed = context.migration(print_note if as_json else _print_finding()).probe()
    if as_json:
        print_json(list(probed.findings))
    else:
        click.echo(f"\n{summary_of(probed.findings)}")
    probed.raise_if_wrong()


def _print_finding() -> Callable[[Event], None]:
    section = ""

    def show(event: Event) -> None:
        nonlocal section
        print_note(event)
        finding = event.facts.get("finding")
        if isinstance(finding, Finding):
            if finding.section != section:
                section = finding.section
                click.echo(heading_of(section))
            click.echo(line_of(finding))

    return show

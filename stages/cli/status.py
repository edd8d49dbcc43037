"""`stages status`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import click

from stages.cli.context import Context, cli, json_option, pass_context, print_json, print_lines
from stages.errors import StagesError
from stages.layout import Line, line, plain
from stages.terminal import raw_stream

SECONDS = 1.0


@cli.command()
@click.option("--watch", is_flag=True, help="Refresh every second, until Ctrl-C.")
@json_option
@pass_context
def status(context: Context, watch: bool, as_json: bool) -> None:
    """Show where each table stands, and what to run next.

    It reads only files, so it works while another command runs. Marks: * is older than what it was
    made from, ! has failed or is above a limit.
    """
    from stages.status_lines import as_lines

    if watch and as_json:
        raise click.UsageError("--watch is for people, and --json for programs: use one")
    if watch:
        _watch(context)
        return
    standing = context.migration().status()
    if as_json:
        print_json(standing.to_json())
    else:
        print_lines(as_lines(standing))


def _watch(context: Context) -> None:
    try:
        if sys.stdout.isatty():
            _redraw(context)
        else:
            _print_what_changes(context)
    except KeyboardInterrupt:
        return


def _redraw(context: Context) -> None:
    from rich.console import Console
    from rich.live import Live

    from stages.styled import styled

    console = Console(file=raw_stream(sys.stdout), highlight=False, markup=False, emoji=False)
    with Live(console=console, auto_refresh=False, vertical_overflow="visible") as live:
        for lines in _looks(context):
            live.update(styled(lines), refresh=True)


def _print_what_changes(context: Context) -> None:
    """Without a terminal to draw on, print the full status again whenever it changes."""
    before = ""
    for lines in _looks(context):
        text = plain(lines)
        if text != before:
            click.echo(f"{text}\n")
            sys.stdout.flush()
        before = text


def _looks(context: Context) -> Iterator[list[Line]]:
    from stages.status_lines import as_lines

    while True:
        try:
            yield as_lines(context.migration().status())
        except StagesError as error:  # for example, the plan is being edited
            yield [line(str(error), "bad")]
        time.sleep(SECONDS)

"""`stages ui`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from stages.cli.context import Context, cli, pass_context, print_note
from stages.cli.signals import report_no_more

if TYPE_CHECKING:
    from pathlib import Path

    from stages.page.server import PageServer

ENDED = "the page has ended"


@cli.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Default: any free port.")
@click.option(
    "--open/--no-open", "open_it", default=False, help="Open it in a browser. Default: print only."
)
@pass_context
def ui(context: Context, port: int, open_it: bool) -> None:
    """Show the project as a page in a browser, live, until Ctrl-C.

    Prints the page's address, which is on this machine only and holds a token: whoever has it sees
    values of rows. The page follows what other commands do, and changes nothing.
    """
    migration = context.migration(print_note)
    try:
        with migration.page_server(port=port) as server:
            click.echo(server.address)
            with _opened(server, migration.workspace.opening if open_it else None):
                threading.Event().wait()
    except KeyboardInterrupt:
        report_no_more()
        click.echo(ENDED, err=True)


@contextmanager
def _opened(server: PageServer, file: Path | None) -> Iterator[None]:
    """Open a browser through a private file: with the address on the browser's command line, every
    user of this machine could see the token."""
    if file is None:
        yield
        return
    import html
    import webbrowser

    from stages.state.durable import remove, write_text

    address = html.escape(server.address)
    write_text(
        file,
        f'<!doctype html>\n<meta charset="utf-8">\n<title>stages</title>\n'
        f'<meta http-equiv="refresh" content="0; url={address}">\n'
        f'<a href="{address}">Go on to the page</a>\n',
    )
    try:
        if not webbrowser.open(file.as_uri()):
            click.echo("no browser could be opened: open the address above", err=True)
        yield
    finally:
        remove(file)

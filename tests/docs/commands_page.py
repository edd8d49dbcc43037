"""docs/reference/commands.md: every command with its help.

`make docs` rewrites it; a test compares.
"""

from __future__ import annotations

from collections.abc import Iterator

import click
from click.testing import CliRunner

from stages.cli import cli
from tests.support.command_line import ROOT

PAGE = ROOT / "docs" / "reference" / "commands.md"
WIDTH = 96


def commands(
    command: click.Command = cli, *path: str
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """A command and all its subcommands, each with the words that call it."""
    yield path or ("stages",), command
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from commands(inner, *(path or ("stages",)), name)


def help_of(path: tuple[str, ...]) -> str:
    """The command's output with --help."""
    arguments = [*path[1:], "--help"]
    return CliRunner().invoke(cli, arguments, prog_name="stages", terminal_width=WIDTH).stdout


def page() -> str:
    """The whole page."""
    head = (
        "# Commands\n\n`make docs` makes this page from `--help`.\n\n"
        "| exit code | meaning |\n|---|---|\n"
        "| 0 | done |\n"
        "| 1 | done, but something falls short: a mismatch, too many rejects, a table failed |\n"
        "| 2 | wrong usage, settings or plan: nothing was done |\n"
        "| 3 | stopped before the end: completed work is kept; rerun the command |\n\n"
        "stdout is data, stderr is progress and messages.\n"
    )
    parts = [
        f"\n## {' '.join(path)}\n\n```\n{help_of(path).strip()}\n```\n" for path, _ in commands()
    ]
    return head + "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")

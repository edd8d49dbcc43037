"""The commands: each parses, calls one function, prints, and ends with a code.

0 done · 1 done, but something falls short · 2 wrong usage, settings or plan · 3 stopped before the
end, run again to go on. stdout is data; stderr is progress and people.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import click

from stages.cli import (
    check,
    clean,
    extract,
    init,
    load,
    rejects,
    report,
    rollback,
    sandbox,
    sql,
    status,
    transform,
    verify,
)
from stages.cli.context import cli
from stages.cli.little_memory import go_on_in_a_child
from stages.cli.signals import end_at_signals, was_interrupted
from stages.errors import StagesError
from stages.machine import is_interrupt, stopped_by_machine
from stages.terminal import OutputClosed, print_safely

__all__ = [
    "check",
    "clean",
    "cli",
    "extract",
    "init",
    "load",
    "main",
    "rejects",
    "report",
    "rollback",
    "sandbox",
    "sql",
    "status",
    "transform",
    "verify",
]


STOPPED = "stopped; run the same command again to go on"


def main() -> NoReturn:
    """The console script: errors as sentences, and the exit code."""
    go_on_in_a_child()
    print_safely()
    end_at_signals()
    # What Arrow allocates by, from its first import on. Its own choice keeps what is freed for
    # each thread: half as much memory again for many small pages.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    try:
        code = cli.main(standalone_mode=False) or 0
        sys.stdout.flush()  # what was closed early is found here, and not when Python ends
    except (click.exceptions.Abort, KeyboardInterrupt):
        _end(STOPPED, 3)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except StagesError as error:
        if was_interrupted():
            _end(STOPPED, 3)
        _end(str(error), error.exit_code)
    except OutputClosed:
        sys.exit(0)
    except Exception as error:
        if is_interrupt(error) or was_interrupted():
            _end(STOPPED, 3)
        stopped = stopped_by_machine(error)
        if stopped is None:
            raise
        _end(str(stopped), stopped.exit_code)
    sys.exit(code if isinstance(code, int) else 0)


def _end(text: str, code: int) -> NoReturn:
    # Else click takes what looks like colour out of it, where stderr is no terminal.
    click.echo(f"stages: {text}", err=True, color=True)
    sys.exit(code)

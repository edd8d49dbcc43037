"""The commands: each parses its options, calls one function, prints, and exits with a code.

0 done · 1 done, but something falls short · 2 wrong usage, settings or plan · 3 stopped before the
end; rerun it to continue. stdout is for data; stderr is for progress and messages.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import click

from stages.cli import (
    assess,
    check,
    clean,
    extract,
    init,
    load,
    rejects,
    report,
    rollback,
    sandbox,
    show,
    sql,
    status,
    transform,
    ui,
    verify,
)
from stages.cli.context import cli
from stages.cli.little_memory import go_on_in_a_child
from stages.cli.signals import end_at_signals, report_no_more, was_interrupted
from stages.errors import RERUN, StagesError
from stages.machine import is_interrupt, stopped_by_machine
from stages.terminal import OutputClosed, print_safely

__all__ = [
    "assess",
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
    "show",
    "sql",
    "status",
    "transform",
    "ui",
    "verify",
]


STOPPED = f"stopped; {RERUN}"


# Made beforehand: when it is needed, there is no memory to make it with.
NO_MEMORY = f"stages: {stopped_by_machine(MemoryError())}\n".encode()


def main() -> NoReturn:
    """The console script: turns errors into messages and an exit code."""
    try:
        _run()
    except MemoryError:
        os.write(2, NO_MEMORY)
        os._exit(3)


def _run() -> NoReturn:
    go_on_in_a_child()
    print_safely()
    end_at_signals()
    # Arrow reads this when first imported. Its default allocator keeps freed memory per thread,
    # which takes 50 % more memory with many small pages.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    try:
        code = cli.main(standalone_mode=False) or 0
        sys.stdout.flush()  # detect a closed stdout here, not when Python exits
        report_no_more()
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
    report_no_more()
    # Otherwise click strips what looks like colour codes if stderr is not a terminal.
    click.echo(f"stages: {text}", err=True, color=True)
    sys.exit(code)

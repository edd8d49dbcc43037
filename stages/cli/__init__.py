"""The commands: each parses, calls one function, prints, and ends with a code.

0 done · 1 done, but something falls short · 2 wrong usage, settings or plan · 3 stopped before the
end, run again to go on. stdout is data; stderr is progress and people.
"""

from __future__ import annotations

import os
import signal
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
from stages.errors import StagesError, stopped_by_disk
from stages.terminal import print_safely

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


def main() -> NoReturn:
    """The console script: errors as sentences, and the exit code."""
    print_safely()
    signal.signal(signal.SIGTERM, _interrupt)
    # What Arrow allocates by, from its first import on. Its own choice keeps what is freed for
    # each thread: half as much memory again for many small pages.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    try:
        code = cli.main(standalone_mode=False) or 0
    except click.exceptions.Abort:
        _end("stopped; run the same command again to go on", 3)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except StagesError as error:
        _end(str(error), error.exit_code)
    except KeyboardInterrupt:
        _end("stopped; run the same command again to go on", 3)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        stopped = stopped_by_disk(error)
        _end(str(stopped), stopped.exit_code)
    sys.exit(code if isinstance(code, int) else 0)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _end(text: str, code: int) -> NoReturn:
    # Else click takes what looks like colour out of it, where stderr is no terminal.
    click.echo(f"stages: {text}", err=True, color=True)
    sys.exit(code)

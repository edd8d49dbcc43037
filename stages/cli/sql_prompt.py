"""The prompt of `stages sql` on a terminal."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from functools import partial
from pathlib import Path

import click
from prompt_toolkit import PromptSession
from prompt_toolkit.application import Application, get_app
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import ColorDepth, create_output

from stages.cli.signals import interruptible, was_interrupted
from stages.cli.sql_completion import SqlCompleter
from stages.cli.sql_help import is_command
from stages.errors import StagesError
from stages.sql import tokens
from stages.sql_session import SqlSession
from stages.state.durable import make_folder, open_private
from stages.terminal import raw_stream

PROMPT = "stages> "
GREETING = ".help shows useful queries, .tables the views; leave with .exit or Ctrl-D"
LEAVE = ".exit"
# Seconds until a statement is interrupted again: the first interrupt may have come before it began.
AGAIN = 0.2


def run_prompt(session: SqlSession, history: Path, run: Callable[[str], None]) -> None:
    """Read statements and commands until the end, pass each to `run`, and print its errors.

    Ctrl-C interrupts a running statement, and discards one that is being typed.
    """
    session.hint = "see the views with: .tables"
    logging.getLogger("prompt_toolkit.buffer").addFilter(is_no_interrupt)
    prompt = _prompt(session, history)
    click.echo(GREETING)
    with interruptible():
        while True:
            try:
                text = prompt.prompt().strip()
                if text.rstrip("; ") == LEAVE:
                    return
                if text:
                    session.renew()
                    _run_in_thread(partial(run, text), session.interrupt)
            except KeyboardInterrupt:
                if was_interrupted():
                    raise
            except EOFError:
                return
            except StagesError as error:
                click.echo(str(error), err=True)


def is_no_interrupt(record: logging.LogRecord) -> bool:
    """Whether a line is to be logged: the library logs a signal that comes while it loads the
    history as an error, with a traceback."""
    return not (record.exc_info and isinstance(record.exc_info[1], KeyboardInterrupt))


def _run_in_thread(work: Callable[[], None], interrupt: Callable[[], None]) -> None:
    """Run it in another thread, so that Ctrl-C can interrupt it: the main thread would not handle
    Ctrl-C during a call to DuckDB. Raises KeyboardInterrupt after it has ended, if interrupted."""
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(work)
        try:
            running.result()
        except KeyboardInterrupt:
            while not running.done():
                with suppress(KeyboardInterrupt):
                    interrupt()
                    wait([running], timeout=AGAIN)
            click.echo("interrupted", err=True)
            raise


def is_complete(text: str) -> bool:
    """Whether Enter ends the input: if it is empty, a command, or ends with a semicolon."""
    *_, last = "", *(token for _, _, token in tokens(text))
    return not text.strip() or is_command(text) or last.startswith(";")


def _prompt(session: SqlSession, history: Path) -> PromptSession[str]:
    return PromptSession(
        PROMPT,
        multiline=True,
        prompt_continuation=lambda width, number, wrapped: "...> ".rjust(width),
        history=_history(history),
        completer=SqlCompleter(session),
        complete_while_typing=False,
        key_bindings=_bindings(),
        color_depth=ColorDepth.DEPTH_1_BIT if os.environ.get("NO_COLOR") else None,
        # prompt_toolkit controls the terminal itself, and escapes what is typed.
        output=create_output(raw_stream(sys.stdout)),
    )


def _bindings() -> KeyBindings:
    bindings = KeyBindings()

    @Condition
    def ends() -> bool:
        application: Application[str] = get_app()
        buffer = application.current_buffer
        return buffer.complete_state is None and is_complete(buffer.text)

    @bindings.add("enter", filter=ends)
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    return bindings


class _PrivateHistory(FileHistory):
    """The history in a file; if it can't be written, it is still kept in memory for this run."""

    def store_string(self, string: str) -> None:
        try:
            super().store_string(string)
        except OSError as error:
            click.echo(f"the history is not kept: {error.strerror}: {self.filename!s}", err=True)


def _history(file: Path) -> History:
    try:
        make_folder(file.parent)
        open_private(file, "a+b").close()
        file.chmod(0o600)
    except OSError as error:
        click.echo(f"the history is not kept: {error.strerror}: {file}", err=True)
        return InMemoryHistory()
    return _PrivateHistory(str(file))

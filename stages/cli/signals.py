"""Ctrl-C and SIGTERM: the first ends a command cleanly, the second immediately.

Python runs signal handlers in the main thread, but only after the current blocking call. So another
thread listens for signals as they arrive.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Protocol, runtime_checkable

from stages.errors import RERUN

# Seconds after which to report why an interrupted command has not ended yet.
PATIENCE = 0.5
# Seconds to wait when writing a line to a pipe that nobody may be reading.
WRITTEN_WITHIN = 0.5
_SEEN = threading.Event()
_ENDING = threading.Event()
_SAYING = threading.Lock()


@runtime_checkable
class Working(Protocol):
    """Something that knows what a command is doing."""

    def at_work(self) -> str:
        """What is under way, such as `load articles`; empty if nothing is."""


@runtime_checkable
class Drawing(Protocol):
    """Something that draws on the terminal, which other output would disturb."""

    def note(self, text: str) -> None:
        """Print a line without disturbing the drawing."""

    def erase(self) -> None:
        """Remove the drawing, and restore the terminal."""


_SHOWN: list[object] = []


def end_at_signals() -> None:
    """From now on, a signal raises KeyboardInterrupt; a second one ends the process with code 3."""
    heard, written = socket.socketpair()
    written.setblocking(False)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    signal.set_wakeup_fd(written.fileno(), warn_on_full_buffer=False)
    thread = threading.Thread(target=_listen, args=(heard, written), daemon=True)
    thread.start()


def report_no_more() -> None:
    """From now on, a first signal is not reported: the command is about to print its last line."""
    with _SAYING:
        _ENDING.set()


def was_interrupted() -> bool:
    """Whether a signal has arrived: failures after it, such as a thread's query on a closed
    connection, can be ignored."""
    return _SEEN.is_set()


@contextmanager
def drawn_by(shown: object) -> Iterator[None]:
    """In this block, a signal reports what `shown` is doing; if `shown` draws on the terminal, it
    prints the report, and is erased before a second signal ends the process."""
    _SHOWN.append(shown)
    try:
        yield
    finally:
        _SHOWN.remove(shown)


@contextmanager
def interruptible() -> Iterator[None]:
    """In this block, each Ctrl-C raises KeyboardInterrupt for the block to handle, and doesn't end
    the process. SIGTERM still ends the command; `was_interrupted` is true then."""
    descriptor = signal.set_wakeup_fd(-1)
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        signal.set_wakeup_fd(descriptor)


def _listen(heard: socket.socket, written: socket.socket) -> None:
    """Listen for signals; `written` is the other end, kept here so that it is not closed."""
    _next(heard)
    heard.settimeout(PATIENCE)
    try:
        _next(heard)
    except TimeoutError:
        with _SAYING:
            if not _ENDING.is_set():
                _say(f"stopping: waiting for {_awaited()}; press Ctrl-C again to end at once")
        heard.settimeout(None)
        _next(heard)
    for drawing in _drawings():
        _within(drawing.erase)
    _say(f"ended at the second signal; {RERUN}")
    os._exit(3)


def _awaited() -> str:
    working = [shown.at_work() for shown in _SHOWN if isinstance(shown, Working)]
    return ", ".join(filter(None, working)) or "what is under way to end"


def _drawings() -> list[Drawing]:
    return [shown for shown in _SHOWN if isinstance(shown, Drawing)]


def _next(heard: socket.socket) -> None:
    """Wait for SIGINT or SIGTERM, ignoring other signals that have handlers."""
    while True:
        (number,) = heard.recv(1)
        if number in (signal.SIGINT, signal.SIGTERM):
            return


def _say(text: str) -> None:
    """Print a line; if it can't be written in time, continue without it."""
    drawings = _drawings()
    say = drawings[-1].note if drawings else _write
    _within(partial(say, f"stages: {text}"))


def _within(work: Callable[[], None]) -> None:
    """Run it in a thread, and wait for WRITTEN_WITHIN seconds at most."""

    def ignoring() -> None:
        # Nobody reads, or the stream is closed.
        with suppress(OSError, ValueError):
            work()

    thread = threading.Thread(target=ignoring, daemon=True)
    thread.start()
    thread.join(WRITTEN_WITHIN)


def _write(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _interrupt(*_: object) -> None:
    _SEEN.set()
    raise KeyboardInterrupt

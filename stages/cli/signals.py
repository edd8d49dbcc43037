"""Ctrl-C and SIGTERM: the first ends a command in good order, the second at once.

Python runs its handlers in the main thread, once that is back from what it waits for. So a thread
beside it hears of each signal when it comes.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading

# Seconds after which a person wants to know why a command that was to end has not.
PATIENCE = 1.5
# Seconds for a line to a pipe that nobody may be reading.
WRITTEN_WITHIN = 0.5
_SEEN = threading.Event()


def end_at_signals() -> None:
    """From here on a signal raises KeyboardInterrupt; a second one ends the process with 3."""
    heard, written = socket.socketpair()
    written.setblocking(False)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    signal.set_wakeup_fd(written.fileno(), warn_on_full_buffer=False)
    thread = threading.Thread(target=_listen, args=(heard, written), daemon=True)
    thread.start()


def was_interrupted() -> bool:
    """Whether a signal has come: what fails after it, such as a query of a thread whose connection
    is closed, is of no interest."""
    return _SEEN.is_set()


def _listen(heard: socket.socket, written: socket.socket) -> None:
    """`written` is the other end, which must not be closed meanwhile."""
    _next(heard)
    heard.settimeout(PATIENCE)
    try:
        _next(heard)
    except TimeoutError:
        _say("stopping: waiting for what is under way to end; press Ctrl-C again to end at once")
        heard.settimeout(None)
        _next(heard)
    _say("ended at the second signal; run the same command again to go on")
    os._exit(3)


def _next(heard: socket.socket) -> None:
    """Wait for SIGINT or SIGTERM; a handler of another signal is heard of, too."""
    while True:
        (number,) = heard.recv(1)
        if number in (signal.SIGINT, signal.SIGTERM):
            return


def _say(text: str) -> None:
    """Print a line; where nobody takes it in time, go on without."""
    writing = threading.Thread(target=_write, args=(f"stages: {text}\n",), daemon=True)
    writing.start()
    writing.join(WRITTEN_WITHIN)


def _write(line: str) -> None:
    try:
        sys.stderr.write(line)
        sys.stderr.flush()
    except (OSError, ValueError):
        return  # nobody listens, or the stream is closed


def _interrupt(*_: object) -> None:
    _SEEN.set()
    raise KeyboardInterrupt

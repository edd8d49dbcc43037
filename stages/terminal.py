"""What is printed: no character of a key, a name or a server's words steers the terminal.

Done where the process writes, so that no command can forget it.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

# C0 but for tab and line feed, DEL, C1, the marks that turn the direction of text, and half
# characters, which no encoding has.
STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(text: str) -> str:
    r"""The text with `\u001b` for ESC and so on: as JSON writes it, so that JSON stays the same."""
    return STEERING.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


class OutputClosed(Exception):
    """Nobody reads the data that is printed any more, as behind `| head -1`. No OSError, which
    click would end with 1."""


class PrintableStream:
    """A text stream that writes `printable` text, and is the stream itself in all else.

    `optional`: whoever read it may go away, and nothing stops for that.
    """

    def __init__(self, stream: TextIO, *, optional: bool = False) -> None:
        self.stream = stream
        self._optional = optional

    def write(self, text: str) -> int:
        with self._unread():
            self.stream.write(printable(text))
        return len(text)

    def flush(self) -> None:
        with self._unread():
            self.stream.flush()

    @contextmanager
    def _unread(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            discard(self.stream)
            if not self._optional:
                raise OutputClosed from None

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":  # where click would write past us
            raise AttributeError(name)
        return getattr(self.stream, name)


def print_safely() -> None:
    """Let this process print printable text only, from here on; characters that the terminal's
    encoding lacks are escaped too."""
    _open_closed()
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    sys.stdout = cast("TextIO", PrintableStream(sys.stdout))
    sys.stderr = cast("TextIO", PrintableStream(sys.stderr, optional=True))


def discard(stream: TextIO) -> None:
    """Let what is written to a stream from here on, or waits in it, go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _open_closed() -> None:
    """Put something in the place of standard streams that were closed by who started us: else the
    next files to be opened would have their numbers, and what is printed be written to them."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8")


def raw_stream(stream: TextIO) -> TextIO:
    """The stream below, for what draws on the terminal; whoever does so prints `printable` text."""
    return stream.stream if isinstance(stream, PrintableStream) else stream

"""Make output safe: no character in a key, a name or a server's message can control the terminal.

Done where the process writes, so that no command can forget it.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

# C0 except tab and line feed, DEL, C1, bidirectional control characters, and lone surrogates, which
# no encoding can represent.
STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(text: str) -> str:
    r"""Escape control characters (`\u001b` for ESC) as JSON does, so that JSON stays the same."""
    return STEERING.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


class OutputClosed(Exception):
    """Nobody reads the printed data any more, as with `| head -1`. Not an OSError, for which click
    would exit with 1."""


class PrintableStream:
    """A text stream that writes `printable` text, and otherwise acts as the original stream.

    `optional`: if its reader goes away, the process continues.
    """

    def __init__(self, stream: TextIO, *, optional: bool = False) -> None:
        self.stream = stream
        self._optional = optional

    def write(self, text: str | bytes) -> int:
        if isinstance(text, bytes):  # click writes shell completions as bytes
            text = text.decode("utf-8", "replace")
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
        if name == "buffer":  # click would bypass us with it
            raise AttributeError(name)
        return getattr(self.stream, name)


def print_safely() -> None:
    """From now on, let this process print printable text only; characters that the terminal's
    encoding lacks are escaped too."""
    _open_closed()
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    sys.stdout = cast("TextIO", PrintableStream(sys.stdout))
    sys.stderr = cast("TextIO", PrintableStream(sys.stderr, optional=True))


def discard(stream: TextIO) -> None:
    """Discard what is buffered in a stream, and whatever is written to it from now on."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _open_closed() -> None:
    """Replace standard streams that were closed before we started: otherwise the next files opened
    would get their numbers, and output would be written into them."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8")


def raw_stream(stream: TextIO) -> TextIO:
    """The underlying stream, for code that draws on the terminal and escapes its text itself."""
    return stream.stream if isinstance(stream, PrintableStream) else stream

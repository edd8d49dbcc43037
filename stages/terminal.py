"""What is printed: no character of a key, a name or a server's words steers the terminal.

Done where the process writes, so that no command can forget it.
"""

from __future__ import annotations

import re
import sys
from typing import Any, TextIO, cast

# C0 but for tab and line feed, DEL, C1, the marks that turn the direction of text, and half
# characters, which no encoding has.
STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(text: str) -> str:
    r"""The text with `\u001b` for ESC and so on: as JSON writes it, so that JSON stays the same."""
    return STEERING.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


class PrintableStream:
    """A text stream that writes `printable` text, and is the stream itself in all else."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        self.stream.write(printable(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":  # where click would write past us
            raise AttributeError(name)
        return getattr(self.stream, name)


def print_safely() -> None:
    """Let this process print printable text only, from here on; characters that the terminal's
    encoding lacks are escaped too."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    sys.stdout = cast("TextIO", PrintableStream(sys.stdout))
    sys.stderr = cast("TextIO", PrintableStream(sys.stderr))


def raw_stream(stream: TextIO) -> TextIO:
    """The stream below, for what draws on the terminal; whoever does so prints `printable` text."""
    return stream.stream if isinstance(stream, PrintableStream) else stream

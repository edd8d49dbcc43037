"""Bodies of answers, in bounds: a few bytes on the wire can be any number of them unpacked, and a
server can take for ever to send them."""

from __future__ import annotations

import time

import httpx

# Far above what a function's answer may hold; a page of rows of 100 KiB can be more.
MOST_BYTES = 512 << 20
MOST_SECONDS = 600.0


class TooLarge(httpx.DecodingError):
    """A body of more bytes than are taken."""


def read_whole(answer: httpx.Response) -> bytes:
    """The body of a streamed answer. Raises httpx.DecodingError for one that is out of bounds."""
    began, size = time.monotonic(), 0
    pieces = []
    for piece in answer.iter_bytes():
        size += len(piece)
        if size > MOST_BYTES:
            raise TooLarge(f"an answer of more than {MOST_BYTES >> 20} MiB")
        if time.monotonic() - began > MOST_SECONDS:
            raise httpx.DecodingError(f"an answer that was not whole after {MOST_SECONDS:g} s")
        pieces.append(piece)
    return b"".join(pieces)

"""Read HTTP response bodies within limits: a few compressed bytes can unpack to any size, and a
server can take forever to send them."""

from __future__ import annotations

import time

import httpx

# Far above the limit of a function's result; a page of 100 KiB rows can exceed that limit.
MOST_BYTES = 512 << 20
MOST_SECONDS = 600.0


class TooLarge(httpx.DecodingError):
    """The body has more than MOST_BYTES bytes."""


class TooSlow(httpx.DecodingError):
    """The body did not arrive completely in time."""


def read_whole(answer: httpx.Response, most_seconds: float | None = None) -> bytes:
    """Read the body of a streamed response. Raises TooLarge or TooSlow if it exceeds a limit."""
    most_seconds = MOST_SECONDS if most_seconds is None else most_seconds
    began, size = time.monotonic(), 0
    pieces = []
    for piece in answer.iter_bytes():
        size += len(piece)
        if size > MOST_BYTES:
            raise TooLarge(f"an answer of more than {MOST_BYTES >> 20} MiB")
        if time.monotonic() - began > most_seconds:
            raise TooSlow(f"an answer that was not whole after {most_seconds:g} s")
        pieces.append(piece)
    return b"".join(pieces)

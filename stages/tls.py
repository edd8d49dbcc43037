"""Trusted TLS certificates, read once for all HTTP clients of this process: reading them takes
longer than most requests."""

from __future__ import annotations

import functools
import os
import ssl

import httpx

# The variables that httpx reads them from.
VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def trusted() -> ssl.SSLContext:
    """httpx's default SSL context, for `httpx.Client(verify=…)`."""
    return _read(*(os.environ.get(name) for name in VARIABLES))


@functools.cache
def _read(*_: str | None) -> ssl.SSLContext:
    return httpx.create_ssl_context()

"""sha256 over values and files: what a result was made from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from stages.state.manifests import Part


def fingerprint(*values: object) -> str:
    """sha256 over values that JSON can hold: what a result was made from."""
    text = json.dumps(values, sort_keys=True, ensure_ascii=False, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: object) -> Any:
    """A part counts by its content, whenever it was written; anything else that JSON does not know
    becomes text."""
    if isinstance(value, Part):
        return msgspec.to_builtins(msgspec.structs.replace(value, stat=None))
    return str(value)


def hash_file(path: Path) -> str:
    """sha256 of a file's bytes, in hex."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def content_hash(parts: Iterable[Part]) -> str:
    """One hash for a list of parts, from their own."""
    return fingerprint([part.sha256 for part in parts])

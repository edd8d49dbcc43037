"""sha256 over values and files: what a result was made from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


def fingerprint(*values: object) -> str:
    """sha256 over values that JSON can hold: what a result was made from."""
    text = json.dumps(values, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def hash_file(path: Path) -> str:
    """sha256 of a file's bytes, in hex."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def content_hash(parts: Iterable[Mapping[str, Any]]) -> str:
    """One hash for a list of parts, from their own."""
    return fingerprint([part["sha256"] for part in parts])

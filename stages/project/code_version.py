"""The code that makes documents, as one hash: other code may make others of the same rows."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from stages.state.fingerprints import fingerprint, hash_file

PACKAGE = Path(__file__).resolve().parents[1]
# Beside all of the stage itself, and its macros.
SHARED = (
    "convex/values.py",
    "convex/values.sql",
    "convex/ids.py",
    "convex/source_uuid.sql",
    "convex/canonical.py",
    "convex/layouts.py",
    "convex/validators/*.py",
    "limits.py",
    "sql.py",
    "views.py",
    "side_views.py",
)


@cache
def code_hash() -> str:
    """Of the code and the macros that make documents; read once a process."""
    patterns = ("transform/*.py", "transform/sql/*.sql", *SHARED)
    files = [file for pattern in patterns for file in sorted(PACKAGE.glob(pattern))]
    return fingerprint([hash_file(file) for file in files])

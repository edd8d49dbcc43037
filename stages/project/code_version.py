"""A hash of the code that makes documents: other code may turn the same rows into others."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from stages.state.fingerprints import fingerprint, hash_file

PACKAGE = Path(__file__).resolve().parents[1]
# In addition to the whole transform stage and its macros.
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
    """Hash of the code and the macros that make documents; read once per process."""
    patterns = ("transform/*.py", "transform/sql/*.sql", *SHARED)
    files = [file for pattern in patterns for file in sorted(PACKAGE.glob(pattern))]
    return fingerprint([hash_file(file) for file in files])

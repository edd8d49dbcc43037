"""A source in a sandbox of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stages import sandbox
from tests.init.support import HERE, copy_project, sandbox_at


@pytest.fixture(scope="package")
def torture(sandbox_root: Path) -> Iterator[sandbox.State]:
    """A source with everything that init must tell apart; no deployment."""
    root = sandbox_root / "torture"
    try:
        with sandbox_at(root):
            state = sandbox.up(HERE / "torture", [])
        yield state
    finally:
        with sandbox_at(root):
            sandbox.reset(HERE / "torture")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return copy_project("torture", tmp_path / "torture")

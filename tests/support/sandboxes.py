"""Separate sandboxes for tests."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from stages import sandbox
from tests.support.command_line import ROOT


@contextmanager
def open_folder(name: str) -> Iterator[Path]:
    """A folder that every account may enter, as Postgres' account must; removed at the end.

    It is on a disk; a folder in TMPDIR might not be.
    """
    parent = Path("/var/tmp")
    prefix = f"stages-{name}-"
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent if parent.is_dir() else None))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def sandbox_at(root: Path) -> Iterator[None]:
    """In this block, commands and calls use the sandbox in this folder."""
    before = os.environ.get("STAGES_SANDBOX")
    os.environ["STAGES_SANDBOX"] = str(root)
    try:
        yield
    finally:
        if before is None:
            del os.environ["STAGES_SANDBOX"]
        else:
            os.environ["STAGES_SANDBOX"] = before


@contextmanager
def own_sandbox(root: Path) -> Iterator[Path]:
    """As `sandbox_at`; at the end the sandbox and everything that it started are removed."""
    with sandbox_at(root):
        try:
            yield root
        finally:
            sandbox.reset(ROOT)  # the project does not matter: STAGES_SANDBOX names the folder


@contextmanager
def own_source(root: Path, project: Path, targets: Iterable[str] = ()) -> Iterator[sandbox.State]:
    """A project's sandbox in this folder, in addition to the one that commands use; removed at the
    end."""
    try:
        with sandbox_at(root):
            state = sandbox.up(project, targets)
        yield state
    finally:
        with own_sandbox(root):
            pass

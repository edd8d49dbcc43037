"""The lock on a data folder: one writer at a time."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from stages.errors import Stopped, UserError
from stages.state.workspace import Workspace


@contextmanager
def data_lock(workspace: Workspace) -> Iterator[None]:
    """Hold the data folder: one writer at a time. The lock dies with its process.

    Raises Stopped where another command holds it; UserError where the folder can't be written.
    """
    os.umask(0o077)
    try:
        workspace.scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = workspace.lock.open("a")
    except OSError as error:
        raise UserError(
            f"{workspace.data} can't be written: {error.strerror}", "choose another with --data DIR"
        ) from None
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Stopped(
                f"another stages command is writing to {workspace.data}",
                "wait for it to end, then run this again; look on with: stages status",
            ) from None
        for leftover in workspace.scratch.iterdir():
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        yield

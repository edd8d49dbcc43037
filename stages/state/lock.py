"""The lock on a data folder: one writer at a time."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from stages.errors import Stopped, UserError
from stages.state.durable import make_folder
from stages.state.workspace import Workspace


@contextmanager
def data_lock(workspace: Workspace) -> Iterator[None]:
    """Hold the data folder: one writer at a time. The lock dies with its process.

    Raises Stopped where another command or call holds it; UserError where the folder can't be
    written.
    """
    # The system's lock only: the library's substitute, a marker file, would outlive a kill.
    lock = FileLock(workspace.lock, mode=0o600, fallback_to_soft=False)
    try:
        make_folder(workspace.scratch)
        held = lock.acquire(blocking=False)
    except Timeout:
        raise Stopped(
            f"another stages command is writing to {workspace.data}",
            "wait for it to end, then run this again; look on with: stages status",
        ) from None
    except OSError as error:
        raise UserError(
            f"{workspace.data} can't be written: {error.strerror}", "choose another with --data DIR"
        ) from None
    with held:
        for leftover in workspace.scratch.iterdir():
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        yield

"""The lock on a data folder: one writer at a time."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import get_args

from filelock import FileLock, Timeout

from stages.errors import Stopped, UserError
from stages.state.durable import make_folder
from stages.state.history import append_killed
from stages.state.records import read_whole
from stages.state.running import Running, noted_running
from stages.state.stage_times import TimedStage
from stages.state.workspace import Workspace


@contextmanager
def data_lock(workspace: Workspace, command: str = "") -> Iterator[None]:
    """Hold the data folder: one writer at a time. The lock ends with its process. `command` is
    shown to those who watch.

    Raises Stopped if another command or call holds it, UserError if the folder can't be written.
    """
    # Only the system's lock: the library's substitute, a marker file, would outlive a kill.
    lock = FileLock(workspace.lock, mode=0o600, fallback_to_soft=False)
    try:
        make_folder(workspace.scratch)
        held = lock.acquire(blocking=False)
    except Timeout:
        raise Stopped(
            f"another stages command is writing to {workspace.data}",
            "wait for it to end, then run this again; watch it with: stages status --watch",
        ) from None
    except OSError as error:
        raise UserError(
            f"{workspace.data} can't be written: {error.strerror}", "choose another with --data DIR"
        ) from None
    with held:
        # The holder removes it at its end, unless it is killed.
        killed = read_whole(Running, workspace.running)
        for leftover in workspace.scratch.iterdir():
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        if killed is not None and killed.command in get_args(TimedStage):
            with suppress(OSError):
                append_killed(workspace, killed)
        with noted_running(workspace, command) if command else nullcontext():
            yield

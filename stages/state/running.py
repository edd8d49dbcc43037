"""Which command is writing to the data folder, for those who watch.

The lock keeps others out; this only says who holds it. The file is in the scratch folder, which the
next writer empties, and with it what a kill has left behind.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from stages.state.durable import remove
from stages.state.records import Record, read_whole, write_record
from stages.state.workspace import Workspace


class Running(Record, kw_only=True):
    """A command that is under way, its process, and when it began (UTC)."""

    command: str
    pid: int
    since: str
    target: str = ""

    @classmethod
    def way_on(cls, file: Path) -> str:
        return "run the command again"


@contextmanager
def noted_running(workspace: Workspace, command: str) -> Iterator[None]:
    """Record that this process runs a command, while it holds the lock."""
    since = datetime.now(UTC).isoformat(timespec="seconds")
    running = Running(command=command, pid=os.getpid(), since=since, target=workspace.target)
    # A command must not fail because it can't be watched.
    with suppress(OSError):
        write_record(workspace.running, running)
    try:
        yield
    finally:
        with suppress(OSError):
            remove(workspace.running)


def read_running(workspace: Workspace) -> Running | None:
    """The command that another process is running now, if any."""
    running = read_whole(Running, workspace.running)
    if running is None or running.pid == os.getpid() or not _is_alive(running.pid):
        return None
    return running


def _is_alive(pid: int) -> bool:
    if os.name == "nt":  # where signal 0 would end the process
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's process
        return True
    return True

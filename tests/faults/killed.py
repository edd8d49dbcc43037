"""Run a `stages` command in this process, and kill it -9 at an exact step.

    python killed.py STEP LOG -- COMMAND...

Steps are numbered from 1: each change to a file under the folders listed in STAGES_WATCHED (before
it happens), a journal line cut off in the middle, and each response of Convex (to a mutation, or to
a step of an import) before it is recorded. STEP is a number, or a prefix of a step's name; 0 kills
nothing. LOG gets one line per step; the last one is the fatal step. Parts and batches are small, so
that there are steps between them.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stages import clean, cli
from stages.convex import ledger_ops
from stages.convex.client import Deployment, Kind
from stages.convex.snapshots import Snapshots
from stages.errors import Transient
from stages.extract import postgres, rest, table_extract
from stages.load import run as load
from stages.retry import Backoff
from stages.state.journal import Journal
from stages.transform import run as transform

ROWS = 20
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "shutil.rmtree"}


class Steps:
    """Counts and logs steps, and kills the process at the chosen one."""

    def __init__(self, fatal: str, log: Path, watched: list[str]) -> None:
        self._fatal = fatal
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
        self._watched = tuple(f"{folder}{os.sep}" for folder in watched)
        self._lock = threading.Lock()
        self._taken = 0

    def take(self, name: str) -> None:
        with self._lock:
            self._taken += 1
            os.write(self._log, f"{name}\n".encode())
            if str(self._taken) == self._fatal or name.startswith(self._fatal):
                os.kill(os.getpid(), signal.SIGKILL)
                signal.pause()  # the signal may reach another thread first

    def audit(self, event: str, args: tuple[Any, ...]) -> None:
        """A hook for sys.addaudithook: Python reports every change to a file before it happens."""
        if event == "open":
            path, mode, flags = args
            if not (isinstance(mode, str) and set(mode) & set("wax+")) and not flags & WRITING:
                return
        elif event not in CHANGES:
            return
        else:
            path = args[0]
        if isinstance(path, str | bytes | os.PathLike):
            name = os.path.join(_folder(event, args), os.fsdecode(path))  # noqa: PTH118
            there = event == "os.mkdir" and Path(name).is_dir()
            if name.startswith(self._watched) and not there:
                self.take(f"{event} {name}")

    def patch(self) -> None:
        """Add steps without an audit event: half a journal line, a response not yet recorded."""
        write, call_once, take = Journal.write, Deployment.call_once, self.take

        def torn(self: Journal, text: str) -> None:
            handle = self._handle
            if text:
                # What a kill during the write would leave behind.
                end = handle.seek(0, os.SEEK_END)
                handle.write(b'{"sourceId": "' + b"x" * 20)
                handle.flush()
                take(f"torn {handle.name}")
                handle.truncate(end)
            write(self, text)
            take(f"appended {handle.name}")

        def answered(self: Deployment, kind: Kind, function: str, args: str | bytes) -> bytes:
            answer = call_once(self, kind, function, args)
            if kind == "mutation":
                take(f"answered {function}")
            return answer

        for name in ("start_upload", "upload_part", "finish_upload", "perform", "state"):
            setattr(Snapshots, name, self._told(name, getattr(Snapshots, name)))
        Journal.write = torn  # type: ignore[method-assign]
        Deployment.call_once = answered  # type: ignore[method-assign]

    def _told(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a request of an import, adding a step after its response."""

        def answered(*args: Any) -> Any:
            answer = method(*args)
            self.take(f"answered {name} {getattr(answer, 'state', '')}")
            return answer

        return answered


def _folder(event: str, args: tuple[Any, ...]) -> str:
    """The folder that a name is relative to: `rmtree` uses directory descriptors."""
    relative = event in ("os.remove", "os.rmdir") and args[1] >= 0
    return os.readlink(f"/proc/self/fd/{args[1]}") if relative else ""  # noqa: PTH115


def cut_small() -> None:
    """Make parts, pages and batches small, since the sample only has a thousand rows."""
    for module, name, value in (
        (table_extract, "PART_ROWS", ROWS),
        (postgres, "BATCH_BYTES", 2000),
        (rest, "PAGE", ROWS),
        (load, "MOST_DOCUMENTS", ROWS),
        (ledger_ops, "MOST_RECORDS", ROWS),
        (clean, "MOST_ROWS", ROWS),
        (load, "MOST_IN_FLIGHT", 4),
        # Views after each table: otherwise the number of steps would depend on timing.
        (transform, "VIEWS_SHARE", 0),
    ):
        assert hasattr(module, name), f"{module.__name__} has no {name} any more"
        setattr(module, name, value)


def soon(self: Backoff, attempt: int, error: Transient) -> float:
    """Seconds before the next attempt."""
    return 0.01


def main(fatal: str, log: str, bar: str, *command: str) -> None:
    assert bar == "--"
    steps = Steps(fatal, Path(log), os.environ["STAGES_WATCHED"].split(os.pathsep))
    cut_small()
    Backoff.delay = soon  # type: ignore[method-assign]
    steps.patch()
    sys.addaudithook(steps.audit)
    sys.argv = ["stages", *command]
    cli.main()


if __name__ == "__main__":
    main(*sys.argv[1:])

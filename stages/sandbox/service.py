"""One background process: started so that it outlives its parent, found again, and stopped."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.errors import StagesError
from stages.sandbox.state import read_json

START_SECONDS = 60.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.02
TAIL_LINES = 20
# $$ is the process that `exec` turns into the service. Its ID goes to the lock file, which is the
# shell's stdout; all later output goes to the log.
_LAUNCH = 'echo $$ && exec "$@" >&2'
# Variables that may identify or open the user's real projects must not reach a sandbox.
_PRIVATE = ("CONVEX_", "MIGRATION_", "PG", "STAGES_", "SUPABASE_")

# Processes that this process started: it must reap them, or they stay zombies.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True, kw_only=True)
class SystemUser:
    """The account that a service runs as, if not the caller's."""

    uid: int
    gid: int

    def options(self) -> dict[str, Any]:
        """Keyword arguments of subprocess."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


@dataclass(frozen=True, kw_only=True)
class Service:
    """A process named `name` whose files are in `root`.

    It is alive as long as it holds the lock on its lock file, which it inherits. So the ID in that
    file is never mistaken for a later process with the same ID.
    """

    root: Path
    name: str

    @property
    def lock(self) -> Path:
        """The lock file, which contains the process ID."""
        return self.root / f"{self.name}.lock"

    @property
    def log(self) -> Path:
        """Standard output and error since the last start."""
        return self.root / f"{self.name}.log"

    @property
    def config(self) -> Path:
        """The configuration that the service was started with, including secrets."""
        return self.root / f"{self.name}.json"

    @property
    def ready(self) -> Path:
        """The service's addresses; it writes this file once it serves."""
        return self.root / f"{self.name}.ready.json"

    def is_alive(self) -> bool:
        """Whether the process is running. If it was killed, waits for its children to end."""
        deadline = time.monotonic() + STOP_SECONDS
        while self._is_locked():
            if self._is_running():
                return True
            if time.monotonic() > deadline:
                raise StagesError(
                    f"the sandbox's {self.name} has ended, but a process that it started has not",
                    f"look for it with: fuser {self.lock}",
                )
            time.sleep(POLL_SECONDS)
        self._reap()
        return False

    def start(
        self,
        command: Sequence[str],
        *,
        cwd: Path,
        account: SystemUser | None = None,
    ) -> None:
        """Start `command` in its own session. The caller holds the sandbox's lock."""
        self.ready.unlink(missing_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        lock = os.open(self.lock, flags, 0o600)
        log = os.open(self.log, flags | os.O_TRUNC | os.O_APPEND, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(lock, 0)
            child = subprocess.Popen(
                ["/bin/sh", "-c", _LAUNCH, "sh", *command],
                stdin=subprocess.DEVNULL,
                stdout=lock,
                stderr=log,
                pass_fds=[lock],
                start_new_session=True,
                umask=0o077,
                cwd=cwd,
                env=environment(),
                **(account.options() if account else {}),
            )
        finally:
            os.close(lock)
            os.close(log)
        _children[child.pid] = child

    def wait_until(self, is_ready: Callable[[], bool]) -> None:
        """Wait for `is_ready`. Raises StagesError with the end of the log if the process ends
        first, or does not start in time."""
        deadline = time.monotonic() + START_SECONDS
        while not is_ready():
            if not self.is_alive():
                raise self.failure("stopped while it was starting")
            if time.monotonic() > deadline:
                raise self.failure(f"did not start within {START_SECONDS:.0f} seconds")
            time.sleep(POLL_SECONDS)

    def wait_for_addresses(self) -> dict[str, str]:
        """Wait for the ready file, and return its content."""
        self.wait_until(self.ready.exists)
        return read_json(self.ready) or {}

    def failure(self, what: str) -> StagesError:
        """An error about this service, with the last lines of its log."""
        tail = "\n".join(f"  {line}" for line in self.read_log().splitlines()[-TAIL_LINES:])
        return StagesError(
            f"the sandbox's {self.name} {what}; its log ends:\n{tail}",
            "stages sandbox reset, if starting it again does not help",
        )

    def read_log(self) -> str:
        """Everything that the service wrote since its last start."""
        return self.log.read_text("utf-8", errors="replace") if self.log.exists() else ""

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ask the process to end, wait until it has, and kill it if necessary."""
        for each in (number, signal.SIGKILL):
            pid = self._pid()
            if pid is not None and self._is_locked():
                _signal(pid, each)
            deadline = time.monotonic() + STOP_SECONDS
            while self._is_locked():
                if time.monotonic() > deadline:
                    break
                time.sleep(POLL_SECONDS)
            else:
                self._reap()
                return
        raise StagesError(
            f"the sandbox's {self.name} does not stop", f"look for it with: fuser {self.lock}"
        )

    def forget(self) -> None:
        """Delete the files of a stopped service, except its log."""
        for path in (self.config, self.ready, self.lock):
            path.unlink(missing_ok=True)

    def _is_locked(self) -> bool:
        try:
            descriptor = os.open(self.lock, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            # Shared, so that two concurrent checks don't take each other for the service.
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def _pid(self) -> int | None:
        try:
            text = self.lock.read_text("ascii").strip()
        except FileNotFoundError:
            return None
        return int(text) if text else None

    def _is_running(self) -> bool:
        pid = self._pid()
        if pid is None:  # the shell has not run its first command yet
            return True
        child = _children.get(pid)
        if child is not None and child.poll() is not None:
            return False
        return _signal(pid, 0)

    def _reap(self) -> None:
        pid = self._pid()
        child = _children.pop(pid, None) if pid is not None else None
        if child is not None:
            child.wait(STOP_SECONDS)


def _signal(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def environment() -> Mapping[str, str]:
    """The caller's environment, without variables for Postgres, Supabase, Convex or stages."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_PRIVATE)}

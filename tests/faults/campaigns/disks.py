"""A disk that fills up during a command: exit 3, and once there is space, the same command
continues.

Uses a separate in-memory file system if this user may mount one; otherwise a limit per file.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.faults.campaigns.kills import CASES
from tests.faults.campaigns.outcome import Outcome
from tests.faults.campaigns.setting import Setting, Trial

STOPPED = 3
ROOMY = "256m"
COMMANDS = (
    "extract", "transform", "load by functions", "load by HTTP action", "import", "verify",
    "rollback", "prune",
)  # fmt: skip
# The most that each command writes in addition to existing files, in KiB, in page-sized blocks.
MOST_KIB = 1200


def fill(setting: Setting, name: str, times: int, *, mounted: bool | None = None) -> Outcome:
    """Run a command on `times` disks that fill up; `mounted`: on a separate file system."""
    small = can_mount(setting.folder) if mounted is None else mounted
    case = CASES[name]
    outcome = setting.outcome("full disks" if small else "files at their limit", name)
    most = MOST_KIB
    while outcome.landed < times and not outcome.problems:
        with setting.trial("disk") as trial:
            prepare = case.prepare
            with _disk(trial, small) as disk:
                prepare(setting, trial)
                room = 4 * setting.chance.randrange(1, most // 4) if small else 0
                before = disk.limit(setting.chance.randrange(1, 12), room)
                ran = trial.run(*case.command, before=before)
                disk.free()
                fault = f"{name}, {room or 'few'} KiB left"
                if not outcome.ran(ran, fault):
                    break
                if ran.returncode == 0:
                    most = max(16, room)
                    continue
                outcome.landed += 1
                if ran.returncode != STOPPED:
                    outcome.stuck += 1
                    words = (ran.stdout + ran.stderr)[-1500:]
                    outcome.note(f"{fault}: ended with {ran.returncode}\n{words}")
                if outcome.require_done(trial.run(*case.command), fault):
                    outcome.compare(case.quiet(setting), case.rows(setting, trial), fault)
    return outcome


class _Limit:
    """No file may grow beyond a few KiB; existing files stay."""

    def limit(self, kib: int, room: int) -> Sequence[str]:
        return ("bash", "-c", f'ulimit -f {kib}; exec "$@"', "bash")

    def free(self) -> None:
        """Do nothing: the limit applied only to the process."""


class _Disk(_Limit):
    """An in-memory file system just large enough for its files, plus some space."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def limit(self, kib: int, room: int) -> Sequence[str]:
        used = shutil.disk_usage(self.folder).used // 1024
        _mount("-o", f"remount,size={used + room}k", str(self.folder))
        return ()

    def free(self) -> None:
        _mount("-o", f"remount,size={ROOMY}", str(self.folder))


@contextmanager
def _disk(trial: Trial, mounted: bool) -> Iterator[_Limit]:
    """The trial's data is in data/ on the disk, so that commands may remove the whole folder."""
    if not mounted:
        yield _Limit()
        return
    folder = trial.folder / "disk"
    folder.mkdir()
    _mount("-t", "tmpfs", "-o", f"size={ROOMY}", "tmpfs", str(folder))
    trial.stages.data = folder / "data"
    try:
        yield _Disk(folder)
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def can_mount(folder: Path) -> bool:
    """Whether this user may mount an in-memory file system."""
    place = folder / "mount"
    place.mkdir(exist_ok=True)
    try:
        _mount("-t", "tmpfs", "-o", "size=4k", "tmpfs", str(place))
    except (OSError, subprocess.CalledProcessError):
        return False
    subprocess.run(["umount", str(place)], check=True)
    return True


def _mount(*options: str) -> None:
    subprocess.run(["mount", *options], check=True, capture_output=True)

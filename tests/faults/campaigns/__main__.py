"""`make soak`: every campaign whole, its table, and 1 where anything is lost, doubled or altered.

    python -m tests.faults.campaigns [--seed N] [--share 0.1] [kills damage answers disks]

It takes about two hours. A problem comes with what repeats it: the seed and the fault.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from stages import sandbox
from tests.faults.campaigns import answers, damage, disks, kills
from tests.faults.campaigns.outcome import Outcome, table_of
from tests.faults.campaigns.setting import Setting
from tests.support.command_line import ROOT

# Of each of eight commands, and so on.
KILLS, DAMAGED, KINDS, DISKS = 25, 200, 40, 8


def all_kills(setting: Setting, share: float) -> Iterator[Outcome]:
    for name in kills.CASES:
        yield kills.kill(setting, name, _of(KILLS, share))


def all_damage(setting: Setting, share: float) -> Iterator[Outcome]:
    yield damage.harm(setting, _of(DAMAGED, share))


def all_answers(setting: Setting, share: float) -> Iterator[Outcome]:
    yield answers.answer(setting, _of(KINDS, share))
    for name in ("load by functions", "load by HTTP action", "extract"):
        yield answers.mix(setting, name)


def all_disks(setting: Setting, share: float) -> Iterator[Outcome]:
    for name in disks.COMMANDS:
        yield disks.fill(setting, name, _of(DISKS, share))


CAMPAIGNS: dict[str, Callable[[Setting, float], Iterator[Outcome]]] = {
    "kills": all_kills,
    "damage": all_damage,
    "answers": all_answers,
    "disks": all_disks,
}


def _of(whole: int, share: float) -> int:
    return max(1, round(whole * share))


def main() -> None:
    """Run what is asked for, with a sandbox of its own."""
    parser = argparse.ArgumentParser(prog="make soak ARGS=")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--share", type=float, default=1.0, help="of the number of faults")
    parser.add_argument("campaigns", nargs="*", choices=[*CAMPAIGNS, []])
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
    # Postgres' own user must be able to enter it.
    base = "/var/tmp" if Path("/var/tmp").is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="stages-soak-", dir=base))
    folder.chmod(0o755)
    (folder / "node_modules").symlink_to(ROOT / "node_modules")
    os.environ["STAGES_SANDBOX"] = str(folder / "box")
    outcomes: list[Outcome] = []
    try:
        source = sandbox.up(ROOT, ["sandbox"])
        for name in asked.campaigns or CAMPAIGNS:
            # Each campaign has its own chance, so that it can be repeated alone.
            chance = random.Random(f"{asked.seed} {name}")
            setting = Setting(folder, source, chance, folder / f"staged-{name}")
            setting.stage()
            setting.outcomes = outcomes
            for outcome in CAMPAIGNS[name](setting, asked.share):
                sys.stderr.write(f"{outcome.line()}\n")
    finally:
        sandbox.reset(ROOT)
        shutil.rmtree(folder, ignore_errors=True)
        # Also of what was stopped on the way.
        sys.stdout.write(f"seed {asked.seed}\n{table_of(outcomes)}\n")
    sys.exit(0 if all(outcome.is_clean for outcome in outcomes) else 1)


if __name__ == "__main__":
    main()

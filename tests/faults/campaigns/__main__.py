"""`make soak`: run every campaign in full, print the table, and exit with 1 if there is a problem.

    python -m tests.faults.campaigns [--seed N] [--share 0.1] [kills damage answers disks]

It takes about two hours. Each problem is printed with what reproduces it: the seed and the fault.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator

from stages import sandbox
from tests.faults.campaigns import answers, damage, disks, kills
from tests.faults.campaigns.outcome import Outcome, table_of
from tests.faults.campaigns.setting import Setting
from tests.support.command_line import ROOT
from tests.support.sandboxes import open_folder, own_sandbox

# Kills per command, damaged files, kinds of answers, and full disks per command.
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
    """Run the requested campaigns, with their own sandbox."""
    parser = argparse.ArgumentParser(prog="make soak ARGS=")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--share", type=float, default=1.0, help="of the number of faults")
    parser.add_argument("campaigns", nargs="*", choices=[*CAMPAIGNS, []])
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
    outcomes: list[Outcome] = []
    try:
        with open_folder("soak") as folder, own_sandbox(folder / "box"):
            (folder / "node_modules").symlink_to(ROOT / "node_modules")
            source = sandbox.up(ROOT, ["sandbox"])
            for name in asked.campaigns or CAMPAIGNS:
                # Each campaign has its own random generator, so that it can be repeated alone.
                chance = random.Random(f"{asked.seed} {name}")
                setting = Setting(folder, source, chance, folder / f"staged-{name}")
                setting.stage()
                setting.outcomes = outcomes
                for outcome in CAMPAIGNS[name](setting, asked.share):
                    sys.stderr.write(f"{outcome.line()}\n")
    finally:
        # Also if it was stopped before the end.
        sys.stdout.write(f"seed {asked.seed}\n{table_of(outcomes)}\n")
    sys.exit(0 if all(outcome.is_clean for outcome in outcomes) else 1)


if __name__ == "__main__":
    main()

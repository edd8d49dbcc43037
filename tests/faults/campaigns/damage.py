"""Damage to staged files between any two commands: it is found, named, and repaired by following
the advice; Convex ends up with the same documents."""

from __future__ import annotations

import random
import re
import shlex
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.faults.campaigns.outcome import Outcome, content
from tests.faults.campaigns.setting import Ran, Setting, Trial

COMMANDS = (
    ("extract",),
    ("extract", "--restart"),
    ("transform",),
    ("transform", "--restart"),
    ("load",),
    ("load", "--restart"),
    ("load", "--dry-run"),
    ("load", "--through", "import"),
    ("verify",),
    ("verify", "--source"),
    ("status",),
    ("status", "--json"),
    ("rejects",),
    ("report",),
    ("check",),
    ("sql", "SELECT count(*) FROM load.webinars"),
    ("clean", "--target-folder", "--yes"),
    ("clean", "--yes"),
    ("rollback", "--yes"),
)
ALL_STAGES = (("extract",), ("transform",), ("load",), ("verify",))
LOAD = (("load",),)
# Percentage of trials that run all stages again, and not only a load.
THROUGH_ALL = 25
# The same advice may be given again for the next file.
MOST_ADVICE = 30
ADVICE = re.compile(r"(?:: |^\s*→ )(stages [^;(\n]*)", re.MULTILINE)


def _some_bytes(content: bytes, chance: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.randint(1, 8)):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


HARMS: dict[str, Callable[[bytes, random.Random], bytes | None]] = {
    "bytes": _some_bytes,
    "noise": lambda content, chance: chance.randbytes(len(content)),
    "cut": lambda content, chance: content[: chance.randrange(len(content))],
    "emptied": lambda content, chance: b"",
    "deleted": lambda content, chance: None,
}


def kind_of(file: Path) -> str:
    """The kind of a file: files of one kind differ only in their table or number."""
    parts = file.parts
    name = re.sub(r"\d+", "N", parts[-1])
    if parts[-2:-1] == ("verify",) or parts[-2:-1] == ("_keys",):
        name = name if name == "manifest.json" else "TABLE." + name.partition(".")[2]
        return "/".join((*parts[:-1], name))
    tables = {"extract", "transform", "load", "reference"}
    at = next((n for n, part in enumerate(parts[:-2]) if part in tables), None)
    if at is not None and parts[at + 1] != "_keys":
        parts = (*parts[: at + 1], "TABLE", *parts[at + 2 :])
    return "/".join((*parts[:-1], name))


def kinds(data: Path) -> dict[str, list[Path]]:
    """The staged files by kind."""
    found: dict[str, list[Path]] = defaultdict(list)
    for file in sorted(data.rglob("*")):
        if file.is_file() and file.name != ".lock":
            found[kind_of(file.relative_to(data))].append(file.relative_to(data))
    return dict(sorted(found.items()))


def harm(setting: Setting, times: int) -> Outcome:
    """Repeatedly damage a file, run a command, and follow the advice."""
    outcome, chance = setting.outcome("damage", "all files, all commands"), setting.chance
    done = 0
    while done < times:
        with _loaded(setting) as (trial, whole):
            listed = kinds(whole)
            clean = True
            while clean and done < times:
                done += 1
                shutil.rmtree(trial.stages.data)
                shutil.copytree(whole, trial.stages.data)
                kind = list(listed)[done % len(listed)]
                file, command = chance.choice(listed[kind]), chance.choice(COMMANDS)
                name = chance.choice(list(HARMS))
                before = (whole / file).read_bytes()
                after = HARMS[name](before, chance) if before else b"\x00"
                place = trial.stages.data / file
                place.unlink() if after is None else place.write_bytes(after)
                fault = f"{file} {name}, then {' '.join(command)}"
                outcome.landed += 1
                stages = ALL_STAGES if chance.randrange(100) < THROUGH_ALL else LOAD
                clean = _recover(outcome, trial, trial.run(*command), stages, fault)
                clean &= outcome.compare(setting.content, content(trial.deployment), fault)
                # After a rollback, documents have other ids than in the copy.
                clean &= command[0] != "rollback"
    return outcome


@contextmanager
def _loaded(setting: Setting) -> Iterator[tuple[Trial, Path]]:
    """A deployment with everything loaded and verified, and a copy of its data."""
    with setting.trial("damage", data=setting.staged) as trial:
        trial.require("load")
        trial.require("verify")
        whole = trial.folder / "whole"
        shutil.copytree(trial.stages.data, whole)
        yield trial, whole


def _recover(
    outcome: Outcome, trial: Trial, ran: Ran, stages: Sequence[tuple[str, ...]], fault: str
) -> bool:
    """Complete these stages, doing nothing but what the messages advise."""
    clean = outcome.ran(ran, fault)
    waiting, advised = list(stages), 0
    while waiting and clean:
        ran = trial.run(*waiting[0])
        step = f"{fault}, then {' '.join(waiting[0])}"
        clean = outcome.ran(ran, step)
        if ran.returncode == 0:
            del waiting[0]
            continue
        advice = ADVICE.search(trial.stages.plain(ran.stderr))
        advised += 1
        if advice is None or advised > MOST_ADVICE:
            outcome.require_done(ran, step)
            return False
        # Run the advice first, then the failed command again.
        waiting.insert(0, tuple(shlex.split(advice[1])[1:]))
    return clean

"""`kill -9` at random moments, then the same command again: the result is that of a quiet run."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.faults.campaigns.outcome import Content, Outcome, content
from tests.faults.campaigns.setting import Setting, Trial
from tests.faults.support import PLAN

# Maximum number of consecutive kills before a run may finish; then a new trial starts.
MOST_IN_A_ROW = 4
PRUNED, KEPT_BELOW = "webinarRegistrations", "8"

Rows = list[tuple[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A command to kill: the state before it, and the state that must result."""

    command: tuple[str, ...]
    prepare: Callable[[Setting, Trial], None]
    rows: Callable[[Setting, Trial], Rows]
    quiet: Callable[[Setting], Content]


def _nothing(setting: Setting, trial: Trial) -> None:
    """Start with an empty data folder."""


def _extracted(setting: Setting, trial: Trial) -> None:
    shutil.copytree(setting.staged, trial.stages.data)
    shutil.rmtree(trial.stages.target_folder / "transform")


def _staged(setting: Setting, trial: Trial) -> None:
    shutil.copytree(setting.staged, trial.stages.data)


def _loaded(setting: Setting, trial: Trial) -> None:
    _staged(setting, trial)
    trial.require("load")


def _to_prune(setting: Setting, trial: Trial) -> None:
    """Part of a loaded table is no longer in the source."""
    _loaded(setting, trial)
    source = PLAN.tables[PRUNED].source
    plan = trial.stages.project / ".planning" / "migrations" / "plan.toml"
    with plan.open("a", encoding="utf-8") as file:
        file.write(f"\n[sources.{source}]\nwhere = \"id::text < '{KEPT_BELOW}'\"\n")
    trial.require("extract", source, "--restart")
    trial.require("transform")


def _in_convex(setting: Setting, trial: Trial) -> Rows:
    return content(trial.deployment)


def _loadable(setting: Setting) -> Content:
    return setting.content


def _references(setting: Setting) -> Content:
    """The documents that Convex had before anything was loaded."""
    return {key: row for key, row in setting.content.items() if "#" in key}


def _pruned(setting: Setting) -> Content:
    last = f"{PRUNED}:{KEPT_BELOW}"
    return {
        key: row
        for key, row in setting.content.items()
        if not (key.startswith(f"{PRUNED}:") and key >= last)
    }


CASES = {
    "extract": Case(
        command=("extract",),
        prepare=_nothing,
        rows=lambda setting, trial: setting.extracted(trial.stages.data),
        quiet=lambda setting: dict(setting.extracted(setting.staged)),
    ),
    "transform": Case(
        command=("transform",),
        prepare=_extracted,
        rows=lambda setting, trial: setting.transformed(trial.stages.data),
        quiet=lambda setting: dict(setting.transformed(setting.staged)),
    ),
    "load by functions": Case(
        command=("load",), prepare=_staged, rows=_in_convex, quiet=_loadable
    ),
    "load by HTTP action": Case(
        command=("load", "--through", "http-action"),
        prepare=_staged, rows=_in_convex, quiet=_loadable,
    ),
    "import": Case(
        command=("load", "--through", "import"),
        prepare=_staged, rows=_in_convex, quiet=_loadable,
    ),
    "verify": Case(
        command=("verify",), prepare=_loaded, rows=_in_convex, quiet=_loadable
    ),
    "rollback": Case(
        command=("rollback", "--yes"), prepare=_loaded, rows=_in_convex, quiet=_references
    ),
    "prune": Case(
        command=("load", "--prune", "--yes", "faults"),
        prepare=_to_prune, rows=_in_convex, quiet=_pruned,
    ),
}  # fmt: skip


def kill(setting: Setting, name: str, landed: int) -> Outcome:
    """Kill a command until `landed` kills have landed."""
    case, outcome = CASES[name], setting.outcome("kills", name)
    # Without the startup, which only reads; adjusted after runs that were not killed.
    longest = 1.5
    while outcome.landed < landed and not outcome.problems:
        with setting.trial("kill") as trial:
            case.prepare(setting, trial)
            for delay in _delays(setting, min(MOST_IN_A_ROW, landed - outcome.landed), longest):
                was_killed, ran = trial.kill(delay, *case.command)
                if not was_killed:
                    outcome.ran(ran, f"not killed in {delay:.2f} s")
                    longest = max(0.3, longest * 0.8)
                    break
                outcome.landed += 1
            fault = f"{' '.join(case.command)}, killed {outcome.landed} times so far"
            if outcome.require_done(trial.run(*case.command), fault):
                outcome.compare(case.quiet(setting), case.rows(setting, trial), fault)
    return outcome


def _delays(setting: Setting, most: int, longest: float) -> Iterator[float]:
    """Seconds from the first line of output; a resumed run has less left to do."""
    for number in range(most):
        yield setting.chance.uniform(0.0, longest / (1 + number / 2))

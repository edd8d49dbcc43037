"""Bounded versions of the campaigns, each with a fixed seed; `make soak` runs them in full."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from stages import sandbox
from tests.faults.campaigns import answers, damage, disks, kills
from tests.faults.campaigns.outcome import Outcome, content
from tests.faults.campaigns.setting import Setting
from tests.faults.support import Host
from tests.support.command_line import Stages


@pytest.fixture
def setting(
    supabase: sandbox.State, staged: Path, loaded: tuple[Stages, Host], tmp_path: Path
) -> Setting:
    chance = random.Random(18)
    return Setting(tmp_path, supabase, chance, staged, dict(content(loaded[1])))


def require_clean(outcome: Outcome) -> None:
    assert outcome.is_clean, "\n".join(outcome.problems)
    assert outcome.landed


@pytest.mark.parametrize("name", ["load by HTTP action", "import"])
def test_a_kill_at_a_random_moment(setting: Setting, name: str) -> None:
    require_clean(kills.kill(setting, name, 1))


def test_damage_to_any_file_before_any_command(setting: Setting) -> None:
    require_clean(damage.harm(setting, 3))


def test_odd_answers_of_all_kinds(setting: Setting) -> None:
    require_clean(answers.mix(setting, "load by functions", 4))


@pytest.mark.parametrize("name", ["transform", "import"])
def test_a_disk_that_takes_no_more(setting: Setting, name: str) -> None:
    require_clean(disks.fill(setting, name, 1, mounted=False))

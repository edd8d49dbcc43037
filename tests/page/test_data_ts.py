"""The page's types match its data."""

from __future__ import annotations

import re

import pytest

from stages.hints import COMMANDS
from tests.page.data_ts import FOLDER, MADE, text


@pytest.mark.parametrize("name", MADE)
def test_the_types_are_as_made(name: str) -> None:
    assert (FOLDER / name).read_text("utf-8") == text(MADE[name]), "make it anew: make page"


def test_the_commands_that_can_be_copied_are_those_of_stages() -> None:
    source = (FOLDER / "command.tsx").read_text("utf-8")
    named = re.search(r'const NAMES =\s+"([a-z|]+)";', source)
    assert named and tuple(named[1].split("|")) == COMMANDS

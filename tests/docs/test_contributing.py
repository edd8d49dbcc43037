"""The files that CONTRIBUTING.md names exist, and pre-commit runs what it says."""

from __future__ import annotations

import re

import pytest

from tests.support.command_line import ROOT

PAGE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
FILES = sorted(set(re.findall(r"\b(?:stages|tests|docs|convex)/[\w/.]+", PAGE)))


def test_files_are_found() -> None:
    assert len(FILES) > 20


@pytest.mark.parametrize("name", FILES)
def test_a_file_exists(name: str) -> None:
    assert (ROOT / name.rstrip(".")).exists()


def test_pre_commit_runs_make_lint() -> None:
    text = (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
    assert "entry: make lint\n" in text

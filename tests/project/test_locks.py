"""The locks: one version of each package, hashes, and no host."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.command_line import ROOT

RUNTIME = ROOT / "requirements.lock"
OTHERS = [
    ROOT / "tests" / "requirements.lock",
    ROOT / "tests" / "installed" / "requirements.lock",
    ROOT / "docs" / "site" / "requirements.lock",
]


def pins(text: str) -> dict[str, str]:
    """Package → version."""
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", text, re.MULTILINE))


@pytest.mark.parametrize("lock", [RUNTIME, *OTHERS], ids=lambda lock: str(lock.relative_to(ROOT)))
def test_a_lock_agrees_with_what_users_install(lock: Path) -> None:
    text = lock.read_text("utf-8")
    assert "://" not in text and text.count("--hash=sha256:") >= len(pins(text)) > 0
    runtime = pins(RUNTIME.read_text("utf-8"))
    assert {n: v for n, v in pins(text).items() if n in runtime}.items() <= runtime.items()


def test_users_install_no_test_tools() -> None:
    runtime, all_ = (pins(lock.read_text("utf-8")) for lock in (RUNTIME, OTHERS[0]))
    assert runtime.items() <= all_.items()
    assert {"pytest", "mypy", "ruff", "hypothesis"} <= all_.keys() - runtime.keys()

"""One sandbox for the whole run, of its own, and data folders to begin with."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from stages import sandbox
from tests.support.command_line import ROOT, Stages
from tests.support.sandboxes import open_folder, own_sandbox
from tests.support.tiny_project import Small

# The same examples in each run: a new one that fails is a find, but not of the change it meets.
settings.register_profile("same", derandomize=True, database=None, deadline=None)
settings.load_profile("same")
# Hundreds of processes are started, each of which would compile the package again.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.fixture(scope="session", autouse=True)
def node_packages(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Projects in temporary folders find `convex` as Node does: in a folder above them."""
    (tmp_path_factory.getbasetemp() / "node_modules").symlink_to(ROOT / "node_modules")


@pytest.fixture(scope="session", autouse=True)
def sandbox_root() -> Iterator[Path]:
    """The folder for the sandbox of every command; gone, with its processes, at the end."""
    with open_folder("test") as folder, own_sandbox(folder / "box"):
        yield folder


@pytest.fixture(scope="session")
def supabase(sandbox_root: Path) -> sandbox.State:
    """The sandbox with its default deployment."""
    return sandbox.up(ROOT, ["sandbox"])


@pytest.fixture(scope="session")
def extracted(supabase: sandbox.State, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with everything extracted and transformed, to be copied and not changed."""
    data = tmp_path_factory.mktemp("extracted") / "data"
    stages = Stages(data)
    stages.run("extract")
    stages.run("transform")
    return data


@pytest.fixture
def stages(supabase: sandbox.State, tmp_path: Path) -> Stages:
    """The command line with an empty data folder."""
    return Stages(tmp_path / "data")


@pytest.fixture
def small(tmp_path: Path) -> Small:
    """A migration of a few rows to write a plan, models and a schema for."""
    return Small(tmp_path)

"""A source in a sandbox of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from stages import sandbox
from tests.init.drifting import TITLE, Blog
from tests.init.support import HERE, blog_project, blog_tables, copy_project, run_init, source_of
from tests.support.sandboxes import own_source


@pytest.fixture(scope="package")
def torture(sandbox_root: Path) -> Iterator[sandbox.State]:
    """A source with everything that init must tell apart; no deployment."""
    with own_source(sandbox_root / "torture", HERE / "torture") as state:
        yield state


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return copy_project("torture", tmp_path / "torture")


@pytest.fixture(scope="package")
def initialised(torture: sandbox.State, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = blog_project(tmp_path_factory.mktemp("blog") / "blog")
    with blog_tables(torture):
        run_init(folder, source_of(torture), schemas=("blog",), renames=(TITLE,))
    return folder


@pytest.fixture
def blog(torture: sandbox.State, initialised: Path, tmp_path: Path) -> Iterator[Blog]:
    folder = tmp_path / "blog"
    shutil.copytree(initialised, folder, symlinks=True)
    with blog_tables(torture) as connection:
        yield Blog(folder=folder, source=source_of(torture), connection=connection)

"""One database for the folder's tests, two REST stand-ins in front of it, a project for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stages.extract import postgres, table_extract
from stages.sandbox import State
from tests.extract import support
from tests.extract.support import Database, Project, with_rest

FEW_ROWS = 77


@pytest.fixture(scope="package")
def database(supabase: State) -> Iterator[Database]:
    """A database of our own; the sandbox's stays as it was."""
    with support.database(supabase) as own_database:
        yield own_database


@pytest.fixture(scope="package")
def rest(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a stand-in that gives 1000 rows at most."""
    with support.gateway(database, tmp_path_factory.mktemp("rest")) as url:
        yield url


@pytest.fixture(scope="package")
def few(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a stand-in that gives few rows, whatever page is asked for."""
    folder = tmp_path_factory.mktemp("few")
    with support.gateway(database, folder, max_rows=FEW_ROWS) as url:
        yield url


@pytest.fixture
def project(database: Database, rest: str, tmp_path: Path) -> Project:
    """A project whose source has both transports."""
    return Project(tmp_path, with_rest(database.source, rest))


@pytest.fixture
def cut_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many parts and spans from few rows."""
    for module, name, value in support.SMALL:
        monkeypatch.setattr(module, name, value)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same of fewer rows still: direct reading goes by bounds of the key, too."""
    monkeypatch.setattr(table_extract, "PART_ROWS", 50)
    monkeypatch.setattr(table_extract, "LEAST_SPLIT", 1)
    monkeypatch.setattr(postgres, "BATCH_BYTES", 1000)

"""A source of a hundred tables in a database of its own, looked at once over each transport."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from stages import Assessment
from stages.assess.run import AssessOptions, assess
from stages.progress import Silent
from stages.project.settings import Source
from stages.sandbox import State
from tests.extract import support
from tests.extract.support import Database, with_rest

SCHEMA = Path(__file__).parent / "schema.sql"


@pytest.fixture(scope="package")
def database(supabase: State) -> Iterator[Database]:
    """The hundred tables; nothing was written to one of them since its counters began."""
    with support.database(supabase) as own_database:
        own_database.sql(SCHEMA.read_text("utf-8"))
        own_database.admin.execute("SELECT pg_stat_force_next_flush()")
        own_database.owner.execute("SELECT pg_stat_force_next_flush()")
        own_database.admin.execute(
            "SELECT pg_stat_reset_single_table_counters('public.promos'::regclass)"
        )
        yield own_database


@pytest.fixture(scope="package")
def source(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    """Both ways to them."""
    with support.gateway(database, tmp_path_factory.mktemp("rest")) as url:
        yield with_rest(database.source, url)


@pytest.fixture(scope="package")
def directly(source: Source) -> Assessment:
    """What is seen over a direct connection."""
    return assess(source, AssessOptions(via="postgres"), Silent())


@pytest.fixture(scope="package")
def over_rest(source: Source) -> Assessment:
    """What is seen over REST."""
    return assess(dataclasses.replace(source, db_url=None), AssessOptions(), Silent())

"""One Postgres and one stand-in a module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.sandbox.rest import temporary_postgres
from tests.sandbox.rest.support import Gateway, start, stop

SCHEMA = (Path(__file__).parent / "gateway.sql").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The conninfo of the login role of a Postgres that holds the tests' schema."""
    with temporary_postgres.postgres() as folder:
        dsn = f"host={folder} dbname=postgres"
        with psycopg.connect(dsn, user="postgres", autocommit=True) as connection:
            connection.execute(SCHEMA)
        yield f"{dsn} user=authenticator"


@pytest.fixture(scope="module")
def gateway(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    running = start(tmp_path_factory.mktemp("gateway"), database)
    yield running
    assert stop(running) == 0

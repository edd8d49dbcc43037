"""The DuckDB connection that a load streams documents through, in bounded memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.project.plan import Plan
from stages.state.workspace import Workspace
from stages.views import connect

if TYPE_CHECKING:
    import duckdb

# DuckDB's memory while documents are bound and sent; what does not fit is spilled to data/tmp.
LOAD_MEMORY = "512MiB"
# The same at the end of a table, when only keys and ids are read: memory need not grow with their
# number.
SETTLE_MEMORY = "256MiB"


def open_load_connection(
    workspace: Workspace, plan: Plan, memory: str = LOAD_MEMORY
) -> duckdb.DuckDBPyConnection:
    """A connection without views, whose results come in the order of the documents' file."""
    connection = connect(workspace, plan, views=False)
    limit_memory(connection, memory)
    # To keep the order of that file, it must never be the build side of a join.
    connection.execute("SET disabled_optimizers = 'build_side_probe_side'")
    return connection


def limit_memory(connection: duckdb.DuckDBPyConnection, memory: str) -> None:
    connection.execute(f"SET memory_limit = '{memory}'")

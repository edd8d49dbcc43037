"""Read a whole Convex table into DuckDB, page by page; DuckDB takes the documents apart."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from stages.convex.client import Deployment, FunctionError
from stages.duck import first_row
from stages.errors import StagesError
from stages.progress import Progress

if TYPE_CHECKING:
    import duckdb

PAGE = 500


def read_pages(
    connection: duckdb.DuckDBPyConnection,
    into: str,
    deployment: Deployment,
    module: str,
    table: str,
    progress: Progress,
) -> int:
    """Make the temporary table `into(document JSON)` of all documents; returns their number.

    Raises StagesError where the deployment lacks the function or the table.
    """
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {into} (document JSON)")
    cursor: str | None = None
    while True:
        args = json.dumps({"table": table, "cursor": cursor, "numItems": PAGE})
        try:
            answer = deployment.call("query", f"{module}:readPage", args)
        except FunctionError as error:
            raise missing_function(error, deployment) from None
        connection.execute(
            f"INSERT INTO {into} SELECT unnest(json_extract(?::JSON, '$.value.page[*]'))",
            [answer.decode()],
        )
        value = json.loads(answer)["value"]
        progress.advance(table, len(value["page"]), len(answer))
        if value["isDone"]:
            break
        cursor = value["continueCursor"]
    found = first_row(connection, f"SELECT count(*) FROM {into}")
    return int(found[0])


def missing_function(error: FunctionError, deployment: Deployment) -> StagesError:
    """A clear sentence where the deployment does not have our functions, else the error itself."""
    if "Could not find" not in error.words:
        return error
    return StagesError(
        f"{deployment.target.label} does not have the function {error.function}",
        "push convex/ to it: npx convex deploy (dev: npx convex dev --once)",
    )

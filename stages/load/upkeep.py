"""What a load asks of the ledger besides loading: to read it, to write rows, to take back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from stages.convex.client import Deployment, FunctionError
from stages.convex.pages import missing_function

if TYPE_CHECKING:
    import duckdb

AT_ONCE = 250
PAGE = 4096


def change(
    deployment: Deployment, function: str, table: str, records: Sequence[dict[str, str]]
) -> list[dict[str, str]]:
    """`adopt` or `remove` some records; the results in their order. Over a limit it halves."""
    args = json.dumps({"table": table, "records": records})
    try:
        answer = deployment.call("mutation", function, args)
    except FunctionError as error:
        if len(records) > 1 and error.over_limit:
            middle = len(records) // 2
            return [
                result
                for half in (records[:middle], records[middle:])
                for result in change(deployment, function, table, half)
            ]
        raise missing_function(error, deployment) from None
    results: list[dict[str, str]] = json.loads(answer)["value"]["results"]
    return results


def read_ledger(connection: duckdb.DuckDBPyConnection, deployment: Deployment, module: str) -> None:
    """Make the temporary table ledger("table", source_id, document_id, digest)."""
    columns = {"table": '"table"', "sourceId": "source_id", "documentId": "document_id",
               "digest": "digest"}  # fmt: skip
    members = ", ".join(f"row ->> '$.{name}' AS {column}" for name, column in columns.items())
    connection.execute(
        'CREATE OR REPLACE TEMP TABLE ledger ("table" VARCHAR, source_id VARCHAR, '
        "document_id VARCHAR, digest VARCHAR)"
    )
    cursor: str | None = None
    while True:
        args = json.dumps({"table": "migrationLedger", "cursor": cursor, "numItems": PAGE})
        try:
            answer = deployment.call("query", f"{module}:readPage", args)
        except FunctionError as error:
            raise missing_function(error, deployment) from None
        connection.execute(
            f"INSERT INTO ledger SELECT {members} FROM "
            "(SELECT unnest(json_extract(?::JSON, '$.value.page[*]')) AS row)",
            [answer.decode()],
        )
        value: dict[str, Any] = json.loads(answer)["value"]
        if value["isDone"]:
            return
        cursor = value["continueCursor"]

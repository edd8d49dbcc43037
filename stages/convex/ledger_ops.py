"""The ledger of a deployment: read it, write its rows, remove its documents."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from stages.convex.batches import in_batches, in_halves
from stages.convex.client import Deployment, FunctionError
from stages.convex.pages import missing_function, read_pages
from stages.convex.relations import CHANGE_RECORDS, CHANGE_RESULTS, LEDGER_ROWS
from stages.progress import Progress, under_way
from stages.sql import first_row, text_sql

if TYPE_CHECKING:
    import duckdb

LEDGER = "migrationLedger"
# Convex's size of a ledger row, less the name of its table and its source key.
LEDGER_ROW_BYTES = 273
# For each, a call looks up, reads and changes two documents; a transaction may touch 4,096 ranges.
MOST_RECORDS = 500


def read_ledger(
    connection: duckdb.DuckDBPyConnection, deployment: Deployment, module: str, progress: Progress
) -> None:
    """Make the temporary table `ledger_rows`."""
    names = ("table", "sourceId", "documentId", "digest")
    members = ", ".join(f"document ->> '$.{name}'" for name in names)
    connection.execute(
        f'CREATE OR REPLACE TEMP TABLE {LEDGER_ROWS} ("table" VARCHAR, source_id VARCHAR, '
        "document_id VARCHAR, digest VARCHAR)"
    )
    with under_way(progress, "ledger", LEDGER):
        for arrived in read_pages(connection, deployment, module, LEDGER, progress):
            # The epoch is the row of the table "".
            connection.execute(
                f"INSERT INTO {LEDGER_ROWS} SELECT {members} FROM {arrived} "
                "WHERE document ->> '$.table' <> ''"
            )


def change_all(
    connection: duckdb.DuckDBPyConnection,
    deployment: Deployment,
    function: str,
    table: str,
    records: str,
    *,
    force: bool = False,
    check: bool = False,
) -> Iterator[int]:
    """`adopt` or `remove` the rows of a query whose columns are the members of a record.

    With `check`, `remove` deletes nothing, and answers what it would do. Makes the temporary
    table `change_results`, and yields the number of records of each call.
    """
    run = connection.execute
    run(
        f"CREATE OR REPLACE TEMP TABLE {CHANGE_RECORDS} AS SELECT "
        'row_number() OVER (ORDER BY "sourceId") - 1 AS n, to_json(r)::VARCHAR AS element '
        f"FROM ({records}) r"
    )
    run(f"CREATE OR REPLACE TEMP TABLE {CHANGE_RESULTS} (source_id VARCHAR, did VARCHAR)")
    more = (', "force": true' if force else "") + (', "check": true' if check else "")

    def call(elements: str) -> str:
        args = f'{{"table": {json.dumps(table)}, "records": {elements}{more}}}'
        try:
            return deployment.call("mutation", function, args).decode()
        except FunctionError as error:
            raise missing_function(error, deployment) from None

    for count, answer in in_batches(connection, CHANGE_RECORDS, call, most=MOST_RECORDS):
        results = (
            "(SELECT r ->> '$.sourceId' AS source_id, r ->> '$.did' AS did FROM "
            "(SELECT unnest(json_extract(?::JSON, '$.value.results[*]')) AS r))"
        )
        whole = f"SELECT count(*) FROM {results} WHERE source_id IS NOT NULL AND did IS NOT NULL"
        if first_row(connection, whole, [answer])[0] != count:
            raise deployment.no_answer(function)
        run(f"INSERT INTO {CHANGE_RESULTS} FROM {results}", [answer])
        yield count


def remove_sql(rows: str) -> str:
    """SQL of records for `remove`, from a query with source_id."""
    return f'SELECT source_id AS "sourceId" FROM ({rows})'


def ledger_sql(table: str) -> str:
    """SQL of a table's rows in `ledger_rows`."""
    return f'SELECT * FROM {LEDGER_ROWS} WHERE "table" = {text_sql(table)}'


def change(
    deployment: Deployment, function: str, table: str, records: Sequence[dict[str, str]]
) -> list[dict[str, str]]:
    """`change_all` for a few records, thread-safe; results in order. Over a limit it halves."""

    def send(some: Sequence[dict[str, str]]) -> list[dict[str, str]]:
        args = json.dumps({"table": table, "records": list(some)})
        answer = deployment.call("mutation", function, args)
        results: list[dict[str, str]] = json.loads(answer)["value"]["results"]
        keys = [r.get("sourceId") if isinstance(r, dict) else None for r in results]
        if keys != [r["sourceId"] for r in some] or not all(
            type(r.get("did")) is str for r in results
        ):
            raise deployment.no_answer(function)
        return results

    try:
        return in_halves(records, send)
    except FunctionError as error:
        raise missing_function(error, deployment) from None

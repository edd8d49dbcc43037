"""Read a whole Convex table, page by page; DuckDB takes the answers apart, Python does not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stages.convex.batches import in_batches
from stages.convex.client import Deployment, FunctionError
from stages.errors import StagesError, Transient
from stages.progress import Progress
from stages.retry import retrying
from stages.sql import open_duckdb

if TYPE_CHECKING:
    import duckdb

# The most that readPage gives; it stops earlier, at 4 MiB.
PAGE = 4096
MOST_IDS = 1000
ARRIVED = "arrived"
# Of JSON text; what is made of it takes several times as much while it is worked on.
ARRIVED_BYTES = 16 << 20


@dataclass(frozen=True)
class _Page:
    text: str
    documents: int
    done: bool
    cursor: str


def read_pages(
    connection: duckdb.DuckDBPyConnection,
    deployment: Deployment,
    module: str,
    table: str,
    progress: Progress,
) -> Iterator[str]:
    """Yields the name of a temporary table `(document JSON)`, each time with more documents.

    It is emptied when the next ones are asked for, so that a table of any size takes the same
    memory; the next page is on its way meanwhile. Raises StagesError where the deployment lacks
    the function or the table.
    """

    connection.execute(f"CREATE OR REPLACE TEMP TABLE {ARRIVED} (document JSON)")
    size = 0
    with open_duckdb(threads=1) as scanner, ThreadPoolExecutor(1) as pool:

        def fetch(cursor: str | None) -> Future[_Page]:
            return pool.submit(
                retrying,
                lambda: _fetch(scanner, deployment, module, table, cursor),
                deployment.backoff,
                deployment.on_retry,
            )

        coming: Future[_Page] | None = fetch(None)
        while coming:
            page = coming.result()
            coming = None if page.done else fetch(page.cursor)
            connection.execute(
                f"INSERT INTO {ARRIVED} SELECT unnest(json_extract(?::JSON, '$.value.page[*]'))",
                [page.text],
            )
            progress.advance(table, page.documents, len(page.text))
            size += len(page.text)
            if page.done or size >= ARRIVED_BYTES:
                yield ARRIVED
                connection.execute(f"CREATE OR REPLACE TEMP TABLE {ARRIVED} (document JSON)")
                size = 0


def _fetch(
    scanner: duckdb.DuckDBPyConnection,
    deployment: Deployment,
    module: str,
    table: str,
    cursor: str | None,
) -> _Page:
    import duckdb

    args = json.dumps({"table": table, "cursor": cursor, "numItems": PAGE})
    try:
        text = deployment.fetch("query", f"{module}:readPage", args).decode()
        # Reads the text to its end, so that an answer that was cut short is seen here.
        found = scanner.execute(
            "SELECT json_array_length($1, '$.value.page'), "
            "json_extract_string($1, ['$.value.isDone', '$.value.continueCursor'])",
            [text],
        ).fetchall()
    except FunctionError as error:
        raise missing_function(error, deployment) from None
    except (UnicodeDecodeError, duckdb.InvalidInputException):
        raise Transient(
            f"{deployment.target.label} gave an answer that was cut short", "run it again"
        ) from None
    documents, (done, following) = found[0]
    return _Page(text, documents, done == "true", following)


def read_documents(
    connection: duckdb.DuckDBPyConnection,
    deployment: Deployment,
    module: str,
    table: str,
    ids: str,
    progress: Progress,
) -> Iterator[str]:
    """The same for documents by id: `ids` is SQL of one column; what is not there is left out."""
    run = connection.execute
    run(
        "CREATE OR REPLACE TEMP TABLE wanted AS SELECT row_number() OVER () - 1 AS n, "
        f"to_json(id)::VARCHAR AS element FROM (SELECT DISTINCT * FROM ({ids}) AS i(id))"
    )

    def read(elements: str) -> str:
        args = f'{{"table": {json.dumps(table)}, "ids": {elements}}}'
        try:
            return deployment.call("query", f"{module}:readDocuments", args).decode()
        except FunctionError as error:
            raise missing_function(error, deployment) from None

    for count, answer in in_batches(connection, "wanted", read, most=MOST_IDS):
        run(
            f"CREATE OR REPLACE TEMP TABLE {ARRIVED} AS SELECT document FROM (SELECT "
            "unnest(json_extract(?::JSON, '$.value.documents[*]')) AS document) "
            "WHERE json_type(document) <> 'NULL'",
            [answer],
        )
        progress.advance(table, count, len(answer))
        yield ARRIVED


def missing_function(error: FunctionError, deployment: Deployment) -> StagesError:
    """A clear sentence where the deployment does not have our functions, else the error itself."""
    if "Could not find" not in error.words:
        return error
    return StagesError(
        f"{deployment.target.label} does not have the function {error.function}",
        "push convex/ to it: npx convex deploy (dev: npx convex dev --once)",
    )

"""Read a whole Convex table, page by page; DuckDB parses the answers, Python does not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stages.convex.batches import in_batches, in_halves
from stages.convex.client import Deployment, FunctionError
from stages.convex.relations import ARRIVED, REQUESTED_IDS
from stages.errors import StagesError, Transient
from stages.progress import Progress
from stages.project.settings import Target
from stages.retry import Threads, retrying
from stages.sql import first_row, open_duckdb

if TYPE_CHECKING:
    import duckdb

# The most documents that readPage returns; it stops earlier at 4 MiB.
PAGE = 4096
MOST_IDS = 1000
# For `find_missing`: a transaction may read 16 MiB, and a call of this many is answered quickly.
IDS_AT_ONCE = 500
# Bytes of JSON text; processing it takes several times as much memory.
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
    """Yields the name of a temporary table `(document JSON)`, each time with the next documents.

    It is emptied when the next ones are requested, so that a table of any size takes the same
    memory; meanwhile the next page is being fetched. Raises StagesError if the deployment lacks the
    function or the table.
    """

    connection.execute(f"CREATE OR REPLACE TEMP TABLE {ARRIVED} (document JSON)")
    size = 0
    with open_duckdb(threads=1) as scanner, Threads(1) as pool:

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
                yield str(ARRIVED)
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
        # Parses the whole text, so that a truncated answer is noticed here.
        documents, (done, following) = first_row(
            scanner,
            "SELECT json_array_length($1, '$.value.page'), "
            "json_extract_string($1, ['$.value.isDone', '$.value.continueCursor'])",
            [text],
        )
    except FunctionError as error:
        raise missing_function(error, deployment) from None
    except (UnicodeDecodeError, duckdb.InvalidInputException):
        raise Transient(
            f"{deployment.target.label} gave an answer that was cut short", "run it again"
        ) from None
    if done not in ("true", "false") or not isinstance(following, str):
        # Not a page: `fetch` did not check that.
        raise deployment.no_answer(f"{module}:readPage")
    return _Page(text, documents, done == "true", following)


def read_documents(
    connection: duckdb.DuckDBPyConnection,
    deployment: Deployment,
    module: str,
    table: str,
    ids: str,
    progress: Progress,
) -> Iterator[str]:
    """The same for documents by id: `ids` is SQL of one column; missing documents are left out."""
    run = connection.execute
    run(
        f"CREATE OR REPLACE TEMP TABLE {REQUESTED_IDS} AS SELECT row_number() OVER () - 1 AS n, "
        f"to_json(id)::VARCHAR AS element FROM (SELECT DISTINCT * FROM ({ids}) AS i(id))"
    )

    def read(elements: str) -> str:
        args = f'{{"table": {json.dumps(table)}, "ids": {elements}}}'
        try:
            return deployment.call("query", f"{module}:readDocuments", args).decode()
        except FunctionError as error:
            raise missing_function(error, deployment) from None

    for count, answer in in_batches(connection, REQUESTED_IDS, read, most=MOST_IDS):
        run(
            f"CREATE OR REPLACE TEMP TABLE {ARRIVED} AS SELECT document FROM (SELECT "
            "unnest(json_extract(?::JSON, '$.value.documents[*]')) AS document) "
            "WHERE json_type(document) <> 'NULL'",
            [answer],
        )
        progress.advance(table, count, len(answer))
        yield str(ARRIVED)


def missing_function(error: FunctionError, deployment: Deployment) -> StagesError:
    """A clear error if the deployment does not have our functions, or they do not know the table;
    else the error itself."""
    if error.code == "UnknownTable" and isinstance(error.data, dict):
        return unknown_table(deployment, [str(error.data.get("table"))])
    if "Could not find" not in error.words:
        return error
    return StagesError(
        f"{deployment.target.label} does not have the function {error.function}",
        f"push convex/ to it: {deployment.target.push}",
    )


def update_hint(target: Target) -> str:
    """How to make the functions of a target know the plan's tables."""
    return f"update convex/ with: stages init --update; then push it: {target.push}"


def unknown_table(deployment: Deployment, tables: Sequence[str]) -> StagesError:
    """The error for tables that the functions were not written for."""
    return StagesError(
        f"the functions of {deployment.target.label} were written for a plan without "
        + ", ".join(f"`{table}`" for table in tables),
        update_hint(deployment.target),
    )


def find_missing(deployment: Deployment, module: str, table: str, ids: Sequence[str]) -> list[str]:
    """The ids for which the table has no document.

    Thread-safe. The function reads every document; over a transaction limit it is called with
    halves. The caller must divide more than IDS_AT_ONCE ids.
    """

    def ask(some: Sequence[str]) -> list[str]:
        args = json.dumps({"table": table, "documentIds": list(some)})
        answer = deployment.call("query", f"{module}:findMissing", args)
        missing: list[str] = json.loads(answer)["value"]["missing"]
        if not set(map(str, missing)) <= set(some):
            raise deployment.no_answer(f"{module}:findMissing")
        return missing

    try:
        return in_halves(ids, ask)
    except FunctionError as error:
        raise missing_function(error, deployment) from None

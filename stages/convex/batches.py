"""Many small arguments in as few calls as a transaction's limits allow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from stages.convex.client import FunctionError
from stages.sql import Relation, first_row

if TYPE_CHECKING:
    import duckdb

Answer = TypeVar("Answer")
Item = TypeVar("Item")
START = 100


def in_batches(
    connection: duckdb.DuckDBPyConnection,
    relation: Relation,
    call: Callable[[str], Answer],
    *,
    most: int,
) -> Iterator[tuple[int, Answer]]:
    """Call with JSON arrays of `relation(n, element)`, in the order of n = 0, 1, …; yields each
    answer with its number of elements.

    A call over a transaction limit is halved, and no larger one is tried after it. Raises what
    `call` raises; a FunctionError about a limit only for a single element.
    """
    total = int(first_row(connection, f"SELECT count(*) FROM {relation}")[0])
    first, size = 0, min(START, most)
    while first < total:
        text = first_row(
            connection,
            f"SELECT '[' || string_agg(element, ',' ORDER BY n) || ']' FROM {relation} "
            "WHERE n >= ? AND n < ?",
            [first, first + size],
        )[0]
        try:
            answer = call(text)
        except FunctionError as error:
            if size == 1 or not error.over_limit:
                raise
            most = size = size // 2
            continue
        yield min(size, total - first), answer
        first += size
        size = min(most, size * 2)


def in_halves(
    items: Sequence[Item], call: Callable[[Sequence[Item]], list[Answer]]
) -> list[Answer]:
    """Call with all items; over a transaction limit, with halves. Thread-safe.

    The answers are in the items' order. Raises what `call` raises; a FunctionError about a limit
    only for a single item.
    """
    try:
        return call(items)
    except FunctionError as error:
        if len(items) < 2 or not error.over_limit:
            raise
    middle = len(items) // 2
    return in_halves(items[:middle], call) + in_halves(items[middle:], call)

"""PostgREST's query strings: names, selected columns, and key ranges.

Source: PostgREST's grammar (ApiRequest/QueryParams.hs).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from stages.extract.reader import Span
from stages.extract.types import Column

# Proxies accept 8 KiB for a request's first line, as nginx does by default.
LINE = 7000
PLAIN = re.compile(r"[a-z_][a-z0-9_]*")


def encode(params: Iterable[tuple[str, str]]) -> str:
    """A query string; characters of its grammar are not escaped, since a line has its limit."""
    return "&".join(f"{quote(name, safe='')}={quote(text, safe='(),.:*')}" for name, text in params)


def quoted(name: str) -> str:
    """A column or a value, quoted for order and filters: dots and reserved words are literal."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def first_rows(columns: Iterable[str] | None, key: Iterable[str], most: int) -> dict[str, str]:
    """Parameters for a table's first rows by its key, if it has one; None selects all columns."""
    select = "*" if columns is None else ",".join(map(quoted, columns))
    order = ",".join(f"{quoted(name)}.asc" for name in key)
    return {"select": select, "limit": str(most), **({"order": order} if order else {})}


def select_item(column: Column) -> str:
    """A column and its cast."""
    name = column.name if PLAIN.fullmatch(column.name) else quoted(column.name)
    cast = column.rule.rest_cast
    return f"{name}::{cast}" if cast else name


def split_columns(
    columns: Sequence[Column], common: Sequence[Column], used: int
) -> list[tuple[Column, ...]]:
    """Columns in groups, each of which fits in one request line together with `common`.

    `used` is how many bytes of the line are taken by other parameters.
    """

    def cost(column: Column) -> int:
        return len(quote(select_item(column), safe="(),.:*")) + 1

    if used + sum(map(cost, columns)) <= LINE:
        return [tuple(columns)]
    room = LINE - used - sum(map(cost, common))
    groups: list[list[Column]] = [[]]
    left = room
    for column in columns:
        if cost(column) > left and groups[-1]:
            groups.append([])
            left = room
        groups[-1].append(column)
        left -= cost(column)
    return [tuple(group) for group in groups]


def keyset(key: Sequence[str], span: Span, prefix: int) -> list[str]:
    """Filters of one phase of a span: the first `prefix` columns equal, the next beyond `after`."""
    terms = []
    if span.after is not None:
        terms += [f"{quoted(key[i])}.eq.{quoted(span.after[i])}" for i in range(prefix)]
        terms.append(f"{quoted(key[prefix])}.gt.{quoted(span.after[prefix])}")
    if span.until is not None:
        if len(key) > 1:
            raise ValueError("a span over REST ends only in a key of one column")
        terms.append(f"{quoted(key[0])}.lte.{quoted(span.until[0])}")
    return terms


def key_range(key: Sequence[str], span: Span) -> list[str]:
    """Filters of a whole span, for a key of any number of columns.

    Postgres uses only the first column as an index bound.
    """
    terms = []
    for bound, beyond, last in ((span.after, "gt", "gt"), (span.until, "lt", "lte")):
        if bound is None:
            continue
        if len(key) > 1:
            terms.append(f"{quoted(key[0])}.{beyond}e.{quoted(bound[0])}")
        terms.append(_beyond(key, bound, beyond, last))
    return terms


def _beyond(key: Sequence[str], bound: Sequence[str], beyond: str, last: str) -> str:
    name, value = quoted(key[0]), quoted(bound[0])
    if len(key) == 1:
        return f"{name}.{last}.{value}"
    rest = _beyond(key[1:], bound[1:], beyond, last)
    return f"or({name}.{beyond}.{value},and({name}.eq.{value},{rest}))"

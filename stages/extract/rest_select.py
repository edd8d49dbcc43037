"""The query strings of PostgREST: names, what is selected, and ranges of keys.

Source: PostgREST's grammar (ApiRequest/QueryParams.hs).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from stages.extract.reader import Span
from stages.extract.types import Column

# Proxies take 8 KiB for a request's first line, as nginx does by default.
LINE = 7000
PLAIN = re.compile(r"[a-z_][a-z0-9_]*")


def encode(params: Iterable[tuple[str, str]]) -> str:
    """A query string; what its grammar uses stays as it is, since a line has its limit."""
    return "&".join(f"{quote(name, safe='')}={quote(text, safe='(),.:*')}" for name, text in params)


def quoted(name: str) -> str:
    """A column or a value for order and filters, so that dots and reserved words are plain."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def select_item(column: Column) -> str:
    """A column and its cast."""
    name = column.name if PLAIN.fullmatch(column.name) else quoted(column.name)
    cast = column.rule.rest_cast
    return f"{name}::{cast}" if cast else name


def split_columns(
    columns: Sequence[Column], common: Sequence[Column], used: int
) -> list[tuple[Column, ...]]:
    """Columns in groups, of which each can be selected in one line beside those of `common`.

    `used` is how many bytes of the line other parameters take.
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
    """Filters of one phase of a span: equal in the first columns, beyond `after` in the next."""
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
    """Filters of a whole span, of a key of any number of columns.

    Postgres makes an index bound of the first column alone.
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

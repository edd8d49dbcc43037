"""Which lines of a model make a field: the text of each item of its SELECT.

DuckDB's parse tree says which items there are and gives a position within each; its tokens say
where one ends and the next begins. Columns of a CTE, or of a query in FROM, that an item names are
followed to the lines that make them there.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stages.sql import tokens
from stages.transform.sql_ast import item_name, nodes

# What ends the list of a SELECT, at the same depth of brackets.
AFTER_LIST = {
    "from", "where", "group", "having", "qualify", "window", "order", "limit", "offset", "using",
    "union", "intersect", "except",
}  # fmt: skip
OPENING, CLOSING = "([{", ")]}"
# A node of the parse tree.
Node = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class ModelLines:
    """A piece of a model: its text as it is written, and its lines, counted from 1."""

    first: int
    last: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Made:
    """What makes a field: pieces of the model, the last step first, and the columns that they
    name, in lower case."""

    pieces: tuple[ModelLines, ...]
    columns: frozenset[str]


def made_by(sql: str, parsed: Any, columns: Iterable[str]) -> dict[str, Made]:
    """Output column → what makes it, for those of `columns` for which this can be determined.

    Empty if DuckDB can't parse the model (PIVOT).
    """
    if parsed is None:
        return {}
    model = _Model(sql, parsed)
    found = {name: model.made(name.lower()) for name in columns}
    return {name: made for name, made in found.items() if made.pieces}


NOTHING = Made(pieces=(), columns=frozenset())


@dataclass(frozen=True)
class _Span:
    """Bytes of the model, from the first token of an item to the end of its last one."""

    start: int
    end: int


class _Model:
    def __init__(self, sql: str, parsed: Any) -> None:
        self._text = sql.encode()
        self._query = parsed["statements"][0]["node"]
        self._lists = list(_lists(sql))
        self._written: dict[str, Node] = {
            entry["key"].lower(): entry["value"]["query_node"]
            for node in nodes(self._query)
            if "cte_map" in node
            for entry in node["cte_map"]["map"]
        }

    def made(self, name: str) -> Made:
        items = _items(self._query, name)
        return _together(self._of(select, item, name, set()) for select, item in items)

    def _of(self, select: Node, item: Node, name: str, seen: set[int]) -> Made:
        """What makes one item, and the items that it names."""
        if id(item) in seen:
            return NOTHING
        seen.add(id(item))
        piece = self._piece(select, item)
        names = [n["column_names"] for n in nodes(item) if n.get("type") == "COLUMN_REF"]
        if _is_star(item):
            names.append([*([item["relation_name"]] if item["relation_name"] else []), name])
        columns = {str(each[-1]).lower() for each in names}
        own = Made(pieces=(piece,) if piece else (), columns=frozenset(columns))
        passed_on = [
            self._of(inner, inner_item, str(each[-1]).lower(), seen)
            for each in names
            for inner, inner_item in self._passed_on(select, each)
        ]
        return _together([own, *passed_on])

    def _passed_on(self, select: Node, names: Sequence[str]) -> Iterator[tuple[Node, Node]]:
        """The items of CTEs and of queries in FROM that a column reference may name."""
        qualifier = names[-2].lower() if len(names) > 1 else None
        for alias, query in self._queries(select):
            if qualifier in (None, alias):
                yield from _items(query, names[-1].lower())

    def _queries(self, select: Node) -> Iterator[tuple[str, Node]]:
        """(alias, query) of the subqueries and CTEs in FROM."""
        for node in nodes(select["from_table"]):
            if node.get("type") == "SUBQUERY":
                yield str(node["alias"]).lower(), node["subquery"]["node"]
            elif node.get("type") == "BASE_TABLE" and not node["schema_name"]:
                name = str(node["table_name"]).lower()
                if name in self._written:
                    yield str(node["alias"] or name).lower(), self._written[name]

    def _piece(self, select: Node, item: Node) -> ModelLines | None:
        items = select["select_list"]
        at = next(n for n, each in enumerate(items) if each is item)
        for spans in self._lists:
            if len(spans) == len(items) and all(
                span.start <= place < span.end
                for span, place in zip(spans, map(self._place, items), strict=True)
                if place is not None
            ):
                return self._lines(spans[at])
        return None

    def _place(self, node: Node) -> int | None:
        """The byte at which a node is; None if the parse tree does not say."""
        place = int(node.get("query_location", len(self._text)))
        return place if place < len(self._text) else None

    def _lines(self, span: _Span) -> ModelLines:
        first = self._text.count(b"\n", 0, span.start) + 1
        text = self._text[span.start : span.end].decode()
        # The other lines keep their indentation relative to the first one.
        head = span.start - (self._text.rfind(b"\n", 0, span.start) + 1)
        lines = textwrap.dedent(" " * head + text)
        return ModelLines(first=first, last=first + text.count("\n"), text=lines)


def _branches(query: Node) -> Iterator[Node]:
    """The SELECTs whose rows a query returns: itself, or those of a UNION."""
    if "select_list" in query:
        yield query
    # Of a UNION, and of a recursive CTE.
    for child in query.get("children") or (query.get("left"), query.get("right")):
        if isinstance(child, dict):
            yield from _branches(child)


def _items(query: Node, name: str) -> list[tuple[Node, Node]]:
    """(SELECT, item) of what makes a column of a query; in a UNION the first SELECT names it."""
    branches = list(_branches(query))
    if not branches:
        return []
    first, *others = branches
    items = [(first, item) for item in _named(first, name)]
    if not items or _has_star(first):
        return items + [(branch, item) for branch in others for item in _named(branch, name)]
    at = next(n for n, each in enumerate(first["select_list"]) if each is items[0][1])
    return items + [(b, b["select_list"][at]) for b in others if len(b["select_list"]) > at]


def _named(select: Node, name: str) -> list[Node]:
    """The items of that name, or all stars, one of which may have it."""
    items = select["select_list"]
    named = [item for item in items if item_name(item).lower() == name]
    return named or [item for item in items if _is_star(item)]


def _is_star(item: Node) -> bool:
    return item.get("type") == "STAR"


def _has_star(select: Node) -> bool:
    return any(map(_is_star, select["select_list"]))


def _together(parts: Iterable[Made]) -> Made:
    """All of them, each piece once."""
    pieces: dict[ModelLines, None] = {}
    columns: frozenset[str] = frozenset()
    for part in parts:
        pieces |= dict.fromkeys(part.pieces)
        columns |= part.columns
    return Made(pieces=tuple(pieces), columns=columns)


@dataclass
class _List:
    """The list of a SELECT that is being read; `start` is that of the current item."""

    depth: int
    spans: list[_Span]
    start: int | None = None

    def end_item(self, end: int) -> None:
        if self.start is not None:
            self.spans.append(_Span(self.start, end))
        self.start = None


def _lists(sql: str) -> Iterator[list[_Span]]:
    """The items of every SELECT in the text, in the order in which the lists end."""
    reading: list[_List] = []
    depth = end = 0
    before = ""
    for start, word in _tokens(sql):
        if word in CLOSING:
            depth -= 1
        ended = (word in AFTER_LIST or word == ";") and (before, word) != ("distinct", "from")
        while reading and (reading[-1].depth > depth or (ended and reading[-1].depth == depth)):
            reading[-1].end_item(end)
            yield reading.pop().spans
        here = reading[-1] if reading and reading[-1].depth == depth else None
        if here and word == ",":
            here.end_item(end)
        elif here and here.start is None and word not in ("distinct", "all"):
            here.start = start
        if word == "select":
            reading.append(_List(depth, []))
        if word in OPENING:
            depth += 1
        before, end = word, start + len(word.encode())
    for left in reading:
        left.end_item(end)
        yield left.spans


def _tokens(sql: str) -> Iterator[tuple[int, str]]:
    """(byte, token) without comments; operators character by character, keywords in lower case."""
    import duckdb

    for start, kind, word in tokens(sql):
        if kind == duckdb.token_type.operator:
            yield from enumerate(word, start)
        else:
            yield start, word.lower() if kind == duckdb.token_type.keyword else word

"""The query string's grammar: text → a small tree. Nothing here knows SQL.

Narrower than PostgREST's: no embedded resources, JSON paths, aggregates, or text search. Anything
not understood is refused with PGRST100, never ignored.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

from stages.sandbox.rest.errors import RestError

Operator = Literal["eq", "neq", "gt", "gte", "lt", "lte", "is", "in"]
Direction = Literal["ASC", "DESC"]
Nulls = Literal["FIRST", "LAST"]

_OPERATORS: dict[str, Operator] = {
    "eq": "eq", "neq": "neq", "gt": "gt", "gte": "gte", "lt": "lt", "lte": "lte",
}  # fmt: skip
_TRUTHS = ("not_null", "null", "unknown", "true", "false")
_QUOTED = re.compile(r'"((?:[^\\"]|\\.)*)"', re.DOTALL)
_NAME = re.compile(r"[\w $]+(?:-(?!>)[\w $]+)*")
_CAST = re.compile(r"[\w $]+")
_BARE = re.compile(r"[^,)]*")
_ARRAY = re.compile(r"\{[^{}]*\}")
_SPACE = re.compile(r"[ \t]*")
_Item = TypeVar("_Item")


@dataclass(frozen=True)
class SelectedColumn:
    """One item of `select`; a name of `None` means `*`."""

    name: str | None
    alias: str | None = None
    cast: str | None = None


@dataclass(frozen=True)
class Filter:
    """`name operator value`; only `in` has a list of values."""

    name: str
    operator: Operator
    value: str | tuple[str, ...]
    negated: bool = False


@dataclass(frozen=True)
class Logic:
    """Filters joined by `and` or `or`."""

    operator: Literal["AND", "OR"]
    parts: tuple[Filter | Logic, ...]
    negated: bool = False


@dataclass(frozen=True)
class Order:
    """One term of `order`; without `nulls`, Postgres' default applies."""

    name: str
    direction: Direction | None = None
    nulls: Nulls | None = None


class _Mismatch(Exception):
    """The text does not match the grammar at this position."""

    def __init__(self, position: int, expected: str) -> None:
        super().__init__(expected)
        self.position = position
        self.expected = expected


class _Scanner:
    """A position in a text, and the grammar rules that advance it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def fail(self, expected: str) -> _Mismatch:
        return _Mismatch(self.at, expected)

    def take(self, literal: str) -> bool:
        if not self.text.startswith(literal, self.at):
            return False
        self.at += len(literal)
        return True

    def want(self, literal: str) -> None:
        if not self.take(literal):
            raise self.fail(f'expecting "{literal}"')

    def match(self, pattern: re.Pattern[str]) -> str | None:
        match = pattern.match(self.text, self.at)
        if match is None:
            return None
        self.at = match.end()
        return match[0]

    def lexeme(self, literal: str) -> bool:
        """Take `literal` with blanks around it, or nothing at all."""
        start = self.at
        self.match(_SPACE)
        if self.take(literal):
            self.match(_SPACE)
            return True
        self.at = start
        return False

    def end(self) -> None:
        if self.at < len(self.text):
            raise self.fail(f'unexpected "{self.text[self.at]}"')

    def quoted(self) -> str | None:
        raw = self.match(_QUOTED)
        return None if raw is None else re.sub(r"\\(.)", r"\1", raw[1:-1], flags=re.DOTALL)

    def name(self) -> str:
        self.match(_SPACE)
        name = self.quoted()
        if name is None:
            bare = self.match(_NAME)
            name = bare.strip() if bare else None
        if not name or "\0" in name:  # libpq would truncate the name there
            raise self.fail("expecting field name (* or [a..z0..9_$])")
        self.match(_SPACE)
        return name

    def listed(self, item: Callable[[], _Item]) -> tuple[_Item, ...]:
        items = [item()]
        while self.lexeme(","):
            items.append(item())
        return tuple(items)

    def column(self) -> SelectedColumn:
        self.match(_SPACE)
        if self.take("*"):
            return SelectedColumn(None)
        name, alias = self.name(), None
        if self.text.startswith(":", self.at) and not self.text.startswith("::", self.at):
            self.take(":")
            name, alias = self.name(), name
        cast = None
        if self.take("::"):
            cast = (self.match(_CAST) or "").strip()
            if not cast:
                raise self.fail("expecting a type name")
        if self.at < len(self.text) and self.text[self.at] != ",":
            raise self.fail('expecting "::", "," or end of input')
        return SelectedColumn(name, alias, cast)

    def order(self) -> Order:
        name = self.name()
        direction: Direction | None = None
        nulls: Nulls | None = None
        directions: tuple[tuple[str, Direction], ...] = ((".asc", "ASC"), (".desc", "DESC"))
        for word, value in directions:
            if self.take(word):
                direction = value
                break
        if self.take(".nullsfirst"):
            nulls = "FIRST"
        elif self.take(".nullslast"):
            nulls = "LAST"
        if self.at < len(self.text) and not re.match(r"[ \t]*,", self.text[self.at :]):
            raise self.fail('expecting "asc", "desc", "nullsfirst", "nullslast" or ","')
        return Order(name, direction, nulls)

    def values(self) -> tuple[str, ...]:
        if not self.lexeme("("):
            raise self.fail('expecting "("')
        values = [self.listed_value()]
        while self.take(","):
            values.append(self.listed_value())
        if not self.lexeme(")"):
            raise self.fail('expecting "," or ")"')
        return () if values == [""] else tuple(values)

    def listed_value(self) -> str:
        """A value up to `,` or `)`, unless all of it is quoted."""
        start = self.at
        value = self.quoted()
        if value is not None and (self.at == len(self.text) or self.text[self.at] in ",)"):
            return value
        self.at = start
        return self.match(_BARE) or ""

    def logic_value(self) -> str:
        array = self.match(_ARRAY)
        return self.listed_value() if array is None else array

    def rest(self) -> str:
        """A plain filter's value: the rest of the text, literally."""
        value, self.at = self.text[self.at :], len(self.text)
        return value

    def condition(self, name: str, value: Callable[[], str]) -> Filter:
        """`[not.]operator.value` for the column `name`."""
        negated = self.take("not.")
        if self.take("in."):
            return Filter(name, "in", self.values(), negated)
        if self.take("is."):
            word = self.match(re.compile("|".join(_TRUTHS), re.IGNORECASE))
            if word is None:
                raise self.fail(
                    "expecting null or trilean value (unknown, true, false) or not_null"
                )
            return Filter(name, "is", word.lower(), negated)
        word, dot, _ = self.text[self.at :].partition(".")
        if not dot:
            raise self.fail('expecting "not" or operator (eq, gt, ...)')
        if word not in _OPERATORS:
            raise _Mismatch(self.at + len(word) + 1, f"unknown single value operator {word}")
        self.at += len(word) + 1
        return Filter(name, _OPERATORS[word], value(), negated)

    def logic_filter(self) -> Filter:
        name = self.name()
        self.want(".")
        return self.condition(name, self.logic_value)

    def logic(self) -> Filter | Logic:
        # A column may be named `and`, `or` or `not`: anything that parses as a filter is one.
        self.match(_SPACE)
        start = self.at
        try:
            return self.logic_filter()
        except _Mismatch as not_a_filter:
            self.at = start
            negated = self.take("not.")
            operator: Literal["AND", "OR"] = "AND"
            if not self.take("and"):
                if not self.take("or"):
                    raise not_a_filter from None
                operator = "OR"
            if not self.lexeme("("):
                raise not_a_filter from None
        parts = self.listed(self.logic)
        if not self.lexeme(")"):
            raise self.fail('expecting "," or ")"')
        return Logic(operator, parts, negated)


def _parse(what: str, text: str, rule: Callable[[_Scanner], _Item], prefix: str = "") -> _Item:
    scanner = _Scanner(prefix + text)
    try:
        result = rule(scanner)
        scanner.end()
    except _Mismatch as mismatch:
        where = f'"failed to parse {what} ({text})" (line 1, column {mismatch.position + 1})'
        raise RestError(400, "PGRST100", where, mismatch.expected) from None
    return result


def parse_select(text: str) -> tuple[SelectedColumn, ...]:
    """Parse `alias:name::type,…`; `*` for every column."""
    return _parse("select parameter", text, lambda scanner: scanner.listed(scanner.column))


def parse_order(text: str) -> tuple[Order, ...]:
    """Parse `name.desc.nullslast,…`."""
    return _parse("order", text, lambda scanner: scanner.listed(scanner.order))


def parse_logic(operator: str, text: str) -> Filter | Logic:
    """Parse the value of `and=`, `or=`, `not.and=` or `not.or=`: a list in parentheses."""
    return _parse("logic tree", text, lambda scanner: scanner.logic(), prefix=operator)


def parse_filter(name: str, text: str) -> Filter:
    """Parse `[not.]operator.value` of a plain filter, whose value is taken literally."""
    return _parse("filter", text, lambda scanner: scanner.condition(name, scanner.rest))


def parse_path(text: str) -> tuple[str, ...]:
    """Parse a parameter's name: unquoted dots separate its parts, for embedded resources."""

    def path(scanner: _Scanner) -> tuple[str, ...]:
        names = [scanner.name()]
        while scanner.take("."):
            names.append(scanner.name())
        return tuple(names)

    return _parse("tree path", text, path)

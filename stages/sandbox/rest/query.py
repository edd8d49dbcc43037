"""Turn a read request's query string and headers into one SQL statement with `$n` parameters.

Names become quoted identifiers and values stay untyped parameters, so that Postgres resolves each
value to its column's type, and can use indexes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import LiteralString

from psycopg import sql

from stages.sandbox.rest.errors import RestError
from stages.sandbox.rest.grammar import (
    Filter,
    Logic,
    Order,
    SelectedColumn,
    parse_filter,
    parse_logic,
    parse_order,
    parse_path,
    parse_select,
)

_IGNORED = {"columns", "on_conflict"}  # they only affect writes
_COMPARE: dict[str, LiteralString] = {
    "eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<=",
}  # fmt: skip
_IS: dict[str, LiteralString] = {
    "null": "IS NULL",
    "not_null": "IS NOT NULL",
    "unknown": "IS UNKNOWN",
    "true": "IS TRUE",
    "false": "IS FALSE",
}


@dataclass(frozen=True, kw_only=True)
class Window:
    """Rows `offset` to `offset + limit - 1`; a limit of `None` means no limit."""

    offset: int = 0
    limit: int | None = None

    def intersect(self, offset: int, limit: int | None) -> Window:
        """The rows in both windows; if empty, the limit is 0 or less."""
        ends = [
            start + length
            for start, length in ((self.offset, self.limit), (offset, limit))
            if length is not None
        ]
        start = max(self.offset, offset)
        return Window(offset=start, limit=min(ends) - start if ends else None)

    def content_range(self, rows: int, total: int | None) -> str:
        """The Content-Range of a response with `rows` rows; `total` is None if not requested."""
        rows_part = f"{self.offset}-{self.offset + rows - 1}" if rows else "*"
        return f"{rows_part}/{'*' if total is None else total}"


@dataclass(frozen=True, kw_only=True)
class Query:
    """A parsed read request."""

    columns: tuple[SelectedColumn, ...]
    conditions: tuple[Filter | Logic, ...]
    order: tuple[Order, ...]
    window: Window


def parse_query(parameters: Iterable[tuple[str, str]], range_header: str | None) -> Query:
    """Parse decoded parameters in their order of appearance, and the Range header (`0-999`).

    Raises RestError: PGRST100 for what the grammar does not support, PGRST103 for an impossible
    range, PGRST108 for a parameter that means an embedded resource (a dot in its name).
    """
    conditions: list[Filter | Logic] = []
    single: dict[str, str] = {}
    for key, value in parameters:
        if key in _IGNORED:
            continue
        if key in ("select", "order"):
            single.setdefault(key, value)
        elif key in ("limit", "offset"):
            single[key] = value
        elif key in ("and", "or", "not.and", "not.or"):
            conditions.append(parse_logic(key, value))
        else:
            path = parse_path(key)
            if len(path) > 1:
                raise RestError(
                    400,
                    "PGRST108",
                    f"'{path[0]}' is not an embedded resource in this request",
                    None,
                    f"Verify that '{path[0]}' is included in the 'select' query parameter.",
                )
            conditions.append(parse_filter(path[0], value))
    return Query(
        columns=parse_select(single.get("select") or "*"),
        conditions=tuple(conditions),
        order=parse_order(single["order"]) if single.get("order") else (),
        window=_window(single.get("offset"), single.get("limit"), range_header),
    )


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.removeprefix("-").isdecimal() else None


def _window(offset: str | None, limit: str | None, range_header: str | None) -> Window:
    requested = _number(limit)
    if requested is not None and requested < 0:
        raise _bad_range("Limit should be greater than or equal to zero.")
    window = Window(offset=max(_number(offset) or 0, 0), limit=requested)
    first, dash, last = (range_header or "").removeprefix("items=").partition("-")
    start, end = _number(first), _number(last)
    if requested == 0 or not dash or start is None or (last and end is None):
        return window
    window = window.intersect(start, None if end is None else end + 1 - start)
    if window.limit is not None and window.limit <= 0:
        raise _bad_range(
            "The lower boundary must be lower than or equal to the upper boundary"
            " in the Range header."
        )
    return window


def _bad_range(details: str) -> RestError:
    return RestError(416, "PGRST103", "Requested range not satisfiable", details)


def out_of_bounds(offset: int, total: int) -> RestError:
    """The error for an offset beyond the last of `total` counted rows."""
    return _bad_range(f"An offset of {offset} was requested, but there are only {total} rows.")


@dataclass
class Statement:
    """SQL for one raw cursor: call `page` or `plan` once, then pass `values` as its `$1`, …"""

    table: sql.Identifier
    values: list[str] = field(default_factory=list)

    def page(self, query: Query, *, body: bool, counted: int | None) -> sql.Composed:
        """One row: the page as JSON text, its number of rows, and the total or null.

        Without `body` the text is empty. `counted` says how far to count the total: `None` not at
        all, 0 to the end, otherwise up to that many rows.
        """
        where = self._where(query)
        source = sql.SQL(" ").join(
            [
                sql.SQL("SELECT {} FROM {}").format(
                    sql.SQL(", ").join(self._selected(column) for column in query.columns),
                    self.table,
                ),
                *where,
                *self._ordered(query.order),
                *self._limited(query.window.limit, query.window.offset),
            ]
        )
        tables = [sql.SQL("pgrst_source AS ({})").format(source)]
        total: sql.Composable = sql.SQL("NULL::bigint")
        if counted is not None:
            rows = sql.SQL(" ").join(
                [
                    sql.SQL("SELECT 1 FROM {}").format(self.table),
                    *where,
                    *self._limited(counted or None, 0),
                ]
            )
            tables.append(sql.SQL("pgrst_counted AS ({})").format(rows))
            total = sql.SQL("(SELECT count(*) FROM pgrst_counted)")
        return sql.SQL(
            "WITH {} SELECT {}, count(*), {} FROM (SELECT * FROM pgrst_source) _postgrest_t"
        ).format(
            sql.SQL(", ").join(tables),
            sql.SQL("coalesce(json_agg(_postgrest_t), '[]')::text" if body else "''"),
            total,
        )

    def plan(self, query: Query) -> sql.Composed:
        """The planner's estimate of the total, as EXPLAIN's JSON."""
        return sql.SQL(" ").join(
            [
                sql.SQL("EXPLAIN (FORMAT JSON) SELECT 1 FROM {}").format(self.table),
                *self._where(query),
            ]
        )

    def _name(self, name: str) -> sql.Composable:
        return sql.SQL("{}.{}").format(self.table, sql.Identifier(name))

    def _value(self, value: str) -> sql.Composable:
        self.values.append(value)
        return _placeholder(len(self.values))

    def _selected(self, column: SelectedColumn) -> sql.Composable:
        if column.name in (None, "*"):  # a quoted `*` also means every column
            return sql.SQL("{}.*").format(self.table)
        item = self._name(column.name or "")
        if column.cast:
            item = sql.SQL("CAST({} AS {})").format(item, _type_name(column.cast))
        return sql.SQL("{} AS {}").format(item, sql.Identifier(column.alias or column.name))

    def _where(self, query: Query) -> list[sql.Composable]:
        conditions = [self._condition(condition) for condition in query.conditions]
        return [sql.SQL("WHERE"), sql.SQL(" AND ").join(conditions)] if conditions else []

    def _condition(self, condition: Filter | Logic) -> sql.Composable:
        if isinstance(condition, Logic):
            joint = sql.SQL(" AND " if condition.operator == "AND" else " OR ")
            parts: sql.Composable = joint.join(map(self._condition, condition.parts))
            parts = sql.SQL("({})").format(parts)
        else:
            parts = self._comparison(condition)
        return sql.SQL("NOT ({})").format(parts) if condition.negated else parts

    def _comparison(self, condition: Filter) -> sql.Composable:
        name = self._name(condition.name)
        if isinstance(condition.value, tuple):
            return sql.SQL("{} = ANY ({})").format(name, self._value(_array(condition.value)))
        if condition.operator == "is":
            return sql.SQL("{} {}").format(name, sql.SQL(_IS[condition.value]))
        operator = sql.SQL(_COMPARE[condition.operator])
        return sql.SQL("{} {} {}").format(name, operator, self._value(condition.value))

    def _ordered(self, order: tuple[Order, ...]) -> list[sql.Composable]:
        terms = [
            sql.SQL(" ").join(
                [
                    self._name(term.name),
                    *([sql.SQL(term.direction)] if term.direction else []),
                    *([sql.SQL("NULLS {}").format(sql.SQL(term.nulls))] if term.nulls else []),
                ]
            )
            for term in order
        ]
        return [sql.SQL("ORDER BY"), sql.SQL(", ").join(terms)] if terms else []

    def _limited(self, limit: int | None, offset: int) -> list[sql.Composable]:
        parts: list[sql.Composable] = []
        if limit is not None:
            parts.append(sql.SQL("LIMIT {}").format(sql.Literal(limit)))
        if offset:
            parts.append(sql.SQL("OFFSET {}").format(sql.Literal(offset)))
        return parts


def _placeholder(number: int) -> sql.Composable:
    return sql.SQL(f"${number}")


def _type_name(cast: str) -> sql.Composable:
    # The grammar only allows letters, digits, blanks, `_` and `$`: a type's name or nothing.
    return sql.SQL(cast)


def _array(values: tuple[str, ...]) -> str:
    """A Postgres array literal, with every element quoted."""
    escaped = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in escaped) + "}"

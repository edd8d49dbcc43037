"""Checks beside those of the validators: marks of the macros, and dimensions of vector indexes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from stages.sql import name_sql, text_sql
from stages.transform.compile import Check, Compiled, simple_check
from stages.transform.duckdb_types import FLOATS, INTEGERS
from stages.transform.lineage import functions_by_column

# What macros.sql gives for what has no form in the target.
TEXT_MARKS = {
    "infinite_time": "the time is infinite",
    "time_out_of_range": "the time is beyond what JavaScript's Date holds",
}
INEXACT = "the text is no number that a float64 holds, digit for digit"
INFINITE = 2**63 - 1
# In Convex' encoded JSON: that number as int64, and NaN.
INFINITE_INT64 = "/////////38="
NAN = "AAAAAAAA+H8="
TEXT_MACROS = {"to_iso", "to_day", "to_time", "no_text"}
TIME_MACROS = {"to_ms", "to_unix"}
NUMBER_MACROS = {"to_number", "no_number"}


def add_macro_checks(
    compiled: Mapping[str, Compiled],
    sql: str,
    parsed: Any,
    types: Mapping[str, str],
    exported: Mapping[str, Any],
) -> dict[str, Compiled]:
    """The compiled fields with checks for the macros that the model calls, and dimensions.

    `sql` is the model, `parsed` what `sql_ast.parse` makes of it: a mark is looked for in the
    columns that a macro may have made, since elsewhere the same value may be meant.
    `types` are those of the model's columns, `exported` the table as Convex exports it.
    """
    dimensions = {
        index["vectorField"]: int(index["dimensions"])
        for name in ("vectorIndexes", "stagedVectorIndexes")
        for index in exported.get(name, [])
    }
    words = set(re.findall(r"\w+", sql.lower()))
    by_column = functions_by_column(parsed)
    with_checks = {}
    for name, field in compiled.items():
        called = words if by_column is None else by_column.get(name.lower(), set())
        checks: list[Check] = []
        if name in types:
            checks += _in_json(name, called) if field.json else _marks(name, types[name], called)
            if name in dimensions:
                checks.append(_dimensions(field, dimensions[name]))
        # Before the others: a mark is no value that they could speak of.
        with_checks[name] = replace(field, checks=(*checks, *field.checks))
    return with_checks


def _marks(name: str, kind: str, called: set[str]) -> Iterator[Check]:
    """Of a column of one type, or of a list of it."""
    column = f"m.{name_sql(name)}"
    if called & TEXT_MACROS and "VARCHAR" in kind:
        for rule, words in TEXT_MARKS.items():
            when = f"contains({column}, chr(0) || '{rule}' || chr(0))"
            if kind != "VARCHAR":
                when = f"contains(to_json({column})::VARCHAR, '\\u0000{rule}')"
            yield simple_check(name, rule, when, text_sql(words))
    item = kind.removesuffix("[]")
    if called & TIME_MACROS and item in INTEGERS | FLOATS:
        when = _any(
            column, kind, f"{{0}} = {INFINITE}::DOUBLE" if item in FLOATS else f"{{0}} = {INFINITE}"
        )
        yield simple_check(name, "infinite_time", when, text_sql(TEXT_MARKS["infinite_time"]))
    if called & NUMBER_MACROS and item in FLOATS:
        when = _any(column, kind, "isnan({0}) AND signbit({0})")
        yield simple_check(name, "inexact_number", when, text_sql(INEXACT))


def _in_json(name: str, called: set[str]) -> Iterator[Check]:
    """Of a column that is JSON text by now, wherever in it; a NaN there has lost its sign."""
    column = f"m.{name_sql(name)}"
    if called & TEXT_MACROS:
        for rule, words in TEXT_MARKS.items():
            yield simple_check(name, rule, f"contains({column}, '\\u0000{rule}')", text_sql(words))
    if called & TIME_MACROS:
        when = f"contains({column}, '{INFINITE}') OR contains({column}, '{INFINITE_INT64}')"
        yield simple_check(name, "infinite_time", when, text_sql(TEXT_MARKS["infinite_time"]))
    if called & NUMBER_MACROS:
        when = f"contains({column}, '{NAN}')"
        yield simple_check(name, "inexact_number", when, text_sql(f"NaN, or {INEXACT}"))


def _any(column: str, kind: str, condition: str) -> str:
    """SQL of a condition of a column, or of any item of a list."""
    if not kind.endswith("[]"):
        return condition.format(column)
    return f"list_bool_or(list_transform({column}, lambda n: {condition.format('n')}))"


def _dimensions(field: Compiled, dimensions: int) -> Check:
    name = field.shape.name
    length = f"len({field.value})"
    reason = f"'the vector has ' || {length} || ' numbers, its index wants {dimensions}'"
    return simple_check(name, "dimensions", f"{length} <> {dimensions}", reason)

"""Checks beside those of the validators: marks of the macros, and dimensions of vector indexes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from stages.convex.values import name_sql, text_sql
from stages.transform.compile import FLOATS, INTEGERS, Check, Compiled

# What macros.sql gives for what has no form in the target.
TEXT_MARKS = {
    "infinite_time": "the time is infinite",
    "time_out_of_range": "the time is beyond what JavaScript's Date holds",
}
INFINITE = 2**63 - 1


def guarded(
    compiled: Mapping[str, Compiled],
    sql: str,
    types: Mapping[str, str],
    exported: Mapping[str, Any],
) -> dict[str, Compiled]:
    """The compiled fields with checks for the macros that the model `sql` names, and dimensions.

    `types` are those of the model's columns, `exported` the table as Convex exports it.
    """
    dimensions = {
        index["vectorField"]: int(index["dimensions"])
        for name in ("vectorIndexes", "stagedVectorIndexes")
        for index in exported.get(name, [])
    }
    called = set(re.findall(r"\w+", sql.lower()))
    found = {}
    for name, field in compiled.items():
        checks: list[Check] = []
        if name in types:
            checks += _marks(name, types[name], called)
            if name in dimensions:
                checks.append(_dimensions(name, dimensions[name]))
        # Before the others: a mark is no value that they could speak of.
        found[name] = replace(field, checks=(*checks, *field.checks))
    return found


def _marks(name: str, kind: str, called: set[str]) -> Iterator[Check]:
    column = f"m.{name_sql(name)}"
    if called & {"to_iso", "to_day", "to_time", "no_text"} and _may_hold_text(kind):
        for rule, words in TEXT_MARKS.items():
            when = f"contains({column}, chr(0) || '{rule}' || chr(0))"
            if kind != "VARCHAR":
                when = f"contains(to_json({column})::VARCHAR, '\\u0000{rule}')"
            yield Check(field=name, rule=rule, when=when, reason=text_sql(words))
    if called & {"to_ms", "to_unix"} and kind in INTEGERS | FLOATS:
        yield Check(
            field=name,
            rule="infinite_time",
            when=f"{column} = {INFINITE}::{kind}" if kind in FLOATS else f"{column} = {INFINITE}",
            reason=text_sql(TEXT_MARKS["infinite_time"]),
        )
    if called & {"to_number", "no_number"} and kind.removesuffix("[]") in FLOATS:
        marked = "isnan({0}) AND signbit({0})"
        when = marked.format(column)
        if kind.endswith("[]"):
            when = f"list_bool_or(list_transform({column}, lambda n: {marked.format('n')}))"
        yield Check(
            field=name,
            rule="inexact_number",
            when=when,
            reason="'the text is no number that a float64 holds, digit for digit'",
        )


def _may_hold_text(kind: str) -> bool:
    return any(word in kind for word in ("VARCHAR", "JSON", "STRUCT", "MAP", "UNION", "VARIANT"))


def _dimensions(name: str, wanted: int) -> Check:
    column = f"m.{name_sql(name)}"
    return Check(
        field=name,
        rule="dimensions",
        when=f"len({column}) <> {wanted}",
        reason=f"'the vector has ' || len({column}) || ' numbers, its index wants {wanted}'",
    )

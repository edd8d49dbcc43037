"""Which part of an expression fails for a row, by which rule, and for which value; all in SQL."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from stages.rules import Rule, known_rule
from stages.sql import text_sql
from stages.transform.expression_walk import ExpressionWalk, Path

# The rule for any other expression that fails: a cast, a division, an overflow.
OTHER = Rule.FAILED_EXPRESSION
# The rule for a cast to JSON that fails, and for whatever fails to read the text of a json column.
NO_JSON = Rule.INVALID_JSON
# What a reason says about a value: its rule's meaning, or a closer one if that has other causes.
REASONS = {
    **{rule: rule.meaning for rule in (
        Rule.INFINITE_TIME, Rule.TIME_OUT_OF_RANGE, Rule.INEXACT_INTERVAL, Rule.NOT_INT64,
        Rule.INVALID_MONEY, Rule.INVALID_TIME, Rule.INVALID_VECTOR, Rule.INVALID_ARRAY, NO_JSON,
        Rule.ARRAY_DIMENSIONS,
    )},
    Rule.INEXACT_NUMBER: "the text is not a number that a float64 holds exactly",
}  # fmt: skip
# The rules that each macro can fail with.
MACROS = {
    "to_ms": (Rule.INFINITE_TIME,),
    "to_unix": (Rule.INFINITE_TIME,),
    "to_time": (Rule.INFINITE_TIME,),
    "to_iso": (Rule.INFINITE_TIME, Rule.TIME_OUT_OF_RANGE),
    "to_day": (Rule.INFINITE_TIME, Rule.TIME_OUT_OF_RANGE),
    "to_number": (Rule.INEXACT_NUMBER,),
    "to_int64": (Rule.NOT_INT64,),
    "money_number": (Rule.INEXACT_NUMBER, Rule.INVALID_MONEY),
    "interval_seconds": (Rule.INEXACT_INTERVAL,),
    "time_ms": (Rule.INVALID_TIME,),
    "pg_vector": (Rule.INVALID_VECTOR,),
    "pg_array": (Rule.ARRAY_DIMENSIONS, Rule.INVALID_ARRAY),
    "pg_array_2d": (Rule.ARRAY_DIMENSIONS,),
}
# The second of two rules applies if this is true of the argument.
SECOND = {
    "to_iso": "NOT isinf({0})",
    "to_day": "NOT isinf({0})",
    "money_number": "NOT is_money({0})",
    "pg_array": "without_bounds({0}) NOT LIKE '{{{{%'",
}
LONGEST = 100
MESSAGE = re.compile(r"Could not convert string '(\w+): (.*)' to INT64", re.DOTALL)
MALFORMED = re.compile(r'Malformed JSON .*?Input: "(.*)"', re.DOTALL)


def split_message(words: str) -> tuple[Rule, str] | None:
    """(rule, value) from DuckDB's message if a macro or a cast to JSON failed; else None."""
    if malformed := MALFORMED.search(words):
        return NO_JSON, malformed[1]
    found = MESSAGE.search(words)
    rule = known_rule(found[1]) if found else None
    return (rule, found[2]) if found and rule in REASONS else None


def culprit_sql(
    node: Mapping[str, Any], sql_of: Callable[[Mapping[str, Any]], str], name: str
) -> str:
    """SQL of "rule: reason" for a row in which an expression fails; `sql_of` makes SQL of a node.

    For a list built by a lambda, the reason ends with the position, `at name[0]`. Every part of
    the expression is tried, innermost first, and only where it would be evaluated.
    """
    path = Path(sql=text_sql(name))
    found = [f"TRY({each})" for each in _Culprits(sql_of).of(node, path)]
    nothing = text_sql(f"{OTHER}: {_cut(sql_of(node))} fails")
    return f"coalesce({', '.join([*found, nothing])})"


def _cut(words: str) -> str:
    return words if len(words) <= LONGEST else words[: LONGEST - 1] + "…"


class _Culprits(ExpressionWalk):
    """The reason for each part of an expression, NULL if that part does not fail."""

    def part(self, node: Mapping[str, Any], path: Path) -> Iterator[str]:
        words = self._words(node)
        yield f"{words} || ' at ' || {path.sql}" if path.in_list else words

    def of_items(self, listed: str) -> str:
        return f"list_filter({listed}, lambda words: words IS NOT NULL)[1]"

    def _words(self, node: Mapping[str, Any]) -> str:
        name = str(node.get("function_name", "")).lower()
        if name in MACROS:
            value = self._sql(node["arguments"][0]["expression"])
            first, *others = MACROS[name]
            words = _reason(first, value)
            for other in others:
                second = SECOND[name].format(value)
                words = f"CASE WHEN {second} THEN {_reason(other, value)} ELSE {words} END"
        elif _is_cast_to_json(node):
            words = _reason(NO_JSON, self._sql(node["child"]))
        else:
            values = [f"coalesce({each}::VARCHAR, 'NULL')" for each in self._inputs(node)]
            head = f"{OTHER}: {_cut(self._sql(node))} fails"
            words = text_sql(head)
            if values:
                listed = " || ', ' || ".join(values)
                words = f"{text_sql(head + ' for ')} || left({listed}, {LONGEST})"
        return f"CASE WHEN TRY(struct_pack(v := {self._sql(node)})) IS NULL THEN {words} END"

    def _inputs(self, node: Mapping[str, Any]) -> list[str]:
        """The columns and parameters that a part of an expression uses."""
        found: dict[str, None] = {}
        waiting: list[Any] = [node]
        while waiting:
            each = waiting.pop()
            if isinstance(each, list):
                waiting += reversed(each)
            elif isinstance(each, dict):
                if each.get("type") == "COLUMN_REF":
                    found.setdefault(self._sql(each))
                elif each.get("class") not in ("LAMBDA", "SUBQUERY", "TYPE"):
                    waiting += reversed(list(each.values()))
        return list(found)


def _is_cast_to_json(node: Mapping[str, Any]) -> bool:
    cast = node.get("type") == "OPERATOR_CAST" and not node["try_cast"]
    return cast and str(node["type_expr"]["type_name"]).upper() == "JSON"


def _reason(rule: Rule, value: str) -> str:
    words = f"{text_sql(f'{rule}: {REASONS[rule]}: ')} || left({value}::VARCHAR, {LONGEST})"
    return words if rule is not Rule.INFINITE_TIME else text_sql(f"{rule}: {REASONS[rule]}")

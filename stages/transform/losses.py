"""What a model's expression changes on the way to a field: times cut to milliseconds, and nulls
filled; all in SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

from stages.rules import Rule
from stages.sql import text_sql
from stages.transform.expression_walk import ExpressionWalk, Node, Path
from stages.transform.sql_ast import nodes

# The range of JavaScript's Date, in microseconds since 1970.
DATE_US = (-8_640_000_000_000_000_000, 8_640_000_000_000_000_999)
# Functions that cut a time to its millisecond.
OF_MOMENTS = {"to_ms", "to_iso", "to_time", "epoch_ms"}
OF_TEXTS = {"time_ms"}
# Those whose result is compared with the document's value.
COMPARED = {"to_ms", "to_iso"}
LOSSES = 'STRUCT(field VARCHAR, rule VARCHAR, "old" VARCHAR, "new" VARCHAR)[]'


def losses_sql(
    item: Node,
    sql_of: Callable[[Node], str],
    field: str,
    *,
    times: bool,
    nulls: bool,
    inner: Callable[[list[str]], str],
) -> list[str]:
    """SQL of lists of {field, rule, old, new}, or NULL, of what an item of a SELECT changes.

    `times`: look for times that it cuts. `nulls`: look for nulls that it fills outside of lists;
    those filled in a list always count. `inner` returns, by a column's names, SQL of what a
    subquery has already changed on the way to that column.
    """
    walk = _Losses(sql_of, times=times, nulls=nulls, inner=inner)
    return [f"({each})::{LOSSES}" for each in walk.of(item, Path(sql=text_sql(field)))]


def together(lists: Sequence[str]) -> str:
    """SQL that merges lists of changes, without duplicates; NULL counts as an empty list."""
    return f"list_distinct(list_concat({', '.join(lists)}))"


def cuts_only(
    item: Node, is_it: Callable[[list[str]], bool], inner: Callable[[list[str]], str]
) -> bool:
    """Whether an expression cuts no time but one column's, by to_ms or to_iso, and no subquery has
    changed what it reads. `is_it` says whether a column's names mean that column."""
    for node in nodes(item):
        if node.get("type") == "COLUMN_REF" and inner(node["column_names"]):
            return False
        if _function(node) in OF_MOMENTS | OF_TEXTS and node["arguments"]:
            names = node["arguments"][0]["expression"].get("column_names")
            if _function(node) not in COMPARED or not names or not is_it(names):
                return False
    return True


def below_millisecond(moment: str) -> str:
    """SQL of whether a moment has a part below its millisecond; false beyond what Date holds."""
    return (
        f"CASE WHEN epoch_us({moment}) BETWEEN {DATE_US[0]} AND {DATE_US[1]} "
        f"THEN epoch_us({moment}) % 1000 <> 0 ELSE false END"
    )


class _Losses(ExpressionWalk):
    values_only: ClassVar[bool] = True

    def __init__(
        self,
        sql_of: Callable[[Node], str],
        *,
        times: bool,
        nulls: bool,
        inner: Callable[[list[str]], str],
    ) -> None:
        super().__init__(sql_of)
        self._times = times
        self._nulls = nulls
        self._inner = inner

    def column(self, node: Node, path: Path) -> Iterator[str]:
        listed = self._inner(node["column_names"])
        if not listed:
            return
        struct = (
            f"{{'field': {path.sql} || loss.field, 'rule': loss.rule, "
            "'old': loss.\"old\", 'new': loss.\"new\"}"
        )
        yield f"list_transform({listed}, lambda loss: {struct})::{LOSSES}"

    def part(self, node: Node, path: Path) -> Iterator[str]:
        function = _function(node)
        if self._times and function in OF_MOMENTS | OF_TEXTS and node["arguments"]:
            old = f"({self._sql(node['arguments'][0]['expression'])})"
            cut = below_millisecond(old)
            if function in OF_TEXTS:
                cut = rf"regexp_matches({old}, '\.\d{{3}}\d*[1-9]')"
            yield self._loss(Rule.BELOW_MILLISECOND, cut, f"{old}::VARCHAR", node, path)
        if node.get("type") == "OPERATOR_COALESCE" and (self._nulls or path.in_list):
            first = self._sql(node["children"][0])
            filled = f"({first}) IS NULL AND ({self._sql(node)}) IS NOT NULL"
            yield self._loss(Rule.NULL_FILLED, filled, "NULL::VARCHAR", node, path)

    def of_items(self, listed: str) -> str:
        return f"flatten(list_transform({listed}, lambda loss: coalesce(loss, [])))"

    def _loss(self, rule: Rule, when: str, old: str, node: Node, path: Path) -> str:
        new = f"({self._sql(node)})::VARCHAR"
        return (
            f"CASE WHEN {when} THEN [{{'field': {path.sql}, 'rule': {text_sql(rule)}, "
            f"'old': {old}, 'new': {new}}}]::{LOSSES} END"
        )


def _function(node: Any) -> str:
    return str(node.get("function_name")).lower()

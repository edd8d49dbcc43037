"""Walk an expression, and build SQL about each part that holds where that part is evaluated.

A branch of a CASE or a coalesce counts only in rows that reach it. A lambda's body counts for each
item of its list, with the position that the item's value takes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from stages.sql import name_sql
from stages.transform.aliases import parameters

Node = Mapping[str, Any]
# Functions that call a lambda with each item of their first argument, and its position.
OF_LISTS = {"list_transform", "array_transform", "apply", "list_apply", "array_apply"}
OF_EACH_ITEM = {*OF_LISTS, "list_filter", "array_filter", "filter"}
# What reduces its parts to a flag, and what takes a row's value from other rows.
CONDITIONS = {"COMPARISON", "CONJUNCTION", "BETWEEN"}
TESTS = {"OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL", "OPERATOR_NOT", "COMPARE_IN", "COMPARE_NOT_IN"}
OF_OTHER_ROWS = {"WINDOW"}
NOT_VALUES = ("type_expr", "order_bys", "filter", "qualified_name")


@dataclass(frozen=True, kw_only=True)
class Path:
    """SQL of the path at which a value will be, such as `'ids' || '[' || 0 || ']'`.

    `exact`: the value is all that is at the path, not just a part of it. `in_list`: it is an item.
    """

    sql: str
    exact: bool = True
    in_list: bool = False


class ExpressionWalk(ABC):
    """What a subclass finds in the parts of an expression, innermost first, as SQL that is NULL if
    there is nothing.

    `values_only`: only what becomes part of the value counts. Conditions are left out, and so are
    windows, which take values from other rows, and unnest, which turns one value into several.
    """

    values_only: ClassVar[bool] = False

    def __init__(self, sql_of: Callable[[Node], str]) -> None:
        self._sql = sql_of
        self._numbers = 0

    @abstractmethod
    def part(self, node: Node, path: Path) -> Iterator[str]:
        """What is found in one part, not counting its own parts."""

    def column(self, node: Node, path: Path) -> Iterator[str]:
        """What is found in a column; nothing unless a subclass overrides this."""
        return iter(())

    @abstractmethod
    def of_items(self, listed: str) -> str:
        """What is found in a list; `listed` is SQL of the list of what is found in each item."""

    def of(self, node: Any, path: Path) -> Iterator[str]:
        """What is found in an expression whose value will be at `path`."""
        inside = replace(path, exact=False)
        if isinstance(node, list):
            for each in node:
                yield from self.of(each, inside)
        if not isinstance(node, dict) or node.get("class") in ("TYPE", "CONSTANT", "SUBQUERY"):
            return
        if node.get("type") == "COLUMN_REF":
            yield from self.column(node, path)
            return
        if node.get("class") == "LAMBDA":
            return
        name = str(node.get("function_name")).lower()
        if self.values_only and (
            node.get("class") in CONDITIONS | OF_OTHER_ROWS
            or node.get("type") in TESTS
            or name == "unnest"
        ):
            return
        if node.get("type") == "CASE_EXPR":
            yield from self._of_case(node, path)
        elif node.get("type") == "OPERATOR_COALESCE":
            yield from self._of_coalesce(node["children"], path)
        elif name in OF_EACH_ITEM:
            yield from self._of_each_item(node, path)
        elif node.get("type") == "OPERATOR_CAST":
            yield from self.of(node["child"], path)
        elif name == "to_json":
            yield from self.of(node["arguments"][0]["expression"], path)
        else:
            for key, part in node.items():
                if key not in NOT_VALUES:
                    yield from self.of(part, inside)
        if "class" in node:
            yield from self.part(node, path)

    def _of_case(self, node: Node, path: Path) -> Iterator[str]:
        before: list[str] = []
        for check in node["case_checks"]:
            condition = self._sql(check["when_expr"])
            if not self.values_only:
                for found in self.of(check["when_expr"], replace(path, exact=False)):
                    yield unless(before, found)
            for found in self.of(check["then_expr"], path):
                yield unless(before, f"CASE WHEN {condition} THEN {found} END")
            before.append(condition)
        for found in self.of(node["else_expr"], path):
            yield unless(before, found)

    def _of_coalesce(self, children: list[Node], path: Path) -> Iterator[str]:
        for number, child in enumerate(children):
            before = [f"{self._sql(each)} IS NOT NULL" for each in children[:number]]
            for found in self.of(child, path):
                yield unless(before, found)

    def _of_each_item(self, node: Node, path: Path) -> Iterator[str]:
        items, *functions = [argument["expression"] for argument in node["arguments"]]
        transforms = str(node["function_name"]).lower() in OF_LISTS
        # If the list is filtered, an item's number is not its final position.
        yield from self.of(items, replace(path, exact=False))
        for function in functions:
            if function["class"] != "LAMBDA" or (self.values_only and not transforms):
                continue
            names = parameters(function)
            here = replace(path, exact=False)
            if path.exact and transforms:
                if len(names) == 1:
                    names.append(f"place {self._numbers}")
                    self._numbers += 1
                number = name_sql(names[1])
                here = Path(sql=f"{path.sql} || '[' || ({number} - 1) || ']'", in_list=True)
            listed = ", ".join(name_sql(name) for name in names)
            for found in self.of(function["expr"], here):
                each = f"list_transform({self._sql(items)}, lambda {listed}: {found})"
                yield self.of_items(each)


def unless(before: list[str], found: str) -> str:
    """SQL that counts `found` only if none of the conditions is true."""
    if not before:
        return found
    return f"CASE WHEN {' OR '.join(f'({each})' for each in before)} THEN NULL ELSE {found} END"

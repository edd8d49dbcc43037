"""The aliases of a SELECT are replaced by what they stand for, so that its items can be renamed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Node = dict[str, Any]


def replace_aliases(
    node: Any, named: Mapping[str, Node], is_column: Callable[[list[str]], bool]
) -> Any:
    """A serialised expression with every alias in it replaced by its expression.

    `named` maps each alias, in lower case, to its expression. `is_column` says whether FROM has a
    column of these names; such a column wins. Lambda parameters and subqueries are left alone.
    """
    if isinstance(node, list):
        return [replace_aliases(each, named, is_column) for each in node]
    if not isinstance(node, dict) or "select_list" in node:
        return node
    if node.get("type") == "COLUMN_REF":
        names = node["column_names"]
        expression = named.get(names[0].lower()) if len(names) == 1 else None
        if expression is None or is_column(names):
            return node
        return {**expression, "alias": node["alias"]}
    if node.get("class") == "LAMBDA":
        own = {name.lower() for name in parameters(node)}
        outer = {name: each for name, each in named.items() if name not in own}
        return {**node, "expr": replace_aliases(node["expr"], outer, is_column)}
    return {name: replace_aliases(each, named, is_column) for name, each in node.items()}


def parameters(function: Mapping[str, Any]) -> list[str]:
    """The names of a lambda's parameters."""
    left = function["lhs"]
    if left["type"] == "COLUMN_REF":
        return [str(left["column_names"][-1])]
    return [str(each["expression"]["column_names"][-1]) for each in left["arguments"]]

"""What a model's subqueries change: each CTE and each query in FROM gets columns that list it, for
the SELECT around them to read.

Left alone: a query that groups or is DISTINCT, because extra columns would change its rows; a
UNION; a recursive CTE; and whatever renames all of its columns, as in `t(a, b)`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stages.sql import name_sql
from stages.transform.losses import losses_sql, together
from stages.transform.sql_ast import (
    expression_sql,
    is_grouped,
    item_name,
    nodes,
    parse_expression,
)

if TYPE_CHECKING:
    import duckdb

Node = dict[str, Any]


@dataclass(frozen=True)
class Hidden:
    """Alias → those of its columns that have a list of losses; all in lower case."""

    columns: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def sql(self, names: list[str]) -> str:
        """SQL of the list for the column of these names; empty if there is none."""
        *of, column = (name.lower() for name in names)
        aliases = [alias for alias, columns in self.columns.items() if column in columns]
        if of:
            aliases = [alias for alias in aliases if alias == of[-1]]
        return f"{name_sql(aliases[0])}.{_list_of(column)}" if len(aliases) == 1 else ""


def with_inner_losses(connection: duckdb.DuckDBPyConnection, node: Node) -> tuple[Node, Hidden]:
    """The SELECT with subqueries that list what they change, and the columns that have a list."""
    # A NATURAL JOIN would also join on the lists.
    if any(part.get("ref_type") == "NATURAL" for part in nodes(node)):
        return node, Hidden()
    return _Inner(connection, set(_read_as_they_are(node, top=True))).select(node, {})


class _Inner:
    def __init__(self, connection: duckdb.DuckDBPyConnection, kept: set[str]) -> None:
        """`kept` are the CTEs that must get no extra columns."""
        self._connection = connection
        self._kept = kept
        self._sql_of = functools.partial(expression_sql, connection)

    def select(self, node: Node, outer: Mapping[str, frozenset[str]]) -> tuple[Node, Hidden]:
        """`outer` maps the CTEs in scope to their columns that have a list."""
        known = dict(outer)
        ctes = []
        for cte in node["cte_map"]["map"]:
            query, columns = self._query(cte["value"]["query_node"], known)
            if cte["value"]["aliases"] or cte["key"].lower() in self._kept:
                query, columns = cte["value"]["query_node"], frozenset()
            ctes.append({**cte, "value": {**cte["value"], "query_node": query}})
            known[cte["key"].lower()] = columns
        found: dict[str, frozenset[str]] = {}
        tables = self._from(node["from_table"], known, found)
        return {**node, "cte_map": {"map": ctes}, "from_table": tables}, Hidden(found)

    def _from(
        self, node: Node, ctes: Mapping[str, frozenset[str]], found: dict[str, frozenset[str]]
    ) -> Node:
        if node.get("type") == "JOIN":
            sides = {side: self._from(node[side], ctes, found) for side in ("left", "right")}
            return {**node, **sides}
        if node.get("column_name_alias"):
            return node
        if node.get("type") == "BASE_TABLE" and not node["schema_name"]:
            name = str(node["table_name"])
            found[str(node["alias"] or name).lower()] = ctes.get(name.lower(), frozenset())
        if node.get("type") == "SUBQUERY":
            query, columns = self._query(node["subquery"]["node"], ctes)
            found[str(node["alias"]).lower()] = columns
            return {**node, "subquery": {**node["subquery"], "node": query}}
        return node

    def _query(self, node: Node, ctes: Mapping[str, frozenset[str]]) -> tuple[Node, frozenset[str]]:
        """A subquery with its lists, and which of its columns have one."""
        if node["type"] != "SELECT_NODE" or _holds_rows_together(node):
            return node, frozenset()
        query, hidden = self.select(node, ctes)
        lists = []
        columns: set[str] = set()
        for item in query["select_list"]:
            if item["type"] == "STAR":
                of = str(item["relation_name"]).lower()
                for alias, theirs in hidden.columns.items():
                    columns |= theirs if of in ("", alias) else set()
                continue
            name = item_name(item).lower()
            lost = losses_sql(item, self._sql_of, "", times=True, nulls=True, inner=hidden.sql)
            if lost and name not in columns:
                listed = parse_expression(self._connection, together(lost))
                lists.append({**listed, "alias": f"lost {name}"})
                columns.add(name)
        return {**query, "select_list": [*query["select_list"], *lists]}, frozenset(columns)


def _read_as_they_are(node: Any, *, top: bool = False) -> Iterator[str]:
    """The tables, in lower case, read by queries that are left alone: a star in one of these would
    include the lists."""
    if isinstance(node, list):
        for each in node:
            yield from _read_as_they_are(each)
    if not isinstance(node, dict):
        return
    is_query = str(node.get("type")).endswith("_NODE")
    left = is_query and (node["type"] != "SELECT_NODE" or _holds_rows_together(node))
    if (left and not top) or node.get("class") == "SUBQUERY":
        names = (each.get("table_name") for each in nodes(node))
        yield from (str(name).lower() for name in names if name)
        return
    for each in node.values():
        yield from _read_as_they_are(each)


def _holds_rows_together(node: Node) -> bool:
    distinct = any(modifier["type"] == "DISTINCT_MODIFIER" for modifier in node["modifiers"])
    return distinct or is_grouped(node)


def _list_of(column: str) -> str:
    return name_sql(f"lost {column}")

"""Extra columns for the rows that a model returns: its own SELECT, with more items.

A model's columns do not show what it joins, or what is inside its expressions. In a UNION, each
SELECT gets its own extra columns; GROUP BY ALL, a UNION with LIMIT, and what DuckDB can't
serialise (PIVOT) get none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from stages.sql import name_sql
from stages.transform.inner_losses import Hidden, with_inner_losses
from stages.transform.json_texts import cast_in_items
from stages.transform.sql_ast import (
    binds,
    expression_sql,
    groups_by_all,
    item_name,
    parse_expression,
    query_sql,
)

if TYPE_CHECKING:
    import duckdb

Node = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Select:
    """A SELECT that returns rows of a model.

    `items` maps the model's columns, in lower case, to items; columns from a star are not there.
    `hidden`: the lists of what its subqueries change.
    """

    node: Node
    items: Mapping[str, Node]
    hidden: Hidden

    def column_sql(self, name: str) -> str:
        """SQL of `table.column`, where `table` is an alias here or a source; empty if there is
        none, or the source is joined twice."""
        tables = list(_tables(self.node["from_table"]))
        aliases = {
            str(t["alias"] or t.get("table_name", "")): str(t.get("table_name", "")) for t in tables
        }
        for known in ({alias: alias for alias in aliases}, aliases):
            found = [
                f"{name_sql(alias)}.{name_sql(name[len(prefix) + 1 :])}"
                for alias, prefix in known.items()
                if prefix and name.lower().startswith(f"{prefix.lower()}.")
            ]
            if found:
                return found[0] if len(found) == 1 else ""
        return ""


def selects(connection: duckdb.DuckDBPyConnection, parsed: Any) -> list[Select]:
    """The SELECTs that return a query's rows, as far as they can have extra columns."""
    if parsed is None:
        return []
    return list(_selects(connection, parsed["statements"][0]["node"], (), None))


def _selects(
    connection: duckdb.DuckDBPyConnection,
    node: Node,
    ctes: Sequence[Any],
    names: list[str] | None,
) -> Iterator[Select]:
    """`ctes` are those in scope, `names` the query's columns if a union determines them."""
    node = {**node, "cte_map": {"map": [*ctes, *node["cte_map"]["map"]]}}
    limited = any(modifier["type"].startswith("LIMIT") for modifier in node["modifiers"])
    if node["type"] == "SELECT_NODE":
        if groups_by_all(node):
            return
        if not limited:
            # Identical rows become one document, and their extra columns are deduplicated too.
            kept = [m for m in node["modifiers"] if m.get("distinct_on_targets")]
            node = {**node, "modifiers": kept}
        plain = Select(node=node, items=_items(node["select_list"], names), hidden=Hidden())
        inner, hidden = with_inner_losses(connection, node)
        has_lists = any(hidden.columns.values()) and binds(connection, query_sql(connection, inner))
        yield replace(plain, node=inner, hidden=hidden) if has_lists else plain
    elif node["type"] == "SET_OPERATION_NODE" and not limited:
        children = node["children"] or [node["left"], node["right"]]
        if not node["setop_type"].startswith("UNION"):  # its rows come from the first
            children = children[:1]
        if node["setop_type"] != "UNION_BY_NAME":
            sql = query_sql(connection, {**node, "modifiers": []})
            names = names or [r[0] for r in connection.execute(f"DESCRIBE {sql}").fetchall()]
        for child in children:
            yield from _selects(connection, child, node["cte_map"]["map"], names)


def _items(select_list: list[Node], names: list[str] | None) -> dict[str, Node]:
    own = [item_name(item) for item in select_list]
    stars = any(item["type"] == "STAR" for item in select_list)
    known = names if names and not stars and len(names) == len(own) else own
    return {
        name.lower(): item
        for name, item in zip(known, select_list, strict=True)
        if item["type"] != "STAR"
    }


def _tables(node: Any) -> Iterator[Node]:
    """The tables and subqueries that a FROM joins."""
    if node.get("type") == "JOIN":
        yield from _tables(node["left"])
        yield from _tables(node["right"])
    elif "alias" in node:
        yield node


def beside_sql(
    connection: duckdb.DuckDBPyConnection,
    given: Sequence[Select],
    others: Callable[[Select], Mapping[str, str]],
    *,
    isolated: bool = False,
) -> str:
    """SQL of `_source_id` and the extra columns of each row that the SELECTs return.

    `others` returns their names and expressions for a SELECT. A column that a SELECT can't have is
    NULL; if no SELECT can have any, the SQL is empty. `isolated`: expressions fail for some rows,
    and are NULL there.
    """
    beside = []
    for select in given:
        node = cast_in_items(connection, select.node) if isolated else select.node
        bound = {
            name: sql
            for name, expression in others(select).items()
            if (sql := _bound(connection, node, expression, isolated=isolated))
        }
        if bound:
            key = select.items.get("_source_id")
            key_sql = expression_sql(connection, key) if key else name_sql("_source_id")
            beside.append(_with(connection, node, {"_source_id": key_sql, **bound}))
    return " UNION ALL BY NAME ".join(f"({each})" for each in beside)


def can_have(connection: duckdb.DuckDBPyConnection, select: Select, expression: str) -> bool:
    """Whether an expression is valid as an item of a SELECT."""
    return bool(_bound(connection, select.node, expression, isolated=False))


def _bound(
    connection: duckdb.DuckDBPyConnection, node: Node, expression: str, *, isolated: bool
) -> str:
    """The expression, in TRY if `isolated` and possible; empty if the SELECT can't have it."""
    for each in (f"TRY({expression})", expression) if isolated else (expression,):
        if binds(connection, _with(connection, node, {"other": each})):
            return each
    return ""


def _with(connection: duckdb.DuckDBPyConnection, node: Node, expressions: Mapping[str, str]) -> str:
    """SQL of extra columns of a SELECT; its own items stay, as these may refer to their aliases."""
    others = [
        {**parse_expression(connection, sql), "alias": f"beside {name}"}
        for name, sql in expressions.items()
    ]
    query = query_sql(connection, {**node, "select_list": [*node["select_list"], *others]})
    names = [f"{name_sql(f'beside {name}')} AS {name_sql(name)}" for name in expressions]
    return f"SELECT {', '.join(names)} FROM ({query})"

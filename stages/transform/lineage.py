"""Which source column an output column of a model carries, and whether a model streams its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stages.transform.aliases import parameters
from stages.transform.sql_ast import item_name, nodes, table_name

# Functions that return their one column's value in another form.
FORMS = {
    "to_ms", "to_unix", "to_iso", "to_day", "to_time", "to_number", "time_ms", "pg_array",
    "to_int64", "money_number", "interval_seconds", "pg_array_2d", "pg_vector", "key", "ref",
    "refs", "lower", "trim", "nullif",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class OwnColumns:
    """How a SELECT over plain tables names the columns of one of them.

    `alone`: there is no other table. `all_rows`: its items are evaluated for every row of it.
    """

    items: Mapping[str, Any]
    alias: str
    alone: bool
    all_rows: bool

    def column(self, names: Sequence[str]) -> str | None:
        """The table's column that a reference names, in lower case; None for another table's."""
        lower = [name.lower() for name in names]
        if len(lower) > 1:
            return lower[1] if lower[0] == self.alias else None
        return lower[0] if lower and self.alone else None

    def carried(self) -> dict[str, str]:
        """Output column → the one column of the table whose value it carries, in whatever form:
        `createdat` → `created_at` for `to_ms(created_at) AS createdAt`. All in lower case."""
        found = {name: self.column(column_names(item)) for name, item in self.items.items()}
        return {name: column for name, column in found.items() if column}

    def moved(self, node: Any, alias: str, columns: Mapping[str, str]) -> Any | None:
        """The expression with the table under another alias; None if it uses anything else.

        `columns` maps the table's columns, in lower case, to their names.
        """
        try:
            return self._moved(node, alias, columns, frozenset())
        except LookupError:
            return None

    def _moved(self, node: Any, alias: str, columns: Mapping[str, str], own: frozenset[str]) -> Any:
        if isinstance(node, list):
            return [self._moved(each, alias, columns, own) for each in node]
        if not isinstance(node, dict):
            return node
        if node.get("class") in ("SUBQUERY", "WINDOW"):
            raise LookupError
        if node.get("type") == "COLUMN_REF":
            names = node["column_names"]
            if names[0].lower() in own:
                return node
            return {**node, "column_names": [alias, columns[self.column(names) or ""]]}
        if node.get("class") == "LAMBDA":
            own = own | {name.lower() for name in parameters(node)}
            return {**node, "expr": self._moved(node["expr"], alias, columns, own)}
        return {name: self._moved(each, alias, columns, own) for name, each in node.items()}


def own_columns(parsed: Any, table: str) -> OwnColumns | None:
    """How a query names the columns of `schema.table`; None unless it is a SELECT over plain tables
    that reads this one exactly once."""
    items = _outputs(parsed)
    if not items:
        return None
    query = parsed["statements"][0]["node"]
    found = [n for n in nodes(query["from_table"]) if n.get("type") == "BASE_TABLE"]
    own = [n for n in found if table_name(n) == table.lower()]
    aliases = {str(n["alias"] or n["table_name"]).lower() for n in own}
    if len(aliases) != 1:
        return None
    alone = query["from_table"].get("type") == "BASE_TABLE"
    filtered = any(query[clause] for clause in ("where_clause", "having", "qualify", "sample"))
    held = query["modifiers"] or query["group_expressions"]
    return OwnColumns(
        items=items,
        alias=aliases.pop(),
        alone=len(found) == 1,
        all_rows=alone and not (filtered or held),
    )


def goes_row_by_row(parsed: Any) -> bool:
    """Whether a query streams its rows, without having to collect them first."""
    if not _outputs(parsed):
        return False
    query = parsed["statements"][0]["node"]
    held = query["modifiers"] or query["group_expressions"]
    return not held and all(n.get("class") not in ("WINDOW", "SUBQUERY") for n in nodes(query))


def _outputs(parsed: Any) -> dict[str, Any]:
    """Output column → its expression, if the query is one SELECT over plain tables; else empty."""
    query = parsed["statements"][0]["node"] if parsed else {}
    inside = query.get("type") != "SELECT_NODE" or query["cte_map"]["map"]
    if inside or any("select_list" in node for node in nodes(query["from_table"])):
        return {}
    return {item_name(item).lower(): item for item in query["select_list"]}


def column_names(node: Mapping[str, Any]) -> list[str]:
    """The names of the one column whose value an expression returns in some form; empty if none.

    A coalesce has that of its first argument, and a CASE that of its results.
    """
    kind = node["type"]
    if kind == "COLUMN_REF":
        names: list[str] = node["column_names"]
        return names
    if kind == "OPERATOR_CAST":
        return column_names(node["child"])
    if kind == "OPERATOR_COALESCE":
        return column_names(node["children"][0])
    if kind == "CASE_EXPR":
        given = [each["then_expr"] for each in node["case_checks"]] + [node["else_expr"]]
        return _only([column_names(each) for each in given if each["class"] != "CONSTANT"])
    if kind == "FUNCTION" and str(node["function_name"]).lower() in FORMS:
        arguments = [argument["expression"] for argument in node["arguments"]]
        return _only([column_names(each) for each in arguments if each["class"] != "CONSTANT"])
    if kind == "FUNCTION" and str(node["function_name"]).lower() == "list_transform":
        return column_names(node["arguments"][0]["expression"])
    return []


def _only(found: list[list[str]]) -> list[str]:
    """The one column that all of these are; empty if they differ."""
    return found[0] if found and all(names == found[0] for names in found) else []

"""What a model's output column carries of its source, and whether rows come one by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stages.transform.sql_ast import nodes, table_name

# Functions that give their one column's value in another form.
FORMS = {
    "to_ms", "to_unix", "to_iso", "to_day", "to_time", "to_number", "time_ms", "pg_array",
    "to_int64", "money_number", "interval_seconds", "pg_array_2d", "pg_vector", "key", "ref",
    "refs", "lower", "trim", "nullif",
}  # fmt: skip


def carried_columns(parsed: Any, table: str) -> dict[str, str]:
    """Output column → the one column of `table` whose value it has, in whichever form, as
    `createdAt` has that of `created_at` in `to_ms(created_at) AS createdAt`; in lower case all."""
    items = _outputs(parsed)
    if not items:
        return {}
    tables = [
        n
        for n in nodes(parsed["statements"][0]["node"]["from_table"])
        if n.get("type") == "BASE_TABLE"
    ]
    aliases = {
        str(n["alias"] or n["table_name"]).lower() for n in tables if table_name(n) == table.lower()
    }
    if len(aliases) != 1:
        return {}
    columns = {}
    for name, item in items.items():
        names = [str(each).lower() for each in _carried(item) or ()]
        if names and (names[-2] in aliases if len(names) > 1 else len(tables) == 1):
            columns[name] = names[-1]
    return columns


def goes_row_by_row(parsed: Any) -> bool:
    """Whether a query gives its rows as it meets them, without having to hold them together."""
    if not _outputs(parsed):
        return False
    query = parsed["statements"][0]["node"]
    held = query["modifiers"] or query["group_expressions"]
    return not held and all(n.get("class") not in ("WINDOW", "SUBQUERY") for n in nodes(query))


def _outputs(parsed: Any) -> dict[str, Any]:
    """Output column → its expression, where the query is one SELECT over tables as they are."""
    query = parsed["statements"][0]["node"] if parsed else {}
    inside = query.get("type") != "SELECT_NODE" or query["cte_map"]["map"]
    if inside or any("select_list" in node for node in nodes(query["from_table"])):
        return {}
    return {
        str(item["alias"] or (item.get("column_names") or [""])[-1]).lower(): item
        for item in query["select_list"]
    }


def _carried(node: Mapping[str, Any]) -> list[str] | None:
    """The names of the one column that an expression gives in another form."""
    kind = node["type"]
    if kind == "COLUMN_REF":
        names: list[str] = node["column_names"]
        return names
    if kind == "OPERATOR_CAST":
        return _carried(node["child"])
    if kind == "OPERATOR_COALESCE":
        return _carried(node["children"][0])
    if kind == "FUNCTION" and str(node["function_name"]).lower() in FORMS:
        arguments = [argument["expression"] for argument in node["arguments"]]
        arguments = [each for each in arguments if each["class"] != "CONSTANT"]
        return _carried(arguments[0]) if len(arguments) == 1 else None
    if kind == "FUNCTION" and str(node["function_name"]).lower() == "list_transform":
        return _carried(node["arguments"][0]["expression"])
    return None

"""What DuckDB's own parse says about a model: tables, names, lines, and uses of chance."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from stages.errors import FileError, Place
from stages.sql import first_row, open_duckdb
from stages.transform.expression_walk import OF_EACH_ITEM

if TYPE_CHECKING:
    import duckdb

# Functions of the clock that are called without parentheses.
CLOCK_WORDS = {"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"}

# Functions that take a lambda as their second argument.
OF_LAMBDAS = {*OF_EACH_ITEM, "list_reduce", "array_reduce", "reduce"}
# What may qualify a function's name, and is not a column.
DATABASES = {"main", "temp", "memory", "system", "pg_catalog", "information_schema"}


@functools.lru_cache(maxsize=8)
def parse(connection: duckdb.DuckDBPyConnection, sql: str) -> Any | None:
    """The serialised query; None if DuckDB can't serialise it (PIVOT, or a syntax error)."""
    row = first_row(connection, "SELECT json_serialize_sql(?::VARCHAR)", [sql])
    parsed = json.loads(row[0])
    return None if parsed["error"] else _with_plain_calls(parsed)


def _with_plain_calls(node: Any) -> Any:
    """The parse with each call in one form: `created_at.to_ms()` as `to_ms(…)`, and an arrow, which
    is serialised as a lambda but may be JSON's `->`, as a function of that name."""
    if isinstance(node, list):
        return [_with_plain_calls(each) for each in node]
    if not isinstance(node, dict):
        return node
    node = {name: _with_plain_calls(each) for name, each in node.items()}
    if node.get("syntax_type") == "SINGLE_ARROW":
        return _call(node, "->", [node["lhs"], node["expr"]]) | {"is_operator": True}
    path = (node.get("qualified_name") or {}).get("path") or []
    if node.get("class") != "FUNCTION" or len(path) < 2 or path[0].lower() in DATABASES:
        return node
    column = {"class": "COLUMN_REF", "type": "COLUMN_REF", "alias": "", "query_location": 0}
    first = {**column, "column_names": path[:-1]}
    others = [argument["expression"] for argument in node["arguments"]]
    return {**node, **_call(node, path[-1], [first, *others])}


def _call(node: Mapping[str, Any], name: str, arguments: list[Any]) -> dict[str, Any]:
    """A function call to put in a node's place."""
    return {
        "class": "FUNCTION",
        "type": "FUNCTION",
        "alias": node["alias"],
        "query_location": node["query_location"],
        "function_name": name,
        "schema": "",
        "filter": None,
        "order_bys": {"type": "ORDER_MODIFIER", "orders": []},
        "distinct": False,
        "is_operator": False,
        "export_state": False,
        "catalog": "",
        "arguments": [{"name": "", "expression": each} for each in arguments],
        "qualified_name": {"path": [name]},
    }


def query_sql(connection: duckdb.DuckDBPyConnection, node: Mapping[str, Any]) -> str:
    """The SQL of a serialised query, which may have been changed."""
    statement = {"error": False, "statements": [{"node": node}]}
    row = first_row(connection, "SELECT json_deserialize_sql(?::JSON)", [json.dumps(statement)])
    return str(row[0])


def expression_sql(connection: duckdb.DuckDBPyConnection, node: Mapping[str, Any]) -> str:
    """The SQL of a serialised expression, without its alias."""
    query = json.loads(_nothing_selected(connection))
    query["select_list"] = [{**node, "alias": ""}]
    return query_sql(connection, query).removeprefix("SELECT ")


def parse_expression(connection: duckdb.DuckDBPyConnection, sql: str) -> dict[str, Any]:
    """The serialised form of an expression."""
    row = first_row(connection, "SELECT json_serialize_sql(?::VARCHAR)", [f"SELECT {sql}"])
    item: dict[str, Any] = json.loads(row[0])["statements"][0]["node"]["select_list"][0]
    return item


@functools.lru_cache(maxsize=1)
def _nothing_selected(connection: duckdb.DuckDBPyConnection) -> str:
    """A serialised SELECT of one constant, without FROM, as JSON."""
    (serialised,) = first_row(connection, "SELECT json_serialize_sql('SELECT 1')")
    return json.dumps(json.loads(serialised)["statements"][0]["node"])


def nodes(parsed: Any) -> Iterator[dict[str, Any]]:
    """Every node of a serialised query, parents first."""
    waiting = [parsed]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            node = list(node.values())
        if isinstance(node, list):
            waiting += reversed(node)


def binds(connection: duckdb.DuckDBPyConnection, sql: str) -> bool:
    """Whether all names in a query exist, and are allowed where they stand."""
    import duckdb

    try:
        connection.execute(f"DESCRIBE {sql}").fetchall()
    except duckdb.Error:
        return False
    return True


@contextmanager
def each_by_itself(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Evaluate what items of a SELECT share in each item: else it would be outside of TRY."""
    connection.execute("SET disabled_optimizers = 'common_subexpressions'")
    try:
        yield
    finally:
        connection.execute("RESET disabled_optimizers")


def item_name(item: Mapping[str, Any]) -> str:
    """The name of a SELECT's item; empty if it has none."""
    return str(item["alias"] or (item.get("column_names") or [""])[-1])


def is_grouped(select: Mapping[str, Any]) -> bool:
    """Whether a SELECT has a GROUP BY, or GROUP BY ALL."""
    return bool(select["group_expressions"]) or groups_by_all(select)


def groups_by_all(select: Mapping[str, Any]) -> bool:
    """Whether a SELECT groups by all of its items, so that one more would change its rows."""
    return bool(select["aggregate_handling"] == "FORCE_AGGREGATES")


def tables(parsed: Any) -> Iterator[str]:
    """`schema.table`, in lower case, of every table in a serialised query."""
    for node in nodes(parsed):
        if node.get("type") == "BASE_TABLE":
            yield table_name(node)


def table_name(node: Mapping[str, Any]) -> str:
    """`schema.table` of a table's node, in lower case."""
    return f"{node['schema_name']}.{node['table_name']}".lower()


def line_at(sql: str, node: Mapping[str, Any]) -> int:
    """The line of a node; 1 if it has no location."""
    before = sql.encode()[: int(node.get("query_location", 0))]
    return before.count(b"\n") + 1 if len(before) < len(sql.encode()) else 1


def named_references(sql: str, parsed: Any) -> Iterator[tuple[str, int]]:
    """(table, line) of every `ref('table', …)` and `refs('table', …)` in a query."""
    for node in nodes(parsed):
        if node.get("class") == "FUNCTION" and node["function_name"].lower() in ("ref", "refs"):
            first = node["arguments"][0]["expression"] if node["arguments"] else {}
            if first.get("class") == "CONSTANT" and first["literal"]["kind"] == "STRING":
                yield first["literal"]["text"], line_at(sql, node)


def column_lines(sql: str, parsed: Any) -> dict[str, int]:
    """Output column → its line in the model, as far as the SELECT names it."""
    if parsed is None:
        return {}
    query = parsed["statements"][0]["node"]
    while "select_list" not in query and isinstance(query.get("left"), dict):
        query = query["left"]
    lines: dict[str, int] = {}
    for item in query.get("select_list", []):
        lines.setdefault(item_name(item).lower(), line_at(sql, item))
    return lines


def refuse_arrows(connection: duckdb.DuckDBPyConnection, model: str, sql: str, parsed: Any) -> None:
    """Raise FileError for a lambda in the form that DuckDB no longer takes, `x -> x + 1`."""
    for node in nodes(parsed):
        if str(node.get("function_name")).lower() not in OF_LAMBDAS:
            continue
        function = node["arguments"][1]["expression"] if len(node["arguments"]) > 1 else {}
        if function.get("function_name") != "->":
            continue
        left, body = (argument["expression"] for argument in function["arguments"])
        of = [each["expression"] for each in left.get("arguments", [])] or [left]
        given = ", ".join(expression_sql(connection, each) for each in of)
        raise _fault(
            model,
            line_at(sql, function),
            "DuckDB no longer takes a lambda with an arrow (->)",
            f"write: lambda {given}: {expression_sql(connection, body)}",
        )


def _fault(model: str, line: int, words: str, hint: str) -> FileError:
    """The error for a line of a model."""
    return FileError(f"{Place(model, line)}: {words}", hint, file=model, line=line)


# ── what other models made ──────────────────────────────────────────────────────────────────
# Views of what an earlier run has staged: whether they exist, and what is in them, depends on that.
RESULT_SCHEMAS = ("transform", "bound", "load")
RESULTS = ("rejects", "changes", "load_rejects")


def refuse_results(model: str, sql: str, parsed: Any) -> None:
    """Raise FileError for a model that reads what an earlier run has made."""
    found = _results_by_words(sql) if parsed is None else _results_by_nodes(sql, parsed)
    for line, name in found:
        raise _fault(
            model,
            line,
            f"reads {name}, which is the result of a run, and a model reads sources only",
            "read the source of that table, and repeat what is needed of its model",
        )


def _results_by_words(sql: str) -> Iterator[tuple[int, str]]:
    """(line, view) in SQL that DuckDB can't serialise."""
    code = _code(sql)
    for word in re.finditer(rf"\b({'|'.join(RESULT_SCHEMAS)})\s*\.\s*\w+", code, re.IGNORECASE):
        yield code.count("\n", 0, word.start()) + 1, word[0].lower()


def _results_by_nodes(sql: str, parsed: Any) -> Iterator[tuple[int, str]]:
    """(line, view) in a serialised query."""
    own = {
        str(entry["key"]).lower()
        for node in nodes(parsed)
        for entry in (node.get("cte_map") or {}).get("map", ())
    }
    for node in nodes(parsed):
        if node.get("type") != "BASE_TABLE":
            continue
        schema, name = str(node["schema_name"]).lower(), str(node["table_name"]).lower()
        if schema in RESULT_SCHEMAS or (not schema and name in RESULTS and name not in own):
            yield line_at(sql, node), table_name(node).removeprefix(".")


# ── chance and the clock ────────────────────────────────────────────────────────────────────


def refuse_chance(model: str, sql: str, parsed: Any) -> None:
    """Raise FileError for a model whose rows depend on the clock, on chance or on the session."""
    culprits = _by_words(sql) if parsed is None else _by_nodes(sql, parsed)
    for line, culprit in culprits:
        raise _fault(
            model,
            line,
            f"{culprit} gives another value on every run, but the same rows must always give the "
            "same documents",
            "use a column or a constant; a missing timestamp stays missing: it is never replaced "
            "by the time of the run",
        )


def _by_words(sql: str) -> Iterator[tuple[int, str]]:
    """(line, what) of calls and words in SQL that DuckDB can't serialise, such as PIVOT."""
    code = _code(sql)
    for word in re.finditer(r"\b(\w+)\b(\s*\()?", code):
        name = word[1].lower()
        if name in CLOCK_WORDS or (word[2] and name in _unsteady()):
            yield code.count("\n", 0, word.start()) + 1, name + ("()" if word[2] else "")


def _code(sql: str) -> str:
    """SQL with blanks in the place of texts, quoted names and comments."""
    return re.sub(
        r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/",
        lambda skipped: re.sub(r"[^\n]", " ", skipped[0]),
        sql,
        flags=re.DOTALL,
    )


def _by_nodes(sql: str, parsed: Any) -> Iterator[tuple[int, str]]:
    """(line, what) of calls and words in a serialised query."""
    for node in nodes(parsed):
        if culprit := _chance(node):
            yield line_at(sql, node), culprit


def _chance(node: Mapping[str, Any]) -> str | None:
    if node.get("sample"):
        return "a sample"
    if node.get("type") == "FUNCTION":
        name = str(node["function_name"]).lower()
        if name in _unsteady() or (name == "age" and len(node["arguments"]) == 1):
            return f"{name}()"
    if node.get("type") == "COLUMN_REF" and len(node["column_names"]) == 1:
        name = node["column_names"][0].lower()
        if name in CLOCK_WORDS:
            return f"{name}"
    return None


@functools.cache
def _unsteady() -> frozenset[str]:
    """Functions that DuckDB does not call consistent, and its macros over them; not error()."""

    with open_duckdb() as connection:
        rows = connection.execute(
            "SELECT function_name, stability <> 'CONSISTENT', macro_definition "
            "FROM duckdb_functions()"
        ).fetchall()
    names = {name for name, unsteady, _ in rows if unsteady}
    names |= {name for name, _, macro in rows if macro and "current_timestamp" in macro}
    return frozenset(names - {"error"})

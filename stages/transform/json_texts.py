"""Make invalid json fail in the item of a model that reads it, not where its table is read.

The view `extract.<source>` casts the text of a json column below any TRY. So the outer SELECT reads
its tables as text (`as_text.<source>`), and each mention of such a column becomes a cast.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import TYPE_CHECKING, Any

from stages.transform.aliases import parameters
from stages.transform.sql_ast import nodes, query_sql

if TYPE_CHECKING:
    import duckdb

Node = dict[str, Any]
# These give the same for a JSON value and for its text.
TAKES_TEXT = {"OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL"}
CLAUSES = ("select_list", "where_clause", "having", "qualify", "from_table")
# ORDER BY needs no cast: text and JSON sort alike.


def cast_in_items(connection: duckdb.DuckDBPyConnection, query: Node) -> Node:
    """The SELECT, with its own tables read as text and their json columns cast where they are used.

    It is returned unchanged if none of its tables has such a column, or if one is used other than
    by name: in a subquery, as part of a whole row, or through a star with REPLACE and the like.
    """
    texts = _text_tables(connection)
    columns: set[str] = set()
    whole_rows: set[str] = set()

    def read_as_text(node: Any) -> Any:
        if not isinstance(node, dict):
            return node
        if node.get("type") == "JOIN":
            return {**node, **{side: read_as_text(node[side]) for side in ("left", "right")}}
        name = str(node.get("table_name")).lower()
        if node.get("type") != "BASE_TABLE" or name not in texts:
            return node
        if str(node["schema_name"]).lower() != "extract" or node["column_name_alias"]:
            return node
        alias = node["alias"] or node["table_name"]
        columns.update(texts[name])
        whole_rows.add(str(alias).lower())
        path = {"path": ["as_text", node["table_name"]]}
        return {**node, "schema_name": "as_text", "alias": alias, "qualified_name": path}

    tables = read_as_text(query["from_table"])
    if not columns:
        return query
    casts = _Casts(connection, query, {**query, "from_table": tables}, columns, whole_rows)
    return casts.query() or query


def _text_tables(connection: duckdb.DuckDBPyConnection) -> dict[str, set[str]]:
    """Source → its columns that hold json as text; in lower case."""
    rows = connection.execute(
        "SELECT lower(t.table_name), lower(t.column_name) FROM duckdb_columns() t "
        "JOIN duckdb_columns() j USING (database_name, table_name, column_name) "
        "WHERE t.schema_name = 'as_text' AND j.schema_name = 'extract' "
        "AND t.data_type <> j.data_type"
    ).fetchall()
    columns: dict[str, set[str]] = {}
    for table, column in rows:
        columns.setdefault(table, set()).add(column)
    return columns


class _Casts:
    """`before` reads JSON, `after` the same columns as text."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        before: Node,
        after: Node,
        columns: Set[str],
        whole_rows: Set[str],
    ) -> None:
        self._connection = connection
        self._before = before
        self._after = after
        self._columns = columns
        self._whole_rows = whole_rows

    def query(self) -> Node | None:
        """The SELECT with its casts; None if it uses a column other than by its name."""
        items: list[Node] = []
        for item in self._after["select_list"]:
            if item["type"] == "STAR":
                expanded = self._star(item)
                if expanded is None:
                    return None
                items += expanded
            else:
                items.append(item)
        query = {**self._after, "select_list": items}
        if any(self._is_refused(query[clause]) for clause in CLAUSES):
            return None
        named = [_with_name(item) for item in items]
        query = {**query, "select_list": named}
        return {**query, **{clause: self._cast(query[clause], set()) for clause in CLAUSES}}

    def _star(self, item: Node) -> list[Node] | None:
        """The columns that a star stands for, if some are now text; None for a star with more."""
        names = self._describe(self._before, item)
        if names == self._describe(self._after, item):
            return [item]
        if item["replace_list"] or item["rename_list"] or item["columns"] or names is None:
            return None
        of = [item["relation_name"]] if item["relation_name"] else []
        return [_column([*of, name]) for name, _ in names]

    def _is_refused(self, part: Any) -> bool:
        """Whether a part of the SELECT may get text where `before` has JSON, without naming a
        column that could be cast."""
        for node in nodes(part):
            if "select_list" in node:
                names = {
                    str(each).lower()
                    for inner in nodes(node)
                    for each in inner.get("column_names", ())
                }
                if names & (self._columns | self._whole_rows):
                    return True
            if node.get("type") == "STAR" and node.get("columns"):
                return True
            if node.get("type") == "COLUMN_REF" and len(node["column_names"]) == 1:
                name = str(node["column_names"][0]).lower()
                if name in self._whole_rows and name not in self._columns:
                    before, after = (self._describe(q, node) for q in (self._before, self._after))
                    if before != after:
                        return True
        return False

    def _cast(self, node: Any, lambdas: Set[str]) -> Any:
        """A part of the SELECT with its casts; `lambdas` are names that are not columns."""
        if isinstance(node, list):
            return [self._cast(each, lambdas) for each in node]
        if not isinstance(node, dict) or "select_list" in node:
            return node
        if node.get("type") in TAKES_TEXT or str(node.get("function_name")).lower() == "json_valid":
            parts = node.get("children") or [a["expression"] for a in node["arguments"]]
            if all(part["type"] == "COLUMN_REF" for part in parts):
                return node
        if node.get("class") == "LAMBDA":
            own = {name.lower() for name in parameters(node)}
            return {**node, "expr": self._cast(node["expr"], lambdas | own)}
        if node.get("type") == "COLUMN_REF":
            return self._column(node, lambdas)
        return {name: self._cast(each, lambdas) for name, each in node.items()}

    def _column(self, node: Node, lambdas: Set[str]) -> Node:
        names = [str(name).lower() for name in node["column_names"]]
        if names[-1] not in self._columns or names[0] in lambdas:
            return node
        if self._describe(self._before, node) == self._describe(self._after, node):
            return node
        return _as_json(node)

    def _describe(self, query: Node, item: Mapping[str, Any]) -> list[tuple[str, str]] | None:
        """(name, type) of the columns of an item; None if the SELECT can't have it."""
        import duckdb

        alone = {
            **query, "select_list": [item], "modifiers": [], "where_clause": None,
            "having": None, "qualify": None,
        }  # fmt: skip
        try:
            rows = self._connection.execute(
                f"DESCRIBE {query_sql(self._connection, alone)}"
            ).fetchall()
        except duckdb.Error:
            return None
        return [(row[0], row[1]) for row in rows]


def _with_name(item: Node) -> Node:
    """The item; a plain column gets its name as an alias, because its cast would lose it."""
    if item["type"] != "COLUMN_REF":
        return item
    return {**item, "alias": item["alias"] or item["column_names"][-1]}


def _column(names: list[str]) -> Node:
    return {
        "class": "COLUMN_REF", "type": "COLUMN_REF", "alias": "", "query_location": 0,
        "column_names": names,
    }  # fmt: skip


def _as_json(column: Node) -> Node:
    """The cast of a column to JSON, with the column's alias and location."""
    return {
        "class": "CAST", "type": "OPERATOR_CAST",
        "alias": column["alias"],
        "query_location": column["query_location"], "child": {**column, "alias": ""},
        "try_cast": False,
        "type_expr": {
            "class": "TYPE", "type": "TYPE", "alias": "", "query_location": 0, "catalog": "",
            "schema": "", "type_name": "JSON", "children": [], "qualified_name": {"path": ["JSON"]},
        },
    }  # fmt: skip

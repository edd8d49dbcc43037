"""Run a model whose items fail for some rows again, so that only these rows are rejected.

Each item of its outer SELECT that may fail is wrapped in TRY, in DuckDB's own parse tree of the
model; if it fails, the part at fault is searched for. TRY accepts no aggregate, window or subquery,
and does not cover WHERE, JOIN, GROUP BY, CTEs and derived tables: what fails there stops the table.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stages.errors import TableFailed
from stages.machine import is_refusal
from stages.project.models import Model
from stages.sql import first_row, name_sql, text_sql
from stages.transform.aliases import replace_aliases
from stages.transform.checked import FAILURES
from stages.transform.culprits import MACROS, NO_JSON, OTHER, REASONS, culprit_sql, split_message
from stages.transform.json_texts import cast_in_items
from stages.transform.models import RowFailed, sql_errors
from stages.transform.relations import ISOLATED
from stages.transform.sql_ast import (
    binds,
    each_by_itself,
    expression_sql,
    is_grouped,
    item_name,
    line_at,
    nodes,
    parse,
    parse_expression,
    query_sql,
)

if TYPE_CHECKING:
    import duckdb

Node = dict[str, Any]
# With this many rows or more, an item that fails in every row is the model's fault.
LARGE = 100
# This many failing rows per item get DuckDB's own message; each takes a query.
WITH_OWN_WORDS = 5
INSIDE = "TRY can't be used where a model aggregates, joins, filters, or reads a query inside"


@dataclass(frozen=True, kw_only=True)
class _Item:
    """A wrapped item: its column, its expression, its whole SELECT, and that SELECT's key."""

    name: str
    expression: Node
    query: Node
    key: Node | None


def isolate_failures(connection: duckdb.DuckDBPyConnection, model: Model, *, derived: bool) -> None:
    """Create `isolated`: the model's columns, and `_failed`, a list of {field, rule, reason}.

    DISTINCT and UNION do not merge failing rows: one per key is kept or, if the table is
    `derived`, all of them, each under a key of its own. Raises TableFailed for a failure that no
    single row can be blamed for.
    """
    parsed = parse(connection, model.text)
    isolation = _Isolation(connection, model, parsed, derived=derived)
    sql = isolation.sql(parsed["statements"][0]["node"]) if parsed else model.text
    try:
        with each_by_itself(connection):
            with sql_errors(model.name):
                connection.execute(f"CREATE OR REPLACE TEMP TABLE {ISOLATED} AS {sql}")
            isolation.refuse_failing_keys()
            isolation.refuse_failing_items()
            isolation.take_own_words()
    except RowFailed as error:
        raise isolation.stopped(error) from None


class _Isolation:
    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        model: Model,
        parsed: Any | None,
        *,
        derived: bool,
    ) -> None:
        self._connection = connection
        self._model = model
        self._parsed = parsed
        self._derived = derived
        self._wrapped: list[_Item] = []
        self._sql_of = functools.partial(expression_sql, connection)

    # ── the SQL ─────────────────────────────────────────────────────────────────────────────

    def sql(self, node: Node) -> str:
        """SQL of a query's columns and `_failed`."""
        if node["type"] == "SELECT_NODE":
            distinct = [m for m in node["modifiers"] if m["type"] == "DISTINCT_MODIFIER"]
            plain = not any(m["distinct_on_targets"] for m in distinct)
            if is_grouped(node) or not plain:
                return f"SELECT *, []::{FAILURES} AS _failed FROM ({self._query(node)})"
            limited = any(m["type"].startswith("LIMIT") for m in node["modifiers"])
            if distinct and limited:
                return f"SELECT *, []::{FAILURES} AS _failed FROM ({self._query(node)})"
            kept = [m for m in node["modifiers"] if limited and m not in distinct]
            sql = self._select({**node, "modifiers": kept})
            return self._distinct(sql) if distinct else sql
        union = node["type"] == "SET_OPERATION_NODE" and node["setop_type"].startswith("UNION")
        if not union or node["cte_map"]["map"] or node["modifiers"]:
            return f"SELECT *, []::{FAILURES} AS _failed FROM ({self._query(node)})"
        children = node["children"] or [node["left"], node["right"]]
        by_name = " BY NAME" if node["setop_type"] == "UNION_BY_NAME" else ""
        if not by_name:
            children = self._named_alike(children)
        all_rows = f" UNION ALL{by_name} ".join(f"({self.sql(child)})" for child in children)
        return all_rows if node["setop_all"] else self._distinct(all_rows)

    def _named_alike(self, children: list[Node]) -> list[Node]:
        """The SELECTs of a union, each with the column names of the first, as in the result."""
        described = self._connection.execute(f"DESCRIBE {self._query(children[0])}").fetchall()
        names = [row[0] for row in described]
        alike = []
        for child in children:
            items = child.get("select_list", [])
            if len(items) == len(names) and all(item["type"] != "STAR" for item in items):
                pairs = zip(items, names, strict=True)
                child = {**child, "select_list": [{**i, "alias": name} for i, name in pairs]}
            alike.append(child)
        return alike

    def _distinct(self, sql: str) -> str:
        """SQL of the distinct rows that pass and the rows that fail: all, or one per key.

        Nobody knows whether a failing row would have equalled another with its key. A source row
        then gives no document; of derived rows, those that pass still do.
        """
        failing = "FROM isolated_rows WHERE len(_failed) > 0"
        passing = "SELECT DISTINCT * FROM isolated_rows WHERE len(_failed) = 0"
        if self._derived:
            passes = "_source_id IN (SELECT _source_id FROM isolated_rows WHERE len(_failed) = 0)"
            number = f"(row_number() OVER (PARTITION BY _source_id) + if({passes}, 1, 0))"
            again = f"CASE {number} WHEN 1 THEN '' ELSE ' (' || {number} || ')' END"
            numbered = f"_source_id::VARCHAR || {again}"
            failing = f"SELECT * REPLACE ({numbered} AS _source_id) {failing}"
        else:
            passing = f"FROM ({passing}) ANTI JOIN (SELECT _source_id {failing}) USING (_source_id)"
            failing = f"SELECT DISTINCT ON (_source_id) * {failing}"
        return f"WITH isolated_rows AS ({sql}) {passing} UNION ALL {failing}"

    def _query(self, node: Node) -> str:
        return query_sql(self._connection, node)

    def _select(self, node: Node) -> str:
        """SQL of a SELECT with its items wrapped wherever TRY accepts them."""
        node = cast_in_items(self._connection, node)
        items = self._without_aliases(node)
        wrapped: list[Node] = []
        columns: dict[str, _Item] = {}
        key = next((each for each in items if item_name(each).lower() == "_source_id"), None)
        query = self._elsewhere_without_aliases(node, items)
        for item in items:
            if item["type"] in ("COLUMN_REF", "STAR", "VALUE_CONSTANT"):
                wrapped.append(item)
                continue
            column = f"item {len(self._wrapped)}"
            own = {**self._wrap(item), "alias": column}
            if binds(self._connection, self._query({**query, "select_list": [own]})):
                columns[column] = _Item(name=item_name(item), expression=item, query=query, key=key)
                self._wrapped.append(columns[column])
                wrapped.append(own)
            else:
                wrapped.append(item)
        inside = self._query({**query, "select_list": wrapped})
        names = [row[0] for row in self._connection.execute(f"DESCRIBE {inside}").fetchall()]
        outside = [
            f"{name_sql(name)}.v AS {name_sql(columns[name].name)}"
            if name in columns
            else name_sql(name)
            for name in names
        ]
        failures = [
            f"CASE WHEN {name_sql(column)}.w IS NOT NULL THEN "
            f"{{'field': {text_sql(item.name)}, "
            f"'rule': split_part({name_sql(column)}.w, ': ', 1), "
            f"'reason': substr({name_sql(column)}.w, strpos({name_sql(column)}.w, ': ') + 2)}} END"
            for column, item in columns.items()
        ]
        listed = f"list_filter([{', '.join(failures)}], lambda failure: failure IS NOT NULL)"
        failed = listed if failures else f"[]::{FAILURES}"
        return f"SELECT {', '.join(outside)}, {failed} AS _failed FROM ({inside})"

    def _wrap(self, item: Node) -> Node:
        value = self._sql_of(item)
        return parse_expression(
            self._connection,
            f"coalesce(TRY(struct_pack(v := {value}, w := NULL::VARCHAR)), "
            f"struct_pack(v := NULL, w := {culprit_sql(item, self._sql_of, item_name(item))}))",
        )

    def _without_aliases(self, node: Node) -> list[Node]:
        """The items under their own names, with aliases of other items replaced."""
        named: dict[str, Node] = {}
        items = []
        columns = self._columns(node)
        for item in node["select_list"]:
            # DuckDB expands a star into its columns, and nothing in it can fail.
            replaced = item
            if item["type"] != "STAR":
                replaced = {**replace_aliases(item, named, columns), "alias": item_name(item)}
                if item["alias"]:
                    named.setdefault(item["alias"].lower(), replaced)
            items.append(replaced)
        return items

    def _elsewhere_without_aliases(self, node: Node, items: list[Node]) -> Node:
        """The SELECT, with aliases replaced in its other clauses too."""
        named = {each["alias"].lower(): each for each in reversed(items) if each.get("alias")}
        columns = self._columns(node)
        clauses = {
            clause: replace_aliases(node[clause], named, columns)
            for clause in ("where_clause", "having", "qualify")
        }
        # In ORDER BY, an alias takes precedence.
        modifiers = replace_aliases(node["modifiers"], named, lambda _: False)
        return {**node, **clauses, "modifiers": modifiers}

    def _columns(self, node: Node) -> Any:
        """A function that says whether FROM has a column of given names."""

        @functools.cache
        def known(names: tuple[str, ...]) -> bool:
            item = {
                "class": "COLUMN_REF",
                "type": "COLUMN_REF",
                "alias": "",
                "query_location": 0,
                "column_names": list(names),
            }
            query = {
                **node, "select_list": [item], "modifiers": [], "where_clause": None,
                "having": None, "qualify": None,
            }  # fmt: skip
            return binds(self._connection, self._query(query))

        return lambda names: known(tuple(names))

    # ── what can't be a reject ──────────────────────────────────────────────────────────────

    def refuse_failing_keys(self) -> None:
        """Raise TableFailed if the key of a row fails: its reject would have no name."""
        rows, reason = self._failing("_source_id")
        if rows:
            raise TableFailed(
                f"{self._at('_source_id')}: the _source_id of {rows:,} rows fails: {reason}",
                "make it of a column that needs no conversion, such as: key(id) AS _source_id",
            )

    def refuse_failing_items(self) -> None:
        """Raise TableFailed for an item that fails in every one of many rows."""
        (total,) = first_row(self._connection, f"SELECT count(*) FROM {ISOLATED}")
        if total < LARGE:
            return
        for name in dict.fromkeys(item.name for item in self._wrapped):
            rows, reason = self._failing(name)
            if rows == total:
                raise TableFailed(
                    f"{self._at(name)}: `{name}` fails in every one of {rows:,} rows: {reason}",
                    f"change its expression in {self._model.name}",
                )

    def _failing(self, name: str) -> tuple[int, str]:
        """(number of rows in which an item fails, the first reason)."""
        rows, reason = first_row(
            self._connection,
            "SELECT count(*), min(f.rule || ': ' || f.reason) FROM "
            f"(SELECT unnest(_failed) AS f FROM {ISOLATED}) WHERE f.field = ?",
            [name],
        )
        return int(rows), str(reason)

    def _at(self, column: str) -> str:
        for item in self._wrapped:
            if item.name == column:
                return f"{self._model.name}, line {line_at(self._model.text, item.expression)}"
        return self._model.name

    def take_own_words(self) -> None:
        """Give the first rows that fail outside a macro DuckDB's own message as their reason."""
        import duckdb

        for item in self._wrapped:
            if item.key is None:
                continue
            keys = self._connection.execute(
                f"SELECT DISTINCT _source_id::VARCHAR FROM {ISOLATED} WHERE len(list_filter("
                "_failed, lambda failed: failed.field = ? AND failed.rule = ?)) > 0 ORDER BY 1 "
                f"LIMIT {WITH_OWN_WORDS}",
                [item.name, OTHER],
            ).fetchall()
            alone = self._query({
                **item.query, "modifiers": [], "select_list": [
                    {**item.key, "alias": "key"}, {**item.expression, "alias": "value"}
                ]})  # fmt: skip
            for (key,) in keys:
                try:
                    self._connection.execute(
                        f"SELECT value FROM ({alone}) WHERE key::VARCHAR = ?", [key]
                    ).fetchall()
                except duckdb.Error as error:
                    if is_refusal(error):
                        raise
                    words = str(error).strip().splitlines()[0].partition(" Error: ")[2]
                    self._connection.execute(
                        f"UPDATE {ISOLATED} SET _failed = list_transform(_failed, lambda "
                        "failed: CASE WHEN failed.field = ? AND failed.rule = ? THEN struct_pack("
                        "field := failed.field, rule := failed.rule, reason := ? || "
                        "regexp_extract(failed.reason, ' at [^ ]+]$')) ELSE failed END) "
                        "WHERE _source_id::VARCHAR = ?",
                        [item.name, OTHER, words, key],
                    )

    def stopped(self, error: RowFailed) -> TableFailed:
        """The error that stops the table for what fails beyond TRY's reach, placed in the model."""
        failed = split_message(error.words)
        if not failed:
            line = self._line({"operator_cast"}) if "onver" in error.words else None
            where = f"{self._model.name}, line {error.line or line or 1}"
            return TableFailed(f"{where}: {OTHER}: {error.words}", self._hint())
        rule, value = failed
        if rule == NO_JSON:
            return TableFailed(
                f"{self._model.name}: {rule}: {REASONS[rule]}: {value}",
                f"{self._hint()}; or read as_text.<source>, where json is text, without these rows",
            )
        names = {name for name, rules in MACROS.items() if rule in rules}
        where = f"{self._model.name}, line {self._line(names) or 1}"
        return TableFailed(f"{where}: {rule}: {REASONS[rule]}: {value}", self._hint())

    def _line(self, names: set[str]) -> int | None:
        """The line of the first call outside of wrapped items."""
        wrapped = {
            node.get("query_location") for item in self._wrapped for node in nodes(item.expression)
        }
        lines = [
            line_at(self._model.text, node)
            for node in nodes(self._parsed)
            if str(node.get("function_name", node.get("type"))).lower()
            in {n.lower() for n in names}
            and node.get("query_location") not in wrapped
        ]
        return min(lines, default=None)

    def _hint(self) -> str:
        return (
            f"move the call to the outer SELECT of {self._model.name}, where only its row would be "
            f"rejected; {INSIDE}"
        )

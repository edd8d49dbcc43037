"""What a rule changed: values that differ between a source row and its document, one per field.

A field is compared with the column that `from` in the plan names; or else the one whose value its
expression in the model carries, as in `to_ms(created_at) AS createdAt`; or else the one of the same
name. Columns of the table's own source are found by key, those of joined sources as extra columns
of the model. What else an expression cuts or fills, such as times in a list, is looked for in the
expression itself.

What counts: times cut to milliseconds, lower bounds of arrays, nulls filled by a default, values
that became null, and orphans that the plan turns to null or drops.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Container, Sequence
from functools import cached_property

from stages.project.plan_entries import entry_error
from stages.rules import Rule
from stages.sql import first_row, name_sql, text_sql
from stages.transform.beside import Select, beside_sql, can_have, selects
from stages.transform.compile import Compiled
from stages.transform.expression_walk import Node
from stages.transform.inner_losses import Hidden
from stages.transform.lineage import OwnColumns, column_names, own_columns
from stages.transform.losses import below_millisecond, cuts_only, losses_sql, together
from stages.transform.models import source_rows
from stages.transform.relations import BESIDE, CHANGED_VALUES, FAILING, PASSED
from stages.transform.run_model import CompiledModel
from stages.transform.sql_ast import binds, each_by_itself, expression_sql
from stages.transform.table_context import TableContext

# The extra columns, on rows of a model or its source, that list what expressions change.
LOST = "lost {}"


def changes_sql(context: TableContext, compiled: CompiledModel, nulls: Container[str]) -> str:
    """SQL of (source_id, field, rule, old, new) over `passed`, `changed_values` and the extract, in
    source-key order; empty if nothing can have changed.

    `nulls` are the fields that contain nulls.
    """
    parts = []
    if {"null", "drop"} & set(context.table.orphans.values()):
        parts.append(
            "SELECT _source_id AS source_id, b.field AS field, b.rule AS rule, "
            'b."old" AS "old", NULL::VARCHAR AS "new" '
            f"FROM (SELECT _source_id, unnest(_lost) AS b FROM {CHANGED_VALUES})"
        )
    compared = _Compared(context, compiled, nulls)
    parts += compared.with_source()
    parts += compared.with_beside()
    if not parts:
        return ""
    order = f'{context.key_order("source_id")}, field, rule, "old", "new"'
    return f"FROM ({' UNION ALL '.join(parts)}) ORDER BY {order}"


class _Compared:
    """The documents of a table, compared with what they are made from."""

    def __init__(
        self, context: TableContext, compiled: CompiledModel, nulls: Container[str]
    ) -> None:
        self._context = context
        self._connection = context.connection
        self._compiled = compiled
        self._nulls = nulls
        self._selects = selects(self._connection, compiled.parsed)
        self._sql_of = functools.partial(expression_sql, self._connection)

    @property
    def _documents(self) -> str:
        """SQL of the documents: rows that passed, except those that collide."""
        if not self._context.table.unique:
            return str(PASSED)
        return f"(FROM {PASSED} ANTI JOIN {FAILING} USING (_source_id))"

    @cached_property
    def _source(self) -> str:
        return f"({source_rows(self._context.workspace, self._context.table.source)})"

    @cached_property
    def _columns(self) -> dict[str, str]:
        """Column of the table's own source → DuckDB type; none if documents are not its rows."""
        if self._context.key_sql() is None:
            return {}
        described = self._connection.execute(f"DESCRIBE FROM {self._source}").fetchall()
        return {row[0]: row[1] for row in described}

    @cached_property
    def _plain(self) -> OwnColumns | None:
        return own_columns(self._compiled.parsed, f"extract.{self._context.table.source}")

    @cached_property
    def _own(self) -> dict[str, str]:
        """Field → the column of the table's own source that it is compared with."""
        table = self._context.table
        known = {column.lower(): column for column in self._columns}
        carried = self._plain.carried() if self._plain else {}
        own = {}
        for name in self._compiled.fields:
            column = table.lineage.get(name)
            if column is None and name.lower() in carried:
                column = known.get(carried[name.lower()])
            elif column is None and not self._carries(name):
                column = name
            if column in self._columns:
                own[name] = column
        return own

    def _carries(self, field: str) -> bool:
        """Whether the model shows which column a field takes its value from."""
        items = [select.items.get(field.lower()) for select in self._selects]
        return any(item and column_names(item) for item in items)

    @cached_property
    def _cut_elsewhere(self) -> set[str]:
        """Fields that cut other times than the column that they are compared with."""
        return {
            field
            for field in self._compiled.fields
            for select in self._selects
            if (item := select.items.get(field.lower()))
            and not cuts_only(item, functools.partial(self._is_own, field), select.hidden.sql)
        }

    def _is_own(self, field: str, names: Sequence[str]) -> bool:
        """Whether a reference in the model is to the column that a field is compared with."""
        column = self._own.get(field)
        return bool(column and self._plain and self._plain.column(names) == column.lower())

    # ── with the source's own columns ───────────────────────────────────────────────────────

    def with_source(self) -> list[str]:
        """SQL of the differences between documents and their source rows, if there can be any."""
        key = self._context.key_sql()
        self._refuse_lineage()
        fields = self._compiled.fields
        old_nulls = self._nulls_of(self._source, set(self._own.values()))
        comparisons = [
            comparison
            for name, column in self._own.items()
            for comparison in self._comparisons(
                fields[name],
                f"s.{name_sql(column)}",
                self._columns[column],
                has_nulls=column in old_nulls,
                times=name not in self._cut_elsewhere,
            )
        ]
        changes = [_listed(comparisons)] if comparisons else []
        conditions = [when for when, _ in comparisons]
        columns = f'{key} AS "source key", *'
        if lost := [sql for each in self._lost_of_source.values() for sql in each]:
            name = name_sql(LOST.format(""))
            columns += f", {together(lost)} AS {name}"
            changes.append(f"s.{name}")
            conditions.append(f"len(s.{name}) > 0")
        if not changes:
            return []
        return [
            "SELECT _source_id AS source_id, unnest(changes, recursive := true) "
            f"FROM (SELECT d._source_id, list_concat({', '.join(changes)}) AS changes "
            f"FROM {self._documents} d JOIN (SELECT {columns} FROM {self._source} s) s "
            'ON s."source key" = d._source_id '
            f"WHERE {' OR '.join(conditions)})"
        ]

    @cached_property
    def _lost_of_source(self) -> dict[str, list[str]]:
        """Field → SQL of what is lost, over the source row `s`, for fields made of that row alone.

        Only if the model evaluates its expressions for every source row; otherwise one might fail
        for a row that the model leaves out.
        """
        known = {column.lower(): column for column in self._columns}
        if self._plain is None or not self._plain.all_rows or self._compiled.isolated:
            return {}
        found = {}
        for name in self._compiled.fields:
            item = self._plain.items.get(name.lower())
            moved = self._plain.moved(item, "s", known) if item else None
            if moved is None:
                continue
            lost = self._losses(name, moved, Hidden(), compared=name in self._own)
            rows = f"FROM {self._source} s"
            found[name] = [s for s in lost if binds(self._connection, f"SELECT {s} {rows}")]
        return found

    def _losses(self, field: str, item: Node, hidden: Hidden, *, compared: bool) -> list[str]:
        """SQL of the losses in an item that comparing the field does not find."""
        own = field in self._own
        if self._compiled.fields[field].shape.kind == "boolean":
            return []  # a flag carries no part of a value

        def inner(names: list[str]) -> str:
            listed = hidden.sql(names)
            if listed and own:  # its source row shows that it was null
                filled = f"loss.rule = {text_sql(Rule.NULL_FILLED)} AND loss.field = ''"
                return f"list_filter({listed}, lambda loss: NOT ({filled}))"
            return listed

        times = not own or field in self._cut_elsewhere
        return losses_sql(item, self._sql_of, field, times=times, nulls=not compared, inner=inner)

    def _refuse_lineage(self) -> None:
        """Raise UserError for a column in `from` that neither the source nor the model has."""
        context, table = self._context, self._context.table
        for column in table.lineage.values():
            if column in self._columns or any(self._has(s, column) for s in self._selects):
                continue
            raise entry_error(
                context.plan.file,
                f"tables.{table.name}",
                f"[tables.{table.name}] from names `{column}`, and {table.source} has no such "
                "column",
                "from",
                f"it has: {', '.join(self._columns)}; a column of another source that the model "
                "joins is written source.column",
            )

    def _has(self, select: Select, name: str) -> bool:
        column = select.column_sql(name)
        return bool(column) and can_have(self._connection, select, column)

    # ── with extra columns of the model's rows ──────────────────────────────────────────────

    def with_beside(self) -> list[str]:
        """SQL of the differences with other sources' columns, and what expressions cut or fill."""
        parts = [
            part
            for number, select in enumerate(self._selects)
            if (part := self._with_beside_of(number, select))
        ]
        # Rows that a model returns twice are one document.
        return [f"SELECT DISTINCT * FROM ({' UNION ALL '.join(parts)})"] if parts else []

    def _with_beside_of(self, number: int, select: Select) -> str:
        isolated = self._compiled.isolated
        beside = beside_sql(self._connection, [select], self._others, isolated=isolated)
        if not beside:
            return ""
        if isolated:
            with each_by_itself(self._connection):
                self._connection.execute(
                    f"CREATE OR REPLACE TEMP TABLE {BESIDE.of(str(number))} AS {beside}"
                )
            beside = f"FROM {BESIDE.of(str(number))}"
        described = self._connection.execute(f"DESCRIBE {beside}").fetchall()
        types = {row[0]: row[1] for row in described}
        comparisons = [
            comparison
            for name, field in self._compiled.fields.items()
            if _old(name) in types
            for comparison in self._comparisons(
                field, f"b.{name_sql(_old(name))}", types[_old(name)], has_nulls=True, times=False
            )
        ]
        changes = [_listed(comparisons)] if comparisons else []
        conditions = [when for when, _ in comparisons]
        lists = [f"b.{name_sql(name)}" for name in types if name.startswith(LOST.format(""))]
        if lists:
            changes.append(together(lists))
            conditions += [f"len({each}) > 0" for each in lists]
        return (
            "SELECT source_id, unnest(changes, recursive := true) FROM ("
            f"SELECT d._source_id AS source_id, list_concat({', '.join(changes)}) AS changes "
            f"FROM {self._documents} d JOIN ({beside}) b ON b._source_id::VARCHAR = d._source_id "
            f"WHERE {' OR '.join(conditions)})"
        )

    def _others(self, select: Select) -> dict[str, str]:
        """The extra columns that a SELECT needs: name → SQL."""
        others = {}
        lost = []
        for name in self._compiled.fields:
            item = select.items.get(name.lower())
            own = name in self._own
            old = ""
            if not own:
                old = select.column_sql(self._context.table.lineage.get(name, ""))
                if not old and item and (names := column_names(item)):
                    old = ".".join(name_sql(each) for each in names)
                if old:
                    others[_old(name)] = old
            if item is None and not own and select.hidden.sql([name]):  # from a star
                item = {"class": "COLUMN_REF", "type": "COLUMN_REF", "column_names": [name]}
            if item and name not in self._lost_of_source:
                lost += self._losses(name, item, select.hidden, compared=own or bool(old))
        # One column per loss: one that the SELECT can't have, given its GROUP BY, is left out.
        return others | {LOST.format(number): sql for number, sql in enumerate(lost)}

    # ── a field ─────────────────────────────────────────────────────────────────────────────

    def _nulls_of(self, relation: str, columns: Collection[str]) -> set[str]:
        """The columns that contain a null; only these are worth comparing for nulls."""
        if not columns:
            return set()
        counts = ", ".join(f"count({name_sql(column)})" for column in columns)
        sql = f"SELECT count(*), {counts} FROM {relation}"
        total, *filled = first_row(self._connection, sql)
        return {column for column, n in zip(columns, filled, strict=True) if n < total}

    def _comparisons(
        self, compiled: Compiled, old: str, kind: str, *, has_nulls: bool, times: bool
    ) -> list[tuple[str, str]]:
        """(condition, {field, rule, old, new}) for each change that a value may have had, in SQL
        over a document `d`."""
        name = compiled.shape.name
        orphans = self._context.table.orphans.get(name) == "null"
        possible = {
            Rule.NULL_FILLED: has_nulls,
            Rule.NULLED_BY_MODEL: name in self._nulls and not orphans,
            Rule.BELOW_MILLISECOND: times,
        }
        return [
            (when, change)
            for rule, when, change in _compare(compiled, old, kind)
            if possible.get(rule, True)
        ]


def _compare(compiled: Compiled, old: str, kind: str) -> list[tuple[Rule, str, str]]:
    """(rule, condition, {field, rule, old, new}) for each change that a value may have had."""
    shape = compiled.shape
    new = f"d.{name_sql(shape.name)}"
    shown = f"encode_float({new})" if shape.kind == "number" else f"{new}::VARCHAR"

    def change(rule: Rule, when: str, new_value: str) -> tuple[Rule, str, str]:
        struct = (
            f"{{'field': {text_sql(shape.name)}, 'rule': {text_sql(rule)}, "
            f"'old': {old}::VARCHAR, 'new': {new_value}}}"
        )
        return rule, when, struct

    comparisons = [
        change(Rule.NULL_FILLED, f"({old} IS NULL AND {new} IS NOT NULL)", shown),
        change(Rule.NULLED_BY_MODEL, f"({old} IS NOT NULL AND {new} IS NULL)", "NULL::VARCHAR"),
    ]
    macro = {"number": "to_ms", "bigint": "to_ms", "string": "to_iso"}.get(shape.kind)
    if kind.startswith("TIMESTAMP") and macro:
        # The macros fail for infinity, and to_iso also outside the range of Date.
        cut = f"CASE WHEN {below_millisecond(old)} THEN {new} = {macro}({old}) ELSE false END"
        comparisons.append(change(Rule.BELOW_MILLISECOND, cut, shown))
    if kind == "VARCHAR" and (shape.item or shape.kind == "json"):
        bound = f"coalesce(regexp_matches({old}, '^(\\[-?\\d+:-?\\d+\\])+=\\{{'), false)"
        comparisons.append(change(Rule.LOWER_BOUND_DROPPED, bound, f"to_json({new})::VARCHAR"))
    return comparisons


def _listed(comparisons: Sequence[tuple[str, str]]) -> str:
    """SQL of the changes that happened, of all that may have."""
    changes = ", ".join(f"CASE WHEN {when} THEN {change} END" for when, change in comparisons)
    return f"list_filter([{changes}], lambda c: c IS NOT NULL)"


def _old(field: str) -> str:
    """The name of the extra column that a field is compared with."""
    return f"old {field}"

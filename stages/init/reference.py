"""References: which source key a v.id field stands for, by foreign keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from stages.convex.values import shape
from stages.decisions import TodoKind
from stages.extract import auth_tables
from stages.init.catalog import Catalog, CatalogColumn, CatalogTable, ForeignKey, Place
from stages.init.conversion import Value, family, json_items, union_members
from stages.init.implied_keys import ImpliedKey, implied_key
from stages.init.names import sql_name
from stages.init.pairs import Pair, Paired, Pairing
from stages.init.polymorphic import label_targets, type_column
from stages.sql import text_sql


def key_sql(columns: Sequence[str]) -> str:
    """SQL of a row's key, from its key columns (each as SQL text)."""
    if len(columns) <= 8:
        return f"key({', '.join(columns)})"
    return f"key_list([{', '.join(f'key_text({column})' for column in columns)}])"


def is_reference(pair: Pair) -> bool:
    """Whether the field is an id, a union of ids, or an array of one of these."""
    return bool(_targets(pair))


def is_required(pair: Pair) -> bool:
    """Whether the field must have a value: it may be neither null nor absent."""
    return shape("", pair.field).required


def _targets(pair: Pair) -> list[str]:
    union = union_members(pair.field.validator)
    if len(union) == 1 and union[0]["type"] == "array":
        union = union_members(union[0]["value"])
    if union and all(member["type"] == "id" for member in union):
        return [str(member["tableName"]) for member in union]
    return []


@dataclass(frozen=True, kw_only=True)
class References:
    """Turns the references of a table into SQL, from what is known of all tables."""

    catalog: Catalog
    pairing: Pairing

    def value(self, paired: Paired, pair: Pair) -> Value:
        """The reference as SQL. If it looks up another column of the parent, the row is `s`."""
        targets = _targets(pair)
        if any(target.startswith("_") for target in targets):
            return Value(None).doubt(
                f'v.id("{targets[0]}"): files and other system documents are not moved by a model',
                advice=("upload the files, and give their ids in a side file",),
            )
        if len(targets) > 1:
            return self._one_of(paired, pair, targets)
        target = targets[0]
        parent = self.pairing.tables.get(target)
        if parent is None:
            return Value(None).doubt(
                f'v.id("{target}"), which has no source: no key leads to its ids',
                advice=(
                    f"stages init --update --apply --rename <source table>={target}",
                    f"a key model for [reference.{target}]",
                    f'[tables.{target}] with grain = "derived", a model of other rows, and here '
                    f"ref({text_sql(target)}, key)",
                ),
                kind="check",  # it is decided once, in the plan
            )
        if not parent.table.row_key:
            return Value(None).doubt(
                f'v.id("{target}"), whose source {parent.table.name} has no key'
            )
        if len(pair.columns) == 1:
            return self._by_one(paired.table, pair, target, parent)
        return self._by_several(pair, target, parent)

    def _by_one(self, table: CatalogTable, pair: Pair, target: str, parent: Paired) -> Value:
        column = pair.columns[0]
        name = sql_name(column.staged)
        if _is_list(pair):
            if _items(column, name) is None:
                return Value(None).doubt(f"{column.declared} is no list of keys", f"[{name}]")
            return self._list(table, column, target, parent)
        keys = [key for key in table.foreign_keys if key.columns == (column.name,)]
        right = [key for key in keys if key.parent == parent.table.place]
        if right:
            if parent.table.row_key == right[0].parent_columns:
                return Value(_ref(target, name))
            return Value(_ref(target, self._looked_up(parent, right[0], [column])))
        value = Value(_ref(target, name))
        if len(parent.table.row_key) > 1:
            value.sql = None
            return value.doubt(
                f"{parent.table.name} has a key of several columns: "
                f"{', '.join(parent.table.row_key)}",
                _ref(target, key_sql(["…"] * len(parent.table.row_key))),
            )
        if keys and not self._same_key(parent.table, keys[0].parent):
            for other in parent.table.foreign_keys:
                if (other.parent, other.parent_columns) == (
                    keys[0].parent,
                    keys[0].parent_columns,
                ) and other.columns in parent.table.unique:
                    # Both refer to the same row of a third table, such as a user: join through it.
                    through = replace(keys[0], parent_columns=other.columns)
                    return Value(_ref(target, self._looked_up(parent, through, [column])))
            return value.doubt(
                f"the foreign key leads to {'.'.join(keys[0].parent)}, the field to {target}, "
                f"which comes from {parent.table.name}"
            )
        return value if keys else self._by_values(table, column, target, parent)

    def _by_values(
        self, table: CatalogTable, column: CatalogColumn, target: str, parent: Paired
    ) -> Value:
        """Without a foreign key: refer by the parent's column that holds these values, such as an
        identity provider's ids; by its key if no other column fits."""
        value = Value(_ref(target, sql_name(column.staged)))
        own = parent.table.columns[parent.table.row_key[0]]
        implied = self._implied(table, column, parent)
        if implied is not None and implied.column != own.name:
            looked_up = _ref(target, self._looked_up(parent, implied.key, [column]))
            return Value(looked_up).doubt(_of_values(implied, parent), kind=_sure(implied))
        if family(own) != family(column):
            value.doubt(
                f"{column.declared} without a foreign key, and the key of {parent.table.name} is "
                f"{own.declared}: are these its keys?"
            )
        return value

    def _implied(
        self, table: CatalogTable, column: CatalogColumn, parent: Paired
    ) -> ImpliedKey | None:
        rows = self.pairing.rows
        return implied_key(
            column, rows.get(table.place), parent.table, rows.get(parent.table.place)
        )

    def _list(
        self, table: CatalogTable, column: CatalogColumn, target: str, parent: Paired
    ) -> Value:
        """A list of references: its items are keys of the parent, or values of another of its
        columns. An item that matches nothing is kept, as an orphan."""
        implied = self._implied(table, column, parent)
        if implied is None or parent.table.row_key == (implied.column,):
            return Value(f"refs({text_sql(target)}, {_items(column, sql_name(column.staged))})")
        own = parent.table.columns
        name = f"s.{sql_name(column.staged)}"
        items = _items(column, name)
        numbered = f"SELECT unnest({items}) AS item, generate_subscripts({items}, 1) AS n"
        keys = (
            f"(SELECT list(coalesce({_key_of(parent)}, i.item) ORDER BY i.n) FROM ({numbered}) i "
            f"LEFT JOIN extract.{sql_name(parent.source)} p "
            f"ON p.{sql_name(own[implied.column].staged)} = i.item)"
        )
        sql = (
            f"CASE WHEN {name} IS NOT NULL THEN coalesce(refs({text_sql(target)}, {keys}), []) END"
        )
        return Value(sql).doubt(_of_values(implied, parent), kind=_sure(implied))

    def _same_key(self, table: CatalogTable, place: Place) -> bool:
        """Whether a table's key is also the key of another table, as a profile's is its user's."""
        key = table.row_key
        if any(
            foreign_key.columns == key and foreign_key.parent == place
            for foreign_key in table.foreign_keys
        ):
            return True
        return bool(
            place == auth_tables.USERS and [table.columns[name].type for name in key] == ["uuid"]
        )

    def _by_several(self, pair: Pair, target: str, parent: Paired) -> Value:
        """NULL if one of the columns is null, since Postgres then ignores the foreign key."""
        key = pair.foreign_key
        assert key is not None
        columns = {c.name: c for c in pair.columns}
        if set(parent.table.row_key) == set(key.parent_columns):
            child = dict(zip(key.parent_columns, key.columns, strict=True))
            parts = [sql_name(columns[child[name]].staged) for name in parent.table.row_key]
            return Value(_ref(target, key_sql(parts)))
        return Value(_ref(target, self._looked_up(parent, key, pair.columns)))

    def _looked_up(self, parent: Paired, key: ForeignKey, columns: Sequence[CatalogColumn]) -> str:
        """A subquery for the parent's key, if the foreign key refers to other unique columns."""
        own = parent.table.columns
        same = " AND ".join(
            f"p.{sql_name(own[theirs].staged)} = s.{sql_name(ours.staged)}"
            for theirs, ours in zip(key.parent_columns, columns, strict=True)
        )
        return f"(SELECT {_key_of(parent)} FROM extract.{sql_name(parent.source)} p WHERE {same})"

    def _one_of(self, paired: Paired, pair: Pair, targets: list[str]) -> Value:
        """An id of one of several tables: by the foreign key, else by a column that says which
        table it is; otherwise the user must decide."""
        name = sql_name(pair.columns[0].staged)
        place = pair.foreign_key.parent if pair.foreign_key else None
        for target in targets:
            parent = self.pairing.tables.get(target)
            if parent is not None and parent.table.place == place and len(pair.columns) == 1:
                return self._by_one(paired.table, pair, target, parent)
        which = type_column(paired.table, pair.columns[0]) if len(pair.columns) == 1 else None
        labels = label_targets(which, paired.rows, targets) if which else {}
        parents = [self.pairing.tables.get(target) for target in labels.values()]
        if which and parents and all(p and len(p.table.row_key) == 1 for p in parents):
            whens = " ".join(
                f"WHEN {text_sql(label)} THEN {_ref(target, name)}"
                for label, target in labels.items()
            )
            return Value(f"CASE {sql_name(which.staged)} {whens} END").doubt(
                f"an id of {' or '.join(targets)}, as {which.name} says", kind="check"
            )
        whens = " ".join(f"WHEN '…' THEN {_ref(target, name)}" for target in targets)
        return Value(None).doubt(
            f"an id of {' or '.join(targets)}: which column decides?", f"CASE … {whens} END"
        )


def _items(column: CatalogColumn, name: str) -> str | None:
    """SQL of a list's items as text; None if the column is not a list."""
    return {"array": f"pg_array({name})", "json": json_items(name)}.get(family(column))


def _of_values(implied: ImpliedKey, parent: Paired) -> str:
    return f"no foreign key; its values are in {parent.table.name}.{implied.column}"


def _sure(implied: ImpliedKey) -> TodoKind | None:
    """A match that can't be by chance is only a note: nobody needs to check it."""
    return "note" if implied.certain else None


def _is_list(pair: Pair) -> bool:
    return bool(union_members(pair.field.validator)[0]["type"] == "array")


def _key_of(parent: Paired) -> str:
    """SQL of the key of the parent's row `p`."""
    columns = parent.table.columns
    return key_sql([f"p.{sql_name(columns[name].staged)}" for name in parent.table.row_key])


def _ref(target: str, key: str) -> str:
    return f"ref({text_sql(target)}, {key})"

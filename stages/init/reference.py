"""References: which source key a v.id field stands for, by foreign keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from stages.extract import auth_tables
from stages.init.catalog import Catalog, CatalogColumn, CatalogTable, ForeignKey, Place
from stages.init.conversion import Value, family, json_items, union_members
from stages.init.names import sql_name
from stages.init.pairing import Pair, Paired, Pairing
from stages.sql import text_sql


def key_sql(columns: Sequence[str]) -> str:
    """`key(…)` of a row's key columns (SQL text each)."""
    if len(columns) <= 8:
        return f"key({', '.join(columns)})"
    return f"key_list([{', '.join(f'key_text({column})' for column in columns)}])"


def is_reference(pair: Pair) -> bool:
    """Whether the field is an id, a union of ids, or an array of one of these."""
    return bool(_targets(pair))


def _targets(pair: Pair) -> list[str]:
    union = union_members(pair.field.validator)
    if len(union) == 1 and union[0]["type"] == "array":
        union = union_members(union[0]["value"])
    if union and all(member["type"] == "id" for member in union):
        return [str(member["tableName"]) for member in union]
    return []


@dataclass(frozen=True, kw_only=True)
class References:
    """What is known of all tables, for making the references of one."""

    catalog: Catalog
    pairing: Pairing

    def value(self, paired: Paired, pair: Pair) -> Value:
        """The reference as SQL. One that needs another column of the parent calls the row `s`."""
        targets = _targets(pair)
        if any(target.startswith("_") for target in targets):
            return Value(None).doubt(
                f'v.id("{targets[0]}"): files and other things of Convex\' own are not moved by a '
                "model",
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
                    f"stages init --rename <source table>={target}",
                    f"a key model for [reference.{target}]",
                    f'[tables.{target}] with grain = "derived", a model of other rows, and here '
                    f"ref({text_sql(target)}, key)",
                ),
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
            items = {"array": f"pg_array({name})", "json": json_items(name)}.get(family(column))
            if items is None:
                return Value(None).doubt(f"{column.declared} is no list of keys", f"[{name}]")
            return Value(f"refs({text_sql(target)}, {items})")
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
                    # Both refer to the same row of a third table, as to a user: they meet there.
                    through = replace(keys[0], parent_columns=other.columns)
                    return Value(_ref(target, self._looked_up(parent, through, [column])))
            value.doubt(
                f"the foreign key leads to {'.'.join(keys[0].parent)}, the field to {target}, "
                f"which comes from {parent.table.name}"
            )
        return value

    def _same_key(self, table: CatalogTable, place: Place) -> bool:
        """Whether a table's key is that of another one, as a profile's is its user's."""
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
        """NULL where one of the columns is, as Postgres takes such a foreign key for none."""
        key = pair.foreign_key
        assert key is not None
        columns = {c.name: c for c in pair.columns}
        if set(parent.table.row_key) == set(key.parent_columns):
            child = dict(zip(key.parent_columns, key.columns, strict=True))
            parts = [sql_name(columns[child[name]].staged) for name in parent.table.row_key]
            return Value(_ref(target, key_sql(parts)))
        return Value(_ref(target, self._looked_up(parent, key, pair.columns)))

    def _looked_up(self, parent: Paired, key: ForeignKey, columns: Sequence[CatalogColumn]) -> str:
        """The parent's own key, where the foreign key names other unique columns of it."""
        own = parent.table.columns
        own_key = key_sql([f"p.{sql_name(own[name].staged)}" for name in parent.table.row_key])
        same = " AND ".join(
            f"p.{sql_name(own[theirs].staged)} = s.{sql_name(ours.staged)}"
            for theirs, ours in zip(key.parent_columns, columns, strict=True)
        )
        return f"(SELECT {own_key} FROM extract.{sql_name(parent.source)} p WHERE {same})"

    def _one_of(self, paired: Paired, pair: Pair, targets: list[str]) -> Value:
        """An id of one of several tables: by the foreign key, else a person must say by what."""
        name = sql_name(pair.columns[0].staged)
        place = pair.foreign_key.parent if pair.foreign_key else None
        for target in targets:
            parent = self.pairing.tables.get(target)
            if parent is not None and parent.table.place == place and len(pair.columns) == 1:
                return self._by_one(paired.table, pair, target, parent)
        whens = " ".join(f"WHEN '…' THEN {_ref(target, name)}" for target in targets)
        return Value(None).doubt(
            f"an id of {' or '.join(targets)}: by which column?", f"CASE … {whens} END"
        )


def _is_list(pair: Pair) -> bool:
    return bool(union_members(pair.field.validator)[0]["type"] == "array")


def _ref(target: str, key: str) -> str:
    return f"ref({text_sql(target)}, {key})"

"""What has changed between two pictures of source and schema.ts, per table, column and field."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from stages.convex.schema import Validator
from stages.convex.validators.alternatives import describe, literal_value
from stages.init.catalog import CatalogColumn, CatalogTable, ForeignKey, Place, table_name
from stages.init.conversion import union_members
from stages.init.picture import Export, Moves, Picture, carried, put_back
from stages.init.renamed import fields_of, find_moves, is_plain
from stages.layout import counted

Side = Literal["source", "schema"]
Kind = Literal[
    "added", "dropped", "renamed", "type", "null", "values", "foreign key", "primary key"
]
# handled: the models already deal with it · apply: --apply would write it · applied: this run wrote
# it · by hand: it can't be merged · nothing: no model needs a change
State = Literal["handled", "apply", "applied", "by hand", "nothing"]


@dataclass(frozen=True, kw_only=True)
class Change:
    """Something that changed in the source (`table` is schema.table, `name` a column) or in
    schema.ts (`table` is a Convex table, `name` a field).

    `name` is empty if the whole table is meant; for a key it lists the columns, separated by
    commas. `was` and `now` describe the old and the new state; for a rename they are the names,
    and `evidence` says what makes it likely. `state` says how it is dealt with, `why` the reason.
    """

    side: Side
    table: str
    name: str
    kind: Kind
    was: str = ""
    now: str = ""
    evidence: str = ""
    state: State = "nothing"
    why: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns or fields that it concerns, by their current names."""
        return tuple(part for part in self.name.split(", ") if part)


@dataclass(frozen=True, kw_only=True)
class Drift:
    """All changes. `then` has the current names; `moves` are from the old names to these."""

    now: Picture
    then: Picture
    moves: Moves
    changes: tuple[Change, ...]

    def without(self, undone: Iterable[Change]) -> Picture:
        """The current picture with these changes undone. With all of them undone it is what init
        knew, except for what is not reported as a change; with only the remaining ones undone, it
        is what has been dealt with."""
        tables, convex = dict(self.now.tables), dict(self.now.convex)
        renamed = [each for each in undone if each.kind == "renamed"]
        for change in sorted(undone, key=lambda each: not each.name):
            if change.kind == "renamed":
                continue
            if change.side == "source":
                self._undo_source(tables, change)
            else:
                self._undo_schema(convex, change)
        return carried(Picture(tables, convex), self.moves_of(renamed).back())

    def moves_of(self, renamed: Sequence[Change]) -> Moves:
        """The moves that are among these changes."""

        def has(side: Side, table: str, name: str) -> bool:
            return any((e.side, e.table, e.name) == (side, table, name) for e in renamed)

        def place(old: Place) -> Place:
            return self.moves.tables.get(old, old)

        def convex(old: str) -> str:
            return self.moves.convex.get(old, old)

        moved = {o: n for o, n in self.moves.tables.items() if has("source", table_name(n), "")}
        named = {o: n for o, n in self.moves.convex.items() if has("schema", n, "")}
        # By a table's old name if its rename is among these changes, else by its current name.
        return Moves(
            tables=moved,
            convex=named,
            columns={
                old if old in moved else place(old): {
                    o: n for o, n in each.items() if has("source", table_name(place(old)), n)
                }
                for old, each in self.moves.columns.items()
            },
            fields={
                old if old in named else convex(old): {
                    o: n for o, n in each.items() if has("schema", convex(old), n)
                }
                for old, each in self.moves.fields.items()
            },
        )

    def _undo_source(self, tables: dict[Place, CatalogTable], change: Change) -> None:
        place = next(p for p in (*tables, *self.then.tables) if table_name(p) == change.table)
        before = self.then.tables.get(place)
        if not change.name:
            if before is None:
                del tables[place]
            else:
                tables.update(put_back(tables, self.then.tables, place))
            return
        assert before is not None
        tables[place] = _undone(tables[place], before, change)

    def _undo_schema(self, convex: dict[str, Export], change: Change) -> None:
        before, today = self.then.convex.get(change.table), convex.get(change.table)
        if before is None or today is None or not change.name:
            if before is None:
                del convex[change.table]
            else:
                convex.update(put_back(convex, self.then.convex, change.table))
            return
        fields, old = dict(fields_of(today)), fields_of(before)
        if change.kind == "added":
            del fields[change.name]
        elif change.kind == "dropped":
            fields = put_back(fields, old, change.name)
        else:
            part = "optional" if change.kind == "null" else "fieldType"
            fields[change.name] = {**fields[change.name], part: old[change.name][part]}
        document = {**today["documentType"], "value": fields}
        convex[change.table] = {**today, "documentType": document}


def _undone(table: CatalogTable, before: CatalogTable, change: Change) -> CatalogTable:
    """A table with a change of one of its columns or keys undone."""
    columns, keys, name = dict(table.columns), table.foreign_keys, change.name
    if change.kind == "added":
        del columns[name]
        return replace(
            table,
            columns=columns,
            key=tuple(each for each in table.key if each != name),
            unique=tuple(each for each in table.unique if name not in each),
            foreign_keys=tuple(key for key in keys if name not in key.columns),
        )
    if change.kind == "dropped":
        columns = put_back(columns, before.columns, name)
        again = [
            key
            for key in before.foreign_keys
            if name in key.columns and {*key.columns} <= {*columns}
        ]
        key = before.key if name in before.key and {*before.key} <= {*columns} else table.key
        return replace(table, columns=columns, foreign_keys=(*keys, *again), key=key)
    if change.kind == "foreign key":
        kept = [key for key in keys if (key.columns, key_words(key)) != (change.names, change.now)]
        again = [
            key
            for key in before.foreign_keys
            if (key.columns, key_words(key)) == (change.names, change.was)
        ]
        return replace(table, foreign_keys=(*kept, *again))
    if change.kind == "primary key":
        return replace(table, key=before.key, unique=before.unique)
    today, old = columns[name], before.columns[name]
    columns[name] = {
        "type": replace(old, not_null=today.not_null),
        "values": replace(today, choices=old.choices),
        "null": replace(today, not_null=old.not_null),
    }[change.kind]
    return replace(table, columns=columns)


def find_drift(
    then: Picture, now: Picture, schemas: Collection[str], *, alike: bool = True
) -> Drift:
    """All changes, by table. For columns of tables in other Postgres schemas, such as Supabase's
    own, only what may break a model counts: drops, types and renames. Pictures that were read over
    different transports are not `alike`: then only tables, columns and how they are staged can be
    compared."""
    moves, evidence = find_moves(then, now)
    before = carried(then, moves)
    changes: list[Change] = []
    tables = {new: table_name(old) for old, new in moves.tables.items()}
    for place in dict.fromkeys((*now.tables, *before.tables)):
        old, new = before.tables.get(place), now.tables.get(place)
        table = _Table("source", table_name(place), evidence)
        changes += table.whole(
            old.columns if old else None, new.columns if new else None, "column", tables.get(place)
        )
        if old and new:
            columns = _turn(moves.columns, moves.tables, place)
            found = _source(table, old, new, columns, alike)
            own = place[0] in schemas
            changes += [
                each for each in found if own or each.kind in ("dropped", "type", "renamed")
            ]
    names = {new: old for old, new in moves.convex.items()}
    for name in dict.fromkeys((*now.convex, *before.convex)):
        was, export = before.convex.get(name), now.convex.get(name)
        table = _Table("schema", name, evidence)
        changes += table.whole(
            fields_of(was) if was else None,
            fields_of(export) if export else None,
            "field",
            names.get(name),
        )
        if was and export:
            changes += _schema(table, was, export, _turn(moves.fields, moves.convex, name))
    return Drift(now=now, then=before, moves=moves, changes=tuple(changes))


def key_words(key: ForeignKey) -> str:
    """`public.users(id)`, as a Change shows it."""
    return f"{table_name(key.parent)}({', '.join(key.parent_columns)})"


def _turn(
    of: Mapping[Any, Mapping[str, str]], tables: Mapping[Any, Any], name: Any
) -> dict[str, str]:
    """New name → old name of the columns or fields of a table, by its current name."""
    (each,) = [names for old, names in of.items() if tables.get(old, old) == name] or [{}]
    return {new: old for old, new in each.items()}


@dataclass(frozen=True)
class _Table:
    """Makes the changes of one table."""

    side: Side
    name: str
    evidence: Mapping[tuple[str, str], str]

    def change(self, name: str, kind: Kind, was: str = "", now: str = "") -> Change:
        why = self.evidence.get((self.name, name), "") if kind == "renamed" else ""
        return Change(
            side=self.side, table=self.name, name=name, kind=kind, was=was, now=now, evidence=why
        )

    def whole(
        self,
        old: Collection[str] | None,
        new: Collection[str] | None,
        what: str,
        before: str | None,
    ) -> Iterator[Change]:
        if old is None and new is not None:
            yield self.change("", "added", now=_count(new, what))
        elif new is None and old is not None:
            yield self.change("", "dropped", was=_count(old, what))
        elif before is not None:
            renamed = self.change("", "renamed", before, self.name)
            yield replace(renamed, evidence=f"same {what}s")


def _source(
    table: _Table, old: CatalogTable, new: CatalogTable, renamed: Mapping[str, str], alike: bool
) -> Iterator[Change]:
    change = table.change
    for name, column in new.columns.items():
        was = old.columns.get(name)
        if was is None:
            yield change(name, "added", now=_column_words(column, new))
            continue
        if name in renamed:
            yield change(name, "renamed", renamed[name], name)
        if alike and was.declared != column.declared:
            yield change(name, "type", was.declared, column.declared)
        elif not alike and was.arrow != column.arrow:
            yield change(name, "type", was.type, column.type)
        elif alike and was.choices != column.choices:
            yield change(name, "values", *_value_words(was.choices, column.choices))
        if alike and was.not_null != column.not_null:
            yield change(name, "null", _null_words(was), _null_words(column))
    for name, column in old.columns.items():
        if name not in new.columns:
            yield change(name, "dropped", was=column.declared)
    if alike:
        yield from _keys(change, old, new)


def _keys(change: Callable[..., Change], old: CatalogTable, new: CatalogTable) -> Iterator[Change]:
    """Changed keys of columns that exist on both sides; others come and go with their columns."""
    both = {*old.columns} & {*new.columns}
    before = {(key.columns, key_words(key)) for key in old.foreign_keys}
    today = {(key.columns, key_words(key)) for key in new.foreign_keys}
    for columns, parent in sorted(before ^ today):
        if {*columns} <= both:
            words = {"now" if (columns, parent) in today else "was": parent}
            yield change(", ".join(columns), "foreign key", **words)
    if old.row_key != new.row_key and {*old.row_key, *new.row_key} <= both:
        was, now = (", ".join(table.row_key) for table in (old, new))
        yield change(now or was, "primary key", was or "none", now or "none")


def _column_words(column: CatalogColumn, table: CatalogTable) -> str:
    key = table.foreign_key_of(column.name)
    not_null = " not null" if column.not_null else ""
    return f"{column.declared}{not_null}{f', to {key_words(key)}' if key else ''}"


def _null_words(column: CatalogColumn) -> str:
    return "not null" if column.not_null else "may be null"


def _value_words(was: Sequence[Any], now: Sequence[Any]) -> tuple[str, str]:
    """The values that are gone, and those that are new."""
    if not was or not now:
        return (_listed(was) or "any value", _listed(now) or "any value")
    return _listed(v for v in was if v not in now), _listed(v for v in now if v not in was)


def _listed(values: Iterable[Any]) -> str:
    return ", ".join(f"'{value}'" if isinstance(value, str) else str(value) for value in values)


def _schema(
    table: _Table, old: Export, new: Export, renamed: Mapping[str, str]
) -> Iterator[Change]:
    change = table.change
    if not (is_plain(old) and is_plain(new)):
        if old["documentType"] != new["documentType"]:
            yield change("", "type", *_type_words(old["documentType"], new["documentType"]))
        return
    before, today = fields_of(old), fields_of(new)
    for name, each in today.items():
        was = before.get(name)
        if was is None:
            yield change(name, "added", now=_field_words(each))
            continue
        if name in renamed:
            yield change(name, "renamed", renamed[name], name)
        if was["fieldType"] != each["fieldType"]:
            labels = _labels(was["fieldType"]), _labels(each["fieldType"])
            if all(labels) and labels[0] != labels[1]:
                yield change(name, "values", *_value_words(*labels))
            else:
                yield change(name, "type", *_type_words(was["fieldType"], each["fieldType"]))
        if was["optional"] != each["optional"]:
            yield change(name, "null", _optional_words(was), _optional_words(each))
    for name, each in before.items():
        if name not in today:
            yield change(name, "dropped", was=_field_words(each))


def _labels(validator: Validator) -> list[Any]:
    """The literals of a union of only literals and null; empty for any other validator."""
    parts = union_members(validator)
    if any(member["type"] != "literal" for member in parts):
        return []
    return [literal_value(member["value"]) for member in parts]


def _type_words(was: Validator, now: Validator) -> tuple[str, str]:
    one, two = describe(was), describe(now)
    return one, two if one != two else f"{two} of another form"


def _field_words(each: Export) -> str:
    return describe(each["fieldType"]) + (", optional" if each["optional"] else "")


def _optional_words(each: Export) -> str:
    return "optional" if each["optional"] else "required"


def _count(items: Collection[Any], what: str) -> str:
    return counted(len(items), what)

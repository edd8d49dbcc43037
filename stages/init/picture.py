"""Source and schema.ts at one point in time, and how names differ between two of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from stages.init.catalog import CatalogTable, ForeignKey, Place

Export = Mapping[str, Any]
Name = TypeVar("Name")
Item = TypeVar("Item")


@dataclass(frozen=True)
class Picture:
    """Place → table of the source, and Convex table → its export."""

    tables: Mapping[Place, CatalogTable]
    convex: Mapping[str, Export]


@dataclass(frozen=True, kw_only=True)
class Moves:
    """Old name → new name: for tables, and by the table's old name for its columns and fields."""

    tables: Mapping[Place, Place] = field(default_factory=dict)
    columns: Mapping[Place, Mapping[str, str]] = field(default_factory=dict)
    convex: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def back(self) -> Moves:
        """From the new names to the old ones."""
        return Moves(
            tables=_turned(self.tables),
            columns={self.tables.get(p, p): _turned(each) for p, each in self.columns.items()},
            convex=_turned(self.convex),
            fields={self.convex.get(n, n): _turned(each) for n, each in self.fields.items()},
        )


def carried(picture: Picture, moves: Moves) -> Picture:
    """The picture, with the new names."""
    return Picture(
        tables={
            moves.tables.get(place, place): _table(table, moves)
            for place, table in picture.tables.items()
        },
        convex={
            moves.convex.get(name, name): _export(name, each, moves)
            for name, each in picture.convex.items()
        },
    )


def _table(table: CatalogTable, moves: Moves) -> CatalogTable:
    names = moves.columns.get(table.place, {})

    def many(columns: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(names.get(name, name) for name in columns)

    def key(each: ForeignKey) -> ForeignKey:
        theirs = moves.columns.get(each.parent, {})
        return replace(
            each,
            columns=many(each.columns),
            parent=moves.tables.get(each.parent, each.parent),
            parent_columns=tuple(theirs.get(name, name) for name in each.parent_columns),
        )

    schema, name = moves.tables.get(table.place, table.place)
    return replace(
        table,
        schema=schema,
        name=name,
        columns={
            names.get(old, old): replace(
                column,
                name=names.get(old, old),
                staged=names[old] if old in names and column.staged == old else column.staged,
            )
            for old, column in table.columns.items()
        },
        key=many(table.key),
        unique=tuple(many(columns) for columns in table.unique),
        foreign_keys=tuple(key(each) for each in table.foreign_keys),
        indexes=tuple(replace(each, columns=many(each.columns)) for each in table.indexes),
    )


def _export(table: str, export: Export, moves: Moves) -> Export:
    document = _validator(export["documentType"], moves.convex)
    names = moves.fields.get(table, {})
    if names:
        value = {names.get(old, old): each for old, each in document["value"].items()}
        document = {**document, "value": value}
    return {**export, "tableName": moves.convex.get(table, table), "documentType": document}


def _validator(node: Any, tables: Mapping[str, str]) -> Any:
    """A validator whose ids refer to the tables by their new names."""
    if isinstance(node, list):
        return [_validator(each, tables) for each in node]
    if not isinstance(node, dict):
        return node
    changed = {name: _validator(each, tables) for name, each in node.items()}
    if node.get("type") == "id" and node.get("tableName") in tables:
        changed["tableName"] = tables[node["tableName"]]
    return changed


def put_back(
    items: Mapping[Name, Item], before: Mapping[Name, Item], name: Name
) -> dict[Name, Item]:
    """The items with `name` as it was before, placed after the item that it followed there."""
    earlier = list(before)[: list(before).index(name)]
    names = [each for each in items if each != name]
    names.insert(max((names.index(n) + 1 for n in earlier if n in names), default=0), name)
    return {each: before[each] if each == name else items[each] for each in names}


def _turned(names: Mapping[Name, Name]) -> dict[Name, Name]:
    return {new: old for old, new in names.items()}

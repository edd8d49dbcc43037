"""What the source has: tables, columns, keys, types, independent of the transport."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from stages.checkpoint import fingerprint
from stages.errors import TableFailed
from stages.extract.types import Column
from stages.plan import SourceTable


@dataclass(frozen=True, kw_only=True)
class Relation:
    """A table or view of the source. `key` is its primary key in key order, where it has one.

    `key_ordered` is False where only the set of key columns is known (OpenAPI).
    """

    schema: str
    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    key_ordered: bool = True
    # A view or foreign table: its rows carry no transaction ids.
    virtual: bool = False


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One table as it will be read: columns chosen, key settled, filter as the plan says."""

    source: str
    schema: str
    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    where: str | None
    virtual: bool = False

    @property
    def key_columns(self) -> tuple[Column, ...]:
        by_name = {column.name: column for column in self.columns}
        return tuple(by_name[name] for name in self.key)

    @property
    def fingerprint(self) -> str:
        """Changes when the same rows would be written otherwise; equal over both transports."""
        columns = [[c.name, c.rule.arrow] for c in self.columns]
        return fingerprint(self.schema, self.name, columns, self.key, self.where)


Catalog = Mapping[tuple[str, str], Relation]


def settle(entry: SourceTable, relation: Relation) -> Reading:
    """Plan entry and catalog → what to read. Raises TableFailed where they do not fit."""
    names = [column.name for column in relation.columns]
    for wanted in (*entry.exclude, *entry.as_text, *entry.key):
        if wanted not in names:
            raise TableFailed(
                f"{relation.schema}.{relation.name} has no column `{wanted}`",
                f"edit [sources.{entry.name}] of the plan; it has: {', '.join(names)}",
            )
    twins: dict[str, str] = {}
    for name in names:
        if name in entry.exclude:
            continue
        other = twins.setdefault(name.lower(), name)
        if other != name:
            raise TableFailed(
                f"{relation.schema}.{relation.name} has the columns `{other}` and `{name}`, which "
                "DuckDB can't tell apart",
                f'add exclude = ["{name}"] to [sources.{entry.name}], or rename one in a view',
            )
    columns = tuple(
        replace(column, as_text=column.name in entry.as_text)
        for column in relation.columns
        if column.name not in entry.exclude
    )
    if not relation.key_ordered and len(relation.key) > 1 and not entry.key:
        raise TableFailed(
            f"{relation.schema}.{relation.name} has a key of several columns, and REST does not "
            "tell their order",
            f"add key = {list(relation.key)!r}, in index order, to [sources.{entry.name}]",
        )
    return Reading(
        source=entry.name,
        schema=relation.schema,
        name=relation.name,
        columns=columns,
        key=entry.key or relation.key,
        where=entry.where,
        virtual=relation.virtual,
    )

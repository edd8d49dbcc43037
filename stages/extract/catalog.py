"""What the source has: tables, columns, keys, types, independent of the transport."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from stages.errors import TableFailed
from stages.extract import auth_tables
from stages.extract.types import Column
from stages.project.plan import SourceTable
from stages.sql import name_sql
from stages.state.fingerprints import fingerprint


@dataclass(frozen=True, kw_only=True)
class Relation:
    """A table or view of the source. `key` is its primary key in key order, () if it has none.

    `key_ordered` is False if only the set of key columns is known (OpenAPI). `depends_on` is what
    the rows depend on beyond their own versions, as far as the source reports it: `view`, a hash of
    the definition (None for a table), and `children`, the oids of its partitions and heirs. `heirs`
    are (schema, table) of its INHERITS children, whose rows it returns too; None if the source does
    not report them (REST). `unreadable`: column → why its values would not arrive as stored.
    """

    schema: str
    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    key_ordered: bool = True
    # A view, a foreign table, or a table with a foreign partition: rows without xmin and ctid.
    virtual: bool = False
    depends_on: Mapping[str, Any] = field(default_factory=dict)
    heirs: tuple[tuple[str, str], ...] | None = None
    unreadable: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One table as it will be read: its columns, its key, and the plan's filter.

    `sample` is the number of rows that --sample asks for, without those that other rows refer to.
    `only` leaves out the rows of INHERITS children; otherwise `heirs` are those whose rows are
    included. `floats` is the plan's setting for floats that a transport can't prove to be exact.
    """

    source: str
    schema: str
    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    where: str | None
    virtual: bool = False
    sample: int | None = None
    floats: str | None = None
    # That of the relation, and the `labels` of its columns.
    depends_on: Mapping[str, Any] = field(default_factory=dict)
    only: bool = False
    heirs: tuple[tuple[str, str], ...] = ()

    @property
    def from_sql(self) -> str:
        """The relation as written in FROM."""
        only = "ONLY " if self.only else ""
        return f"{only}{name_sql(self.schema)}.{name_sql(self.name)}"

    @property
    def place(self) -> tuple[str, str]:
        return self.schema, self.name

    @property
    def key_columns(self) -> tuple[Column, ...]:
        by_name = {column.name: column for column in self.columns}
        return tuple(by_name[name] for name in self.key)

    @property
    def fingerprint(self) -> str:
        """Changes when the same rows would be staged differently; equal over both transports."""
        columns = [
            [c.name, c.staged, c.rule.arrow, *([c.rule.revision] if c.rule.revision > 1 else [])]
            for c in self.columns
        ]
        only = ("only",) if self.only else ()
        return fingerprint(
            self.schema, self.name, columns, self.key, self.where, self.sample, *only
        )


Relations = Mapping[tuple[str, str], Relation]


@dataclass(frozen=True, kw_only=True)
class ForeignKeyEdge:
    """`child` and `parent` are (schema, table)."""

    child: tuple[str, str]
    child_columns: tuple[str, ...]
    parent: tuple[str, str]
    parent_columns: tuple[str, ...]


def resolve_reading(entry: SourceTable, relation: Relation) -> Reading:
    """Plan entry and catalog → what to read. Raises TableFailed if they do not match."""
    names = [column.name for column in relation.columns]
    for name in (*entry.exclude, *entry.as_text, *entry.key, *entry.include_secrets):
        if name not in names:
            raise TableFailed(
                f"{relation.schema}.{relation.name} has no column `{name}`",
                f"edit [sources.{entry.name}] of the plan; it has: {', '.join(names)}",
            )
    if not relation.key_ordered and len(relation.key) > 1 and not entry.key:
        raise TableFailed(
            f"{relation.schema}.{relation.name} has a key of several columns, and REST does not "
            "show their order",
            f"add key = {list(relation.key)!r}, in index order, to [sources.{entry.name}]",
        )
    if entry.only:
        _require_heirs(entry, relation)
    left_out = set(entry.exclude)
    place = (relation.schema, relation.name)
    if place in auth_tables.TABLES:
        left_out |= set(names) - set(auth_tables.TABLES[place]) - set(entry.include_secrets)
    read = [column for column in relation.columns if column.name not in left_out]
    for column in read:
        if column.name in relation.unreadable:
            raise TableFailed(
                f"{relation.schema}.{relation.name}: {relation.unreadable[column.name]}",
                f'make a view with "{column.name}"::numeric and name it as `table` of '
                f"[sources.{entry.name}], or exclude the column",
            )
    if place in auth_tables.TABLES:
        read.sort(key=lambda column: auth_tables.position(place, column.name))
    columns = _distinct(replace(column, as_text=column.name in entry.as_text) for column in read)
    key = entry.key or relation.key
    return Reading(
        source=entry.name,
        schema=relation.schema,
        name=relation.name,
        columns=columns,
        key=key if not set(key) & left_out else (),
        where=entry.where,
        virtual=relation.virtual,
        floats=entry.floats,
        depends_on={
            **relation.depends_on,
            **({"children": []} if entry.only else {}),
            "labels": {c.name: list(c.labels) for c in columns if c.labels is not None},
        },
        only=entry.only,
        heirs=() if entry.only else relation.heirs or (),
    )


def _require_heirs(entry: SourceTable, relation: Relation) -> None:
    """Refuse `only` where it can't be applied, or would read nothing."""
    table = f"{relation.schema}.{relation.name}"
    if relation.heirs is None:
        raise TableFailed(
            f"[sources.{entry.name}] says only = true, which REST does not support: it returns the "
            "rows of child tables too",
            f"set SUPABASE_DB_URL, or make a view of SELECT * FROM ONLY {table} and name it as "
            "`table`",
        )
    if relation.depends_on.get("children") and not relation.heirs:
        raise TableFailed(
            f"[sources.{entry.name}] says only = true, but all rows of {table} are in its "
            "partitions",
            "remove `only` from the plan",
        )


def _distinct(columns: Iterable[Column]) -> tuple[Column, ...]:
    """Number names that differ only in case: DuckDB could not distinguish them."""
    used: set[str] = set()
    named = []
    for column in columns:
        name, number = column.name, 1
        while name.lower() in used:
            number += 1
            name = f"{column.name}_{number}"
        used.add(name.lower())
        named.append(replace(column, alias=name if name != column.name else None))
    return tuple(named)


def renamed_columns(reading: Reading) -> dict[str, str]:
    """Source column → staged column, for those that differ."""
    return {c.name: c.staged for c in reading.columns if c.name != c.staged}

"""What init pairs: tables with tables, fields with columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stages.convex.schema import Field
from stages.init.catalog import CatalogColumn, CatalogTable, ForeignKey, Place
from stages.init.evidence import NOTHING, Evidence, Rows


@dataclass(frozen=True, kw_only=True)
class Elsewhere:
    """A column of another table that has one row for each of these, as auth.users has for profiles.
    `key` leads there; `source` is that table's NAME in [sources]."""

    key: ForeignKey
    column: CatalogColumn
    source: str


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A field and where its value comes from: one column, or the columns of a foreign key.

    `why` says what makes a pair likely if the names differ. Without columns: `close` are columns
    whose type fits, `rivals` the fields that may take the same foreign key, with nothing to decide
    between them, and `elsewhere` is a column of auth.users that may be meant.
    """

    field: Field
    columns: tuple[CatalogColumn, ...] = ()
    foreign_key: ForeignKey | None = None
    why: str | None = None
    close: tuple[str, ...] = ()
    rivals: tuple[str, ...] = ()
    elsewhere: Elsewhere | None = None


@dataclass(frozen=True, kw_only=True)
class Paired:
    """One Convex table with its source.

    `created` is the column with a row's creation time, if there is one; `whole`: documents may have
    any form; `secrets` are the columns that an extract leaves out; `rows` is what the first rows
    show.
    """

    target: str
    source: str
    table: CatalogTable
    fields: Mapping[str, Pair]
    unused: tuple[str, ...]
    created: str | None = None
    whole: bool = False
    secrets: tuple[str, ...] = ()
    rows: Rows = NOTHING


@dataclass(frozen=True, kw_only=True)
class Pairing:
    """All pairs; `without_source` and `without_target` are what is left on either side.

    `near`: target without a source → tables that look like it, and why. `why`: target → what makes
    a pair of tables likely if the names differ. `ambiguous`: target → the tables that match its
    name equally well. `read_only`: sources that models may look values up in but that become no
    table; they have no target and no fields.
    """

    tables: Mapping[str, Paired]
    without_source: tuple[str, ...]
    without_target: tuple[Place, ...]
    near: Mapping[str, Sequence[tuple[Place, str]]]
    ambiguous: Mapping[str, tuple[Place, ...]]
    why: Mapping[str, str]
    rows: Evidence
    read_only: tuple[Paired, ...] = ()

"""The first rows of each table, examined in memory: nulls and values, none of which are stored.

Columns whose names suggest a secret are not read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stages.errors import TableFailed
from stages.extract import auth_tables
from stages.init.catalog import CatalogColumn, CatalogTable, Place, table_name
from stages.init.conversion import family, family_of
from stages.init.secrets import open_columns
from stages.progress import one_by_one
from stages.sql import name_sql

if TYPE_CHECKING:
    from stages.extract.postgres import PostgresReader
    from stages.extract.rest import RestReader
    from stages.progress import Progress

MOST_ROWS = 500
# How many characters of a value are read: keys and labels are shorter.
LENGTH = 80
# The limit for each table, in seconds; one that takes longer, as a view may, is skipped.
SECONDS = 5.0
# For these types, only whether a value is null; for arrays of keys also the first items.
LARGE = {"json", "bytes", "array", "vector"}
ITEMS = 8
BETWEEN = "\x1f"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A column in the rows that were read: the number of nulls, its distinct values as text (for an
    array of text or uuid, its items), and whether none of them occurs twice (not for arrays)."""

    nulls: int
    values: frozenset[str] = frozenset()
    distinct: bool = False


@dataclass(frozen=True, kw_only=True)
class Rows:
    """`looked` rows of a table; `whole`: it has no others."""

    looked: int
    whole: bool
    columns: Mapping[str, Seen] = field(default_factory=dict)

    def never_null(self, column: str) -> bool:
        """Whether all rows were read, there is at least one, and none is null in this column."""
        seen = self.columns.get(column)
        return self.whole and self.looked > 0 and seen is not None and not seen.nulls


Evidence = Mapping[Place, Rows]
NOTHING = Rows(looked=0, whole=False)


def look_at_postgres(
    reader: PostgresReader, tables: Collection[CatalogTable], progress: Progress
) -> dict[Place, Rows]:
    """Over a direct connection. A table that can't be read, or takes too long, is left out."""
    seen = {}
    session = reader.session()
    try:
        session.limit(SECONDS)
        for table in one_by_one(progress, "init", [*tables], _name):
            columns = open_columns(table)
            texts = ", ".join(
                f"{_text(column)} AS {name_sql(f'c{number}')}"
                for number, column in enumerate(columns)
            )
            order = ", ".join(name_sql(name) for name in table.row_key)
            sql = (
                f"SELECT {texts or '1 AS c'} FROM {name_sql(table.schema)}.{name_sql(table.name)}"
                f"{f' ORDER BY {order}' if order else ''} LIMIT {MOST_ROWS + 1}"
            )
            try:
                rows = session.attempt(sql, SECONDS)
            except TableFailed:
                continue
            values = [[row[f"c{number}"] for row in rows] for number in range(len(columns))]
            seen[table.place] = _rows(columns, values, len(rows))
    finally:
        session.close()
    return seen


def look_at_rest(
    reader: RestReader, tables: Collection[CatalogTable], progress: Progress
) -> dict[Place, Rows]:
    """The same over REST, but without the tables of Auth. Raises StagesError for a problem that
    concerns the whole source."""
    from stages.extract.rest_responses import TookTooLong, parse_rows
    from stages.extract.rest_select import first_rows

    seen = {}
    for table in one_by_one(progress, "init", [*tables], _name):
        columns = open_columns(table)
        if table.place in auth_tables.TABLES or not columns:
            continue
        params = first_rows([column.name for column in columns], table.key, MOST_ROWS + 1)
        try:
            rows = reader.get(table.name, params, table.schema, parse_rows)
        except (TableFailed, TookTooLong):
            continue
        values = [[_of_json(column, row[column.name]) for row in rows] for column in columns]
        # The API may return fewer rows than requested: only fewer than 100 are taken to be all.
        seen[table.place] = _rows(columns, values, len(rows), most=len(rows) < 100)
    return seen


def _name(table: CatalogTable) -> str:
    return table_name(table.place)


def has_items(column: CatalogColumn) -> bool:
    """Whether a column is an array of possible keys (text or uuid)."""
    return column.item is not None and family_of(column.item) in ("text", "uuid")


def _text(column: CatalogColumn) -> str:
    name = name_sql(column.name)
    if has_items(column):
        return f"left(array_to_string(({name})[1:{ITEMS}], E'\\x1f'), {ITEMS * LENGTH})"
    return (
        f"CASE WHEN {name} IS NOT NULL THEN '' END"
        if family(column) in LARGE
        else f"left({name}::text, {LENGTH})"
    )


def _of_json(column: CatalogColumn, value: Any) -> str | None:
    if isinstance(value, list) and has_items(column):
        return BETWEEN.join(str(item) for item in value[:ITEMS])
    if value is None or family(column) in LARGE:
        return None if value is None else ""
    return (str(value).lower() if isinstance(value, bool) else str(value))[:LENGTH]


def _rows(
    columns: Iterable[CatalogColumn],
    values: Iterable[list[str | None]],
    looked: int,
    *,
    most: bool = True,
) -> Rows:
    return Rows(
        looked=looked,
        whole=looked <= MOST_ROWS and most,
        columns={
            column.name: _seen(column, each) for column, each in zip(columns, values, strict=True)
        },
    )


def _seen(column: CatalogColumn, values: list[str | None]) -> Seen:
    texts = [value for value in values if value is not None]
    if has_items(column):
        items = frozenset(item for value in texts for item in value.split(BETWEEN) if item)
        return Seen(nulls=len(values) - len(texts), values=items)
    if family(column) in LARGE:
        return Seen(nulls=len(values) - len(texts))
    distinct = frozenset(texts)
    return Seen(
        nulls=len(values) - len(texts), values=distinct, distinct=len(distinct) == len(texts)
    )

"""How much a sample of a table's existing documents looks like the rows to be loaded into it."""

from __future__ import annotations

from dataclasses import dataclass
from json import dumps
from typing import Any

from stages.convex import ids
from stages.load.context import TableContext
from stages.load.existing_rows import existing_sql, key_text_sql, read_staged
from stages.load.relations import SAMPLED_DOCUMENTS, STAGED_ROWS
from stages.sql import file_sql, first_row, text_sql


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """Of a `sample` of documents: `minted` have the id that an import gives to a staged key,
    `keyed` hold a staged key in `field` (if half of them do), `equal` are as staged, as far as this
    can be compared without references."""

    sample: int
    minted: int
    keyed: int
    field: str | None
    equal: int

    @property
    def imported(self) -> bool:
        """Whether all of them come from an import."""
        return self.minted == self.sample

    def __str__(self) -> str:
        parts = [
            f"{self.minted:,} have ids that an import makes from these source keys",
            f"{self.keyed:,} hold one of these source keys in `{self.field}`",
            f"{self.equal:,} are equal to rows to be loaded, references aside",
        ]
        counts = (self.minted, self.keyed, self.equal)
        found = [part for part, count in zip(parts, counts, strict=True) if count]
        words = ", ".join(found) or "none looks like these rows"
        return f"of a sample of {self.sample:,}, {words}"


def compare_sample(table: TableContext, documents: list[Any]) -> Likeness:
    """Compare documents, as Convex' encoded JSON, with what is staged for their table."""
    connection = table.load.connection
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {SAMPLED_DOCUMENTS} AS "
        "SELECT unnest(json_extract(?::JSON, '$[*]')) AS document",
        [dumps(documents)],
    )
    keyed, field = _find_keyed(table, len(documents))
    return Likeness(
        sample=len(documents),
        minted=_count_minted(table),
        keyed=keyed,
        field=field,
        equal=_count_equal(table),
    )


def minted_ids_sql(table: TableContext, some_id: str) -> str | None:
    """SQL of (source_id, convex_id) as an import would mint them for the staged rows, given an id
    of the table. None if that id has another form."""
    try:
        number = ids.decode(some_id)[0]
    except ValueError:
        return None
    table.load.connection.execute(ids.macros())
    refs = (
        f"SELECT _source_id AS source_id, {text_sql(table.name + ':')} || _source_id AS convex_id "
        f"FROM read_parquet({file_sql(table.staged)})"
    )
    return ids.minted_sql(refs, {"convex_id": {table.name: number}})


def _count_minted(table: TableContext) -> int:
    connection = table.load.connection
    some_id = first_row(connection, f"SELECT document ->> '$._id' FROM {SAMPLED_DOCUMENTS}")[0]
    minted = minted_ids_sql(table, some_id)
    if minted is None:
        return 0
    sql = f"SELECT count(*) FROM {SAMPLED_DOCUMENTS} SEMI JOIN ({minted}) m ON "
    return int(first_row(connection, f"{sql} m.convex_id = (document ->> '$._id')")[0])


def _find_keyed(table: TableContext, sample: int) -> tuple[int, str | None]:
    """(documents, field) of the field that holds a distinct source key in at least half of them."""
    value = key_text_sql("json_extract(document, '$.\"' || field || '\"')")
    rows = table.load.connection.execute(
        f"SELECT count(*) AS n, field FROM (SELECT field, {value} AS text FROM "
        f"(SELECT document, unnest(json_keys(document)) AS field FROM {SAMPLED_DOCUMENTS}) "
        "WHERE NOT starts_with(field, '_')) v "
        f"SEMI JOIN read_parquet({file_sql(table.staged)}) s ON s._source_id = v.text "
        "GROUP BY field HAVING count(DISTINCT text) = count(*) AND count(*) * 2 >= ? "
        "ORDER BY n DESC, field LIMIT 1",
        [sample],
    ).fetchall()
    return (int(rows[0][0]), str(rows[0][1])) if rows else (0, None)


def _count_equal(table: TableContext) -> int:
    """References are left out: those to parents that are not loaded yet have no ids to compare."""
    references = frozenset(name for name, shape in table.fields.items() if shape.positions)
    if references == table.fields.keys():
        return 0
    read_staged(table, references)
    existing = existing_sql(table, str(SAMPLED_DOCUMENTS), references)
    sql = f"SELECT count(*) FROM ({existing}) e SEMI JOIN {STAGED_ROWS} s ON s.hash = e.likeness"
    return int(first_row(table.load.connection, sql)[0])

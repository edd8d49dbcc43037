"""A bounded sample of a table's rows, examined by the server: only counts and sizes leave it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from stages.assess.budget import Queries, Question, Row
from stages.assess.structure import EXACT, TableFacts
from stages.init.catalog import CatalogColumn, CatalogTable, Place
from stages.init.conversion import family, family_of
from stages.init.secrets import open_columns
from stages.limits import (
    ARRAY_ITEMS,
    DOCUMENT_BYTES,
    DOCUMENT_NESTING,
    EMPTY_DOCUMENT_BYTES,
    FIELD_NAME_LENGTH,
    OBJECT_FIELDS,
)
from stages.sql import name_sql, sum_sql

MOST_ROWS = 1000
# For all values of a sample together: if rows are large, it has fewer of them.
MOST_BYTES = 16 << 20
# Tables of up to this many bytes are counted, not estimated.
COUNTED_BYTES = 4 << 20
# A document of more bytes than this is near the limit.
NEAR = DOCUMENT_BYTES // 2
# About how many pages are counted of a table without statistics.
PAGES = 200
PAGE_BYTES = 8192
# A name that no column has.
SIZE = '"bytes of the document"'
NUMBERS = ("integer", "float", "time", "numeric")
DAYS = ("date", "timestamp", "timestamptz")


@dataclass(frozen=True, kw_only=True)
class TableSample:
    """What `looked` rows of a table show. `counts`: (column, rule) → how many rows it applies to.

    `document` is the size of an average document in bytes, `largest` that of the largest; `over`
    rows exceed Convex's limit, and `near` rows exceed half of it. `sizes` are average bytes by
    column; `absent` are columns without any value.
    """

    looked: int
    document: int = 0
    largest: int = 0
    over: int = 0
    near: int = 0
    counts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()


def count_tables(
    queries: Queries, tables: Iterable[CatalogTable], facts: Mapping[Place, TableFacts]
) -> dict[Place, tuple[int, bool]]:
    """Place → (rows, whether they were counted). Small tables are counted; for others the number is
    from statistics, or extrapolated from a few pages. Tables of unknown size are left out."""
    shares: dict[Place, float] = {}
    questions: list[Question[Place]] = []
    rows: dict[Place, tuple[int, bool]] = {}
    for table in tables:
        of_table = facts.get(table.place, TableFacts())
        if of_table.rows is not None:
            rows[table.place] = (of_table.rows, False)
        if of_table.heap is None or not of_table.readable:
            continue  # without its size, reading all of it might take forever
        small = of_table.heap <= COUNTED_BYTES
        if small or of_table.rows is None:
            share = 100.0 if small else 100.0 * PAGES * PAGE_BYTES / of_table.heap
            shares[table.place] = share
            # As a sample, which leaves the source's own scan counters unchanged.
            sql = f"SELECT count(*)::int8 AS n FROM {from_sql(table, of_table)} {_share(share)}"
            what = f"the rows of {table.name}"
            questions.append(Question(key=table.place, sql=sql, what=what))
    for place, row in queries.answers(questions).items():
        rows[place] = (round(row["n"] * 100 / shares[place]), shares[place] == 100)
    return rows


def sample_tables(
    queries: Queries,
    tables: Iterable[CatalogTable],
    facts: Mapping[Place, TableFacts],
    rows: Mapping[Place, tuple[int, bool]],
) -> dict[Place, TableSample]:
    """A sample of each table that has rows and can be read."""
    sources = {
        table.place: sampled_sql(table, facts.get(table.place, TableFacts()), rows[table.place][0])
        for table in tables
        if rows.get(table.place, (0, False))[0] and facts.get(table.place, TableFacts()).readable
    }
    sampled = [table for table in tables if table.place in sources]
    looks = {table.place: [_Look(column) for column in open_columns(table)] for table in sampled}
    answers = queries.answers(
        Question(
            key=table.place,
            sql=_sample_sql(looks[table.place], sources[table.place]),
            what=f"a sample of {table.name}",
        )
        for table in sampled
    )
    # A separate query: JSON that Postgres itself can't parse fails only this one.
    of_json = queries.answers(
        Question(
            key=table.place,
            sql=_json_sql(columns, sources[table.place]),
            what=f"the JSON of {table.name}",
        )
        for table in sampled
        if table.place in answers and (columns := _json_columns(table))
    )
    return {
        table.place: _sample_of(
            looks[table.place], answers[table.place], table, of_json.get(table.place, {})
        )
        for table in sampled
        if table.place in answers
    }


def _sample_sql(looks: list[_Look], source: str) -> str:
    """SQL of one row; the numbers for each column, or each rule of each column, are in arrays."""
    size = sum_sql([str(EMPTY_DOCUMENT_BYTES), *(look.size for look in looks)])
    present = ", ".join(f"count({look.name})" for look in looks)
    sizes = ", ".join(f"coalesce(avg({look.size}), 0)::int8" for look in looks)
    conditions = [condition for look in looks for _, condition in look.items()]
    counts = ", ".join(f"count(*) FILTER (WHERE {condition})" for condition in conditions)
    return (
        f"SELECT count(*) AS looked, coalesce(avg({SIZE}), 0)::int8 AS document, "
        f"coalesce(max({SIZE}), 0)::int8 AS largest, "
        f"count(*) FILTER (WHERE {SIZE} > {DOCUMENT_BYTES}) AS over, "
        f"count(*) FILTER (WHERE {SIZE} > {NEAR}) AS near, ARRAY[{present}]::int8[] AS present, "
        f"ARRAY[{sizes}]::int8[] AS sizes, ARRAY[{counts}]::int8[] AS counts "
        f"FROM (SELECT r.*, ({size}) AS {SIZE} FROM ({source}) r) r"
    )


def _sample_of(looks: list[_Look], row: Row, table: CatalogTable, of_json: Row) -> TableSample:
    keys = [key for look in looks for key, _ in look.items()]
    counts = dict(zip(keys, row["counts"], strict=True))
    if of_json:
        keys = [(column, rule) for column in _json_columns(table) for rule in _JSON]
        counts |= dict(zip(keys, of_json["counts"], strict=True))
    names = [look.column.name for look in looks]
    return TableSample(
        looked=row["looked"],
        document=row["document"],
        largest=row["largest"],
        over=row["over"],
        near=row["near"],
        counts={key: count for key, count in counts.items() if count},
        sizes=dict(zip(names, row["sizes"], strict=True)),
        absent=frozenset(
            name for name, present in zip(names, row["present"], strict=True) if not present
        ),
    )


def sample_rows(facts: TableFacts, rows: int) -> int:
    """How many rows a sample has."""
    each = (facts.bytes or 0) / max(rows, 1)
    return MOST_ROWS if each <= 0 else max(20, min(MOST_ROWS, int(MOST_BYTES / each)))


def sampled_sql(table: CatalogTable, facts: TableFacts, rows: int) -> str:
    """A query for a sample of `rows` rows, from random pages, but the same ones each time; without
    the columns that look like secrets."""
    most = sample_rows(facts, rows)
    share = 100.0 if rows <= 2 * most else max(120.0 * most / rows, 0.001)
    columns = ", ".join(f"t.{name_sql(column.name)}" for column in open_columns(table))
    return f"SELECT {columns} FROM {from_sql(table, facts)} t {_share(share)} LIMIT {most}"


def from_sql(table: CatalogTable, facts: TableFacts) -> str:
    """A table in FROM, without its children by INHERITS."""
    only = "" if facts.kind == "p" else "ONLY "
    return f"{only}{name_sql(table.schema)}.{name_sql(table.name)}"


def _share(percent: float) -> str:
    return f"TABLESAMPLE SYSTEM ({percent:.4f}) REPEATABLE (0)"


class _Look:
    """What is asked about one column: SQL over the row `r`."""

    def __init__(self, column: CatalogColumn) -> None:
        self.column = column
        self.name = f"r.{name_sql(column.name)}"
        self._family = family(column)

    @property
    def size(self) -> str:
        """The size of the field in Convex, approximate for JSON and arrays; 0 if it is null."""
        name = self.name
        value = {
            "boolean": "1",
            "integer": "9",
            "float": "9",
            "time": "9",
            "numeric": "9",
            "uuid": "38",
            "bytes": f"2 + octet_length({name})",
        }.get(self._family, f"2 + octet_length({name}::text)")
        if self._family == "text" and self.column.type in ("text", "varchar"):
            value = f"2 + octet_length({name})"  # need not read a large value
        if self.column.item is not None and family_of(self.column.item) in NUMBERS:
            value = f"2 + 9 * cardinality({name})"
        if self._family == "vector":
            value = f"2 + 9 * (1 + length({name}::text) - length(replace({name}::text, ',', '')))"
        named = len(self.column.name.encode()) + 1
        return f"CASE WHEN {name} IS NULL THEN 0 ELSE {named} + {value} END"

    def items(self) -> Iterable[tuple[tuple[str, str], str]]:
        """((column, rule), condition) for each rule that may apply to the column."""
        column, name = self.column, self.name
        if column.item is not None:
            yield (column.name, "array_too_long"), f"cardinality({name}) > {ARRAY_ITEMS}"
            kind = column.item
            if kind == "numeric":
                each = _inexact("i")
                yield (
                    (column.name, "inexact_number"),
                    f"EXISTS (SELECT FROM unnest({name}) i WHERE {each})",
                )
            if kind == "int8":
                yield (
                    (column.name, "integer_beyond_float64"),
                    f"EXISTS (SELECT FROM unnest({name}) i "
                    f"WHERE i NOT BETWEEN -{EXACT} AND {EXACT})",
                )
            return
        if column.type == "int8":
            yield (
                (column.name, "integer_beyond_float64"),
                f"{name} NOT BETWEEN -{EXACT} AND {EXACT}",
            )
        elif column.type == "numeric":
            yield (column.name, "inexact_number"), _inexact(name)
        elif column.type in DAYS:
            yield (column.name, "infinite_date"), f"NOT isfinite({name})"
            yield (
                (column.name, "date_before_christ"),
                f"isfinite({name}) AND extract(year FROM {name}) < 0",
            )


def _inexact(name: str) -> str:
    """Whether a numeric becomes another number as float64. Very small and very large numbers count
    as such without being cast, which would be an error."""
    return (
        f"CASE WHEN {name}::text IN ('NaN', 'Infinity', '-Infinity') OR {name} = 0 THEN false "
        f"WHEN abs({name}) NOT BETWEEN 1e-300 AND 1e300 THEN true "
        f"ELSE {name}::float8::text::numeric <> {name} END"
    )


# ── JSON ────────────────────────────────────────────────────────────────────────────────────

# Rule → a condition on the jsonb `v`. A key in it is `k`, a number `n`, an object `o`.
_JSON = {
    "json_key_refused": "EXISTS (SELECT FROM jsonb_path_query(v, "
    "'strict $.** ? (@.type() == \"object\").keyvalue().key') k, "
    "LATERAL (SELECT k #>> '{}' AS key) s WHERE key = '' OR key LIKE '$%' OR key LIKE '\\_%' "
    "OR octet_length(key) <> length(key) OR key ~ '[[:cntrl:]]' "
    f"OR length(key) > {FIELD_NAME_LENGTH})",
    "array_too_long": "jsonb_path_exists(v, "
    f"'strict $.** ? (@.type() == \"array\" && @.size() > {ARRAY_ITEMS})')",
    "json_too_deep": "jsonb_path_exists(v, "
    f"'strict $.**{{{DOCUMENT_NESTING - 1} to last}} "
    '? (@.type() == "object" || @.type() == "array")\')',
    # Only large values can have so many.
    "json_too_many_fields": f"CASE WHEN octet_length(v::text) < {5 * OBJECT_FIELDS} THEN false "
    "ELSE EXISTS (SELECT FROM jsonb_path_query(v, 'strict $.** ? (@.type() == \"object\")') o "
    f"WHERE (SELECT count(*) FROM jsonb_object_keys(o)) > {OBJECT_FIELDS}) END",
    "inexact_number": "EXISTS (SELECT FROM jsonb_path_query(v, "
    "'strict $.** ? (@.type() == \"number\")') n, LATERAL (SELECT n::text::numeric AS x) s "
    f"WHERE {_inexact('x')})",
}


def _json_columns(table: CatalogTable) -> list[str]:
    return [
        column.name
        for column in open_columns(table)
        if family_of(column.type) == "json" and column.item is None
    ]


def _json_sql(columns: list[str], source: str) -> str:
    """SQL of one row with a number for each rule of each column."""
    numbers = ", ".join(
        f"(SELECT count(*) FROM (SELECT r.{name_sql(column)}::jsonb AS v FROM r) j "
        f"WHERE {condition})"
        for column in columns
        for condition in _JSON.values()
    )
    return f"WITH r AS MATERIALIZED ({source}) SELECT ARRAY[{numbers}]::int8[] AS counts"

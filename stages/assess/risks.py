"""Risks: what a table's data will run into, each with what it is based on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from stages.assess.assessment import Basis, Risk, Verdict
from stages.assess.names import looks_personal
from stages.assess.references import Included
from stages.assess.sampling import TableSample
from stages.assess.structure import ColumnStatistics, TableFacts
from stages.init.catalog import CatalogTable, Place, table_name
from stages.init.secrets import secret_columns
from stages.limits import ARRAY_ITEMS, DOCUMENT_BYTES, OBJECT_FIELDS


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A risk's verdict on its table, its name in a few words, and what can be done about it."""

    verdict: Verdict | None
    short: str
    advice: str


# The most serious first: this is the order of a table's reasons.
RULES: dict[str, Rule] = {
    "unreadable": Rule(
        verdict="not possible",
        short="can't be read",
        advice="grant SELECT to the role, or use `postgres` of the project",
    ),
    "too_many_columns": Rule(
        verdict="not possible",
        short=f"more than {OBJECT_FIELDS:,} columns",
        advice="a document can't have more fields: split the table with views",
    ),
    "documents_too_large": Rule(
        verdict="not possible",
        short="documents over 1 MiB",
        advice="an average row is larger than a document may be: move large columns to files",
    ),
    "document_too_large": Rule(
        verdict="work",
        short="documents over 1 MiB",
        advice="such rows are rejected: split them, or move large columns to file storage",
    ),
    "array_too_long": Rule(
        verdict="work",
        short=f"arrays over {ARRAY_ITEMS:,} items",
        advice="such rows are rejected: give each item a document of its own",
    ),
    "json_key_refused": Rule(
        verdict="work",
        short="JSON keys that Convex refuses",
        advice="keys begin with $ or _, are empty, or not ASCII: rename them in the model, or keep "
        "the JSON as text",
    ),
    "json_too_deep": Rule(
        verdict="work",
        short="JSON too deep",
        advice="a document has 16 levels at most: flatten it, or keep the JSON as text",
    ),
    "json_too_many_fields": Rule(
        verdict="work",
        short="JSON with too many fields",
        advice=f"an object has {OBJECT_FIELDS:,} fields at most: make it an array, or text",
    ),
    "required_cycle": Rule(
        verdict="decisions",
        short="a cycle of required references",
        advice="only an import can load it, or one of the references becomes v.optional()",
    ),
    "no_key": Rule(
        verdict="decisions",
        short="no key",
        advice="name columns that are unique as `key` in the plan; otherwise rows are identified "
        "by their content, and a changed row counts as a new one",
    ),
    "orphans": Rule(
        verdict="decisions",
        short="a foreign key that rows violate",
        advice="say in the plan what becomes of orphans: reject, null, fail or drop",
    ),
    "implicit_reference": Rule(
        verdict="decisions",
        short="references without a foreign key",
        advice="make it ref() in the model, with v.id() in the schema; or leave it a plain value",
    ),
    "integer_beyond_float64": Rule(
        verdict="decisions",
        short="integers beyond 2^53",
        advice="v.int64() (a bigint in JavaScript), or text",
    ),
    "inexact_number": Rule(
        verdict="decisions",
        short="numbers that float64 can't hold",
        advice="text, or whole cents; rows whose number would change are rejected",
    ),
    "infinite_date": Rule(
        verdict="decisions",
        short="infinite dates",
        advice="decide what infinity becomes: null, or a distant date",
    ),
    "date_before_christ": Rule(
        verdict="decisions",
        short="BC dates",
        advice="numbers of milliseconds hold them; ISO text does not",
    ),
    "secret_name": Rule(
        verdict="decisions",
        short="columns that look like secrets",
        advice="leave them out (`exclude` in the plan), unless everyone who sees the data may see "
        "them",
    ),
    "unseen": Rule(
        verdict="unknown",
        short="no row was looked at",
        advice="the output lists what was not looked at, and why: fix that, or allow more "
        "--seconds",
    ),
    "document_near_limit": Rule(
        verdict=None,
        short="documents near 1 MiB",
        advice="larger rows may not be in the sample",
    ),
    "personal_name": Rule(
        verdict=None,
        short="columns that look personal",
        advice="staged files hold them too: `exclude` what nobody needs",
    ),
}


# Rules that the planner's statistics show too.
STATISTICS: Mapping[str, Callable[[ColumnStatistics], bool]] = {
    "integer_beyond_float64": lambda column: column.beyond,
    "infinite_date": lambda column: column.infinite,
    "date_before_christ": lambda column: column.before_christ,
    "array_too_long": lambda column: column.items > ARRAY_ITEMS,
}


def catalog_risks(table: CatalogTable, facts: TableFacts, *, partial: bool) -> Iterator[Risk]:
    """What the catalog alone shows of a table. A `partial` one does not show unique constraints."""
    if not facts.readable:
        yield _risk("unreadable", "catalog", table, ())
    if len(table.columns) > OBJECT_FIELDS:
        yield _risk("too_many_columns", "catalog", table, ())
    if not (table.key if partial else table.row_key):
        yield _risk("no_key", "catalog", table, ())
    secrets = secret_columns(table)
    personal = tuple(name for name in table.columns if name not in secrets and looks_personal(name))
    for rule, columns in (("secret_name", secrets), ("personal_name", personal)):
        if columns:
            yield _risk(rule, "name", table, columns)


def unseen_risks(
    table: CatalogTable,
    facts: TableFacts,
    sample: TableSample | None,
    rows: tuple[int, bool] | None,
) -> Iterator[Risk]:
    """A readable table of which neither a row nor the planner's statistics were seen, and that was
    not counted as empty; `rows` as `count_tables` returns them."""
    seen = (sample and sample.looked) or facts.columns or rows == (0, True)
    if not seen and facts.readable:
        yield _risk("unseen", "catalog", table, ())


def statistics_risks(
    table: CatalogTable, facts: TableFacts, sample: TableSample | None
) -> Iterator[Risk]:
    """What the planner's sample shows and ours does not: the two are different samples."""
    seen = sample.counts if sample else {}
    for rule, holds in STATISTICS.items():
        columns = tuple(
            name
            for name, column in facts.columns.items()
            if name in table.columns and (name, rule) not in seen and holds(column)
            if rule != "integer_beyond_float64" or not _is_reference(table, name)
        )
        if columns:
            yield _risk(rule, "statistics", table, columns)


def sample_risks(table: CatalogTable, sample: TableSample | None) -> Iterator[Risk]:
    """What a sample of rows shows."""
    if sample is None or not sample.looked:
        return
    if sample.document > DOCUMENT_BYTES:
        yield _risk(
            "documents_too_large", "sample", table, (), seen=sample.over, looked=sample.looked
        )
    elif sample.over:
        yield _risk(
            "document_too_large", "sample", table, (), seen=sample.over, looked=sample.looked
        )
    elif sample.near:
        yield _risk(
            "document_near_limit", "sample", table, (), seen=sample.near, looked=sample.looked
        )
    for (column, rule), count in sample.counts.items():
        if rule == "integer_beyond_float64" and _is_reference(table, column):
            continue
        yield _risk(rule, "sample", table, (column,), seen=count, looked=sample.looked)


def _is_reference(table: CatalogTable, column: str) -> bool:
    """Whether a document has an id in its place instead of the number."""
    return any(column in key.columns for key in table.foreign_keys)


def reference_risks(included: Iterable[Included]) -> Iterator[Risk]:
    """References without a foreign key, and foreign keys that rows violate."""
    for each in included:
        candidate = each.candidate
        parent = f"{'.'.join(candidate.parent.place)}.{candidate.parent_column.name}"
        rule = "orphans" if candidate.declared else "implicit_reference"
        basis: Basis = "sample" if each.looked else "name"
        yield _risk(
            rule, basis, candidate.table, (candidate.column.name,), parent=parent,
            seen=each.there if each.looked and not candidate.declared else
            each.looked - each.there if each.looked else None,
            looked=each.looked or None,
        )  # fmt: skip


def cycle_risks(
    cycles: Iterable[tuple[Place, ...]], tables: Mapping[Place, CatalogTable]
) -> Iterator[Risk]:
    """Cycles of required references, one risk for each of their tables."""
    for cycle in cycles:
        names = ", ".join(table_name(place) for place in cycle)
        for place in cycle:
            yield _risk("required_cycle", "catalog", tables[place], (), parent=names)


def _risk(
    rule: str,
    basis: Basis,
    table: CatalogTable,
    columns: tuple[str, ...],
    *,
    seen: int | None = None,
    looked: int | None = None,
    parent: str | None = None,
) -> Risk:
    known = RULES[rule]
    what = known.short
    if rule == "implicit_reference":
        what = f"refers to {parent}, and no foreign key says so"
    elif rule == "orphans":
        what = f"refers to {parent} by a foreign key that rows violate"
    elif rule == "required_cycle":
        what = f"a cycle of required references: {parent}"
    if looked is not None and seen is not None:
        things = "values" if rule in ("implicit_reference", "orphans") else "sampled rows"
        there = {"implicit_reference": " found", "orphans": " not found"}.get(rule, "")
        what += f" ({seen:,} of {looked:,} {things}{there})"
    return Risk(
        rule=rule,
        basis=basis,
        text=f"{what}: {known.advice}",
        table=table_name(table.place),
        columns=columns,
        verdict=known.verdict,
        seen=seen,
        looked=looked,
    )

"""An id of one of several tables, and the column that says which: `subject_id`, `subject_type`."""

from __future__ import annotations

from collections.abc import Iterable

from stages.init.catalog import CatalogColumn, CatalogTable
from stages.init.evidence import Rows
from stages.init.names import closeness, words

# The last word of a column that says which table an id belongs to.
SAYS_WHICH = ("type", "kind", "table", "model", "class")


def type_column(table: CatalogTable, column: CatalogColumn) -> CatalogColumn | None:
    """The column that says which table this id belongs to; None if there is none."""
    stem = words(column.name)
    if len(stem) < 2 or stem[-1] not in ("id", "uuid", "key"):
        return None
    for other in table.columns.values():
        *theirs, last = words(other.name) or [""]
        if theirs == stem[:-1] and last in SAYS_WHICH:
            return other
    return None


def label_targets(column: CatalogColumn, rows: Rows, targets: Iterable[str]) -> dict[str, str]:
    """Label of a type column → the Convex table that it names. {} if a label names no table, a
    table has no label, or rows that were not looked at may have other labels."""
    seen = rows.columns.get(column.name) if rows.whole else None
    labels = [str(choice) for choice in column.choices] or sorted(seen.values if seen else ())
    tables = list(targets)
    named = {label: target for label in labels for target in tables if closeness(label, target) < 9}
    whole = named.keys() == {*labels} and {*named.values()} == {*tables}
    return named if whole else {}

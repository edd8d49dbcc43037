"""Undeclared foreign keys: columns whose values are those of another table's column."""

from __future__ import annotations

from dataclasses import dataclass

from stages.init.catalog import CatalogColumn, CatalogTable, ForeignKey
from stages.init.conversion import family, family_of
from stages.init.evidence import Rows
from stages.init.secrets import secret_columns

# The share of a column's values that must be in the column that it refers to.
SHARE = 0.5
# Values with fewer characters, such as 7 or `en`, occur in many columns by chance.
DISTINCT = 8
KEYS = {"text", "uuid"}


@dataclass(frozen=True, kw_only=True)
class ImpliedKey:
    """`key` as if it were declared. `certain`: the parent has all values, and none is so short that
    it could match by chance."""

    key: ForeignKey
    certain: bool

    @property
    def column(self) -> str:
        """The parent's column that has the values."""
        return self.key.parent_columns[0]


def implied_key(
    column: CatalogColumn, ours: Rows | None, parent: CatalogTable, theirs: Rows | None
) -> ImpliedKey | None:
    """The key from this column's values (or array items) to the parent's column that has most of
    them, in doubt its key; None if no column has enough. The parent's column identifies its rows,
    and is never the column itself."""
    seen = ours.columns.get(column.name) if ours else None
    kind = family_of(column.item) if column.item else family(column)
    if seen is None or not seen.values or theirs is None or kind not in KEYS:
        return None
    secrets = secret_columns(parent)
    shares = {
        name: len(seen.values & theirs.columns[name].values) / len(seen.values)
        for name in dict.fromkeys([*parent.row_key, *parent.columns])
        if name in theirs.columns
        and name not in secrets
        and family(parent.columns[name]) in KEYS
        and theirs.columns[name].distinct
        and not (ours is theirs and name == column.name)
    }
    best = max(shares, key=lambda name: shares[name], default=None)
    if best is None or shares[best] < SHARE:
        return None
    key = ForeignKey(
        name="", columns=(column.name,), parent=parent.place, parent_columns=(best,),
        on_delete="", definition="",
    )  # fmt: skip
    certain = shares[best] == 1 and all(len(value) >= DISTINCT for value in seen.values)
    return ImpliedKey(key=key, certain=certain)

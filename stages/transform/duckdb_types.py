"""DuckDB's names of its types of numbers, by what their values need to stay exact."""

from __future__ import annotations

# Integers that a float64 does not always hold.
LONG_INTEGERS = frozenset({"BIGINT", "UBIGINT", "HUGEINT", "UHUGEINT"})
SHORT_INTEGERS = frozenset({"TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER"})
INTEGERS = SHORT_INTEGERS | LONG_INTEGERS
FLOATS = frozenset({"FLOAT", "DOUBLE"})
# Beyond this, a float64 does not hold every integer.
EXACT_INTEGER = 2**53

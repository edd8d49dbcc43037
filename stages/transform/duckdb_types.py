"""DuckDB's names for its numeric types, grouped by what their values need to stay exact."""

from __future__ import annotations

# Integers that do not always fit in a float64.
LONG_INTEGERS = frozenset({"BIGINT", "UBIGINT", "HUGEINT", "UHUGEINT"})
SHORT_INTEGERS = frozenset({"TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER"})
INTEGERS = SHORT_INTEGERS | LONG_INTEGERS
FLOATS = frozenset({"FLOAT", "DOUBLE"})
# Above this, a float64 cannot represent every integer.
EXACT_INTEGER = 2**53

"""Defaults of columns in Postgres, as SQL of a value."""

from __future__ import annotations

import re

from stages.init.catalog import CatalogColumn
from stages.init.conversion import Kind, family


def default_sql(column: CatalogColumn, kind: Kind) -> str | None:
    """A column's Postgres default as SQL of a value; None for what is made at the time of a run."""
    text = column.default
    if text is None:
        return None
    match = re.fullmatch(r"\(?'((?:[^']|'')*)'\)?(?:::[\w .\"\[\]()]+)?", text)
    if match:
        plain = match[1]
    elif re.fullmatch(r"\(?-?\d+(\.\d+)?\)?(?:::[\w .]+)?|true|false", text):
        plain = re.sub(r"::.*|[()]", "", text)
    elif re.fullmatch(r"ARRAY\[\](?:::[\w .\"\[\]]+)?", text):
        plain = "{}"
    else:
        return None
    type_family = family(column)
    if type_family == "array":
        return "[]" if plain == "{}" else f"pg_array('{plain}')"
    if type_family in ("integer", "float", "numeric", "boolean"):
        simple = re.fullmatch(r"-?\d+(\.\d+)?|true|false", plain)
        return (
            (f"'{plain}'" if kind == "string" and type_family == "numeric" else plain)
            if simple
            else None
        )
    if type_family in ("time", "date", "bytes"):
        return None
    return f"'{plain}'"

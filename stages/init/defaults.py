"""Defaults of columns in Postgres, as SQL of a value."""

from __future__ import annotations

import re

from stages.convex.schema import Validator
from stages.init.catalog import CatalogColumn
from stages.init.conversion import Kind, family, plain_label, union_members
from stages.sql import text_sql


def default_for(column: CatalogColumn, validator: Validator) -> str | None:
    """A column's Postgres default as SQL of a value for the field; None for one that the field
    would not accept, such as text that is not one of its literals."""
    union = union_members(validator)
    kind = union[0]["type"] if union else ""
    if not union or any(member["type"] != "literal" for member in union):
        return default_sql(column, kind)
    literals = [member["value"] for member in union]
    numeric = all(isinstance(value, bool | int | float) for value in literals)
    text = default_sql(column, "number" if numeric else "string")
    by_words = {
        plain_label(str(value).lower() if numeric else str(value)): value for value in literals
    }
    literal = by_words.get(plain_label(text.strip("'").replace("''", "'"))) if text else None
    if literal is None:
        return None
    return text_sql(literal) if isinstance(literal, str) else str(literal).lower()


def default_sql(column: CatalogColumn, kind: Kind) -> str | None:
    """A column's Postgres default as SQL of a value; None if there is none, if it is not a
    constant, and for times, dates and bytes."""
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

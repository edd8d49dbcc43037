"""From a model's column to the value staged for its field, and the checks on it; all in SQL.

A column for a field of one type is cast; all others go through JSON, set-wise (json_values.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from stages.convex.validators.alternatives import alternatives
from stages.convex.validators.check import is_id_sql, no_id
from stages.convex.values import Shape, decode_value_sql, size_sql
from stages.errors import FileError, Place
from stages.limits import ARRAY_ITEMS
from stages.rules import Rule
from stages.sql import name_sql, text_sql
from stages.transform.duckdb_types import EXACT_INTEGER, FLOATS, INTEGERS, SHORT_INTEGERS
from stages.transform.native import json_sql
from stages.transform.relations import JSON_VALUES

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


@dataclass(frozen=True, kw_only=True)
class Check:
    """A reason to reject a row: SQL over the model's columns that is NULL or "rule: reason"."""

    field: str
    problem: str


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """A model's column compiled for its field: its staged value, its size and its checks.

    `column` is what first replaces the model's own column, None if the model has none. `json`:
    `column` is marked JSON text, whose canonical form is joined as `json of <field>`.
    """

    shape: Shape
    column: str | None
    value: str
    size: str
    checks: tuple[Check, ...] = ()
    json: bool = False


def simple_check(field: str, rule: Rule, when: str, reason: str) -> Check:
    """A check that fails if a condition is true; `reason` is SQL."""
    return Check(
        field=field, problem=f"CASE WHEN {when} THEN {text_sql(rule + ': ')} || {reason} END"
    )


def compile_field(
    connection: duckdb.DuckDBPyConnection, model: Place, shape: Shape, column_type: str | None
) -> Compiled:
    """The staged value and the checks of one field.

    `column_type` is the type of the model's column of that name, None if there is none. Raises
    FileError if the field is required and has no column, or the column has an unsuitable type.
    """
    if column_type is None:
        if shape.required:
            raise FileError(
                f"{model} has no column `{shape.name}`, and convex/schema.ts requires that field",
                f"add it to {model}, or make it v.optional() in convex/schema.ts",
                file=model.name,
                line=model.line,
            )
        return Compiled(shape=shape, column=None, value=f"NULL::{shape.sql}", size="0")
    column = f"m.{name_sql(shape.name)}"
    checks = []
    if shape.required:
        missing = text_sql("the field is required, the value is null")
        checks.append(simple_check(shape.name, Rule.REQUIRED_NULL, f"{column} IS NULL", missing))
    if shape.kind == "json" or column_type in ("JSON", "JSON[]"):
        return _through_json(connection, model, shape, column_type, checks)
    value, value_checks = _convert(model, shape, column, column_type)
    checks += value_checks
    if shape.choices:
        choices = ", ".join(_literal(choice) for choice in shape.choices)
        words = text_sql(" is not one of the schema's literals")
        outside = f"{column} NOT IN ({choices})"
        reason = f"{column}::VARCHAR || {words}"
        if shape.item:
            others = f"list_filter({column}, lambda item: item NOT IN ({choices}))"
            outside, reason = f"len({others}) > 0", f"{others}[1]::VARCHAR || {words}"
        checks.append(simple_check(shape.name, Rule.NOT_IN_UNION, outside, reason))
    return Compiled(
        shape=shape,
        column=name_sql(shape.name),
        value=value,
        size=size_sql(shape, value),
        checks=tuple(checks),
    )


def _through_json(
    connection: duckdb.DuckDBPyConnection,
    model: Place,
    shape: Shape,
    column_type: str,
    checks: list[Check],
) -> Compiled:
    joined = JSON_VALUES.of(shape.name)
    problem = Check(field=shape.name, problem=f"{joined}.problem")
    text = json_sql(
        connection, model, shape.name, shape.validator, name_sql(shape.name), column_type
    )
    value, size = f"{joined}.staged", f"{joined}.size"
    if shape.kind != "json":
        value = decode_value_sql(shape, f"({value})::JSON")
        size = size_sql(shape, value)
    return Compiled(
        shape=shape, column=text, value=value, size=size, checks=(*checks, problem), json=True
    )


def _convert(model: Place, shape: Shape, column: str, column_type: str) -> tuple[str, list[Check]]:
    kind = shape.kind
    is_text = re.fullmatch(r"VARCHAR|UUID|ENUM\(.*\)", column_type, re.DOTALL)
    if kind in ("string", "id") and is_text:
        text = f"{column}::VARCHAR"
        checks = [_no_id(shape, text)] if shape.system_ids else []
        return text, checks
    if kind == "boolean" and column_type == "BOOLEAN":
        return column, []
    if kind == "number" and column_type in FLOATS | SHORT_INTEGERS:
        return f"{column}::DOUBLE", []
    if kind == "number" and column_type in INTEGERS:
        return f"{column}::DOUBLE", [_inexact(shape, f"abs({column}::HUGEINT) > {EXACT_INTEGER}")]
    if kind == "number" and column_type.startswith("DECIMAL"):
        lost = f"try_cast({column}::DOUBLE::VARCHAR AS {column_type}) IS DISTINCT FROM {column}"
        return f"{column}::DOUBLE", [_inexact(shape, f"{column} IS NOT NULL AND {lost}")]
    if kind == "bigint" and column_type in INTEGERS:
        beyond = f"{column} IS NOT NULL AND try_cast({column} AS BIGINT) IS NULL"
        return f"try_cast({column} AS BIGINT)", [_inexact(shape, beyond)]
    if kind == "bytes" and column_type == "BLOB":
        return column, []
    array = re.fullmatch(r"(.*)\[\d*\]", column_type, re.DOTALL)
    if shape.item and array:
        # DuckDB's arrays have a fixed length; lists do not.
        return _array(model, shape, f"{column}::{array[1]}[]", f"{array[1]}[]")
    raise FileError(
        f"{model}: column `{shape.name}` is {column_type}, the field in convex/schema.ts is "
        f"{kind.replace(':', ' of ').replace('bigint', 'int64')}",
        _advice(kind, column_type),
        file=model.name,
        line=model.line,
    )


def _array(model: Place, shape: Shape, column: str, column_type: str) -> tuple[str, list[Check]]:
    (validator,) = alternatives(shape.validator).items
    item = replace(
        shape,
        kind=shape.item,
        sql=shape.sql.removesuffix("[]"),
        choices=(),
        validator=validator,
    )
    _, inner = _convert(model, item, "item", column_type.removesuffix("[]"))
    nulls = f"list_bool_or(list_transform({column}, lambda item: item IS NULL))"
    checks = [
        simple_check(
            shape.name,
            Rule.NULL_IN_ARRAY,
            nulls,
            text_sql("the array contains a null, which the validator does not accept"),
        ),
        simple_check(
            shape.name,
            Rule.TOO_MANY,
            f"len({column}) > {ARRAY_ITEMS}",
            text_sql(f"the array has more than {ARRAY_ITEMS} items"),
        ),
    ]
    for check in inner:
        fails = f"list_transform({column}, lambda item: ({check.problem}) IS NOT NULL)"
        here = f"({check.problem}) || {text_sql(f' at {shape.name}[')} || (place - 1) || ']'"
        problems = f"list_transform({column}, lambda item, place: {here})"
        first = f"list_filter({problems}, lambda p: p IS NOT NULL)[1]"
        # Most lists have no problem; only build messages for those that do.
        problem = f"CASE WHEN list_bool_or({fails}) THEN {first} END"
        checks.append(Check(field=shape.name, problem=problem))
    return f"{column}::{shape.sql}", checks


def _no_id(shape: Shape, text: str) -> Check:
    """A text for v.id("_storage") and its like must already be an id."""
    reason = f"{text} || {text_sql(' is ' + no_id(shape.system_ids))}"
    return simple_check(shape.name, Rule.ORPHAN, f"NOT {is_id_sql(text)}", reason)


def _inexact(shape: Shape, when: str) -> Check:
    reason = text_sql("the number has no exact form in the target")
    return simple_check(shape.name, Rule.INEXACT_NUMBER, when, reason)


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return text_sql(value) if isinstance(value, str) else repr(value)


def _advice(kind: str, column_type: str) -> str:
    if kind == "number" and column_type.startswith(("TIMESTAMP", "DATE")):
        return "write to_ms(column) in the model"
    if kind == "number" and column_type == "VARCHAR":
        return "write to_number(column) in the model, if it holds numbers"
    if kind in ("string", "id") and column_type.startswith(("TIMESTAMP", "DATE")):
        return "write to_iso(column) or to_day(column) in the model"
    if kind.startswith("array:") and column_type == "VARCHAR":
        return "write pg_array(column) for the text of a Postgres array, or column::JSON for JSON"
    return "cast the column in the model to what the field takes"


def documents_schema(fields: Mapping[str, Compiled]) -> pa.Schema:
    """The Arrow schema of documents.parquet: from the Convex schema, never from the data."""
    import pyarrow as pa

    types = {
        "VARCHAR": pa.string(), "DOUBLE": pa.float64(), "BOOLEAN": pa.bool_(),
        "BIGINT": pa.int64(), "BLOB": pa.binary(), "JSON": pa.json_(),
    }  # fmt: skip
    columns = [pa.field("_source_id", pa.string(), nullable=False)]
    for name, compiled in fields.items():
        shape = compiled.shape
        base = types[shape.sql.removesuffix("[]")]
        kind = pa.list_(base) if shape.sql.endswith("[]") else base
        columns.append(pa.field(name, kind, nullable=not shape.required))
    return pa.schema(columns)

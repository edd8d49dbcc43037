"""Convex validators → casts and checks in SQL, around a model; nothing goes row by row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stages.convex.values import Shape, name_sql, size_sql, text_sql
from stages.errors import UserError

# Convex' limits of one document; the system fields count: _id (32 characters) and _creationTime.
DOCUMENT_BYTES = 1 << 20
SYSTEM_BYTES = 38 + 23
ARRAY = 8192
EXACT = 2**53

INTEGERS = {
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT",
    "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT",
}  # fmt: skip
SMALL = {"TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER"}
FLOATS = {"FLOAT", "DOUBLE"}


@dataclass(frozen=True, kw_only=True)
class Check:
    """A condition that keeps a row out: `when` is SQL over the model's columns."""

    field: str
    rule: str
    when: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """One model column on its way to its field: its staged value, and what must not be."""

    shape: Shape
    value: str
    checks: tuple[Check, ...]


def compile_field(model: str, shape: Shape, column_type: str | None) -> Compiled:
    """The staged value and the checks of one field.

    `column_type` is the type of the model's column of that name, None where it has none. Raises
    UserError where the model can't mean this field.
    """
    column = f"m.{name_sql(shape.name)}"
    if column_type is None:
        if shape.required:
            raise UserError(
                f"{model} has no column `{shape.name}`, and convex/schema.ts requires that field",
                f"add it to {model}, or make it v.optional() in convex/schema.ts",
            )
        return Compiled(shape=shape, value=f"NULL::{shape.sql}", checks=())
    value, checks = _convert(model, shape, column, column_type)
    if shape.required and shape.kind != "any":
        checks.insert(
            0,
            Check(
                field=shape.name,
                rule="required_null",
                when=f"{column} IS NULL",
                reason="'the field is required, the value is null'",
            ),
        )
    if shape.choices:
        choices = ", ".join(_literal(choice) for choice in shape.choices)
        checks.append(
            Check(
                field=shape.name,
                rule="not_in_union",
                when=f"{column} NOT IN ({choices})",
                reason=f"{column}::VARCHAR || ' is none of the literals of the schema'",
            )
        )
    return Compiled(shape=shape, value=value, checks=tuple(checks))


def _convert(model: str, shape: Shape, column: str, column_type: str) -> tuple[str, list[Check]]:
    kind = shape.kind
    if kind in ("string", "id") and column_type in ("VARCHAR", "UUID"):
        return f"{column}::VARCHAR", []
    if kind in ("string", "id") and column_type.startswith("ENUM"):
        return f"{column}::VARCHAR", []
    if kind == "boolean" and column_type == "BOOLEAN":
        return column, []
    if kind == "number" and column_type in FLOATS | SMALL:
        return f"{column}::DOUBLE", []
    if kind == "number" and column_type in INTEGERS:
        return f"{column}::DOUBLE", [_inexact(shape, f"abs({column}::HUGEINT) > {EXACT}")]
    if kind == "number" and column_type.startswith("DECIMAL"):
        lost = f"try_cast({column}::DOUBLE::VARCHAR AS {column_type}) IS DISTINCT FROM {column}"
        return f"{column}::DOUBLE", [_inexact(shape, f"{column} IS NOT NULL AND {lost}")]
    if kind == "bigint" and column_type in INTEGERS:
        beyond = f"{column} IS NOT NULL AND try_cast({column} AS BIGINT) IS NULL"
        return f"try_cast({column} AS BIGINT)", [_inexact(shape, beyond)]
    if kind == "bytes" and column_type == "BLOB":
        return column, []
    if kind == "any":
        return _canonical_any(shape, column)
    if kind.startswith("array:") and column_type.endswith("[]"):
        return _array(model, shape, column, column_type)
    raise UserError(
        f"{model}: column `{shape.name}` is {column_type}, the field in convex/schema.ts is "
        f"{kind.replace(':', ' of ')}",
        _advice(kind, column_type),
    )


def _canonical_any(shape: Shape, column: str) -> tuple[str, list[Check]]:
    """The canonical texts come by a join (see run.py) as `<field>.canonical`, `.problem`."""
    joined = name_sql(f"canonical of {shape.name}")
    problem = f"{joined}.problem"
    checks = [
        Check(
            field=shape.name,
            rule=rule,
            when=f"starts_with({problem}, {text_sql(rule + ':')})",
            reason=f"substr({problem}, {len(rule) + 3})",
        )
        for rule in ("field_name", "duplicate_key", "inexact_number", "nesting", "too_many")
    ]
    return f"{joined}.canonical::JSON", checks


def _array(model: str, shape: Shape, column: str, column_type: str) -> tuple[str, list[Check]]:
    item = Shape(
        name="item", kind=shape.kind.removeprefix("array:"), sql=shape.sql.removesuffix("[]"),
        optional=False, nullable=False,
    )  # fmt: skip
    _, inner = _convert(model, item, "item", column_type.removesuffix("[]"))
    checks = [
        Check(
            field=shape.name,
            rule="null_in_array",
            when=f"list_bool_or(list_transform({column}, lambda item: item IS NULL))",
            reason="'the array holds a null, which the validator does not take'",
        ),
        Check(
            field=shape.name,
            rule="too_many",
            when=f"len({column}) > {ARRAY}",
            reason=f"'the array has more than {ARRAY} items'",
        ),
    ]
    checks += [
        Check(
            field=shape.name,
            rule=check.rule,
            when=f"list_bool_or(list_transform({column}, lambda item: {check.when}))",
            reason=check.reason,
        )
        for check in inner
    ]
    return f"{column}::{shape.sql}", checks


def _inexact(shape: Shape, when: str) -> Check:
    return Check(
        field=shape.name,
        rule="inexact_number",
        when=when,
        reason="'the number has no exact form in the target'",
    )


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return text_sql(value) if isinstance(value, str) else repr(value)


def _advice(kind: str, column_type: str) -> str:
    if kind == "number" and column_type.startswith(("TIMESTAMP", "DATE")):
        return "write to_ms(column) in the model"
    if kind == "number" and column_type == "VARCHAR":
        return "write column::DOUBLE in the model, if it holds numbers"
    if kind in ("string", "id") and column_type.startswith(("TIMESTAMP", "DATE")):
        return "write to_iso(column) or to_day(column) in the model"
    if kind.startswith("array:") and column_type == "VARCHAR":
        return "write pg_array(column) in the model, for the text of a Postgres array"
    return "cast the column in the model to what the field takes"


def orphan_check(shape: Shape, source: str | None) -> Check:
    """A reference must have its target; `known of <field>` is joined (see run.py)."""
    column = f"m.{name_sql(shape.name)}"
    known = name_sql(f"known of {shape.name}")
    nowhere = text_sql(f" is not in {source or shape.target}")
    return Check(
        field=shape.name,
        rule="orphan",
        when=f"{column} IS NOT NULL AND ({known}.ref IS NULL OR {known}.rule IS NOT NULL)",
        reason=f"coalesce({known}.reason, {column} || {nowhere})",
    )


def checked_sql(
    compiled: Mapping[str, Compiled], orphans: Mapping[str, str], sources: Mapping[str, str | None]
) -> str:
    """SQL over `modelled m`: _source_id, staged fields, `_failures`, `_nulled`.

    `_failures` lists {field, rule, reason} of what keeps the row out; `_nulled` the orphans that
    the plan turns to null, as {field, old}. `sources` is reference target → source, for words.
    """
    staged: list[str] = ["m._source_id"]
    sizes: list[str] = []
    joins: list[str] = []
    checks: list[Check] = []
    nulled: list[str] = []
    for name, field in compiled.items():
        column, value = name_sql(name), field.value
        checks += field.checks
        if field.shape.kind == "any" and "canonical of" in value:
            joined = name_sql(f"canonical of {name}")
            joins.append(f"LEFT JOIN canonical AS {joined} ON {joined}.text = m.{column}")
            sizes.append(f"{len(name) + 1} + {joined}.size")
        elif field.shape.kind != "any":
            sizes.append(f"{len(name) + 1} + {size_sql(field.shape, value)}")
        if field.shape.kind == "id" and not value.startswith("NULL"):
            known = name_sql(f"known of {name}")
            joins.append(
                f"LEFT JOIN {name_sql('known ' + str(field.shape.target))} AS {known} "
                f"ON {known}.ref = m.{column}"
            )
            check = orphan_check(field.shape, sources.get(field.shape.target or ""))
            if orphans.get(name) == "null":
                nulled.append(
                    f"CASE WHEN {check.when} THEN {{'field': {text_sql(name)}, 'old': {value}}} END"
                )
                value = f"CASE WHEN NOT ({check.when}) THEN {value} END"
            else:
                checks.append(check)
        staged.append(f"{value} AS {column}")
    size = " + ".join([str(2 + SYSTEM_BYTES), *(f"coalesce({s}, 0)" for s in sizes)])
    checks.append(
        Check(
            field="",
            rule="too_large",
            when=f"({size}) > {DOCUMENT_BYTES}",
            reason=f"'the document has more than {DOCUMENT_BYTES:,} bytes'",
        )
    )
    failures = ",\n    ".join(
        f"CASE WHEN {c.when} THEN {{'field': {text_sql(c.field)}, 'rule': {_rule_sql(c)}, "
        f"'reason': {c.reason}}} END"
        for c in checks
    )
    return (
        f"SELECT {', '.join(staged)},\n"
        f"list_filter([\n    {failures}\n], lambda f: f IS NOT NULL) AS _failures,\n"
        f'list_filter([{", ".join(nulled)}]::STRUCT(field VARCHAR, "old" VARCHAR)[], '
        "lambda n: n IS NOT NULL) AS _nulled\n"
        "FROM modelled m " + "\n".join(joins)
    )


def _rule_sql(check: Check) -> str:
    """An orphan's rule is that of its key, where that is known not to be usable."""
    if check.rule == "orphan":
        return f"coalesce({name_sql('known of ' + check.field)}.rule, 'orphan')"
    return text_sql(check.rule)

"""Every rule by which a row is rejected or a value is changed, and where to fix what it finds.

Staged files, `stages rejects`, the report and docs/reference/rules.md use these names.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from enum import StrEnum
from typing import Literal

Kind = Literal["failure", "reject", "change"]


@dataclass(frozen=True)
class _About:
    name: str
    _: KW_ONLY
    kind: Kind = "reject"
    stage: str = "transform"
    meaning: str
    cause: str
    fix: str = "{model}, or the source"


_KEY_MODEL = "the key model in .planning/migrations/keys/, or what is in Convex"
_PARENT = "the source, or orphans in [tables.{table}] of {plan}"
_SCHEMA = "{model}, the source, or convex/schema.ts"


class Rule(StrEnum):
    """A rule by its name.

    `kind`: failure of a whole table, reject of a row, or change of a value. `stage` applies it.
    `meaning` and `cause` are sentences without capital and period; `fix` names what to edit.
    """

    kind: Kind
    stage: str
    meaning: str
    cause: str
    fix: str

    def __new__(cls, about: _About) -> Rule:
        rule = str.__new__(cls, about.name)
        rule._value_ = about.name
        rule.kind, rule.stage = about.kind, about.stage
        rule.meaning, rule.cause, rule.fix = about.meaning, about.cause, about.fix
        return rule

    def where_to_fix(self, *, model: str, table: str, plan: str, drops: str) -> str:
        """What to edit, for one table; `drops` is its file of rows left out on purpose."""
        return self.fix.format(model=model, table=table, plan=plan, drops=drops)

    def where_to_fix_any(self) -> str:
        """What to edit, for no table in particular."""
        return self.where_to_fix(
            model="the model", table="NAME", plan="the plan", drops="the model's `.drop.sql`"
        )

    # ── whole tables ────────────────────────────────────────────────────────────────────────

    FAILED = _About(
        "failed",
        kind="failure",
        stage="extract, transform, load",
        meaning="the table failed in that stage",
        cause="what the reason says; it stays until the stage succeeds for the table",
        fix="what the reason says, then run the stage again",
    )

    # ── expressions of models ───────────────────────────────────────────────────────────────

    INFINITE_TIME = _About(
        "infinite_time",
        meaning="the time is infinite",
        cause="Postgres has infinity and -infinity for dates and timestamps; Convex does not",
    )
    TIME_OUT_OF_RANGE = _About(
        "time_out_of_range",
        meaning="the time is beyond what JavaScript's Date holds",
        cause="the year is before -271821 or after 275760",
    )
    INEXACT_NUMBER = _About(
        "inexact_number",
        meaning="the number has no exact form in the target",
        cause="a float64 would round it (a bigint beyond 2^53, more than 15 to 17 digits), an "
        "int64 is too short for it, or the text is no number",
        fix=_SCHEMA,
    )
    INEXACT_INTERVAL = _About(
        "inexact_interval",
        meaning="the interval has no exact number of seconds",
        cause="interval_seconds() was given months or years, which have no length, or a fraction "
        "that a float64 would round",
    )
    NOT_INT64 = _About(
        "not_int64",
        meaning="the text is not a whole number that fits an int64",
        cause="to_int64() was given a fraction, a number beyond 2^63, or a text that is no number",
        fix=_SCHEMA,
    )
    INVALID_MONEY = _About(
        "invalid_money",
        meaning="the text is not an amount of money as Postgres prints it",
        cause="money_number() takes -$1,234.56",
    )
    INVALID_TIME = _About(
        "invalid_time",
        meaning="the text is not a time of day",
        cause="time_ms() was given something other than Postgres' text of a time",
    )
    INVALID_VECTOR = _About(
        "invalid_vector",
        meaning="the text is not a vector",
        cause="pg_vector() was given something other than pgvector's text, such as [1,2.5]",
    )
    INVALID_ARRAY = _About(
        "invalid_array",
        meaning="the text is not an array as Postgres prints it",
        cause="pg_array() was given something other than such a text, which begins with {",
    )
    ARRAY_DIMENSIONS = _About(
        "array_dimensions",
        meaning="the array does not have the dimensions that the model reads",
        cause="pg_array() takes one dimension, pg_array_2d() two; in Postgres values may differ",
    )
    FAILED_EXPRESSION = _About(
        "failed_expression",
        meaning="an expression of the model fails for this row",
        cause="a cast, a division or an overflow; the reason has DuckDB's words for the first rows",
    )

    # ── the Convex schema and its limits ────────────────────────────────────────────────────

    REQUIRED_NULL = _About(
        "required_null",
        meaning="the value is null, and the field does not accept null",
        cause="the source has nulls, or a join of the model found nothing",
        fix=_SCHEMA,
    )
    TYPE_MISMATCH = _About(
        "type_mismatch",
        meaning="the value has a type that the field does not accept",
        cause="JSON of the source holds more types than the validator, or an encoded value is cut",
        fix=_SCHEMA,
    )
    NOT_IN_UNION = _About(
        "not_in_union",
        meaning="the value matches no member of the field's union",
        cause="a text that is no literal of the schema, or an object that no member takes",
        fix=_SCHEMA,
    )
    MISSING_FIELD = _About(
        "missing_field",
        meaning="an object lacks a field that the schema requires",
        cause="JSON of the source does not always have that key",
        fix=_SCHEMA,
    )
    EXTRA_FIELD = _About(
        "extra_field",
        meaning="an object has a field that the schema does not have",
        cause="JSON of the source has more keys than the validator declares",
        fix=_SCHEMA,
    )
    NULL_IN_ARRAY = _About(
        "null_in_array",
        meaning="an array contains a null, and its items do not accept null",
        cause="arrays of Postgres may hold nulls",
        fix=_SCHEMA,
    )
    DIMENSIONS = _About(
        "dimensions",
        meaning="the vector's length differs from that of its index",
        cause="vectors of several models are in one column, or the index names another count",
        fix=_SCHEMA,
    )
    INVALID_JSON = _About(
        "invalid_json",
        meaning="the text is not JSON that Convex can hold",
        cause="the text is cut, or holds half of a surrogate pair",
    )
    FIELD_NAME = _About(
        "field_name",
        meaning="an object has a key that Convex does not allow",
        cause="the key is empty, too long, not printable ASCII, __proto__, or begins with $ or _",
    )
    DUPLICATE_KEY = _About(
        "duplicate_key",
        meaning="an object has a key twice",
        cause="Postgres' json, unlike jsonb, keeps duplicate keys",
    )
    NESTING = _About(
        "nesting",
        meaning="the value is nested deeper than Convex allows",
        cause="objects and arrays within one another beyond Convex' limit",
    )
    TOO_MANY = _About(
        "too_many",
        meaning="an array or an object has more items than Convex allows",
        cause="lists in the source beyond Convex' limit; they belong in a table of their own",
    )
    TOO_LARGE = _About(
        "too_large",
        meaning="the document is larger than Convex allows",
        cause="large texts, bytes or JSON; they belong in file storage or a table of their own",
    )

    # ── references ──────────────────────────────────────────────────────────────────────────

    ORPHAN = _About(
        "orphan",
        meaning="the reference names a row that does not exist",
        cause="the source has no such row, its table is missing, or the text is no reference",
        fix=_PARENT,
    )
    PARENT_REJECTED = _About(
        "parent_rejected",
        meaning="the reference names a row that is rejected itself",
        cause="the parent's own reject, which the reason names",
        fix="the parent's reject first; or " + _PARENT,
    )
    NO_MATCH = _About(
        "no_match",
        meaning="no document in Convex matches the key of a reference table",
        cause="the key model finds nothing for it",
        fix=_KEY_MODEL,
    )
    AMBIGUOUS = _About(
        "ambiguous",
        meaning="one rule of a key model finds several documents for a key",
        cause="what the rule compares is not unique in Convex",
        fix=_KEY_MODEL,
    )
    WITNESSES_DISAGREE = _About(
        "witnesses_disagree",
        meaning="two rules of a key model find different documents for a key",
        cause="the source and Convex differ in a field that one of them compares",
        fix=_KEY_MODEL,
    )
    NO_DOCUMENT = _About(
        "no_document",
        meaning="a key model names a document that does not exist in Convex",
        cause="the document was deleted, or the id belongs to another deployment",
        fix=_KEY_MODEL,
    )

    # ── whole rows ──────────────────────────────────────────────────────────────────────────

    NOT_UNIQUE = _About(
        "not_unique",
        meaning="rows have equal values where the plan requires unique ones",
        cause="the source is not unique there; all rows that collide are rejected",
        fix="{model}, the source, or unique in [tables.{table}] of {plan}",
    )
    DROPPED_BY_MODEL = _About(
        "dropped_by_model",
        meaning="the model leaves the row out, and does not say why",
        cause="a WHERE or an inner JOIN of the model",
        fix="{model}; or name the row and the reason in {drops}",
    )
    DROPPED_ON_PURPOSE = _About(
        "dropped_on_purpose",
        meaning="the row is left out on purpose",
        cause="the file of drops names it, with the reason",
        fix="{drops}",
    )

    # ── found by load ───────────────────────────────────────────────────────────────────────

    REFUSED = _About(
        "refused",
        stage="load",
        meaning="Convex has refused the document",
        cause="the deployed schema or functions differ from those here; the reason quotes Convex",
        fix="the document itself, its model, or convex/schema.ts",
    )
    HELD_BACK = _About(
        "held_back",
        stage="load",
        meaning="a document that this one refers to is not in Convex",
        cause="the parent was refused, held back or deleted, or its table is not loaded",
        fix="the parent's reject first, then: stages load",
    )

    # ── values that change ──────────────────────────────────────────────────────────────────

    BELOW_MILLISECOND = _About(
        "below_millisecond",
        kind="change",
        meaning="the microseconds of a time are cut",
        cause="Postgres keeps microseconds; to_ms() and to_iso() keep milliseconds, as Date does",
        fix="{model}, if the microseconds matter: keep them in a field of their own",
    )
    LOWER_BOUND_DROPPED = _About(
        "lower_bound_dropped",
        kind="change",
        meaning="the lower bound of an array is dropped",
        cause="Postgres' arrays may begin at any number, as in [0:1]={a,b}; lists begin at 0",
        fix="{model}, if the bound matters: keep it in a field of its own",
    )
    NULL_FILLED = _About(
        "null_filled",
        kind="change",
        meaning="a null of the source has become a value",
        cause="a default in the model, such as coalesce()",
        fix="{model}, or from in [tables.{table}] of {plan} if another column is meant",
    )
    NULLED_BY_MODEL = _About(
        "nulled_by_model",
        kind="change",
        meaning="a value of the source has become null",
        cause="a condition in the model, such as nullif() or TRY()",
        fix="{model}, or from in [tables.{table}] of {plan} if another column is meant",
    )
    ORPHAN_NULLED = _About(
        "orphan_nulled",
        kind="change",
        meaning="a reference to a row that does not exist, or is rejected itself, has become null",
        cause='the plan says orphans = { … = "null" }',
        fix=_PARENT,
    )
    ORPHAN_DROPPED = _About(
        "orphan_dropped",
        kind="change",
        meaning="a reference to a row that does not exist, or is rejected itself, is dropped from "
        "its array",
        cause='the plan says orphans = { … = "drop" }',
        fix=_PARENT,
    )


def known_rule(name: str) -> Rule | None:
    """The rule of that name; None if unknown, such as a name staged by another version."""
    rule = Rule.__members__.get(name.upper())
    return rule if rule == name else None

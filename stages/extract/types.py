"""One table of rules: how each Postgres type travels, and what it is in Parquet.

A short list of types comes natively; every other type, even an unknown one, comes as the text that
Postgres prints (by its output function, as in COPY), which loses nothing.
Both transports use these rules, so `DESCRIBE extract.t` is the same over both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pyarrow as pa

# How a value looks in PostgREST's JSON, and so how it is decoded.
Form = Literal[
    "integer", "boolean", "text", "real", "float", "uuid", "bytes", "date", "timestamp", "json"
]


@dataclass(frozen=True, kw_only=True)
class TypeRule:
    """How a type travels: `direct` is SQL of the column `{c}`, `rest_cast` what REST casts it to.

    `revision` is greater than 1 if the staged form has changed: extracts with an earlier form are
    read again.
    """

    form: Form
    arrow: str
    direct: str = "{c}"
    rest_cast: str = ""
    revision: int = 1


# What the output function prints. A cast to text differs for bpchar, inet, bool and xml, and for a
# type with its own cast. IS NOT NULL would be false for a composite value that contains a null.
PRINTED = "CASE WHEN {c} IS DISTINCT FROM NULL THEN concat({c}) END"
TEXT = TypeRule(form="text", arrow="string", direct=PRINTED, rest_cast="text")
# Types whose cast to text prints something else; in JSON they are as the output function prints.
_UNCAST = TypeRule(form="text", arrow="string", direct=PRINTED, revision=2)
# The only cast over REST with which a bool prints as `t`.
_BOOL_AS_TEXT = TypeRule(form="text", arrow="string", direct=PRINTED, rest_cast="name", revision=2)
# `json` may hold half a surrogate pair, for which DuckDB's Parquet reader refuses all rows of a
# JSON column. So the file has text, and its view has JSON. `jsonb` can't hold one.
JSON_TEXT = "json_text"
# OpenAPI calls int2 and int4 both `int32`, so both are int32 over both transports.
RULES: dict[str, TypeRule] = {
    "int2": TypeRule(form="integer", arrow="int32", direct="{c}::int4"),
    "int4": TypeRule(form="integer", arrow="int32"),
    "int8": TypeRule(form="integer", arrow="int64"),
    # A double, as in arrays of it: its shortest decimal, not 0.10000000149011612. As a double, it
    # is exact over REST whatever extra_float_digits is.
    "float4": TypeRule(form="real", arrow="double", rest_cast="float8"),
    "float8": TypeRule(form="float", arrow="double", rest_cast="text"),
    "bool": TypeRule(form="boolean", arrow="bool"),
    "text": TypeRule(form="text", arrow="string"),
    "varchar": TypeRule(form="text", arrow="string"),
    "bytea": TypeRule(form="bytes", arrow="binary", rest_cast="text"),
    "uuid": TypeRule(form="uuid", arrow="uuid"),
    "date": TypeRule(form="date", arrow="date32"),
    "timestamp": TypeRule(form="timestamp", arrow="timestamp"),
    "timestamptz": TypeRule(form="timestamp", arrow="timestamptz"),
    "json": TypeRule(form="json", arrow=JSON_TEXT, direct="{c}::text", rest_cast="text"),
    "jsonb": TypeRule(form="json", arrow="json", rest_cast="text"),
    "bpchar": _UNCAST,
    "inet": _UNCAST,
    "xml": _UNCAST,
}
# Other names of these types: in format_type(), and in OpenAPI's `format`.
ALIASES = {
    "smallint": "int2",
    "integer": "int4",
    "bigint": "int8",
    "int32": "int4",
    "int64": "int8",
    "real": "float4",
    "double precision": "float8",
    "boolean": "bool",
    "character": "bpchar",
    "character varying": "varchar",
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamptz",
}


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of the source. `type` is Postgres' name; `as_text` is what the plan says.

    `alias` is its staged name if the source's would clash. `labels` are those of the enums in it,
    in order; None if it holds none, or the source does not report them.
    """

    name: str
    type: str
    not_null: bool = False
    as_text: bool = False
    alias: str | None = None
    labels: tuple[str, ...] | None = None

    @property
    def staged(self) -> str:
        return self.alias or self.name

    @property
    def rule(self) -> TypeRule:
        rule = RULES.get(ALIASES.get(self.type, self.type), TEXT)
        if not self.as_text or rule.form == "text":
            return rule
        return _BOOL_AS_TEXT if rule.form == "boolean" else TEXT

    @property
    def arrow(self) -> pa.DataType:
        return arrow_type(self.rule.arrow)


def arrow_type(name: str) -> pa.DataType:
    """The Arrow type that a rule names."""
    import pyarrow as pa

    special = {
        "uuid": pa.uuid,
        "json": pa.json_,
        JSON_TEXT: pa.string,
        "timestamp": lambda: pa.timestamp("us"),
        "timestamptz": lambda: pa.timestamp("us", "UTC"),
        "date32": pa.date32,
    }
    arrow: pa.DataType = special[name]() if name in special else pa.type_for_alias(name)
    return arrow


def arrow_schema(columns: tuple[Column, ...]) -> pa.Schema:
    """The schema of an extract; from catalog and plan, never from the data."""
    import pyarrow as pa

    return pa.schema([pa.field(c.staged, c.arrow, nullable=True) for c in columns])

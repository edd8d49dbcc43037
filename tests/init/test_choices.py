"""Names, conversions, CHECKs and defaults, one by one."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import duckdb
import pytest

from stages.convex.schema import Field
from stages.errors import UserError
from stages.extract.types import Column as Extracted
from stages.init.catalog import (
    Catalog,
    CatalogColumn,
    CatalogIndex,
    CatalogTable,
    ForeignKey,
    choices_of_check,
)
from stages.init.conversion import convert
from stages.init.defaults import default_sql
from stages.init.likeness import likeness
from stages.init.names import cased, closeness, distinct, sql_name
from stages.init.pairing import Renames, read_renames
from stages.init.schema_text import schema_text
from stages.views import macros


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("ari_flow_stages", "ari_flow_stages", 0),
        ("ari_flow_stages", "ariFlowStages", 1),
        ("HTTPRequest", "http_request", 1),
        ("userid", "userId", 1),
        ("ari_knowledge_category", "ariKnowledgeCategories", 2),
        ("people", "person", 2),
        ("box", "boxes", 2),
        ("status", "statuses", 2),
        ("addresses", "address", 2),
        ("news", "new", 2),
        ("favourites", "favorites", 2),
        ("colour_codes", "colorCode", 2),
        ("status", "state", 9),
        ("class", "clas", 9),
        ("posts", "postTags", 9),
    ],
)
def test_names_are_paired_across_cases_and_plurals(one: str, other: str, expected: int) -> None:
    assert closeness(one, other) == closeness(other, one) == expected


@pytest.mark.parametrize(
    ("field", "column", "enough", "same"),
    [
        ("logo", "logo_url", True, True),
        ("name", "store_name", True, True),  # of stores
        ("tier", "plan_tier", True, False),
        ("zip", "postal_code", True, False),
        ("emailVerificationTime", "email_confirmed_at", True, False),
        ("amount", "amount_cents", True, False),
        ("uses", "use_count", True, True),
        ("name", "user_id", False, False),
        ("deletedAt", "created_at", False, False),
        ("encryptedToken", "token", False, False),
        ("startedAt", "start_count", False, False),
    ],
)
def test_names_are_alike_by_what_they_mean(
    field: str, column: str, enough: bool, same: bool
) -> None:
    owner = Extracted(name=column, type="text")
    seen = CatalogColumn(
        name=column, staged=column, type="text", arrow=owner.rule.arrow, declared="text"
    )
    like = likeness(Field(name=field, validator=STRING, optional=False), seen, ("stores",))
    assert (like.enough, like.same) == (enough, same)


def test_names_that_convex_takes() -> None:
    assert cased("Old Orders", "camel") == "oldOrders"
    assert cased("userID", "snake") == "user_id"
    assert cased("_hidden", "keep") == "hidden"
    assert cased("2fa", "keep") == "n2fa"
    assert cased("größe", "keep") == "gr__e"
    assert len(cased("x" * 80, "keep")) == 64
    assert distinct("Name", ["name", "NAME_2"]) == "Name_3"
    assert len(distinct("y" * 64, ["y" * 64])) == 64
    assert sql_name("order") == '"order"' and sql_name("status") == "status"


@pytest.mark.parametrize(
    ("definition", "choices"),
    [
        ("CHECK ((status = ANY (ARRAY['draft'::text, 'live'::text])))", ("draft", "live")),
        (
            "CHECK (((status)::text = ANY ((ARRAY['it''s'::character varying, "
            "'b, c'::character varying])::text[])))",
            ("it's", "b, c"),
        ),
        ("CHECK ((priority = ANY (ARRAY[1, 2, '-3'::integer])))", (1, 2, "-3")),
        ("CHECK ((share = ANY (ARRAY[0.5, (1)::numeric])))", (0.5, 1)),
        ("CHECK ((price > (0)::numeric))", ()),
        ("CHECK (((a = ANY (ARRAY['x'::text])) OR (b IS NULL)))", ()),
        ("CHECK ((lower(status) = ANY (ARRAY['x'::text])))", ()),
    ],
)
def test_a_check_in_is_read_as_choices(definition: str, choices: tuple[Any, ...]) -> None:
    assert choices_of_check(definition) == choices


def column(kind: str, **facts: Any) -> CatalogColumn:
    item = facts.get("item")
    plain = Extracted(name="c", type=f"_{item}" if item else kind)
    return CatalogColumn(
        name="c",
        staged="c",
        type=plain.type,
        arrow=plain.rule.arrow,
        declared=facts.pop("declared", kind),
        **facts,
    )


STRING, NUMBER, INT64, BOOLEAN, BYTES, ANY = (
    {"type": kind} for kind in ("string", "number", "bigint", "boolean", "bytes", "any")
)
OBJECT = {"type": "object", "value": {"a": {"fieldType": STRING, "optional": True}}}


def many(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "value": item}


def one_of(*values: Any) -> dict[str, Any]:
    return {"type": "union", "value": [{"type": "literal", "value": v} for v in values]}


# (the source's column, the field's validator, the staged value, what the SQL makes of it)
CASES: list[tuple[CatalogColumn, dict[str, Any], str, Any]] = [
    (column("text"), STRING, "'x'", "x"),
    (column("uuid"), STRING, "uuid '00000000-0000-0000-0000-00000000000a'",
     "00000000-0000-0000-0000-00000000000a"),
    (column("int8"), STRING, "5", "5"),
    (column("timestamptz"), STRING, "timestamptz '2024-02-29 12:00:00.1239+00'",
     "2024-02-29T12:00:00.123Z"),
    (column("timestamptz"), NUMBER, "timestamptz '1970-01-01 00:00:01+00'", 1000),
    (column("timestamp"), INT64, "timestamp '1970-01-01 00:00:01'", 1000),
    (column("date"), STRING, "date '2024-02-29'", "2024-02-29"),
    (column("date"), NUMBER, "date '1970-01-02'", 86_400_000),
    (column("numeric"), NUMBER, "'12.50'", 12.5),
    (column("numeric"), STRING, "'12.50'", "12.50"),
    (column("numeric", declared="numeric(20,0)"), INT64, "'9007199254740993'", 9007199254740993),
    (column("int8"), INT64, "9007199254740993", 9007199254740993),
    (column("int4"), NUMBER, "5", 5),
    (column("float4"), NUMBER, "0.5", 0.5),
    (column("bool"), BOOLEAN, "true", True),
    (column("bytea"), BYTES, "from_hex('00ff')", b"\x00\xff"),
    (column("bytea"), STRING, "from_hex('00ff')", "AP8="),
    (column("time"), STRING, "'08:30:00'", "08:30:00"),
    (column("interval"), STRING, "'1 day'", "1 day"),
    (column("jsonb"), ANY, "'{\"a\": 1}'::JSON", '{"a": 1}'),
    (column("jsonb"), OBJECT, "'{\"a\": \"b\"}'::JSON", '{"a": "b"}'),
    (column("jsonb"), STRING, "'{\"a\": 1}'::JSON", '{"a": 1}'),
    (column("jsonb"), many(STRING), "'[\"a\", 1]'::JSON", '["a", 1]'),
    (column("jsonb"), many(NUMBER), "'[1, 2.5]'::JSON", "[1, 2.5]"),
    (column("jsonb"), many(BOOLEAN), "'[1, true]'::JSON", "[1, true]"),
    (column("jsonb"), many(INT64), "'[9007199254740993]'::JSON", "[9007199254740993]"),
    (column("jsonb"), INT64, "'9007199254740993'::JSON", "9007199254740993"),
    (column("jsonb"), NUMBER, "'1.5'::JSON", "1.5"),
    (column("jsonb"), BOOLEAN, "'true'::JSON", "true"),
    (column("jsonb"), many(OBJECT), "'[{\"a\": \"b\"}]'::JSON", '[{"a": "b"}]'),
    (column("text[]", item="text"), many(STRING), "'{a,\"b c\",NULL}'", ["a", "b c", None]),
    (column("text[]", item="text"), ANY, "'{a,b}'", '["a","b"]'),
    (column("float8[]", item="float8"), many(NUMBER), "'{0.5,1}'", [0.5, 1.0]),
    (column("bigint[]", item="int8"), many(INT64), "'{1,2}'", [1, 2]),
    (column("bigint[]", item="int8"), many(STRING), "'{1,2}'", ["1", "2"]),
    (column("bigint[]", item="int8"), many(NUMBER), "'{9007199254740993}'", [9007199254740993]),
    (column("bigint[]", item="int8"), ANY, "'{1,2}'", [1, 2]),
    (column("numeric[]", item="numeric"), many(INT64), "'{9007199254740993,2.0}'",
     [9007199254740993, 2]),
    (column("numeric[]", item="numeric"), many(NUMBER), "'{0.10,-Infinity}'", [0.1, -math.inf]),
    (column("text[]", item="text"), many(many(STRING)), "'{{a,NULL},{c,\"d e\"}}'",
     [["a", None], ["c", "d e"]]),
    (column("int[]", item="int4"), many(many(NUMBER)), "'{{1,2},{3,NULL}}'", [[1, 2], [3, None]]),
    (column("int[]", item="int4"), many(many(INT64)), "'{}'", []),
    (column("float8[]", item="float8"), many(many(NUMBER)), "'{{0.1},{2}}'", [[0.1], [2.0]]),
    (column("bool[]", item="bool"), many(many(BOOLEAN)), "'{{t},{f}}'", [[True], [False]]),
    (column("date[]", item="date"), many(many(NUMBER)), "'{{1970-01-02}}'", [[86_400_000]]),
    (column("timestamp[]", item="timestamp"), many(many(STRING)), "'{{\"1970-01-01 00:00:01\"}}'",
     [["1970-01-01T00:00:01.000Z"]]),
    (column("timestamp[]", item="timestamp"), many(NUMBER), "'{\"1970-01-01 00:00:01\"}'", [1000]),
    (column("jsonb[]", item="jsonb"), many(many(OBJECT)), "'{{\"{\\\"a\\\": \\\"b\\\"}\"}}'",
     '[[{"a":"b"}]]'),
    (column("bool[]", item="bool"), many(BOOLEAN), "'{t,f}'", [True, False]),
    (column("jsonb[]", item="jsonb"), many(OBJECT), "'{\"{\\\"a\\\": 1}\"}'", '[{"a":1}]'),
    (column("timestamptz[]", item="timestamptz"), many(NUMBER),
     "'{\"1970-01-01 00:00:01+00\"}'", [1000]),
    (column("extensions.vector"), many(NUMBER), "'[1,2.5,3]'", [1.0, 2.5, 3.0]),
    (column("extensions.vector"), ANY, "'[1,2.5]'", "[1.0,2.5]"),
    (column("mood", choices=("so_far", "good")), one_of("soFar", "good"), "'so_far'", "soFar"),
    (column("int4", choices=(1, 2)), one_of(1, 2), "2", 2),
    (column("bpchar", declared="character(5)", choices=("ab", "cd")), one_of("ab", "cd"),
     "'ab   '", "ab"),
    (column("bpchar", declared="character(1)"), STRING, "' '", " "),
    (column("int4"), {"type": "union", "value": [STRING, NUMBER]}, "2", "2"),
    (column("text"), {"type": "union", "value": [NUMBER, STRING]}, "'x'", '"x"'),
]  # fmt: skip


@pytest.mark.parametrize(("source", "validator", "staged", "expected"), CASES)
def test_a_known_pair_is_converted_without_a_doubt(
    source: CatalogColumn, validator: dict[str, Any], staged: str, expected: Any
) -> None:
    value = convert(source, validator)
    assert value.doubts == []
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'America/Lima'")
    connection.execute(macros())
    row = connection.execute(f"SELECT {value.sql} FROM (SELECT {staged} AS c)").fetchone()
    assert row == (expected,)
    null = connection.execute(
        f"SELECT {value.sql} FROM (SELECT {staged} AS c UNION ALL SELECT NULL) WHERE c IS NULL"
    ).fetchone()
    assert null == (None,)


DOUBTFUL: list[tuple[CatalogColumn, dict[str, Any], str]] = [
    (column("text"), NUMBER, "as a number: other values are rejected"),
    (replace(column("text"), name="paid_at"), NUMBER, "as a time"),
    (replace(column("int8"), name="paid_at"), STRING, "milliseconds?"),
    (column("text"), one_of("a", "b"), "may hold anything"),
    (column("mood", choices=("a", "lost")), one_of("a", "b"), "knows 'lost'"),
    (column("int4", choices=(1, 2, 3)), one_of(1, 2), "knows 3"),
    (column("int4"), BOOLEAN, "true or false"),
    (column("text"), BOOLEAN, "as true or false: other values are rejected"),
    (column("text"), BYTES, "UTF-8"),
    (column("bpchar", declared="character(5)"), STRING, "character(5) is padded with spaces"),
    (column("bpchar[]", item="bpchar", declared="character(5)[]"), many(STRING), "padded with"),
    (column("text"), OBJECT, "as JSON"),
    (column("text"), many(STRING), "as a list"),
    (column("text"), many(NUMBER), "other values are rejected"),
    (column("numeric"), INT64, "not whole numbers"),
    (column("interval"), NUMBER, "seconds"),
    (column("money"), NUMBER, "lc_monetary"),
    (column("jsonb"), {"type": "record", "keys": STRING, "values": {
        "fieldType": {"type": "id", "tableName": "users"}, "optional": False}}, "ref("),
]  # fmt: skip


@pytest.mark.parametrize(("source", "validator", "words"), DOUBTFUL)
def test_a_doubtful_pair_is_valid_sql_and_says_so(
    source: CatalogColumn, validator: dict[str, Any], words: str
) -> None:
    value = convert(source, validator)
    assert any(words in doubt.what for doubt in value.doubts)
    connection = duckdb.connect()
    connection.execute(macros())
    kind = {"int32": "INTEGER", "int64": "BIGINT", "json": "JSON"}.get(source.arrow, "VARCHAR")
    connection.execute(f"CREATE TABLE t (c {kind})")
    for sql in (value.sql, *(choice for doubt in value.doubts for choice in doubt.choices)):
        if sql is not None and "…" not in sql:
            connection.execute(f"SELECT {sql} FROM t")


@pytest.mark.parametrize(
    ("source", "text", "default"),
    [
        (column("varchar"), "'draft'::character varying", "'draft'"),
        (column("text"), "'it''s'::text", "'it''s'"),
        (column("int4"), "60", "60"),
        (column("int4"), "'-1'::integer", "-1"),
        (column("numeric"), "(0)::numeric", "0"),
        (column("bool"), "true", "true"),
        (column("text[]", item="text"), "'{}'::text[]", "[]"),
        (column("text[]", item="text"), "ARRAY[]::text[]", "[]"),
        (column("jsonb"), "'{}'::jsonb", "'{}'"),
        (column("mood"), "'good'::public.mood", "'good'"),
        (column("timestamptz"), "now()", None),
        (column("timestamptz"), "'2024-01-01'::timestamptz", None),
        (column("uuid"), "gen_random_uuid()", None),
        (column("int8"), "nextval('x_seq'::regclass)", None),
        (column("text"), "CURRENT_USER", None),
    ],
)
def test_a_default_is_a_choice_unless_it_is_of_the_run(
    source: CatalogColumn, text: str, default: str | None
) -> None:
    assert default_sql(replace(source, default=text), "") == default


def test_renames_are_of_tables_or_of_columns() -> None:
    renames = read_renames(["a=b", "app.orders=orders", "a.x=b.y", "app.orders.n=orders.m"])
    assert renames.tables == {"a": "b", "app.orders": "orders"}
    assert renames.columns == {("a", "x"): ("b", "y"), ("app.orders", "n"): ("orders", "m")}
    for wrong in ("a", "=b", "a=", "x=b.y", "a.x=b."):
        with pytest.raises(UserError) as error:
            read_renames([wrong])
        assert error.value.exit_code == 2


def test_a_written_schema_keeps_convex_limits() -> None:
    names = [f"f{n}" for n in range(20)]

    def index(*over: str, plain: bool = True) -> CatalogIndex:
        return CatalogIndex(
            name="x", columns=over, unique=False, plain=plain, of_constraint=False, definition=""
        )

    table = table_of("Old Orders!", "id", "Name", "name", "_x", *names)
    indexes = [index("id"), index("id"), index(*names), index(), index("f9", plain=False)]
    indexes += [index("name", name) for name in (*names, "Name")]
    indexes += [index("Name", name) for name in names]
    table = replace(table, key=("f0", "f1"), indexes=tuple(indexes))
    key = ForeignKey(
        name="x",
        columns=("k",),
        parent=table.place,
        parent_columns=("f0",),
        on_delete="cascade",
        definition="",
    )
    other = replace(table_of("old_orders", "k"), foreign_keys=(key,))
    catalog = Catalog(tables={table.place: table, other.place: other})
    text = schema_text(catalog, ["public"], "keep", Renames()).text
    lines = [line.strip() for line in text.partition("old_orders")[0].splitlines()]
    assert lines.count('.index("by_id_2", ["id"])') == 1
    index_lines = [line.rstrip(",") for line in lines if line.startswith(".index(")]
    assert len(index_lines) == 32
    assert len({line.partition(", ")[2] for line in index_lines}) == 32
    assert not any(line.endswith('["f9"])') for line in index_lines)
    fields = [line.partition(":")[0] for line in lines if line.endswith(": v.number(),")]
    assert fields[:4] == ["id", "Name", "name_2", "x"]
    assert "Old_Orders_: defineTable({" in lines
    # Only a foreign key to the whole primary key is an id.
    assert "k: v.number()," in text.partition("old_orders: defineTable({")[2]


def table_of(name: str, *columns: str) -> CatalogTable:
    columns_by_name = {
        each: replace(column("int4", not_null=True), name=each, staged=each) for each in columns
    }
    return CatalogTable(schema="public", name=name, columns=columns_by_name, key=(columns[0],))

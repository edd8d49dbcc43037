"""The table torture.types: every type of Postgres at its edges."""

from __future__ import annotations

from tests.extract.support import Database

OWN_TYPES = """
CREATE TYPE torture.mood AS ENUM ('ok', 'not "ok"', 'a,b', '', 'ünwell');
CREATE DOMAIN torture.positive AS int8 CHECK (VALUE > 0);
CREATE DOMAIN torture.small_positive AS torture.positive;
CREATE DOMAIN torture.email AS text;
CREATE DOMAIN torture.moody AS torture.mood;
CREATE DOMAIN torture.moment AS timestamptz;
CREATE DOMAIN torture.document AS json;
CREATE TYPE torture.pair AS (a int, "b c" text, m torture.mood);
CREATE TYPE torture.nested AS (p torture.pair, list int[], at timestamptz);
CREATE DOMAIN torture.pair_domain AS torture.pair;
CREATE TYPE torture.span AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE TYPE torture."Odd.Type" AS ENUM ('x', 'Y');
CREATE DOMAIN torture.address AS inet;
CREATE DOMAIN torture.home AS torture.address;
CREATE DOMAIN torture.code AS char(5);
CREATE DOMAIN torture.flag AS bool;
CREATE DOMAIN torture.share AS real;
CREATE DOMAIN torture.codes AS char(3)[];
CREATE TYPE torture.printed AS (ip inet, code char(4), flag bool, share real, cash money);
CREATE TYPE torture.loud AS (a int, b int);
CREATE FUNCTION torture.shout(torture.loud) RETURNS text LANGUAGE sql IMMUTABLE
  RETURN 'not what its output function prints';
CREATE CAST (torture.loud AS text) WITH FUNCTION torture.shout(torture.loud);
"""
# Column → Postgres type, and the edge values of it; the shorter lists end in nulls.
EDGES: dict[str, tuple[str, list[str | None]]] = {
    # numbers
    "c_int2": ("int2", ["0", "-32768", "32767", None]),
    "c_int4": ("int4", ["0", "-2147483648", "2147483647"]),
    "c_int8": ("int8", ["0", "-9223372036854775808", "9223372036854775807", "9007199254740993"]),
    "c_float4": ("float4", ["0", "-0", "0.1", "NaN", "Infinity", "-Infinity", "1e-45",
                            "3.4028235e38"]),
    "c_float8": ("float8", ["-0", "0.1", "NaN", "Infinity", "-Infinity", "5e-324",
                            "1.7976931348623157e308", "123456789.123456789"]),
    "c_numeric": ("numeric", ["0.10", "NaN", "Infinity", "-Infinity", "1e300", "1e-300",
                              "-12345678901234567890123456789.123456789012345678901234567890"]),
    "c_numeric_12_2": ("numeric(12,2)", ["0", "-0.10", "9999999999.99", "NaN"]),
    "c_numeric_wide": ("numeric(1000,500)", ["1", "-0.5", "1e499"]),
    "c_numeric_negative_scale": ("numeric(3,-5)", ["12300000", "-99900000"]),
    "c_money": ("money", ["$1,234.50", "-0.01", "92233720368547758.07"]),
    "c_oid": ("oid", ["0", "4294967295"]),
    "c_xid8": ("xid8", ["18446744073709551615"]),
    "c_pg_lsn": ("pg_lsn", ["0/0", "FFFFFFFF/FFFFFFFF"]),
    "c_bool": ("bool", ["true", "false", None]),
    # texts
    "c_text": ("text", ["", " ", "null", "NULL", "a\nb\t\"c\"\\,{}", "é🎉\u2028", ", \n {", "[]"]),
    "c_varchar": ("varchar(12)", ["", "é🎉", "trailing  "]),
    "c_char": ("char(6)", ["", "ab", "é", "  x"]),
    "c_char_1": ('"char"', ["", "a", " ", "\\"]),
    "c_name": ("name", ["", "Some Name"]),
    "c_bytea": ("bytea", ["\\x", "\\x00", "\\xff00ff", "\\x5c786161", None]),
    "c_uuid": ("uuid", ["00000000-0000-0000-0000-000000000000",
                        "ffffffff-ffff-ffff-ffff-ffffffffffff", None]),
    "c_xid": ("xid", ["4294967295"]),
    "c_tid": ("tid", ["(4294967295,65535)"]),
    "c_pg_snapshot": ("pg_snapshot", ["10:20:10,14,15"]),
    # times
    "c_date": ("date", ["1970-01-01", "1969-12-31", "4713-01-01 BC", "0001-12-31 BC",
                        "12345-06-07", "5874897-12-31", "infinity", "-infinity"]),
    "c_timestamp": ("timestamp", ["1969-12-31 23:59:59.999999", "0044-03-15 12:00:00.5 BC",
                                  "4714-11-24 00:00:00 BC", "12345-06-07 08:09:10.000001",
                                  "294246-12-31 23:59:59.999999", "infinity", "-infinity",
                                  "2024-02-29 12:34:56.1"]),
    "c_timestamptz": ("timestamptz", ["1970-01-01 00:00:00+00", "2024-06-01 00:00:00.12+09:30",
                                      "0044-03-15 12:00:00+00 BC", "12345-06-07 08:09:10+00",
                                      "294246-12-31 23:59:59.999999+00", "infinity", "-infinity",
                                      "0001-01-01 00:00:00+00 BC"]),
    "c_time": ("time", ["00:00:00", "24:00:00", "23:59:59.999999"]),
    "c_timetz": ("timetz", ["00:00:00+15:59", "24:00:00-15:59", "12:00:00.5+05:30"]),
    "c_interval": ("interval", ["0", "1 year -2 days 03:04:05.678", "178000000 years",
                                "2562047788:00:54.775807", "-1 mon +1 day"]),
    # documents
    "c_json": ("json", ["null", '{"b" : 1,\n "a":1, "a":2}', "[1E5, 1e400, -0]", '" \\u00e9"', None,
                        "12345678901234567890.1234567890", '{"half": "\\ud83d"}', '"\\u0000"']),
    "c_jsonb": ("jsonb", ["null", '{"b": 1.10, "a": [null, "},{"], "a": 2}', '"text"', "1e5", None,
                          "12345678901234567890.1234567890", "{}"]),
    "c_jsonpath": ("jsonpath", ["$.a[*] ? (@ > 1)"]),
    "c_xml": ("xml", [None]),
    # arrays
    "c_ints": ("int[]", ["{}", "{1,NULL,-3}", "{{1,2},{3,NULL}}", "[2:4]={1,2,3}",
                         "[-1:0][5:6]={{1,2},{3,4}}", "{{{1}},{{2}}}"]),
    "c_texts": ("text[]", ["{}", '{"a,b",NULL,"NULL","\\"\\\\",""}', "{{a,b},{c,d}}", "[0:0]={x}"]),
    "c_floats": ("float8[]", ["{NaN,Infinity,-0,0.1}"]),
    "c_numerics": ("numeric[]", ["{NaN,1.10,12345678901234567890.123}"]),
    "c_moments": ("timestamptz[]", ['{infinity,"0044-03-15 12:00:00+00 BC"}']),
    "c_days": ("date[]", ["{-infinity,12345-06-07}"]),
    "c_documents": ("json[]", ['{"{\\"half\\": \\"\\\\ud83d\\"}",NULL}']),
    "c_jsons": ("jsonb[]", ['{"null",NULL,"{\\"a\\": 1}"}']),
    "c_blobs": ("bytea[]", ['{"\\\\x00ff",NULL}']),
    "c_uuids": ("uuid[]", ["{00000000-0000-0000-0000-000000000000}"]),
    "c_int2vector": ("int2vector", ["", "1 2 -3"]),
    "c_oidvector": ("oidvector", ["4294967295 0"]),
    "c_inets": ("inet[]", ['{203.0.113.7,10.0.0.1/24,::1,NULL}']),
    "c_chars": ("char(5)[]", ['{ab,"",abcde,NULL}', "{{a,b},{c,d}}"]),
    "c_letters": ('"char"[]', ['{a,"",\\\\}']),
    "c_bools": ("bool[]", ["{t,f,NULL}"]),
    "c_reals": ("real[]", ["{0.1,-0,NaN,1e-45,0.33333334,Infinity}"]),
    "c_cash": ("money[]", ['{"$1,234.50",-0.01}']),
    "c_spans_of_time": ("interval[]", ['{"1 year -2 days 03:04:05.678",0}']),
    "c_times": ("timetz[]", ["{24:00:00-15:59}"]),
    "c_bits": ("bit(3)[]", ["{101,000}"]),
    "c_nets": ("cidr[]", ["{10.0.0.0/8,10.0.0.1/32}"]),
    "c_names": ("name[]", ['{"Some Name",""}']),
    # ranges
    "c_int4range": ("int4range", ["empty", "[1,10)", "(,5)", "(,)"]),
    "c_int8range": ("int8range", ["[-9223372036854775808,9223372036854775807)"]),
    "c_numrange": ("numrange", ["(1.10,NaN]", "[-Infinity,Infinity]"]),
    "c_tsrange": ("tsrange", ["[-infinity,infinity]", '["2024-01-01 00:00:00.5",)']),
    "c_tstzrange": ("tstzrange", ['("0044-03-15 12:00:00+00 BC","2024-01-01 00:00:00+09:30"]']),
    "c_daterange": ("daterange", ["[2024-01-01,infinity]"]),
    "c_int4multirange": ("int4multirange", ["{}", "{[1,3),[5,9)}"]),
    "c_tstzmultirange": ("tstzmultirange", ['{["2024-01-01 00:00:00+00",)}']),
    "c_span": ("torture.span", ["[0.1,NaN]", "empty"]),
    "c_spans": ("torture.span[]", ['{"[0.1,0.2)",empty}']),
    # networks, bits, search, shapes
    "c_inet": ("inet", ["10.0.0.1/8", "::1", "::ffff:1.2.3.4/128", "192.168.0.1",
                        "203.0.113.7", "203.0.113.7/24", "::/0"]),
    "c_cidr": ("cidr", ["10.0.0.0/8", "2001:db8::/32", "10.0.0.1", "::/0"]),
    "c_macaddr": ("macaddr", ["08:00:2b:01:02:03"]),
    "c_macaddr8": ("macaddr8", ["08:00:2b:01:02:03:04:05"]),
    "c_bit": ("bit(5)", ["10101", "00000"]),
    "c_varbit": ("varbit", ["", "1", "000111"]),
    "c_tsvector": ("tsvector", ["", "a fat cat", "'it''s':1A,2B 'x y':3"]),
    "c_tsquery": ("tsquery", ["fat & (rat | !cat)", "'a b':*A <-> c"]),
    "c_point": ("point", ["(0.1,-0)", "(NaN,Infinity)"]),
    "c_line": ("line", ["{1,-1,0.1}"]),
    "c_lseg": ("lseg", ["[(0,0),(0.1,1)]"]),
    "c_box": ("box", ["(1,1),(0,0.1)"]),
    "c_boxes": ("box[]", ["{(1,1),(0,0);(2,2),(0,0)}"]),
    "c_path": ("path", ["[(0,0),(1,1)]", "((0,0),(0.1,1))"]),
    "c_polygon": ("polygon", ["((0,0),(1,1),(1,0))"]),
    "c_circle": ("circle", ["<(0.1,0),1e300>"]),
    "c_vector": ("extensions.vector(3)", ["[1,2.5,-0.1]"]),
    "c_halfvec": ("extensions.halfvec", ["[1,0.1]"]),
    "c_sparsevec": ("extensions.sparsevec(5)", ["{1:1.5,3:2}/5"]),
    # of the user
    "c_mood": ("torture.mood", ["ok", 'not "ok"', "a,b", "", "ünwell"]),
    "c_moods": ("torture.mood[]", ['{ok,"a,b",NULL,"","not \\"ok\\""}']),
    "c_odd_type": ('torture."Odd.Type"', ["x", "Y"]),
    "c_positive": ("torture.positive", ["1", "9223372036854775807"]),
    "c_small_positive": ("torture.small_positive", ["9007199254740993"]),
    "c_email": ("torture.email", ["", "a@b"]),
    "c_moody": ("torture.moody", ["a,b"]),
    "c_moment": ("torture.moment", ["infinity", "2024-06-01 00:00:00.12+09:30"]),
    "c_document": ("torture.document", ["null", '{"a":1, "a":2}']),
    "c_positives": ("torture.positive[]", ["{1,2}"]),
    "c_pair": ("torture.pair", ["(,,)", '(1,"a ""b"", (c)",ok)', '(-1,"",)']),
    "c_pairs": ("torture.pair[]", ['{"(1,x,ok)",NULL}']),
    "c_pair_domain": ("torture.pair_domain", ["(7,seven,)"]),
    "c_nested": ("torture.nested", ['("(1,x,ok)","{1,NULL}",infinity)']),
    "c_address": ("torture.address", ["203.0.113.7", "10.0.0.1/24"]),
    "c_home": ("torture.home", ["203.0.113.7"]),
    "c_addresses": ("torture.address[]", ["{203.0.113.7}"]),
    "c_code": ("torture.code", ["", "ab", "abcde"]),
    "c_codes": ("torture.codes", ["{a,bc}"]),
    "c_flag": ("torture.flag", ["t", "f"]),
    "c_share": ("torture.share", ["0.1", "-0", "NaN"]),
    "c_printed": ("torture.printed", ['(203.0.113.7,ab,t,0.1,"$1,234.50")', "(,,,,)"]),
    "c_loud": ("torture.loud", ["(1,2)", "(,)"]),
    # names of Postgres' own things, which depend on the search path
    "c_regclass": ("regclass", ["torture.numbers", "pg_class", "public.things"]),
    "c_regtype": ("regtype", ["torture.mood", 'torture."Odd.Type"', "int4"]),
    "c_regtypes": ("regtype[]", ['{torture.mood,"character varying"}']),
    "c_regprocedure": ("regprocedure", ["torture.shout(torture.loud)"]),
    "c_regnamespace": ("regnamespace", ["torture"]),
    "c_regoperator": ("regoperator", ["+(integer,integer)"]),
}  # fmt: skip
ROWS = max(len(values) for _, values in EDGES.values()) + 1


def make_torture(database: Database) -> None:
    """Make the table; its last row is all null."""
    database.sql(OWN_TYPES)
    database.sql("CREATE TABLE torture.numbers (); CREATE TABLE public.things ()")
    columns = ", ".join(f"{name} {kind}" for name, (kind, _) in EDGES.items())
    database.sql(f"CREATE TABLE torture.types (n int PRIMARY KEY, {columns})")
    holes = ", ".join(f"%s::text::{kind}" for kind, _ in EDGES.values())
    for n in range(ROWS):
        row = [values[n] if n < len(values) else None for _, values in EDGES.values()]
        insert = f"INSERT INTO torture.types VALUES ({n}, {holes})"
        database.owner.execute(insert.encode(), row)


def copied(database: Database, items: list[str]) -> list[list[str | None]]:
    """What `COPY … TO` prints of these items of a SELECT, a list for each of them."""
    sql = f"COPY (SELECT {', '.join(items)} FROM torture.types ORDER BY n) TO STDOUT"
    with database.owner.cursor() as cursor, cursor.copy(sql.encode()) as copy:
        return [list(column) for column in zip(*copy.rows(), strict=True)]

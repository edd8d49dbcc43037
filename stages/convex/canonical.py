"""JSON → its canonical form, set-wise in DuckDB: keys sorted, numbers as float64.

Two JSON texts mean the same to Convex if and only if their canonical forms are equal. The form is
Convex's encoded JSON, ready to be sent. What Convex can't hold is reported, never changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.convex.layouts import Layout, fitted_sql, sampled
from stages.convex.relations import CANONICAL_JSON
from stages.limits import ARRAY_ITEMS, DOCUMENT_NESTING, FIELD_NAME_LENGTH, OBJECT_FIELDS
from stages.rules import Rule
from stages.sql import Relation, first_row, name_sql

if TYPE_CHECKING:
    import duckdb

# A JSON string, or a number.
TOKENS = r'"(?:[^"\\]|\\.)*"|-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?'
# Most texts have no such number, nor a string that looks like one; only the others are tokenized.
LONG = r"(?:^|[:,\[])\s*-?(?:[0-9.]{15}|[0-9.]+[eE])"
# How often to look for a layout in the texts that are left; what general queries cost, see below;
# and the share of texts that a layout must fit to look for another.
ROUNDS = 4
PLANNED = 2000
WORTHWHILE = 0.1


def canonicalise(connection: duckdb.DuckDBPyConnection, table: str, selects: list[str]) -> None:
    """Make the temporary table `table(text, canonical, size, problem)`.

    `selects` are queries of one VARCHAR column `text` with JSON; each distinct text is read once.
    `size` is Convex's size in bytes. `problem` is NULL, or "rule: reason" of the first thing that
    Convex can't hold: field_name, duplicate_key, inexact_number, nesting, too_many. Encoded JSON
    from Convex is accepted too: a problem is reported for its `$float` objects, but they are kept.
    """
    texts = f"(SELECT text FROM ({' UNION ALL '.join(selects)}) WHERE text IS NOT NULL)"
    source, left = texts, int(first_row(connection, f"SELECT count(*) FROM {texts}")[0])
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {table} "
        "(text VARCHAR, canonical VARCHAR, size BIGINT, problem VARCHAR)"
    )
    for _ in range(ROUNDS):
        layout = sampled(connection, source) if left else None
        # Planning a character of SQL takes about as long as one text takes the general way, whose
        # own queries take as long as some thousands of texts.
        if not layout or len(fitted_sql(layout, "")) > left + PLANNED:
            break
        before, left = left, by_layout(connection, table, layout, source)
        source = f"{table}_texts"
        if before - left < before * WORTHWHILE:
            break
    if left:
        by_any_layout(connection, table, source)
    connection.execute(f"DROP TABLE IF EXISTS {table}_texts")


def place_inexact(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    """Append the place of each inexact number in `table` to its problem: ` at $.prices[0]`."""
    which = f"problem LIKE '{Rule.INEXACT_NUMBER}: %'"
    if not first_row(connection, f"SELECT count(*) FROM {table} WHERE {which}")[0]:
        return
    text = "n.value::VARCHAR"
    connection.execute(
        f"UPDATE {table} SET problem = problem || ' at ' || place FROM "
        "(SELECT text AS of, min_by(n.fullkey, n.id) AS place "
        f"FROM (SELECT text FROM {table} WHERE {which}), json_tree(text::JSON) AS n "
        "WHERE n.type IN ('UBIGINT', 'BIGINT', 'HUGEINT', 'UHUGEINT', 'DOUBLE') "
        f"AND (isinf(try_cast({text} AS DOUBLE)) OR {_inexact(text)}) "
        "GROUP BY text) WHERE text = of"
    )


def canonicalise_columns(
    connection: duckdb.DuckDBPyConnection, relation: Relation, columns: list[str]
) -> None:
    """Bring JSON columns of a temporary table into canonical form: one text per value."""
    if not columns:
        return
    texts = [f"SELECT {name_sql(c)}::VARCHAR AS text FROM {relation}" for c in columns]
    canonicalise(connection, CANONICAL_JSON.name, texts)
    for column in columns:
        connection.execute(
            f"UPDATE {relation} SET {name_sql(column)} = c.canonical FROM {CANONICAL_JSON} c "
            f"WHERE c.text = {relation}.{name_sql(column)}::VARCHAR"
        )


def by_layout(
    connection: duckdb.DuckDBPyConnection, table: str, layout: Layout, source: str
) -> int:
    """Add to `table` the texts of `source` that fit the layout.

    Returns how many do not; they are left in the table `<table>_texts(text)`.
    """
    run = connection.execute
    fitted = fitted_sql(layout, f"(SELECT DISTINCT text FROM {source})")
    rows = f"SELECT text, canonical, size, {_inexact_problem('text')} AS problem FROM ({fitted})"
    run(f"INSERT INTO {table} {rows}")
    # CREATE … AS returns how many rows it has made.
    (left,) = first_row(
        connection,
        f"CREATE OR REPLACE TEMP TABLE {table}_texts AS "
        f"SELECT text FROM {table} WHERE canonical IS NULL",
    )
    if left:
        run(f"DELETE FROM {table} WHERE canonical IS NULL")
    return int(left)


def by_any_layout(connection: duckdb.DuckDBPyConnection, table: str, source: str) -> None:
    """Add to `table` all texts of `source`, whatever their layout: one row per JSON node."""
    run = connection.execute
    run(
        f"CREATE OR REPLACE TEMP TABLE {table}_docs AS "
        f"SELECT row_number() OVER () AS doc, text FROM (SELECT DISTINCT text FROM {source})"
    )
    run(
        f"CREATE OR REPLACE TEMP TABLE {table}_nodes AS "
        "SELECT doc, n.id, n.parent, n.key, n.type, "
        "CASE WHEN n.type NOT IN ('OBJECT', 'ARRAY') THEN n.value END AS leaf "
        f"FROM {table}_docs, json_tree(text::JSON) AS n"
    )
    depth = _levels(connection, table)
    for level in range(depth, -1, -1):
        _fold(connection, table, level, last=level == depth)
    run(
        f"INSERT INTO {table} SELECT t.text, f.canonical, f.size, coalesce("
        f"CASE WHEN f.depth > {DOCUMENT_NESTING - 1} "
        f"THEN '{Rule.NESTING}: deeper than {DOCUMENT_NESTING} levels' END, f.problem, "
        f"{_inexact_problem('t.text')}) FROM {table}_docs t JOIN {table}_folded_0 f USING (doc)"
    )
    for level in range(depth + 1):
        run(f"DROP TABLE {table}_level_{level}; DROP TABLE {table}_folded_{level}")
    run(f"DROP TABLE {table}_nodes; DROP TABLE {table}_docs")


def _levels(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    """Make one table per level of nesting; returns the deepest level."""
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {table}_level_0 AS "
        f"SELECT * FROM {table}_nodes WHERE parent IS NULL"
    )
    level = 0
    while True:
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {table}_level_{level + 1} AS "
            f"SELECT n.* FROM {table}_nodes n "
            f"JOIN {table}_level_{level} p ON n.doc = p.doc AND n.parent = p.id"
        )
        (nodes,) = first_row(connection, f"SELECT count(*) FROM {table}_level_{level + 1}")
        if not nodes:
            connection.execute(f"DROP TABLE {table}_level_{level + 1}")
            return level
        level += 1


def _fold(connection: duckdb.DuckDBPyConnection, table: str, level: int, *, last: bool) -> None:
    """Canonical form of every node of a level, from those of the level below."""
    children = (
        f"SELECT doc, parent AS id, "
        "string_agg(to_json(key)::VARCHAR || ':' || canonical, ',' ORDER BY key) AS as_object, "
        "string_agg(canonical, ',' ORDER BY id) AS as_array, "
        "sum(size) AS size, sum(strlen(key) + 1) AS names, count(*) AS n, "
        "count(DISTINCT key) AS n_keys, max(depth) AS depth, min(problem) AS problem, "
        f"min(CASE WHEN key LIKE '$%' THEN '{Rule.FIELD_NAME}: a key begins with $' "
        "WHEN NOT regexp_full_match(key, '[\\x20-\\x7e]*') "
        f"THEN '{Rule.FIELD_NAME}: a key has characters that are not printable ASCII' "
        "WHEN key = '__proto__' "
        f"THEN '{Rule.FIELD_NAME}: a key is __proto__, which is special in JavaScript' "
        f"WHEN key = '' THEN '{Rule.FIELD_NAME}: a key is empty' "
        f"WHEN key LIKE '\\_%' ESCAPE '\\' THEN '{Rule.FIELD_NAME}: a key begins with _' "
        f"WHEN strlen(key) > {FIELD_NAME_LENGTH} THEN '{Rule.FIELD_NAME}: a key is too long' END) "
        "AS bad_name "
        f"FROM {table}_folded_{level + 1} GROUP BY doc, parent"
    )
    join = "" if last else f"LEFT JOIN ({children}) c ON c.doc = l.doc AND c.id = l.id"
    if last:
        join = (
            "LEFT JOIN (SELECT NULL::BIGINT AS doc, NULL::UBIGINT AS id, NULL::VARCHAR AS "
            "as_object, NULL::VARCHAR AS as_array, NULL::HUGEINT AS size, NULL::HUGEINT AS names, "
            "NULL::BIGINT AS n, NULL::BIGINT AS n_keys, NULL::BIGINT AS depth, "
            "NULL::VARCHAR AS problem, NULL::VARCHAR AS bad_name WHERE false) c "
            "ON c.doc = l.doc AND c.id = l.id"
        )
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {table}_folded_{level} AS "
        "SELECT l.doc, l.id, l.parent, l.key, "
        "CASE l.type WHEN 'OBJECT' THEN '{' || coalesce(c.as_object, '') || '}' "
        "WHEN 'ARRAY' THEN '[' || coalesce(c.as_array, '') || ']' "
        "WHEN 'VARCHAR' THEN l.leaf::VARCHAR "
        "WHEN 'BOOLEAN' THEN l.leaf::VARCHAR "
        "WHEN 'NULL' THEN 'null' "
        "ELSE encode_float(try_cast(l.leaf ->> '$' AS DOUBLE)) END AS canonical, "
        "CASE l.type WHEN 'OBJECT' THEN 2 + coalesce(c.size + c.names, 0) "
        "WHEN 'ARRAY' THEN 2 + coalesce(c.size, 0) "
        "WHEN 'VARCHAR' THEN 2 + strlen(l.leaf ->> '$') "
        "WHEN 'BOOLEAN' THEN 1 WHEN 'NULL' THEN 1 ELSE 9 END AS size, "
        "CASE WHEN l.type IN ('OBJECT', 'ARRAY') THEN 1 + coalesce(c.depth, 0) ELSE 0 END "
        "AS depth, "
        "CASE l.type "
        "WHEN 'OBJECT' THEN CASE WHEN c.bad_name IS NOT NULL THEN c.bad_name "
        f"WHEN c.n_keys < c.n THEN '{Rule.DUPLICATE_KEY}: an object has a key twice' "
        f"WHEN c.n > {OBJECT_FIELDS} "
        f"THEN '{Rule.TOO_MANY}: an object has more than {OBJECT_FIELDS} fields' "
        "ELSE c.problem END "
        f"WHEN 'ARRAY' THEN CASE WHEN c.n > {ARRAY_ITEMS} "
        f"THEN '{Rule.TOO_MANY}: an array has more than {ARRAY_ITEMS} items' ELSE c.problem END "
        "WHEN 'VARCHAR' THEN NULL WHEN 'BOOLEAN' THEN NULL WHEN 'NULL' THEN NULL "
        "ELSE CASE WHEN isinf(try_cast(l.leaf ->> '$' AS DOUBLE)) "
        f"THEN '{Rule.INEXACT_NUMBER}: a number is beyond float64' END END AS problem "
        f"FROM {table}_level_{level} l {join}"
    )


def _inexact_problem(text: str) -> str:
    """SQL: the problem of a text with a number that float64 can't hold exactly, else NULL."""
    return (
        f"CASE WHEN regexp_matches({text}, '{LONG}') AND {_inexact(text)} "
        f"THEN '{Rule.INEXACT_NUMBER}: a number has more digits than float64 holds' END"
    )


def _inexact(text: str) -> str:
    """SQL: whether some number in a JSON text is not the float64 that it is read as.

    A number is exact if its significant digits are those that the float prints: both have the same
    magnitude, so nothing else can differ. Up to 15 digits without an exponent are always exact.
    """
    token = f"regexp_extract_all({text}, '{TOKENS}')"
    return (
        f"list_bool_or(list_transform(list_filter({token}, lambda n: NOT starts_with(n, '\"') "
        "AND (length(n) > 15 OR regexp_matches(n, '[eE]'))), "
        f"lambda n: {_significant('n')} <> {_significant('n::DOUBLE::VARCHAR')}))"
    )


def _significant(number: str) -> str:
    """SQL: a number's digits, without sign, dot, exponent, and zeros at both ends."""
    digits = f"regexp_replace(regexp_replace({number}, '[eE].*$', ''), '[-.]', '', 'g')"
    return f"trim({digits}, '0')"

"""int64, bytes and special floats inside JSON, as one string each while SQL works on them.

Convex's encoded JSON writes them as objects, such as {"$integer": "AQAAAAAAAAA="}. Marked, such an
object is one string that begins with a private-use character of Unicode, so that it is a leaf like
any other; a string in the data that begins with it is refused (see `ambiguous_sql`).
"""

from __future__ import annotations

MARK = "\uf8ff"
WRAPPERS = {"integer": "i", "bytes": "b", "float": "f"}
KINDS = {"i": "INTEGER", "b": "BYTES", "f": "FLOAT"}
SPECIAL = ("AAAAAAAA+H8=", "AAAAAAAA8H8=", "AAAAAAAA8P8=", "AAAAAAAAAIA=")
EIGHT_BYTES = "[A-Za-z0-9+/]{10}[AEIMQUYcgkosw048]="
BASE64 = "([A-Za-z0-9+/]{4})*([A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?"


def marked_sql(text: str) -> str:
    """SQL of a JSON text with every wrapper as a marked string. A quote inside a string is escaped,
    so that only a wrapper matches."""
    sql = text
    for name, sign in WRAPPERS.items():
        pattern = rf'\{{\s*"\${name}"\s*:\s*"([A-Za-z0-9+/=]*)"\s*\}}'
        sql = f"regexp_replace({sql}, '{pattern}', '\"{MARK}{sign}\\1\"', 'g')"
    return f"CASE WHEN contains({text}, '\"$') THEN {sql} ELSE {text} END"


def unmarked_sql(text: str) -> str:
    """SQL of the encoded JSON of a marked text."""
    sql = text
    for name, sign in WRAPPERS.items():
        wrapper = f'{{"${name}":"\\1"}}'
        sql = f"regexp_replace({sql}, '\"{MARK}{sign}([^\"]*)\"', '{wrapper}', 'g')"
    return f"CASE WHEN contains({text}, '{MARK}') THEN {sql} ELSE {text} END"


def ambiguous_sql(text: str) -> str:
    """SQL: whether a JSON text, not marked yet, has a string that would be taken for a mark."""
    escaped = f"contains({text}, '\\u') AND regexp_matches({text}, '(?i)\"\\\\uf8ff')"
    return f"(contains({text}, '\"{MARK}') OR ({escaped}))"


def kind_sql(value: str) -> str:
    """SQL of the kind of a marked JSON value: NULL, BOOLEAN, STRING, NUMBER, ARRAY, OBJECT, or, if
    it is a mark, INTEGER, BYTES or FLOAT."""
    marks = " ".join(
        f"WHEN starts_with({value}::VARCHAR, '\"{MARK}{sign}') THEN '{kind}'"
        for sign, kind in KINDS.items()
    )
    return (
        f"CASE json_type({value}) WHEN 'VARCHAR' THEN CASE {marks} ELSE 'STRING' END "
        f"WHEN 'NULL' THEN 'NULL' WHEN 'BOOLEAN' THEN 'BOOLEAN' WHEN 'ARRAY' THEN 'ARRAY' "
        f"WHEN 'OBJECT' THEN 'OBJECT' ELSE 'NUMBER' END"
    )


def payload_sql(value: str) -> str:
    """SQL of the base64 text of a marked JSON value."""
    return f"substr({value} ->> '$', 3)"


def excess_sql(text: str) -> str:
    """SQL of how many bytes more a marked text has by Convex's size rule than what it stands for.

    A marked float or int64 is a string of 2 + 4 + 12 bytes instead of 9, and bytes are their base64
    after a mark of 4 bytes.
    """
    fixed = f"9 * len(regexp_extract_all({text}, '\"{MARK}[if]'))"
    payloads = f'regexp_extract_all({text}, \'"{MARK}b([^"]*)"\', 1)'
    decoded = "(strlen(b) // 4 * 3 - (strlen(b) - strlen(rtrim(b, '='))))"
    texts = f"list_transform({payloads}, lambda b: 4 + strlen(b) - {decoded})"
    return (
        f"CASE WHEN contains({text}, '{MARK}') "
        f"THEN {fixed} + coalesce(list_sum({texts}), 0)::BIGINT ELSE 0 END"
    )

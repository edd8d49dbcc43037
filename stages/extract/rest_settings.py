"""What the output settings of the server's roles do to values over REST, which can't change them.

`extra_float_digits` is 0 on Supabase, and floats then come with 15 digits. No request can change
that, so each response has to prove its floats. One number with more digits than the setting 0
prints proves every column of its response, since one connection made it. Such a number is requested
beside the rows: `hash_record` of the row as a `real`, which has more than 6 digits for nearly every
row. If that is not available, a float with more than 15 digits proves the same. Otherwise each
value is compared: no row in the page's key range may have a value other than those printed.

The other settings show in the values themselves.
Source: PostgREST's source; Postgres' documentation of the settings.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from stages.errors import TableFailed
from stages.extract.types import ALIASES, Column

if TYPE_CHECKING:
    import pyarrow as pa

PROOF = "hash_record"
# The digits that Postgres prints if extra_float_digits is 0.
REAL_DIGITS = 6
DOUBLE_DIGITS = 15
SHAPES = {"point", "line", "lseg", "box", "path", "polygon", "circle"}
# Types of extensions whose texts do not depend on the setting.
WITHOUT_FLOATS = {
    "citext", "hstore", "ltree", "lquery", "ltxtquery", "vector", "halfvec", "sparsevec",
    "geometry", "geography", "isbn", "issn", "upc", "ean13",
}  # fmt: skip


def may_lose_digits(column: Column) -> bool:
    """Whether a column's values hold floats that may lose digits, judging by the type's name.

    A `real` that comes as a double can't. A user-defined type may contain floats.
    """
    if column.rule.rest_cast == "float8" or column.labels is not None:
        return False
    name = _element(column)
    if ALIASES.get(name, name) in ("float4", "float8") or name in SHAPES:
        return True
    return "." in name and name.rpartition(".")[2].strip('"') not in WITHOUT_FLOATS


def digits_without(column: Column) -> int | None:
    """How many digits of a column's numbers are printed if extra_float_digits is 0; None unless its
    values are plain floats."""
    if column.type.endswith("[]"):
        return None
    if column.rule.rest_cast == "float8":
        return DOUBLE_DIGITS
    name = ALIASES.get(_element(column), _element(column))
    return {"float8": DOUBLE_DIGITS, "float4": REAL_DIGITS}.get(name)


def can_be_compared(column: Column) -> bool:
    """Whether `=` compares whole values: for geometric types it does not, or does not exist."""
    return _element(column) not in SHAPES


def _element(column: Column) -> str:
    return re.sub(r"\(.*\)", "", column.type).removesuffix("[]")


def has_all_digits(numbers: pa.Array, digits: int) -> bool:
    """Whether any of these doubles, or their texts, has more than `digits` significant digits."""
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = pc.replace_substring_regex(numbers.cast(pa.string()), "e.*$", "")
    texts = pc.replace_substring_regex(texts, "[^0-9]", "")
    lengths = pc.utf8_length(pc.utf8_trim(texts, "0"))
    return bool(pc.any(pc.greater(lengths, digits)).as_py())


# ── the other settings ──────────────────────────────────────────────────────────────────────

_DAY = r"\d{4,}-\d\d-\d\d(?: \d\d:\d\d:\d\d(?:\.\d+)?(?:[+-]\d\d(?::\d\d){0,2})?)?(?: BC)?"
_MOMENT = rf"(?:-?infinity|{_DAY})"
_INTERVAL = (
    r"(?:-?infinity|"
    r"(?:[+-]?\d+ years?)?(?: ?[+-]?\d+ mons?)?(?: ?[+-]?\d+ days?)?"
    r"(?: ?[+-]?\d{2,}:\d\d:\d\d(?:\.\d+)?)?)"
)
_MOMENTS = {"date", "timestamp", "timestamptz"}
_RANGES = {"daterange", "tsrange", "tstzrange", "datemultirange", "tsmultirange", "tstzmultirange"}
# Setting → the value that is needed, as written in SQL.
NEEDED = {"bytea_output": "hex", "intervalstyle": "postgres", "datestyle": "ISO, MDY"}


class OtherSetting(TableFailed):
    """A value is printed under a server setting that can't be read."""

    def __init__(self, column: str, setting: str) -> None:
        super().__init__(
            f"over REST, column `{column}` is not printed with {setting} = {NEEDED[setting]!r}",
            f"{alter(setting, NEEDED[setting])}; or set SUPABASE_DB_URL",
        )


def alter(setting: str, value: str) -> str:
    """How to set it for the key's role, whose settings PostgREST applies in each transaction.

    Those of its own role, `authenticator`, would apply to new connections only.
    """
    value = value if value.isdecimal() else f"'{value}'"
    return (
        f"run in the SQL editor: ALTER ROLE service_role SET {setting} = {value}; "
        "NOTIFY pgrst, 'reload config'"
    )


def depends_on_settings(column: Column) -> bool:
    """Whether a column's text depends on a setting that the server's roles may have changed."""
    return may_lose_digits(column) or _printed_form(column) is not None


def check_printed(texts: pa.Array, column: Column) -> None:
    """Raise OtherSetting if values are printed in a form that can't be read, or is misread.

    The text shows the style of its setting: a text that fits two styles means the same in both.
    """
    import pyarrow.compute as pc

    form = _printed_form(column)
    if form is None or not len(texts):
        return
    setting, pattern = form
    if pc.all(pc.match_substring_regex(texts, pattern)).as_py() is False:  # nulls are skipped
        raise OtherSetting(column.name, setting)


def _printed_form(column: Column) -> tuple[str, str] | None:
    element = _element(column)
    element = ALIASES.get(element, element)
    as_array = column.type.endswith("[]")
    if element == "bytea":
        return "bytea_output", (_array(r"\\\\x[0-9a-f]*") if as_array else r"^\\x")
    if element == "interval":
        return "intervalstyle", _array(_INTERVAL) if as_array else f"^{_INTERVAL}$"
    if element in _MOMENTS and as_array:
        return "datestyle", _array(_MOMENT)
    if element in _MOMENTS and column.as_text:
        return "datestyle", f"^{_MOMENT}$"
    if element in _RANGES and not as_array:
        bounds = rf'empty|[\[(](?:"?{_MOMENT}"?)?,(?:"?{_MOMENT}"?)?[\])]'
        return "datestyle", rf"^(?:{bounds}|[{{}}]|,)*$"
    return None


def _array(element: str) -> str:
    """The pattern of an array's text: bounds, braces, commas, nulls, quoted or bare elements."""
    return rf'^(?:\[[-\d:\[\]]+\]=)?(?:[{{}},]|NULL|"{element}"|{element})*$'

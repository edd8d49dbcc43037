"""Whether a page's floats came with all digits, if its response does not prove it by itself.

The server compares its values with those it printed. The numbers are sent back as they came, and a
number of 15 digits is exactly one float: if no row in the page's key range has another value, all
of them are exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from stages.errors import TableFailed
from stages.extract.catalog import Reading
from stages.extract.reader import UNPROVEN, Key, Span, key_texts
from stages.extract.rest_responses import ErrorResponse, SmallerPage
from stages.extract.rest_select import LINE, encode, key_range, quoted
from stages.extract.rest_settings import alter, can_be_compared, may_lose_digits
from stages.extract.types import Column

if TYPE_CHECKING:
    import pyarrow as pa

FIFTEEN = "15 digits"
# How many new or changed rows to accept while their page is being compared.
NEWCOMERS = 20


class Pages(Protocol):
    """What requests rows: `stages.extract.rest.RestReader`."""

    def page(
        self, reading: Reading, params: dict[str, str], columns: tuple[Column, ...]
    ) -> pa.Table:
        """Rows of a table, with these columns."""


class FloatsUnproven(TableFailed):
    """Floats have lost digits, or may have, and REST can't show the missing ones."""

    def __init__(self, reading: Reading, columns: Sequence[Column], *, lost: bool) -> None:
        names = ", ".join(column.name for column in columns)
        seen = "come" if lost else "may come"
        super().__init__(
            f"{reading.schema}.{reading.name}: floats {seen} with 15 digits only over REST "
            f"(extra_float_digits is 0): {names}",
            f"{alter('extra_float_digits', '1')}; or set SUPABASE_DB_URL; or accept them "
            f'with floats = "{FIFTEEN}" in [sources.{reading.source}]',
        )


def settle_floats(
    pages: Pages, reading: Reading, page: pa.Table, after: Key | None, terms: Sequence[str] = ()
) -> pa.Table:
    """Accept a page that does not prove its floats: they compare equal, or the plan allows it.

    The page starts after the key `after`; `terms` are its other filters. Raises FloatsUnproven if
    the page can't be accepted.
    """
    columns = tuple(column for column in reading.columns if may_lose_digits(column))
    if not columns or not page.num_rows:
        return page
    if reading.floats == FIFTEEN:
        return page.replace_schema_metadata({UNPROVEN: b""})
    # A key that has lost digits can't bound the comparison.
    if any(map(may_lose_digits, reading.key_columns)) or not all(map(can_be_compared, columns)):
        raise FloatsUnproven(reading, columns, lost=False)
    _compare(pages, reading, columns, page, after, terms)
    return page


def _compare(
    pages: Pages,
    reading: Reading,
    columns: tuple[Column, ...],
    page: pa.Table,
    after: Key | None,
    terms: Sequence[str],
) -> None:
    """Raise FloatsUnproven if a row has a value other than those that were printed."""
    printed = {column.name: _texts(page, column) for column in columns}
    span = Span(after=after, until=key_texts(page, reading, page.num_rows - 1))
    for _ in range(NEWCOMERS):
        others = ",".join(_is_other(column, printed[column.name]) for column in columns)
        filters = [*terms, *key_range(reading.key, span), f"or({others})"]
        params = {"and": f"({','.join(filters)})", "limit": "1"}
        row = None
        if len(encode(params.items())) < LINE:
            try:
                row = pages.page(reading, params, columns)
            except ErrorResponse:  # values without an `=` operator
                raise FloatsUnproven(reading, columns, lost=False) from None
            except SmallerPage:
                if page.num_rows == 1:
                    raise
        if row is None:
            _compare_halves(pages, reading, columns, page, after, terms)
            return
        if not row.num_rows:
            return
        values = {column.name: _texts(row, column) for column in columns}
        if all(values[name] <= printed[name] for name in values):
            raise FloatsUnproven(reading, columns, lost=True)
        # A row that was added or changed after the page was read.
        printed = {name: texts | values[name] for name, texts in printed.items()}
    raise FloatsUnproven(reading, columns, lost=False)


def _compare_halves(
    pages: Pages,
    reading: Reading,
    columns: tuple[Column, ...],
    page: pa.Table,
    after: Key | None,
    terms: Sequence[str],
) -> None:
    """Compare a page with more values than fit into one request, half by half."""
    if page.num_rows == 1:
        raise FloatsUnproven(reading, columns, lost=False)
    half = page.num_rows // 2
    _compare(pages, reading, columns, page.slice(0, half), after, terms)
    between = key_texts(page, reading, half - 1)
    _compare(pages, reading, columns, page.slice(half), between, terms)


def _texts(page: pa.Table, column: Column) -> set[str]:
    """The distinct values, as texts that Postgres accepts."""
    import pyarrow as pa

    values = page.column(column.staged).unique().cast(pa.string())
    return {text for text in values.to_pylist() if text is not None}


def _is_other(column: Column, texts: set[str]) -> str:
    name = quoted(column.name)
    if not texts:
        return f"{name}.not.is.null"
    plain = column.rule.form == "float"
    values = sorted(texts) if plain else [quoted(text) for text in sorted(texts)]
    if column.type.endswith("[]"):  # `= ANY` would take the list for elements
        return f"and({','.join(f'{name}.neq.{value}' for value in values)})"
    return f"{name}.not.in.({','.join(values)})"

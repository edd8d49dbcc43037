"""Pages of a table over PostgREST, and its responses to invalid requests."""

from __future__ import annotations

import re
from typing import Any

from stages.extract.catalog import Relation
from stages.extract.rest import PAGE
from stages.extract.rest_select import LINE, encode, quoted
from stages.probe.asking import Answer, Odd, Unanswered, number_in
from stages.probe.checks import Checks, NotChecked, Seen
from stages.probe.project import Project, not_null

PAGINATION = "Supabase 2: pagination"
ERRORS = "Supabase 3: errors"
# A project's default Max rows.
MAX_ROWS = 1000
# Bytes of a request's first line, and the longest that is tried.
FIRST_LINE = 8 << 10
LONGEST_LINE = 65_000  # httpx accepts URLs of at most 64 KiB
NO_TABLE = "stages_probe_no_such_table"
NO_COLUMN = "stages_probe_no_such_column"
PLACE = re.compile(r"\((\d+),(\d+)\)")
CHECKS: Checks[Project] = Checks()


def says_rows(answer: Answer, offset: int, rows: int, total: str = "*") -> bool:
    """Whether Content-Range reports `rows` rows, from `offset`."""
    span = f"{offset}-{offset + rows - 1}" if rows else "*"
    return answer.headers.get("content-range") == f"{span}/{total}"


def _range(answer: Answer) -> str:
    text = answer.headers.get("content-range", "")
    if not text:
        return "missing"
    return f"`{text}`" if re.fullmatch(r"[-\d*/]{1,60}", text) else "of another form"


def _keys(
    project: Project, relation: Relation, key: str, params: dict[str, str]
) -> tuple[Answer, list[Any]]:
    answer = project.table(relation, {"select": f"key:{quoted(key)}", **params})
    rows = answer.rows()
    if not all("key" in row for row in rows):
        raise Odd(f"{answer.status}, with rows that lack the column asked for")
    return answer, [row["key"] for row in rows]


def _text(value: Any) -> str:
    """A key's value as text for a filter."""
    return value if isinstance(value, str) else str(value)


# ── pages ───────────────────────────────────────────────────────────────────────────────────


@CHECKS.of(PAGINATION)
def a_long_page_is_cut_with_200(project: Project) -> Seen:
    """A page of more rows than the project's Max rows (1,000 by default) is cut to them, with 200,
    and its Content-Range says how many came."""
    relation = project.with_rows()
    column = relation.columns[0].name
    answer = project.table(relation, {"select": quoted(column), "limit": str(PAGE)})
    rows = len(answer.rows())
    more = project.table(relation, {"select": quoted(column), "limit": "1", "offset": str(rows)})
    is_cut = rows < PAGE and bool(more.rows())
    if rows <= MAX_ROWS and not is_cut:
        raise NotChecked(f"no table has more than {MAX_ROWS:,} rows")
    limit = f"Max rows is {rows:,}" if is_cut else "Max rows is not less"
    words = f"{PAGE:,} asked for, {rows:,} came with {answer.said}, Content-Range {_range(answer)}"
    return Seen(f"{words}: {limit}", answer.status == 200 and says_rows(answer, 0, rows))


@CHECKS.of(PAGINATION)
def a_page_says_how_many_rows_it_holds(project: Project) -> Seen:
    """A page has a Content-Range of the rows that it holds, and `*` for the number of all."""
    relation = project.with_rows()
    answer = project.table(relation, {"select": quoted(relation.columns[0].name), "limit": "2"})
    rows = len(answer.rows())
    words = f"{answer.said}, {rows} rows, Content-Range {_range(answer)}"
    return Seen(words, answer.status == 200 and says_rows(answer, 0, rows))


@CHECKS.of(PAGINATION)
def an_empty_page_has_a_range(project: Project) -> Seen:
    """The page past the last row is `[]` with 200 and a Content-Range, by which stages tells it
    from an empty answer of something in between."""
    relation, key = next(project.keyed())
    past = {"select": quoted(key), "limit": "10", "and": f"({quoted(key)}.is.null)"}
    answer = project.table(relation, past)
    rows = answer.rows()
    words = f"{answer.said}, {len(rows)} rows, Content-Range {_range(answer)}"
    return Seen(words, answer.status == 200 and not rows and says_rows(answer, 0, 0))


@CHECKS.of(PAGINATION)
def an_offset_past_the_count_is_out_of_range(project: Project) -> Seen:
    """An offset past the last row is an empty page, and 416 with PGRST103 where rows are counted
    too."""
    relation, key = next(project.keyed())
    params = {"select": quoted(key), "limit": "1", "offset": "2000000000"}
    plain = project.table(relation, params)
    counted = project.table(relation, params, prefer="count=exact")
    words = f"{plain.said}; with a count, {counted.said}"
    is_empty = plain.status == 200 and not plain.rows()
    return Seen(words, is_empty and counted.status == 416 and counted.code == "PGRST103")


@CHECKS.of(PAGINATION)
def a_head_counts_exactly(project: Project) -> Seen:
    """A HEAD with `count=exact` has no body, and the number of all rows in its Content-Range."""
    relation, key = next(project.keyed())
    params = {"select": quoted(key), "limit": "1"}
    answer = project.table(relation, params, prefer="count=exact", method="HEAD")
    total = number_in(answer.headers.get("content-range", "").rpartition("/")[2])
    if answer.status not in (200, 206) or total is None:
        return Seen(f"{answer.said}, Content-Range {_range(answer)}", False)
    order = {"order": f"{quoted(key)}.asc", "limit": "1"}
    _, last = _keys(project, relation, key, {**order, "offset": str(max(0, total - 1))})
    _, past = _keys(project, relation, key, {**order, "offset": str(total)})
    words = f"{answer.said}, {total:,} rows; a row at the last place: {_yes(last)}"
    exact = bool(last) and not past and not answer.body
    return Seen(f"{words}, past it: {_yes(past)}", exact)


def _yes(found: list[Any]) -> str:
    return "yes" if found else "no"


@CHECKS.of(PAGINATION)
def keys_filter_and_order_in_quotes(project: Project) -> Seen:
    """`order` and `and` take a column and a value in quotes: rows beyond a key come, each once, in
    the order of keys and against it."""
    for relation, key in project.keyed():
        column = quoted(key)
        _, first = _keys(project, relation, key, {"order": f"{column}.asc", "limit": "3"})
        if len(first) < 3 or any(value is None for value in first):
            continue
        start, last = quoted(_text(first[0])), quoted(_text(first[2]))
        beyond = {"and": f"({column}.gt.{start},{column}.lte.{last})", "limit": "3"}
        _, rising = _keys(project, relation, key, {**beyond, "order": f"{column}.asc"})
        _, falling = _keys(project, relation, key, {**beyond, "order": f"{column}.desc"})
        in_order = rising == first[1:] and falling == first[:0:-1]
        words = f"{len(rising)} rows beyond a key, {'' if in_order else 'not '}in order both ways"
        return Seen(words, in_order)
    raise NotChecked("no table of the plan has three rows and a key of one column")


@CHECKS.of(PAGINATION)
def rows_have_places_and_versions(project: Project) -> Seen:
    """The system columns `ctid`, `xmin` and `tableoid` of a table can be selected, and `ctid` can
    be filtered and ordered by."""
    refused = []
    for relation in project.filled[:5]:
        params = {
            "select": "place:ctid,version:xmin::text,of:tableoid::text",
            "and": '(ctid.gt."(0,0)",ctid.lt."(64,0)")',
            "order": "ctid.asc",
            "limit": "3",
        }
        answer = project.table(relation, params)
        if answer.status != 200:
            refused.append(answer.said)
            continue  # a view has no system columns
        rows = answer.rows()
        if not rows:
            continue  # no row in the first 64 blocks
        places = [PLACE.fullmatch(str(row.get("place"))) for row in rows]
        numbers = [(int(place[1]), int(place[2])) for place in places if place]
        words = f"{answer.said}, places of {len(numbers)} rows"
        has_all = all(row.get("version") and row.get("of") for row in rows)
        in_order = len(numbers) == len(rows) and numbers == sorted(numbers)
        return Seen(words, has_all and in_order)
    if refused:
        return Seen(f"{len(refused)} tables refused, {refused[0]}", False)
    project.with_rows()
    raise NotChecked("no table has rows in its first 64 blocks")


# ── errors ──────────────────────────────────────────────────────────────────────────────────


def _no_table(project: Project, method: str = "GET") -> Answer:
    project.require_open()
    schema = next(iter(project.schemas), "public")
    headers = {"accept-profile": schema}
    return project.ask(f"/rest/v1/{NO_TABLE}", {"limit": "0"}, headers=headers, method=method)


@CHECKS.of(ERRORS)
def a_missing_table_is_404(project: Project) -> Seen:
    """A table that does not exist is answered with 404 and PGRST205, or 42P01 up to version 12."""
    answer = _no_table(project)
    return Seen(answer.said, answer.status == 404 and answer.body_code in ("PGRST205", "42P01"))


@CHECKS.of(ERRORS)
def a_head_has_its_error_code_in_a_header(project: Project) -> Seen:
    """A failing HEAD has its code in `Proxy-Status`, since it has no body; up to version 12 it has
    none, and stages asks again with GET."""
    answer = _no_table(project, "HEAD")
    where = "in Proxy-Status" if answer.proxy_code else "without Proxy-Status"
    is_old = int(project.version.partition(".")[0] or 13) < 13
    has_code = bool(answer.proxy_code) or is_old
    return Seen(f"{answer.said} {where}", answer.status == 404 and has_code)


@CHECKS.of(ERRORS)
def a_missing_column_is_400(project: Project) -> Seen:
    """A column that does not exist is answered with 400 and 42703."""
    relation = project.with_rows()
    answer = project.table(relation, {"select": NO_COLUMN, "limit": "1"})
    return Seen(answer.said, answer.status == 400 and answer.body_code == "42703")


@CHECKS.of(ERRORS)
def a_filter_that_is_none_is_400(project: Project) -> Seen:
    """A filter that can't be read is answered with 400 and PGRST100, and not ignored."""
    relation = project.with_rows()
    select = quoted(relation.columns[0].name)
    answer = project.table(relation, {"select": select, "and": "(", "limit": "1"})
    return Seen(answer.said, answer.status == 400 and answer.body_code == "PGRST100")


@CHECKS.of(ERRORS)
def a_schema_not_exposed_is_406(project: Project) -> Seen:
    """A schema that is not exposed, such as `auth`, is answered with 406 and PGRST106."""
    project.require_open()
    answer = project.root("auth")
    return Seen(answer.said, answer.status == 406 and answer.body_code == "PGRST106")


@CHECKS.of(ERRORS)
def a_long_request_line_passes(project: Project) -> Seen:
    """A request's first line may have the 7,000 bytes that stages fills; how many more is
    measured."""
    relation = project.with_rows()
    passed, refused = 0, ""
    for size in _sizes():
        try:
            answer = project.table(relation, _long(relation, size), even_unable=True)
        except Unanswered as error:
            if not passed:
                raise
            refused = f"; {size:,} get {error.message}"
            break
        if answer.status != 200:
            refused = f"; {size:,} get {answer.said}"
            break
        passed = size
    return Seen(f"{passed:,} bytes pass{refused}", passed >= LINE)


def _long(relation: Relation, size: int) -> dict[str, str]:
    """Parameters for a first line of about `size` bytes: a repeated filter, and a limit of 1."""
    name = relation.columns[0].name
    term = f",{quoted(name)}.not.is.null"
    params = {"select": quoted(name), **not_null(name), "limit": "1"}
    used = len(f"GET /rest/v1/{relation.name}? HTTP/1.1") + len(encode(params.items()))
    times = max(0, size - used) // (len(encode([("", term)])) - 1)
    return {**params, "and": params["and"].removesuffix(")") + term * times + ")"}


def _sizes() -> list[int]:
    doubled = [FIRST_LINE << n for n in range(8) if FIRST_LINE << n < LONGEST_LINE]
    return [LINE, *doubled, LONGEST_LINE]

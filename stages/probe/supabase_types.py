"""How PostgREST prints values, how it describes the tables, and how fast it is."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

from stages.extract.catalog import Relation
from stages.extract.rest_select import quoted
from stages.extract.rest_settings import (
    PROOF,
    REAL_DIGITS,
    OtherSetting,
    check_printed,
    has_all_digits,
)
from stages.extract.types import ALIASES, Column
from stages.probe.asking import Odd
from stages.probe.checks import Checks, NotChecked, Seen, measured, median
from stages.probe.project import VERSION, Project, not_null, read_document

TYPES = "Supabase 4: types"
DISCOVERY = "Supabase 5: schema discovery"
MEASUREMENTS = "Supabase 8: measurements"
MEASURED_VERSIONS = ("12", "13", "14")
# How many values of a column to look at: they may be large.
FEW = "3"
CHECKS: Checks[Project] = Checks()


def _is(*names: str) -> Callable[[Column], bool]:
    return lambda column: ALIASES.get(column.type, column.type) in names


# ── values ──────────────────────────────────────────────────────────────────────────────────


@CHECKS.of(TYPES)
def the_time_zone_asked_for_is_honoured(project: Project) -> Seen:
    """`Prefer: timezone=UTC` is honoured, and the answer says so."""
    relation = project.with_rows()
    answer = project.table(relation, {"select": quoted(relation.columns[0].name), "limit": "1"})
    applied = "timezone=UTC" in answer.headers.get("preference-applied", "")
    return Seen(f"{answer.said}, {'said' if applied else 'not said'} to be applied", applied)


@CHECKS.of(TYPES)
def moments_come_in_the_time_zone_asked_for(project: Project) -> Seen:
    """A `timestamptz` comes in the time zone of the request, whatever the server's is."""
    relation, name, _ = project.column_where(_is("timestamptz"), "moments")
    ends = []
    for zone, end in (("UTC", "+00:00"), ("Asia/Kolkata", "+05:30")):
        params = {"select": f"value:{quoted(name)}", **not_null(name), "limit": "1"}
        rows = project.table(relation, params, prefer=f"timezone={zone}").rows()
        ends.append(bool(rows) and str(rows[0].get("value")).endswith((end, "infinity")))
    words = ", ".join(
        f"{zone} {'honoured' if is_so else 'not honoured'}"
        for zone, is_so in zip(("UTC", "another"), ends, strict=True)
    )
    return Seen(words, all(ends))


@CHECKS.of(TYPES)
def a_row_hash_proves_the_digits_of_floats(project: Project) -> Seen:
    """`hash_record` of a row can be asked for as a `real`, whose digits show whether floats come
    whole (extra_float_digits is 1 or more) or are cut to 15 digits (0, as on Supabase)."""
    import pyarrow as pa

    refused = ""
    for relation in project.filled[:5]:
        answer = project.table(relation, {"select": f"proof:{PROOF}::real", "limit": "50"})
        if answer.status != 200:
            refused = answer.said  # a column of it has no hash
            continue
        numbers = [row.get("proof") for row in answer.rows()]
        if not numbers or not all(isinstance(number, int | float) for number in numbers):
            return Seen("an answer without numbers", False)
        whole = has_all_digits(pa.array(numbers, pa.float64()), REAL_DIGITS)
        return Seen("floats come whole" if whole else "floats are cut to 15 digits", True)
    if refused:
        return Seen(refused, False)
    raise NotChecked("no table of the plan has rows that the key reads")


@CHECKS.of(TYPES)
def bytes_are_printed_as_hex(project: Project) -> Seen:
    """Bytes are printed as `bytea_output = hex` does."""
    return _printed(project, "bytea", _is("bytea"), _is("text", "varchar"), "bytes or text")


@CHECKS.of(TYPES)
def intervals_are_printed_in_postgres_style(project: Project) -> Seen:
    """Intervals are printed as `IntervalStyle = postgres` does."""
    return _printed(
        project, "interval", _is("interval"), _is("time", "time without time zone"), "intervals"
    )


@CHECKS.of(TYPES)
def moments_as_text_are_iso(project: Project) -> Seen:
    """A date or moment that is cast to text is printed as `DateStyle = ISO` does."""
    return _printed(project, "date", _is("date"), _is("timestamp", "timestamptz"), "moments")


def _printed(
    project: Project,
    kind: str,
    fits: Callable[[Any], bool],
    or_else: Callable[[Any], bool],
    what: str,
) -> Seen:
    """How values of a type are printed: in a column of it, or else in another one cast to it."""
    import pyarrow as pa

    try:
        relation, name, _ = project.column_where(fits, what)
    except NotChecked:
        relation, name, _ = project.column_where(or_else, what)
    # A double cast would need a view: so cast to text, which prints as the type does.
    cast = "text" if kind == "date" else kind
    params = {"select": f"value:{quoted(name)}::{cast}", **not_null(name), "limit": FEW}
    answer = project.table(relation, params)
    if answer.status != 200:
        raise NotChecked(f"the cast of other values to {kind} is answered with {answer.said}")
    values = [row.get("value") for row in answer.rows()]
    if not values or not all(isinstance(value, str) for value in values):
        raise Odd("200, without texts of what was asked for")
    try:
        check_printed(pa.array(values), Column(name="", type=_text_type(kind), as_text=True))
    except OtherSetting:
        return Seen("printed by another setting", False)
    return Seen(f"{len(values)} values printed so", True)


def _text_type(kind: str) -> str:
    return "timestamptz" if kind == "date" else kind


@CHECKS.of(TYPES)
def casts_are_kept(project: Project) -> Seen:
    """A column that is cast to text in `select` comes as a text."""
    number = _is("int2", "int4", "int8", "numeric", "bool", "float8")
    relation, name, _ = project.column_where(number, "numbers")
    params = {"select": f"value:{quoted(name)}::text", **not_null(name), "limit": "3"}
    answer = project.table(relation, params)
    kept = all(isinstance(row.get("value"), str) for row in answer.rows())
    return Seen(f"{answer.said}, {'a text' if kept else 'no text'}", kept)


# ── the API's root ──────────────────────────────────────────────────────────────────────────


@CHECKS.of(DISCOVERY)
def the_root_opens_to_a_service_key(project: Project) -> Seen:
    """The API's root lists tables to a service key, as OpenAPI 2.0."""
    answer = project.root(next(iter(project.schemas), None))
    if answer.status != 200:
        return Seen(answer.said, False)
    document = read_document(answer)
    tables = len(document.get("definitions", {}))
    words = f"{answer.said}, {tables:,} tables in {answer.seconds * 1000:,.0f} ms"
    return Seen(words, document.get("swagger") == "2.0")


@CHECKS.of(DISCOVERY)
def the_version_is_one_that_was_measured(project: Project) -> Seen:
    """PostgREST is of version 12, 13 or 14, with which stages was tested."""
    version = project.version
    if not version:
        return Seen("no version", False)
    server = project.root(next(iter(project.schemas), None)).headers.get("server", "")
    named = re.match(rf"postgrest/({VERSION.pattern})", server.lower())
    words = f"{version}; Server header {named[1] if named else 'of another kind'}"
    return Seen(words, version.partition(".")[0] in MEASURED_VERSIONS)


@CHECKS.of(DISCOVERY)
def columns_are_listed_with_types_and_keys(project: Project) -> Seen:
    """Each table that the key reads is listed with the types of its columns, and tables with a
    key have it marked."""
    read = [each for each in project.looked if each.answer.status in (200, 206)]
    if not read:
        raise NotChecked("the key reads no table of the plan")
    listed = [each.relation for each in read if each.relation is not None and _typed(each.relation)]
    keyed = sum(bool(relation.key) for relation in listed)
    words = f"{len(listed)} of {len(read)} tables listed with types, {keyed} with a key"
    return Seen(words, len(listed) == len(read) and keyed > 0)


def _typed(relation: Relation) -> bool:
    return bool(relation.columns) and all(column.type for column in relation.columns)


# ── measurements ────────────────────────────────────────────────────────────────────────────


def _quick(project: Project) -> dict[str, Any]:
    relation = project.with_rows()
    return {
        "relation": relation,
        "params": {"select": quoted(relation.columns[0].name), "limit": "1"},
    }


@CHECKS.of(MEASUREMENTS)
def how_long_a_request_takes(project: Project) -> Seen:
    """How long a request for one row takes, as the median of five."""
    quick = _quick(project)
    seconds = median(project.table(**quick).seconds for _ in range(5))
    return measured(f"{seconds * 1000:,.0f} ms")


@CHECKS.of(MEASUREMENTS)
def connections_are_kept(project: Project) -> Seen:
    """One request after the other goes over the same connection."""
    quick = _quick(project)
    ports = [project.table(**quick).port for _ in range(3)]
    if None in ports:
        raise NotChecked("the connection does not say which one it is")
    words = f"3 requests over {len(set(ports))}"
    return Seen(words, len(set(ports)) == 1)


@CHECKS.of(MEASUREMENTS)
def how_small_a_page_is_on_the_wire(project: Project) -> Seen:
    """Whether a page of rows comes compressed, and how small."""
    relation = project.with_rows()
    params = {"select": quoted(relation.columns[0].name), "limit": "500"}
    answer = project.table(relation, params)
    encoding = answer.headers.get("content-encoding", "")
    if encoding not in ("gzip", "br", "deflate", "zstd"):
        return measured(f"not compressed, {len(answer.body):,} bytes")
    return measured(f"{encoding}, {len(answer.body):,} bytes as {answer.wire:,}")


@CHECKS.of(MEASUREMENTS)
def how_far_the_clocks_are_apart(project: Project) -> Seen:
    """How far the server's clock is from the one here, by its Date header."""
    answer = project.table(**_quick(project))
    try:
        there = parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
    except (TypeError, ValueError):
        raise NotChecked("there is no Date header") from None
    return measured(f"{abs(time.time() - there):.0f} s")

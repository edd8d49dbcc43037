"""A fast way to the canonical form, for JSON texts whose objects have mostly the same keys.

A sample of the texts gives a layout: which objects there are, and with which keys. The layout
becomes one SQL expression that takes a text apart along the layout's paths and puts it together
again with sorted keys. Every part that it finds is in the text; if all of them together are as long
as the text without its whitespace, there is nothing else in it, and no key occurs twice. So a wrong
layout, or a text that differs, costs time but never gives a wrong answer.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stages.limits import ARRAY_ITEMS, FIELD_NAME_LENGTH
from stages.sql import text_sql

if TYPE_CHECKING:
    import duckdb

SAMPLE = 1000
# The limits of a layout. Anything beyond them is treated as a leaf, which must then be a scalar.
DEPTH = 8
KEYS = 256
# Names that a JSON path can express, and that Convex accepts.
NAME = re.compile(rf"[ !#%-)+-\[\]-^`-~][ !#-)+-\[\]-~]{{0,{FIELD_NAME_LENGTH - 1}}}")
# The types of a leaf.
TEXT = "VARCHAR"
NUMBERS = {"UBIGINT", "BIGINT", "DOUBLE", "HUGEINT", "UHUGEINT"}
ANY = frozenset({TEXT, "DOUBLE", "BOOLEAN"})
EMPTY = "'[]', '{}'"


@dataclass
class Layout:
    """A place in a text: an object if it has `keys`, an array if it has `items`.

    It may be more than one of these. `leaves` are the types of scalars that it may be; `optional`
    says that its object may lack it, `mixed` that it is not always an object, or may be {}.
    """

    keys: dict[str, Layout] | None = None
    items: Layout | None = None
    leaves: frozenset[str] = ANY
    optional: bool = False
    mixed: bool = True


def sampled(connection: duckdb.DuckDBPyConnection, texts: str) -> Layout | None:
    """The layout of `texts`, a table or query with a column `text`; None if there are none."""
    rows = connection.execute(
        "SELECT DISTINCT json_structure(text) FROM "
        f"(FROM {texts} USING SAMPLE reservoir({SAMPLE} ROWS) REPEATABLE (1))"
    ).fetchall()
    return _merge([json.loads(row[0]) for row in rows], DEPTH) if rows else None


def _merge(structures: list[Any], depth: int) -> Layout:
    """One layout for all that json_structure returns for the values at one place."""
    objects = [s for s in structures if isinstance(s, dict)]
    arrays = [s for s in structures if isinstance(s, list)]
    scalars = frozenset(s for s in structures if isinstance(s, str))
    # json_structure says JSON for several types, or for {}.
    layout = Layout(leaves=ANY if "JSON" in scalars or not scalars else scalars)
    names = list(dict.fromkeys(name for each in objects for name in each))
    if names and len(names) <= KEYS and depth > 0 and all(map(NAME.fullmatch, names)):
        layout.keys = {}
        for name in names:
            inner = [each[name] for each in objects if name in each]
            layout.keys[name] = _merge(inner, depth - 1)
            layout.keys[name].optional = len(inner) < len(objects)
        # Without a required key, {} could not be told from an absent value.
        layout.mixed = len(objects) < len(structures) or all(
            key.optional for key in layout.keys.values()
        )
    if arrays and depth > 0:
        # Arrays in arrays are expensive to bind: three levels of them are enough.
        layout.items = _merge([each[0] for each in arrays], depth - DEPTH // 3)
    return layout


# ── layout → SQL ────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, kw_only=True)
class _Form:
    """SQL of the length of a value's text, of its canonical form, and of its size in Convex.

    `there` is NULL if the value is absent; the others also if the value does not fit the layout.
    """

    there: str
    length: str
    canonical: str
    size: str


@dataclass
class _Level:
    """The paths that are extracted together from one value: the document, or an item of an array.

    In SQL, `p<depth>` is the list of what is at `paths`, and `v<depth>` a struct of their texts and
    of the forms of those that are arrays, so that each is computed only once.
    """

    depth: int
    paths: list[str] = field(default_factory=list)
    arrays: dict[int, str] = field(default_factory=dict)

    def at(self, path: str, layout: Layout) -> _Form:
        """The form of what is at a path: a leaf or an array."""
        self.paths.append(path)
        number = len(self.paths)
        text = f"v{self.depth}.t{number}"
        if layout.items is None:
            return _leaf(layout, text)
        self.arrays[number] = _array(layout, f"p{self.depth}[{number}]::VARCHAR", self.depth + 1)
        array = f"v{self.depth}.a{number}"
        return _Form(
            there=text,
            length=f"strlen({text})",
            canonical=f"{array}.canonical",
            size=f"{array}.size",
        )

    def extract(self, value: str) -> str:
        return f"json_extract({value}, [{', '.join(text_sql(path) for path in self.paths)}])"

    def struct(self) -> str:
        texts = [f"'t{n}': p{self.depth}[{n}]::VARCHAR" for n in range(1, len(self.paths) + 1)]
        arrays = [f"'a{number}': {sql}" for number, sql in self.arrays.items()]
        return f"{{{', '.join(texts + arrays)}}}"


def fitted_sql(layout: Layout, texts: str) -> str:
    """SQL of (text, canonical, size) over `texts(text)`; canonical is NULL if it doesn't fit."""
    level = _Level(0)
    form = _form(layout, "$", level)
    return (
        f"SELECT text, CASE WHEN {form.length} = strlen(json(text)) THEN {form.canonical} END "
        f"AS canonical, {form.size} AS size FROM (SELECT text, {level.struct()} AS v0 "
        f"FROM (SELECT text, {level.extract('text')} AS p0 FROM {texts}))"
    )


def _form(layout: Layout, path: str, level: _Level) -> _Form:
    if layout.keys is None:
        return level.at(path, layout)
    form = _object(layout.keys, path, level)
    if not layout.mixed and not layout.optional:
        return form
    other = level.at(path, layout)
    filled = f"starts_with({other.there}, '{{') AND {other.there} <> '{{}}'"
    return _Form(
        there=other.there,
        length=f"CASE WHEN {filled} THEN {form.length} ELSE {other.length} END",
        canonical=f"CASE WHEN {filled} THEN {form.canonical} ELSE {other.canonical} END",
        size=f"CASE WHEN {filled} THEN {form.size} ELSE {other.size} END",
    )


def _object(keys: dict[str, Layout], path: str, level: _Level) -> _Form:
    """An object with at least one key."""
    lengths, canonical, sizes = [], {}, []
    for name, inner in keys.items():
        form = _form(inner, f'{path}."{name}"', level)
        # With its quotes, colon and comma; the last comma counts for the closing brace.
        length = f"{len(name) + 4} + {form.length}"
        start = text_sql(f',"{name}":')
        member = f"{start} || {form.canonical}"
        size = f"{len(name) + 1} + {form.size}"
        if inner.optional:
            length, member, size = (
                f"CASE WHEN {form.there} IS NULL THEN {nothing} ELSE {something} END"
                for nothing, something in (("0", length), ("''", member), ("0", size))
            )
        lengths.append(length)
        canonical[name] = member
        sizes.append(size)
    first = min(keys)
    members = [canonical[name] for name in sorted(keys)]
    if keys[first].optional:
        inside = f"substr({' || '.join(members)}, 2)"
    else:
        inside = " || ".join([members[0].replace("',", "'", 1), *members[1:]])
    return _Form(
        there="true",
        length=f"(1 + {' + '.join(lengths)})",
        canonical=f"('{{' || {inside} || '}}')",
        size=f"(2 + {' + '.join(sizes)})",
    )


def _array(layout: Layout, text: str, depth: int) -> str:
    """SQL of {canonical, size} of a text that may be an array of `layout.items`."""
    items = layout.items
    assert items
    each = f"json_extract({text}, '$[*]')"
    if items.keys is None and items.items is None:
        form = _leaf(items, f"v{depth}::VARCHAR")
    else:
        level = _Level(depth)
        form = _form(items, "$", level)
        whole = level.at("$", Layout())
        fits = f"CASE WHEN {form.length} = {whole.length} THEN {form.canonical} END"
        form = _Form(there=whole.there, length=form.length, canonical=fits, size=form.size)
        each = f"list_transform({each}, lambda item: {level.extract('item')})"
        each = f"list_transform({each}, lambda p{depth}: {level.struct()})"
    forms = f"list_transform({each}, lambda v{depth}: {_struct(form.canonical, form.size)})"
    texts = "list_transform(l, lambda form: form.canonical)"
    joined = (
        f"CASE WHEN list_count({texts}) = len(l) AND len(l) <= {ARRAY_ITEMS} "
        f"THEN '[' || array_to_string({texts}, ',') || ']' END"
    )
    size = "2 + list_sum(list_transform(l, lambda form: form.size))"
    leaf = _leaf(layout, text)
    return (
        f"CASE WHEN starts_with({text}, '[') AND {text} <> '[]' "
        f"THEN list_transform([{forms}], lambda l: {_struct(joined, size)})[1] "
        f"ELSE {_struct(leaf.canonical, leaf.size)} END"
    )


def _struct(canonical: str, size: str) -> str:
    return f"{{'canonical': {canonical}, 'size': ({size})::BIGINT}}"


def _leaf(layout: Layout, text: str) -> _Form:
    """A scalar of the layout's types, null, {} or []; the canonical form of others is NULL."""
    # The sample does not show nulls in arrays, so null is accepted anywhere.
    words = f"'null', {EMPTY}" + (", 'true', 'false'" if "BOOLEAN" in layout.leaves else "")
    cases, sizes = "", ""
    if TEXT in layout.leaves:
        cases += f"WHEN starts_with({text}, '\"') THEN {text} "
        sizes += (
            f"WHEN starts_with({text}, '\"') THEN CASE WHEN contains({text}, '\\') "
            f"THEN 2 + strlen(json_extract_string({text}, '$')) ELSE strlen({text}) END "
        )
    if layout.leaves & NUMBERS:
        # A short number without dot and exponent is already canonical.
        fraction = " OR ".join(f"contains({text}, '{sign}')" for sign in (".", "e", "E", "-0"))
        # try_cast: DuckDB may hoist it out of the CASE, and so evaluate it for other texts too.
        as_double = f"try_cast({text} AS DOUBLE)"
        encoded = f"encode_float({as_double})"
        number = f"CASE WHEN strlen({text}) > 15 OR {fraction} THEN {encoded} ELSE {text} END"
        cases += (
            f"WHEN {text} BETWEEN '-' AND ':' "
            f"THEN CASE WHEN NOT isinf({as_double}) THEN {number} END "
        )
        sizes += f"WHEN {text} BETWEEN '-' AND ':' THEN 9 "
    return _Form(
        there=text,
        length=f"strlen({text})",
        canonical=f"CASE {cases}WHEN {text} IN ({words}) THEN {text} END",
        size=f"CASE {sizes}WHEN {text} IN ({EMPTY}) THEN 2 ELSE 1 END",
    )

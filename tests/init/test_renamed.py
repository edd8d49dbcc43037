"""What counts as renamed, and what as one that is gone and another that is new."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from stages.init.catalog import CatalogColumn, CatalogTable
from stages.init.drift import find_drift
from stages.init.picture import Picture


def source(columns: Mapping[str, str], *, numbered: bool = False, first: int = 1) -> Picture:
    """One table; column → type."""
    table = CatalogTable(
        schema="public",
        name="posts",
        key=(),
        columns={
            name: CatalogColumn(
                name=name, staged=name, type=kind, arrow="string", declared=kind,
                number=first + place if numbered else None,
            )
            for place, (name, kind) in enumerate(columns.items())
        },
    )  # fmt: skip
    return Picture({table.place: table}, {})


def schema(**fields: str) -> Picture:
    value = {n: {"fieldType": {"type": kind}, "optional": False} for n, kind in fields.items()}
    document: dict[str, Any] = {"type": "object", "value": value}
    return Picture({}, {"posts": {"tableName": "posts", "documentType": document}})


def told(then: Picture, now: Picture) -> list[tuple[str, str, str, str]]:
    """(kind, what it was, name, evidence) of each change."""
    drift = find_drift(then, now, ("public",))
    # What is undone is as it was.
    assert unnumbered(drift.without(drift.changes)) == unnumbered(then)
    assert drift.without([]) == now
    return [
        (c.kind, c.was if c.kind == "renamed" else "", c.name, c.evidence) for c in drift.changes
    ]


def kinds(then: Picture, now: Picture) -> list[str]:
    return [kind for kind, *_ in told(then, now)]


def unnumbered(picture: Picture) -> Picture:
    return Picture(
        {
            place: replace(
                table, columns={n: replace(c, number=None) for n, c in table.columns.items()}
            )
            for place, table in picture.tables.items()
        },
        picture.convex,
    )


TEXTS = {"id": "uuid", "headline": "text", "body": "text", "at": "date"}


def renamed(columns: Mapping[str, str], **names: str) -> dict[str, str]:
    return {names.get(name, name): kind for name, kind in columns.items()}


@pytest.mark.parametrize("make", [source, lambda columns: schema(**columns)])
def test_by_place_and_type_or_by_name(make: Any) -> None:
    what = "type" if make is source else "validator"
    then = make(TEXTS)
    assert told(then, make(renamed(TEXTS, headline="slug"))) == [
        ("renamed", "headline", "slug", f"same place and {what}")
    ]
    assert told(then, make(renamed(TEXTS, headline="title"))) == [
        ("renamed", "headline", "title", f"same place and {what}, similar name")
    ]
    moved = {"body_text": "text", **{n: k for n, k in TEXTS.items() if n != "body"}}
    evidence = f"same {what}, similar name"
    assert told(then, make(moved)) == [("renamed", "body", "body_text", evidence)]


@pytest.mark.parametrize("make", [source, lambda columns: schema(**columns)])
def test_what_is_gone_and_what_is_new(make: Any) -> None:
    then = make(TEXTS)
    # Of another type; at the end, where new ones come; two that may be it.
    gone = ["added", "dropped"]
    assert kinds(then, make({**renamed(TEXTS, headline="x"), "x": "int"})) == gone
    assert kinds(then, make(renamed(TEXTS, at="slug"))) == gone
    two = {"id": "uuid", "one": "text", "other": "text", "body": "text", "at": "date"}
    assert kinds(then, make(two)) == ["added", *gone]


def test_postgres_numbers_prove_it() -> None:
    then = source(TEXTS, numbered=True)
    last = source(renamed(TEXTS, at="slug"), numbered=True)
    assert told(then, last) == [("renamed", "at", "slug", "same column number in Postgres")]
    dropped = {name: kind for name, kind in TEXTS.items() if name != "at"}
    again = source({**dropped, "_": "date", "until": "date"}, numbered=True)
    table = again.tables["public", "posts"]
    without = {name: each for name, each in table.columns.items() if name != "_"}
    again = Picture({table.place: replace(table, columns=without)}, {})
    assert kinds(then, again) == ["added", "dropped"]
    # Another column at its place, as in a table that was made anew: the number proves nothing.
    other = {"nick" if n == "at" else n: "integer" if n == "at" else k for n, k in TEXTS.items()}
    assert kinds(then, source(other, numbered=True)) == ["added", "dropped"]
    # A table that was made anew has other numbers: they prove nothing.
    anew = source(renamed(TEXTS, headline="slug"), numbered=True, first=3)
    assert kinds(then, anew) == ["renamed"]


def test_a_renamed_table_by_its_columns() -> None:
    then, now = source(TEXTS), source({**TEXTS, "slug": "text"})
    (table,) = now.tables.values()
    moved = Picture({("public", "articles"): replace(table, name="articles")}, {})
    assert [(kind, was, name) for kind, was, name, _ in told(then, moved)] == [
        ("renamed", "public.posts", ""), ("added", "", "slug"),
    ]  # fmt: skip
    other = replace(table, name="articles", columns={"id": table.columns["id"]})
    assert kinds(then, Picture({other.place: other}, {})) == ["added", "dropped"]

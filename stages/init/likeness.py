"""Names that differ but may mean the same, judged by their words, types and values.

A pair found this way gets a `check`, unless both names have the same words.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, replace

from stages.convex.schema import Field
from stages.init.catalog import CatalogColumn
from stages.init.conversion import convert, family, union_members
from stages.init.evidence import Rows
from stages.init.names import closeness, looks_like_time, shape_tokens, singular, words
from stages.init.secrets import is_sealed
from stages.init.vocabulary import FORMS, PHRASES, PLAIN_FORMS, SAME, SPELLINGS, STOP, UNITS

# Factors of a score: for a synonym instead of the same word, and for names that are compared
# including the words of their tables, or including the words for their form.
SYNONYM = 0.9
WITH_OWN = 0.95
WITH_FORMS = 0.9
# Forms that do not change the value.
NO_CHANGE = {"url", "count", "flag"}
# What a form costs that only one of two names has, such as `_url`.
FORM = 0.02
# The score that is enough by itself, and if one name has all words of the other.
ENOUGH = 0.6
CONTAINED = 0.3


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """How alike two names are (0 … 1), and whether one has all the words of the other.

    `same`: they differ only in words of their tables, and in a form that does not change the value.
    """

    score: float
    contained: bool = False
    same: bool = False

    @property
    def enough(self) -> bool:
        """Whether it is enough for a pair, if no other name is as close."""
        return self.score >= (CONTAINED if self.contained else ENOUGH)


UNLIKE = Likeness(score=0.0)


def meaning(name: str, owners: Iterable[str] = ()) -> tuple[frozenset[str], frozenset[str]]:
    """(what a name is about, its forms), without the words of the tables that it belongs to."""
    parts = _parts(name)
    about = {SAME.get(word, word) for word in parts if word not in FORMS}
    own = {singular(word) for owner in owners for word in words(owner)}
    return frozenset(about - own or about), frozenset(FORMS[w] for w in parts if w in FORMS)


def name_likeness(each: Field, column: CatalogColumn, owners: Iterable[str]) -> Likeness:
    """Like `likeness`, but 1 for names that differ only in case and number."""
    if closeness(each.name, column.name) < 9:
        return Likeness(score=1.0)
    return likeness(each, column, owners)


def likeness(each: Field, column: CatalogColumn, owners: Iterable[str]) -> Likeness:
    """How close a field's name is in meaning to a column's; 0 if their forms contradict each other.

    A match that needs the words of their tables, or those for the form of a value, is worth a
    little less: `questionText` in `questions`, `html` for `body_html`.
    """
    if _meanings(each.name).isdisjoint(_meanings(column.name)):
        return UNLIKE
    ours, theirs = _parts(each.name), _parts(column.name)
    our_forms = {FORMS[word] for word in ours if word in FORMS}
    their_forms = {FORMS[word] for word in theirs if word in FORMS}
    if is_sealed(each.name) != is_sealed(column.name):
        return UNLIKE
    if our_forms and their_forms and not our_forms & their_forms:
        return UNLIKE
    own = {singular(word) for owner in owners for word in words(owner)}
    one, other = [w for w in ours if w not in FORMS], [w for w in theirs if w not in FORMS]
    own_less = ([w for w in one if w not in own], [w for w in other if w not in own])
    ways = (
        (1.0, *own_less),
        (WITH_OWN, one, other),
        (WITH_FORMS, ours, theirs),
    )
    best = max((_alike(*way) for way in ways), key=lambda like: (like.score, like.contained))
    differing = our_forms ^ their_forms
    return replace(
        best,
        score=best.score * (1 - FORM * len(differing)),
        same=differing <= NO_CHANGE and _same_words(each.name, column.name, own),
    )


def _same_words(one: str, other: str, own: set[str]) -> bool:
    """Whether two names have the same words, except for those of their tables and of forms."""
    ours, theirs = (
        {singular(word) for word in words(name) if word not in FORMS} - own for name in (one, other)
    )
    return bool(ours) and ours == theirs


def unit(name: str) -> str | None:
    """The unit that a name says its value is in: `cents`, `seconds`."""
    return next((FORMS[word] for word in _parts(name) if FORMS.get(word) in UNITS), None)


def _alike(worth: float, ours: Iterable[str], theirs: Iterable[str]) -> Likeness:
    one = {SAME.get(word, word): word for word in ours}
    other = {SAME.get(word, word): word for word in theirs}
    common = one.keys() & other.keys()
    if not common - PLAIN_FORMS:
        return UNLIKE
    same = sum(1.0 if one[word] == other[word] else SYNONYM for word in common)
    return Likeness(
        score=worth * same / len(one.keys() | other.keys()),
        contained=common in (one.keys(), other.keys()),
    )


@functools.lru_cache(maxsize=65536)
def _parts(name: str) -> tuple[str, ...]:
    """The words of a name in the singular; two that mean one are joined."""
    parts: list[str] = []
    for word in words(name):
        if parts and (parts[-1], word) in PHRASES:
            parts[-1] = PHRASES[parts[-1], word]
        elif word in FORMS:
            parts.append(word)
        elif word not in STOP:
            one = singular(word)
            parts.append(SPELLINGS.get(one, one))
    return tuple(parts)


@functools.lru_cache(maxsize=65536)
def _meanings(name: str) -> frozenset[str]:
    """What the words of a name mean, forms included: two names without one in common are unlike."""
    return frozenset(SAME.get(word, word) for word in _parts(name))


@functools.lru_cache(maxsize=65536)
def tokens(name: str) -> frozenset[str]:
    """Names without one in common have a `name_likeness` of 0."""
    return _meanings(name) | shape_tokens(name)


def fits(each: Field, column: CatalogColumn, rows: Rows) -> bool:
    """Whether the field can be made from the column without doubt, by its type and its values."""
    union = union_members(each.validator)
    if any(member["type"] == "id" for member in union):
        return family(column) in ("uuid", "integer", "text", "numeric")
    literals = [m["value"] for m in union if m["type"] == "literal"]
    seen = rows.columns.get(column.name)
    if literals and len(literals) == len(union):
        known = {str(choice) for choice in column.choices} or (seen.values if seen else set())
        plain = {"".join(words(str(value))) for value in literals}
        return bool(known) and any("".join(words(value)) in plain for value in known)
    if looks_like_time(each.name) and family(column) not in ("time", "date", "integer"):
        return False
    if family(column) == "text" and [member["type"] for member in union] == ["string"]:
        return True
    value = convert(column, each.validator)
    return value.sql is not None and not value.doubts

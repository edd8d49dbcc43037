"""Names across snake_case, camelCase and plural forms, and names that Convex and DuckDB accept."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from typing import Literal

from stages.init.vocabulary import SPELLINGS
from stages.sql import name_sql, open_duckdb

Case = Literal["camel", "snake", "keep"]
# Plural → singular, where no rule applies.
IRREGULAR = {
    "people": "person", "children": "child", "men": "man", "women": "woman", "mice": "mouse",
    "feet": "foot", "teeth": "tooth", "geese": "goose", "media": "medium", "criteria": "criterion",
    "indices": "index", "matrices": "matrix", "vertices": "vertex", "statuses": "status",
    "aliases": "alias", "buses": "bus",
}  # fmt: skip
IDENTIFIER = 64
# Index names that Convex reserves.
RESERVED_INDEXES = {"by_id", "by_creation_time"}


def words(name: str) -> list[str]:
    """The words of a name, in lower case: `ariFlowStages`, `ari_flow_stages`, `Ari Flow Stages`."""
    return list(_words(name))


@functools.lru_cache(maxsize=65536)
def _words(name: str) -> tuple[str, ...]:
    apart = re.sub(r"([a-z0-9])([A-Z])|([A-Z])([A-Z][a-z])", r"\1\3 \2\4", name)
    return tuple(word.lower() for word in re.split(r"[^A-Za-z0-9]+", apart) if word)


def singulars(word: str) -> set[str]:
    """What a word may be the plural of, and the word itself."""
    candidates = {word}
    if word in IRREGULAR:
        return candidates | {IRREGULAR[word]}
    if word.endswith("ies") and len(word) > 4:
        candidates |= {f"{word[:-3]}y", word[:-1]}
    elif re.search(r"(s|x|z|ch|sh|o)es$", word):
        candidates |= {word[:-2], word[:-1]}
    elif word.endswith("ves"):
        candidates |= {f"{word[:-3]}f", f"{word[:-3]}fe", word[:-1]}
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        candidates.add(word[:-1])
    return candidates


@functools.lru_cache(maxsize=65536)
def singular(word: str) -> str:
    """The likeliest singular of a word: `uses` → `use`, `boxes` → `box`."""
    if word in IRREGULAR:
        return IRREGULAR[word]
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    if re.search(r"(ss|x|z|ch|sh)es$", word):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def looks_like_time(name: str) -> bool:
    """Whether a name suggests a point in time, such as `created_at` or `paidOn`."""
    return (words(name) or [""])[-1] in {
        "at",
        "on",
        "date",
        "time",
        "timestamp",
        "ts",
        "ms",
        "created",
        "updated",
    }


def is_plain_time(name: str) -> bool:
    """Whether a name says nothing but that it is a time: `at`, `date`, `timestamp`."""
    return name.lower() in {"at", "on", "date", "time", "timestamp", "ts", "when", "datetime"}


def is_creation(name: str) -> bool:
    """Whether a name is that of a row's creation time: `createdAt`, `date_added`."""
    return bool(
        {"created", "inserted", "added", "creation", "joined", "registered"} & {*words(name)}
    )


def is_change(name: str) -> bool:
    """Whether a name is that of a row's last change (its creation, if it was never changed)."""
    return bool({"updated", "modified", "changed", "edited"} & {*words(name)})


def closeness(one: str, other: str) -> int:
    """0: the same name; 1: the same except for case; 2: except for plural forms and spelling; 9:
    another."""
    if one == other:
        return 0
    (joined, forms), (other_joined, other_forms) = _shape(one), _shape(other)
    if joined == other_joined:
        return 1
    if len(forms) != len(other_forms):
        return 9
    for x, y in zip(forms, other_forms, strict=True):
        if x.isdisjoint(y):
            return 9
    return 2


@functools.lru_cache(maxsize=65536)
def _shape(name: str) -> tuple[str, tuple[frozenset[str], ...]]:
    """A name's words as one, and the forms of each: a name is compared with every other."""
    parts = _words(name)
    return "".join(parts), tuple(frozenset(_forms(word)) for word in parts)


def shape_tokens(name: str) -> frozenset[str]:
    """Names without one in common are not close."""
    joined, forms = _shape(name)
    return frozenset({joined}).union(*forms)


def _forms(word: str) -> set[str]:
    """What a word may be the plural of, in one spelling."""
    return {SPELLINGS.get(each, each) for each in singulars(word)}


def cased(name: str, case: Case) -> str:
    """A name in another case; `keep` changes it only if Convex would not accept it."""
    if case == "snake":
        name = "_".join(words(name)) or name
    elif case == "camel":
        first, *rest = words(name) or [name]
        name = first + "".join(word[:1].upper() + word[1:] for word in rest)
    return identifier(name)


def identifier(name: str) -> str:
    """The nearest name that Convex accepts for a table or field: letters, digits and _, at most 64
    characters, starting with a letter."""
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name).lstrip("_")
    if not plain or not plain[0].isalpha():
        plain = f"n{plain}" if plain else "unnamed"
    return plain[:IDENTIFIER]


def distinct(name: str, taken: Iterable[str]) -> str:
    """The name, with a number appended if it is already taken, ignoring case."""
    taken_names = {each.lower() for each in taken}
    candidate, number = name, 1
    while candidate.lower() in taken_names:
        number += 1
        ending = f"_{number}"
        candidate = f"{name[: IDENTIFIER - len(ending)]}{ending}"
    return candidate


@functools.cache
def _keywords() -> frozenset[str]:
    with open_duckdb() as connection:  # never the process-wide default connection
        rows = connection.execute(
            "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category <> 'unreserved'"
        ).fetchall()
    return frozenset(row[0] for row in rows)


def sql_name(name: str) -> str:
    """A name for SQL text, quoted only if it must be."""
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) and name.lower() not in _keywords():
        return name
    return name_sql(name)

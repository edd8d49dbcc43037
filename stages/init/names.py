"""Names across snake_case, camelCase and plural forms, and names that Convex and DuckDB take."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from typing import Literal

from stages.sql import name_sql, open_duckdb

Case = Literal["camel", "snake", "keep"]
# Singular → plural, where no rule leads from one to the other.
IRREGULAR = {
    "people": "person", "children": "child", "men": "man", "women": "woman", "mice": "mouse",
    "feet": "foot", "teeth": "tooth", "geese": "goose", "media": "medium", "criteria": "criterion",
    "indices": "index", "matrices": "matrix", "vertices": "vertex", "statuses": "status",
    "aliases": "alias", "buses": "bus",
}  # fmt: skip
IDENTIFIER = 64
# What Convex keeps for itself.
RESERVED_INDEXES = {"by_id", "by_creation_time"}


def words(name: str) -> list[str]:
    """The words of a name, in lower case: `ariFlowStages`, `ari_flow_stages`, `Ari Flow Stages`."""
    apart = re.sub(r"([a-z0-9])([A-Z])|([A-Z])([A-Z][a-z])", r"\1\3 \2\4", name)
    return [word.lower() for word in re.split(r"[^A-Za-z0-9]+", apart) if word]


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


def looks_like_time(name: str) -> bool:
    """Whether a name is that of a moment, such as `created_at` or `paidOn`."""
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


def closeness(one: str, other: str) -> int:
    """0 the same name, 1 but for its case, 2 but for plural forms; 9 another name."""
    if one == other:
        return 0
    a, b = words(one), words(other)
    if a == b or "".join(a) == "".join(b):
        return 1
    if len(a) == len(b) and all(singulars(x) & singulars(y) for x, y in zip(a, b, strict=True)):
        return 2
    return 9


def cased(name: str, case: Case) -> str:
    """A name in another case; `keep` changes it only where Convex could not take it."""
    if case == "snake":
        name = "_".join(words(name)) or name
    elif case == "camel":
        first, *rest = words(name) or [name]
        name = first + "".join(word[:1].upper() + word[1:] for word in rest)
    return identifier(name)


def identifier(name: str) -> str:
    """The nearest name that Convex takes for a table or field: letters, digits and _, at most 64,
    beginning with a letter."""
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name).lstrip("_")
    if not plain or not plain[0].isalpha():
        plain = f"n{plain}" if plain else "unnamed"
    return plain[:IDENTIFIER]


def distinct(name: str, taken: Iterable[str]) -> str:
    """The name, with a number where it is taken already, in any case of its letters."""
    taken_names = {each.lower() for each in taken}
    candidate, number = name, 1
    while candidate.lower() in taken_names:
        number += 1
        ending = f"_{number}"
        candidate = f"{name[: IDENTIFIER - len(ending)]}{ending}"
    return candidate


@functools.cache
def _keywords() -> frozenset[str]:
    with open_duckdb() as connection:  # never the process's default one
        rows = connection.execute(
            "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category <> 'unreserved'"
        ).fetchall()
    return frozenset(row[0] for row in rows)


def sql_name(name: str) -> str:
    """A name for SQL text, bare where it can be."""
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) and name.lower() not in _keywords():
        return name
    return name_sql(name)

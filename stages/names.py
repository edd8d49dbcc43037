"""Names that are alike: the nearest one to a name that does not exist, and twins."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, names: Iterable[str], alike: float = 0.6) -> str | None:
    """Return the name that was probably meant, ignoring case; None if no name's difflib ratio
    reaches `alike`."""
    by_folded: dict[str, str] = {}
    for each in names:
        by_folded.setdefault(_folded(each), each)
    near = get_close_matches(_folded(name), by_folded, n=1, cutoff=alike)
    return by_folded[near[0]] if near else None


def is_it(name: str, names: Iterable[str]) -> str:
    """Return `; is it `orders`?` to append to a sentence about a name; empty if none is similar."""
    near = nearest(name, names)
    return f"; is it `{near}`?" if near else ""


def twins(names: Iterable[str]) -> tuple[str, str] | None:
    """The first two names that differ only in case, which DuckDB can't distinguish; None if there
    are none."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(name.lower(), name)
        if other != name:
            return other, name
    return None


def _folded(name: str) -> str:
    """Fold `webinar_registrations` and `webinarRegistrations` to the same name."""
    return name.replace("_", "").replace("-", "").casefold()

"""A schema that does not exist is reported as a typo, not as a schema without tables."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from stages.errors import UserError

if TYPE_CHECKING:
    from stages.extract.postgres import PostgresReader
    from stages.extract.rest import RestReader

# How many of the existing schemas an error lists, the nearest first.
MOST_NAMES = 8
# The end of PostgREST's error for a schema that is not exposed: 12's message, and 13's hint.
LISTED = re.compile(r"schemas? (?:are exposed|must be one of the following): ([^()]+)")


def require_schemas(reader: PostgresReader, schemas: Iterable[str]) -> None:
    """Raises UserError for a schema that the database does not have."""
    there = [
        row["name"]
        for row in reader.rows(
            "SELECT nspname::text AS name FROM pg_catalog.pg_namespace "
            "WHERE nspname !~ '^pg_(toast|temp)'"
        )
    ]
    for name in schemas:
        if name not in there:
            own = [each for each in there if not each.startswith("pg_")]
            raise _unknown(name, "the source has no schema", own)


def require_exposed(reader: RestReader, schemas: Iterable[str]) -> None:
    """Raises UserError for a schema that the API does not expose; call it after the catalog."""
    for name in schemas:
        # `auth` has an API of its own.
        if name in reader.not_exposed and name != "auth":
            listed = LISTED.search(reader.not_exposed[name])
            there = [each.strip() for each in listed[1].split(",")] if listed else []
            error = _unknown(name, "the API exposes no schema", there)
            error.hint = f"{error.hint}; or add it to the API's exposed schemas"
            raise error


def _unknown(name: str, what: str, there: Sequence[str]) -> UserError:
    nearest = sorted(there, key=lambda each: (-SequenceMatcher(None, name, each).ratio(), each))
    shown = ", ".join(f"`{each}`" for each in nearest[:MOST_NAMES])
    more = f" and {len(nearest) - MOST_NAMES} more" if len(nearest) > MOST_NAMES else ""
    said = f"; it has {shown}{more}" if shown else ""
    return UserError(
        f"{what} `{name}`{said}",
        "name an existing one: stages assess --schema "
        + shlex.quote(nearest[0] if nearest else "public"),
    )

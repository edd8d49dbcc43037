"""Fields that a table of profiles lacks and auth.users has: `email`, `emailVerificationTime`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from stages.extract import auth_tables
from stages.init.catalog import CatalogColumn, CatalogTable
from stages.init.evidence import NOTHING, Rows
from stages.init.likeness import fits, name_likeness
from stages.init.pairs import Elsewhere, Pair, Paired
from stages.init.secrets import secret_columns


def users_source(users: CatalogTable, source: str) -> Paired:
    """auth.users as a source in which models only look values up."""
    return Paired(
        target="", source=source, table=users, fields={}, unused=(), secrets=secret_columns(users)
    )


def with_user_columns(paired: Paired, users: Paired, rows: Rows | None) -> Paired:
    """For a table whose key refers to auth.users: give each field without a source the column of
    auth.users that matches it, if there is one."""
    key = next(
        (
            key
            for key in paired.table.foreign_keys
            if key.parent == auth_tables.USERS and key.columns == paired.table.row_key
        ),
        None,
    )
    if key is None:
        return paired
    open_fields = {
        name: pair
        for name, pair in paired.fields.items()
        if not pair.columns and not pair.rivals and not any(True for _ in pair.field.references())
    }
    found: dict[str, Pair] = {}
    for name, pair in open_fields.items():
        column = _likest(pair, users, rows or NOTHING)
        if column is not None:
            elsewhere = Elsewhere(key=key, column=column, source=users.source)
            found[name] = replace(pair, elsewhere=elsewhere)
    fields: Mapping[str, Pair] = {**paired.fields, **found}
    return replace(paired, fields=fields)


def _likest(pair: Pair, users: Paired, rows: Rows) -> CatalogColumn | None:
    likes = [
        (like.score, column.name)
        for column in users.table.columns.values()
        if column.name not in (*users.secrets, *users.table.row_key)
        and (like := name_likeness(pair.field, column, ("users",))).enough
        and fits(pair.field, column, rows)
    ]
    likes.sort(reverse=True)
    if not likes or (len(likes) > 1 and likes[0][0] == likes[1][0]):
        return None
    return users.table.columns[likes[0][1]]

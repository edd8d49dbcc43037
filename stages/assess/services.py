"""Stored files and users, over a direct connection; the server counts them.

Kinds of password hashes are recognised by their first characters, inside the query: no hash, and no
part of one, leaves the server.
Source of the kinds: the Auth service's code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stages.assess.assessment import Bucket, Users
from stages.assess.budget import Queries
from stages.assess.structure import query

# Above this, users or files are not counted one by one.
MOST_ROWS = 1_000_000
MOST_HEAP = 1 << 30
HASHES = """CASE
  WHEN coalesce(u.encrypted_password, '') = '' THEN 'none'
  WHEN u.encrypted_password ~ '^[$]2[aby][$]' THEN 'bcrypt'
  WHEN u.encrypted_password LIKE '$argon2%' THEN 'argon2'
  WHEN u.encrypted_password LIKE '$fbscrypt%' THEN 'firebase scrypt'
  WHEN u.encrypted_password LIKE '{%' THEN 'encrypted'
  ELSE 'other' END"""
# Field of Users → columns that it needs, and a condition on the row `u`.
COUNTED: dict[str, tuple[tuple[str, ...], str]] = {
    "confirmed": (
        ("email_confirmed_at", "phone_confirmed_at"),
        "coalesce(u.email_confirmed_at, u.phone_confirmed_at) IS NOT NULL",
    ),
    "anonymous": (("is_anonymous",), "u.is_anonymous"),
    "banned": (("banned_until",), "u.banned_until > now()"),
    "deleted": (("deleted_at",), "u.deleted_at IS NOT NULL"),
    "sso": (("is_sso_user",), "u.is_sso_user"),
}


@dataclass(frozen=True, kw_only=True)
class Service:
    """One of the services' own tables. `large`: reading all of it would take too long."""

    columns: frozenset[str]
    rows: int
    large: bool


def read_services(queries: Queries) -> Mapping[str, Service] | None:
    """`auth.users` → what can be asked of it, for the tables that exist and may be read. None if
    that was skipped."""
    rows = queries.rows(query("services.sql"), "users and files")
    if rows is None:
        return None
    return {
        row["name"]: Service(
            columns=frozenset(json.loads(row["columns"])),
            rows=row["rows"],
            large=row["rows"] > MOST_ROWS or row["heap"] > MOST_HEAP,
        )
        for row in rows
    }


def read_users(queries: Queries, services: Mapping[str, Service] | None) -> Users | None:
    """Users by provider, password and state. None if they can't be read."""
    if services is None:
        return None  # already listed as skipped
    users = services.get("auth.users")
    if users is None:
        queries.budget.skip(
            "users", "this role has no right to read auth.users, or it does not exist"
        )
        return None
    if users.large:
        queries.budget.skip(
            "users", f"there are about {max(users.rows, 0):,}, too many to count one by one"
        )
        return Users(users=max(users.rows, 0), counted=0)
    fields = {
        name: condition
        for name, (columns, condition) in COUNTED.items()
        if users.columns.issuperset(columns)
    }
    counts = [f"(count(*) FILTER (WHERE {sql}))::int8 AS {name}" for name, sql in fields.items()]
    rows = queries.rows(
        f"SELECT {', '.join(['count(*)::int8 AS users', *counts])} FROM auth.users u", "users"
    )
    if not rows:
        return None
    row = rows[0]
    return Users(
        users=row["users"],
        counted=row["users"],
        providers=_grouped(
            queries,
            "SELECT i.provider::text AS name, count(*)::int8 AS n FROM auth.identities i "
            "GROUP BY 1 ORDER BY 2 DESC, 1",
            "identities",
            "auth.identities" in services,
        )
        or {},
        passwords=_grouped(
            queries,
            f"SELECT {HASHES} AS name, count(*)::int8 AS n FROM auth.users u "
            "GROUP BY 1 ORDER BY 2 DESC, 1",
            "kinds of password hashes",
            "encrypted_password" in users.columns,
        ),
        same_email=_one(
            queries,
            "SELECT coalesce(sum(n), 0)::int8 AS n FROM (SELECT count(*) AS n FROM auth.users u "
            "WHERE u.email <> '' GROUP BY lower(u.email) HAVING count(*) > 1) d",
            "users with the same e-mail",
        ),
        mfa=_one(
            queries,
            "SELECT count(DISTINCT f.user_id)::int8 AS n FROM auth.mfa_factors f "
            "WHERE f.status::text = 'verified'",
            "users with a second factor",
        )
        if "auth.mfa_factors" in services
        else None,
        **{name: row[name] for name in fields},
    )


def read_buckets(
    queries: Queries, services: Mapping[str, Service] | None
) -> tuple[Bucket, ...] | None:
    """Buckets with their files. None if there is no storage, or if that was skipped."""
    if services is None:
        return None
    objects, known = services.get("storage.objects"), services.get("storage.buckets")
    if objects is None and known is None:
        return None
    public = {}
    if known is not None:
        shown = "b.public" if "public" in known.columns else "false"
        rows = queries.rows(
            f"SELECT b.id::text AS name, coalesce({shown}, false) AS public "
            "FROM storage.buckets b ORDER BY 1",
            "storage buckets",
        )
        if rows is None:
            return None
        public = {row["name"]: row["public"] for row in rows}
    files: dict[str, Any] = {}
    counted = False
    if objects is not None and objects.large:
        queries.budget.skip("files by bucket", f"there are about {max(objects.rows, 0):,}")
    elif objects is not None:
        rows = queries.rows(
            "SELECT o.bucket_id::text AS name, count(*)::int8 AS files, coalesce(sum("
            "CASE WHEN o.metadata ->> 'size' ~ '^[0-9]{1,15}$' THEN (o.metadata ->> 'size')::int8 "
            "END), 0)::int8 AS bytes FROM storage.objects o WHERE o.bucket_id IS NOT NULL "
            "AND o.name NOT LIKE '%.emptyFolderPlaceholder' GROUP BY 1 ORDER BY 1",
            "files by bucket",
        )
        files = {row["name"]: row for row in rows or []}
        counted = rows is not None
    return tuple(
        Bucket(
            name=name,
            public=public.get(name, False),
            files=files[name]["files"] if name in files else 0 if counted else None,
            bytes=files[name]["bytes"] if name in files else 0 if counted else None,
        )
        for name in sorted({*public, *files})
    )


def _grouped(queries: Queries, sql: str, what: str, there: bool) -> dict[str, int] | None:
    rows = queries.rows(sql, what) if there else None
    return None if rows is None else {row["name"]: row["n"] for row in rows}


def _one(queries: Queries, sql: str, what: str) -> int | None:
    rows = queries.rows(sql, what)
    return int(rows[0]["n"]) if rows else None

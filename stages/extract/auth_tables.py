"""auth.users and auth.identities: which of their columns an extract reads.

The lists are the same for both transports. Secrets are not listed: they are read only over
Postgres, and only if `include_secrets` names them.
Source: the Auth service's code. It parses JSON into Go values and writes those, so numbers become
floats, and it omits an empty email or phone and an empty identity_data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stages.extract.types import Column

USERS = ("auth", "users")
IDENTITIES = ("auth", "identities")


@dataclass(frozen=True, kw_only=True)
class AuthColumn:
    """A column: its type, its name in the admin API, and its value if the API omits it."""

    type: str
    member: str
    left_out: Any = None


def _column(kind: str, member: str, left_out: Any = None) -> AuthColumn:
    return AuthColumn(type=kind, member=member, left_out=left_out)


TABLES: dict[tuple[str, str], dict[str, AuthColumn]] = {
    USERS: {
        "id": _column("uuid", "id"),
        "aud": _column("varchar", "aud"),
        "role": _column("varchar", "role"),
        "email": _column("varchar", "email"),
        "phone": _column("text", "phone"),
        "email_confirmed_at": _column("timestamptz", "email_confirmed_at"),
        "phone_confirmed_at": _column("timestamptz", "phone_confirmed_at"),
        "last_sign_in_at": _column("timestamptz", "last_sign_in_at"),
        "raw_app_meta_data": _column("jsonb", "app_metadata"),
        "raw_user_meta_data": _column("jsonb", "user_metadata"),
        "created_at": _column("timestamptz", "created_at"),
        "updated_at": _column("timestamptz", "updated_at"),
        "banned_until": _column("timestamptz", "banned_until"),
        "is_anonymous": _column("bool", "is_anonymous"),
    },
    IDENTITIES: {
        "id": _column("uuid", "identity_id"),
        "user_id": _column("uuid", "user_id"),
        "provider_id": _column("text", "id"),
        "provider": _column("text", "provider"),
        "identity_data": _column("jsonb", "identity_data", {}),
        "email": _column("text", "email"),
        "last_sign_in_at": _column("timestamptz", "last_sign_in_at"),
        "created_at": _column("timestamptz", "created_at"),
        "updated_at": _column("timestamptz", "updated_at"),
    },
}


def columns(place: tuple[str, str]) -> tuple[Column, ...]:
    """The columns of one of TABLES, as read over REST."""
    return tuple(Column(name=name, type=each.type) for name, each in TABLES[place].items())


def position(place: tuple[str, str], name: str) -> int:
    """A column's position, the same over both transports; secrets come last."""
    names = list(TABLES[place])
    return names.index(name) if name in names else len(names)

"""auth.users and auth.identities: which of their columns an extract reads.

The lists are the same over both transports. Secrets are not on them: they are read only directly,
and only where `include_secrets` names them.
Source: the Auth service's code. It reads JSON into Go's values and writes these, so that numbers
are floats there, and it leaves out an empty email or phone, and an identity_data without members.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stages.extract.types import Column

USERS = ("auth", "users")
IDENTITIES = ("auth", "identities")


@dataclass(frozen=True, kw_only=True)
class AuthColumn:
    """A column: its type, its name in the admin API, and the value that the API leaves out."""

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
    """Columns of one of TABLES as REST gives them."""
    return tuple(Column(name=name, type=each.type) for name, each in TABLES[place].items())


def position(place: tuple[str, str], name: str) -> int:
    """Where a column stands, over both transports; secrets come last."""
    names = list(TABLES[place])
    return names.index(name) if name in names else len(names)

"""Columns that look like secrets by name: they are left out, and their values are never read."""

from __future__ import annotations

from stages.init.catalog import CatalogColumn, CatalogTable
from stages.init.conversion import family
from stages.init.names import words

# Consecutive words in a name. A plain `token`, such as a link's or a device's, is application data.
PHRASES = (
    "access token", "refresh token", "id token", "session token", "auth token", "bearer token",
    "oauth token", "provider token", "api token", "reset token", "recovery token",
    "confirmation token", "verification token", "reauthentication token", "change token",
    "csrf token", "bot token", "password", "passwords", "passwd", "passphrase", "secret",
    "secrets", "api key", "apikey", "private key", "access key", "secret key", "signing key",
    "encryption key", "service key", "credential", "credentials", "salt", "otp", "totp",
    "recovery code", "recovery codes", "backup code", "backup codes",
)  # fmt: skip
# A name with `hash` and one of these is a hashed secret, not the hash of a file or a commit.
HASHED = {"password", "token", "key", "secret", "otp", "pin", "code", "pass", "session"}
# A name that ends in one of these only describes a secret: when it was set, how long it is.
HARMLESS = {
    "at", "count", "id", "ids", "type", "expires", "expiry", "expiration", "limit", "used",
    "verified", "hint", "length", "policy", "enabled", "required", "status", "name", "version",
}  # fmt: skip
ENCRYPTED = {"encrypted", "encryption", "cipher", "ciphertext", "hash", "hashed", "sealed"}
KINDS = {"text", "bytes", "json", "uuid", "array"}


def secret_columns(table: CatalogTable) -> tuple[str, ...]:
    """The secret columns of a table, which are not extracted. Keys and foreign keys never count."""
    used = {*table.row_key, *(name for key in table.foreign_keys for name in key.columns)}
    return tuple(
        name for name, column in table.columns.items() if name not in used and is_secret(column)
    )


def open_columns(table: CatalogTable) -> list[CatalogColumn]:
    """All other columns, whose values may be read."""
    secrets = secret_columns(table)
    return [column for name, column in table.columns.items() if name not in secrets]


def is_secret(column: CatalogColumn) -> bool:
    """Whether a column's name and type are those of a secret."""
    parts = words(column.name)
    if not parts or family(column) not in KINDS or (len(parts) > 1 and parts[-1] in HARMLESS):
        return False
    text = f" {' '.join(parts)} "
    hashed = {"hash", "hashed"} & {*parts}
    return any(f" {phrase} " in text for phrase in PHRASES) or bool(
        hashed and (len(parts) == 1 or HASHED & {*parts})
    )


def is_sealed(name: str) -> bool:
    """Whether a name says that its value is encrypted or hashed."""
    return bool(ENCRYPTED & {*words(name)})

"""Columns that look like personal data, by their names alone."""

from __future__ import annotations

from stages.init.names import words

# Each is one or more consecutive words in a name.
PERSONAL = (
    "email", "mail", "e mail", "phone", "mobile", "telephone", "fax", "whatsapp", "first name",
    "last name", "full name", "given name", "family name", "surname", "display name", "birth date",
    "birthdate", "birthday", "dob", "date of birth", "age", "gender", "sex", "nationality",
    "address", "street", "postcode", "postal code", "zip", "zip code", "latitude", "longitude",
    "ip", "ip address", "user agent", "ssn", "passport", "national id", "tax id", "iban",
    "bank account", "account number", "card number", "avatar", "religion", "ethnicity", "salary",
    "diagnosis",
)  # fmt: skip
# With these endings it is a key, a time or a count, which is not personal by itself.
HARMLESS_ENDINGS = {"at", "count", "id", "ids", "type", "expires", "limit", "used", "verified"}


def looks_personal(name: str) -> bool:
    """Whether a column's name suggests that its values are about a person."""
    parts = words(name)
    if len(parts) > 1 and parts[-1] in HARMLESS_ENDINGS and parts[-2:] != ["tax", "id"]:
        return False
    text = f" {' '.join(parts)} "
    return any(f" {phrase} " in text for phrase in PERSONAL)

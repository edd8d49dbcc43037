"""Hides secrets in what Postgres keeps as text: a webhook's trigger, a cron job, a default.

What init writes about these is committed.
"""

from __future__ import annotations

import re

# A prefix that stays, and the secret: what follows `Bearer`, the password in a URL, a JWT, or a key
# of a known form.
SECRET = re.compile(
    r"(\bBearer )[^\s'\"\\]+"
    r"|(://[^\s:/@'\"]+:)[^\s@'\"]+(?=@)"
    r"|()(?:\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?|\bsb_secret_[\w-]+|\b[rs]k_(?:live|test)_\w+)"
)


def without_secrets(text: str) -> str:
    """The text, with what looks like a key or a password hidden."""
    return SECRET.sub(lambda found: f"{found[1] or found[2] or ''}[hidden]", text)

"""Which settings there are and where each was found; never the value of a secret."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from stages.page.model import Setting
from stages.project.plan import SETTING_NAMES, Plan
from stages.project.settings import setting_variables

# Addresses: only the server's name is shown. Every other setting is a secret.
ADDRESSES = {"SUPABASE_URL", "CONVEX_URL", "CONVEX_SELF_HOSTED_URL", "CONVEX_SITE_URL"}


def settings_found(
    plan: Plan, target: str, environment: Mapping[str, str], *, given: bool
) -> list[Setting]:
    """Every setting, by the variable that a target uses. `given`: the caller passed `environment`,
    so that it is neither the process's own nor .env.local."""
    return [
        _setting(name, variable, environment.get(variable), given=given)
        for name, variable in setting_variables(plan, target).items()
    ]


def _setting(name: str, variable: str, value: str | None, *, given: bool) -> Setting:
    assert name in SETTING_NAMES
    where = None
    if value:
        # The environment wins over .env.local.
        where = "environment" if given or os.environ.get(variable) else ".env.local"
    return Setting(
        name=variable,
        where=where,
        shown=_server(value) if value and name in ADDRESSES else None,
        secret=name not in ADDRESSES,
    )


def _server(address: str) -> str | None:
    """The server's name in an address, without user and password; None if it is not an address."""
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None

"""The driver's errors as ours: which setting, privilege or pooler is at fault.

Source: Postgres' error codes, and observed answers of Supabase's pooler.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from stages.errors import StagesError, Stopped, TableFailed, Transient


@contextmanager
def translated(*, connecting: bool = False) -> Iterator[None]:
    """Raise the driver's errors as ours. While rows stream, it raises OSError without a code."""
    from adbc_driver_manager import Error

    try:
        yield
    except (Error, OSError) as error:
        raise _error_for(error, connecting) from None


def _error_for(error: Exception, connecting: bool) -> StagesError:
    words = _clean(str(error))
    state = getattr(error, "sqlstate", None) or _state_of(words)
    if "password authentication failed" in words or state in ("28P01", "28000"):
        return StagesError(
            f"Postgres refused the login: {words}",
            "check the user and password in SUPABASE_DB_URL (percent-encode special characters)",
        )
    if "Tenant or user not found" in words:
        return StagesError(
            "the pooler knows no such project or user (Tenant or user not found)",
            "a pooler's user is postgres.<ref>, and its host depends on the project's region: copy "
            "SUPABASE_DB_URL again from the project's Connect page",
        )
    if "MaxClientsInSessionMode" in words or "max clients reached" in words.lower():
        return Transient(
            f"the pooler has no connection left: {words}",
            "close other clients or raise the pool size in the project's database settings, then "
            "rerun the command",
        )
    if state == "3D000" or re.search(r'database "[^"]*" does not exist', words):
        return StagesError(
            f"SUPABASE_DB_URL names a database that does not exist: {words}",
            "Supabase's is called postgres: the address ends with /postgres",
        )
    if "could not translate host name" in words or "Network is unreachable" in words:
        return StagesError(
            f"Postgres can't be reached: {words}",
            "a direct host (db.<ref>.supabase.co) may answer over IPv6 only: use the session "
            "pooler's address from the project's Connect page",
        )
    if connecting:
        return Transient(
            f"no connection to Postgres: {words}",
            "check host and port in SUPABASE_DB_URL, and that the database is up",
        )
    if "row-level security" in words:
        return TableFailed(
            f"row security would hide rows: {words}",
            "use a role with BYPASSRLS, such as postgres of the project",
        )
    if state == "42501":
        return TableFailed(f"no right to read: {words}", "grant SELECT to the role, or exclude it")
    if (state or "")[:2] in ("08", "57", "53") or "connection" in words.lower():
        return Stopped(f"the connection to Postgres was lost: {words}", "run again: stages extract")
    return TableFailed(f"Postgres says: {words}", "see [sources] of the plan")


def _state_of(words: str) -> str | None:
    match = re.search(r"SQLSTATE[: ]+([0-9A-Z]{5})", words)
    return match[1] if match else None


def _clean(words: str) -> str:
    """The message on one line, shortened, without the address that may hold a password."""
    line = " ".join(words.split())
    line = re.sub(r"postgres(ql)?://\S+", "postgresql://…", line)
    return line[:300]

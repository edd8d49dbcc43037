"""Settings of the roles of Supabase's APIs, and the contents of its tables of users and files.

Rows are counted, never returned.
"""

from __future__ import annotations

from typing import Any

from stages.probe.checks import Checks, NotChecked, Seen, measured
from stages.probe.database import Database
from stages.probe.postgres import CONNECTION, count_readable
from stages.sql import text_sql

USERS = "Auth 1: auth schema"
FILES = "Storage 1: tables"
API_ROLES = ("authenticator", "service_role")
# The values that stages needs for settings that change how values are printed over REST; the digits
# of floats are checked in each response.
PRINTED = {"bytea_output": "hex", "intervalstyle": "postgres", "datestyle": "iso"}
# The keys that Storage accepts for an upload.
KEY = r"^[A-Za-z0-9_/!.*''() &$=@;:+,?-]+$"
# The maximum number of users and of files to examine.
SAMPLED = 10_000
CHECKS: Checks[Database] = Checks()


# ── settings of the API roles ───────────────────────────────────────────────────────────────


def _role_settings(database: Database) -> dict[str, dict[str, str]]:
    """API role → its own settings; "" is the database itself. Raises NotChecked if a role is
    missing."""
    rows = database.rows(
        f"""
        SELECT coalesce(r.rolname, '') AS role, unnest(s.setconfig) AS setting
        FROM pg_db_role_setting s
        LEFT JOIN pg_roles r ON r.oid = s.setrole
        WHERE (s.setdatabase = 0 OR s.setdatabase =
            (SELECT oid FROM pg_database WHERE datname = current_database()))
          AND (s.setrole = 0 OR r.rolname IN ({", ".join(map(text_sql, API_ROLES))}))
        UNION ALL
        SELECT rolname, 'is=there' FROM pg_roles
        WHERE rolname IN ({", ".join(map(text_sql, API_ROLES))})
        """
    )
    settings: dict[str, dict[str, str]] = {}
    for row in rows:
        name, _, value = str(row["setting"]).partition("=")
        settings.setdefault(str(row["role"]), {})[name.lower()] = value
    if not settings.keys() >= set(API_ROLES):
        raise NotChecked("there are no roles of an API in this database")
    return settings


@CHECKS.of(CONNECTION)
def api_roles_time_out_after_8_s(database: Database) -> Seen:
    """Over REST a statement ends after the 8 s of `authenticator`: `service_role` has no timeout
    of its own."""
    settings = _role_settings(database)
    times = {role: _duration(settings[role].get("statement_timeout")) for role in API_ROLES}
    words = ", ".join(f"{role} {time}" for role, time in times.items())
    words += f"; for a lock {_duration(settings['authenticator'].get('lock_timeout'))}"
    return Seen(words, times == {"authenticator": "8s", "service_role": "none"})


def _duration(text: str | None) -> str:
    """A setting's value as it may be shown: a number and a unit, or `none`, or `an odd one`."""
    if text is None:
        return "none"
    return text if text[:1].isdigit() and text.isalnum() and len(text) < 12 else "an odd one"


@CHECKS.of(CONNECTION)
def api_roles_print_as_stages_reads(database: Database) -> Seen:
    """Neither the roles of the API nor the database change how bytes, intervals and dates are
    printed."""
    settings = _role_settings(database)
    changed = sorted(
        {
            name
            for own in settings.values()
            for name, wanted in PRINTED.items()
            if not own.get(name, wanted).lower().strip("'\" ").startswith(wanted)
        }
    )
    return Seen(f"changed: {', '.join(changed)}" if changed else "none changed", not changed)


@CHECKS.of(CONNECTION)
def whether_floats_are_cut_over_rest(database: Database) -> Seen:
    """What `extra_float_digits` is by default: 0, as Supabase sets it, cuts floats over REST."""
    own = database.one("SELECT reset_val FROM pg_settings WHERE name = 'extra_float_digits'")
    roles = _role_settings(database)
    set_so = {role: own_settings.get("extra_float_digits") for role, own_settings in roles.items()}
    by_role = [f"{role or 'the database'} {_duration(v)}" for role, v in set_so.items() if v]
    return measured(", ".join([f"{_duration(str(own['reset_val']))} by default", *by_role]))


# ── users ───────────────────────────────────────────────────────────────────────────────────


def _users(database: Database, column: str, counts: str) -> dict[str, Any]:
    """Counts over a sample of users with a value in a column. Raises NotChecked if the role can't
    read users."""
    there, readable = count_readable(database, [("auth", "users")])
    if not there or not readable:
        raise NotChecked("the role reads no table of users")
    row = database.one(
        f"SELECT count(*) AS users, {counts} FROM (SELECT {column} AS v FROM auth.users "
        f"WHERE {column} <> '' LIMIT {SAMPLED}) AS sampled"
    )
    return row


@CHECKS.of(USERS)
def how_many_tables_of_auth_are_granted(database: Database) -> Seen:
    """How many tables of the Auth service the role may read: newer ones may not be granted."""
    rows = database.rows(
        "SELECT n.nspname AS schema, c.relname AS name FROM pg_class c "
        "JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = 'auth' AND c.relkind IN ('r', 'p')"
    )
    there, readable = count_readable(database, [(row["schema"], row["name"]) for row in rows])
    return measured(f"{readable} of {there}")


@CHECKS.of(USERS)
def no_password_hash_is_encrypted(database: Database) -> Seen:
    """No password hash is encrypted with a key of the Auth service; nearly all are bcrypt."""
    row = _users(
        database,
        "encrypted_password",
        "count(*) FILTER (WHERE v LIKE '{%') AS encrypted, "
        "count(*) FILTER (WHERE v ~ '^[$]2[aby][$]') AS bcrypt",
    )
    if not row["users"]:
        raise NotChecked("no user has a password")
    words = f"of {row['users']:,} hashes, {row['bcrypt']:,} bcrypt, {row['encrypted']:,} encrypted"
    return Seen(words, not row["encrypted"])


@CHECKS.of(USERS)
def phones_are_digits(database: Database) -> Seen:
    """A user's phone is digits only, without a plus."""
    row = _users(database, "phone", "count(*) FILTER (WHERE v ~ '^[0-9]+$') AS digits")
    if not row["users"]:
        raise NotChecked("no user has a phone")
    words = f"{row['digits']:,} of {row['users']:,} are digits only"
    return Seen(words, row["digits"] == row["users"])


# ── files ───────────────────────────────────────────────────────────────────────────────────


@CHECKS.of(FILES)
def files_have_sizes_versions_and_plain_keys(database: Database) -> Seen:
    """Each row of `storage.objects` has a version, and metadata with a size and an eTag; keys have
    only characters that an upload may have."""
    there, readable = count_readable(database, [("storage", "objects")])
    if not there or not readable:
        raise NotChecked("the role reads no table of files")
    row = database.one(
        f"""
        SELECT count(*) AS files,
          count(*) FILTER (WHERE version IS NULL) AS without_version,
          count(*) FILTER (WHERE metadata ->> 'size' IS NULL OR metadata ->> 'eTag' IS NULL)
            AS without_facts,
          count(*) FILTER (WHERE name !~ '{KEY}') AS odd_keys
        FROM (SELECT * FROM storage.objects LIMIT {SAMPLED}) AS sampled
        """
    )
    if not row["files"]:
        raise NotChecked("there are no files")
    odd = {
        "without a version": row["without_version"],
        "without size or eTag": row["without_facts"],
        "with other characters in the key": row["odd_keys"],
    }
    words = ", ".join(f"{count:,} {what}" for what, count in odd.items())
    return Seen(f"of {row['files']:,} files, {words}", not any(odd.values()))

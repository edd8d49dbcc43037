"""The settings that a transaction reads under: whatever client, role and database are set up to.

Text forms, the order of rows and what a filter means depend on settings, and a pooler may hand out
a server session that another client has changed. So each is set in the transaction itself, and
read back.
Source: Postgres' documentation, and what pg_dump sets.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from stages.errors import StagesError
from stages.extract.postgres_errors import translated
from stages.project.connection_string import read_db_url, secure_db_url
from stages.project.settings import Secret
from stages.sql import text_sql

if TYPE_CHECKING:
    from adbc_driver_manager import dbapi

# The driver begins the transaction by itself, in one message: behind a pooler in transaction mode
# a BEGIN of our own could be prepared on one server and asked for on another.
TRANSACTION = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
# Each as Postgres reads it back.
SETTINGS = {
    # The bytes of a text, and how a value prints. The locale C is everywhere: $1,234.50.
    "client_encoding": "UTF8",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "xmloption": "content",
    "quote_all_identifiers": "off",
    # Supabase's own: what regclass leaves unnamed, and where operators of citext and the like are.
    "search_path": "public, extensions",
    # What literals and filters mean.
    "standard_conforming_strings": "on",
    "array_nulls": "on",
    "transform_null_equals": "off",
    # Every row, in the order in which they lie.
    "row_security": "off",
    "gin_fuzzy_search_limit": "0",
    "synchronize_seqscans": "off",
    # A dump takes as long as it takes, and waits for nobody's lock.
    "statement_timeout": "0",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "0",
    "jit": "off",
}


# Digits after the point of money in the locale C. Another locale may take the stored number for
# another amount: 1234 is $12.34, and ¥1,234.
MONEY_DIGITS = 2
# Before its first transaction the driver asks for the names of functions, and knows no type where
# they are quoted.
PLAIN_NAMES = "-c quote_all_identifiers=off"
CURE = (
    "set SUPABASE_DB_URL to the direct address, or to that of the session pooler, from the "
    "project's Connect page"
)


class TypesUnknown(StagesError):
    """The driver has asked for Postgres' types in a session that quotes all names."""


def money_digits(connection: dbapi.Connection) -> int:
    """Digits after the point of money as the source has it by itself, in a transaction of ours."""
    own = "SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'lc_monetary'"
    with translated():
        query_rows(connection, f"SELECT set_config('lc_monetary', ({own}), true) AS own")
        (row,) = query_rows(connection, "SELECT scale(0::money::numeric)::int4 AS digits")
        query_rows(connection, _select("set_config({name}, {value}, true)"))
    return int(row["digits"])


def open_first(url: Secret) -> tuple[Secret, dbapi.Connection]:
    """The address for all connections of a source, and the first of them, in a transaction."""
    connection = connect(url)
    try:
        begin(connection)
    except TypesUnknown:
        connection.close()
        # Not for all: poolers may refuse a client that asks for options.
        url = _with_plain_names(url)
        connection = connect(url)
        begin(connection)
    return url, connection


def connect(url: Secret) -> dbapi.Connection:
    """A connection. Its driver has asked for Postgres' types by then."""
    from adbc_driver_postgresql import dbapi

    address = secure_db_url(url.reveal())
    with translated(connecting=True):
        return dbapi.connect(address)


def _with_plain_names(url: Secret) -> Secret:
    address = url.reveal()
    before = read_db_url(address).get("options") or os.environ.get("PGOPTIONS", "")
    options = quote(f"{before} {PLAIN_NAMES}".strip(), safe="")
    return Secret(f"{address}{'&' if '?' in address else '?'}options={options}")


def begin(connection: dbapi.Connection, snapshot: str | None = None) -> None:
    """Begin the connection's transaction, in an exported snapshot where one is named.

    Raises StagesError where a setting reads back as something else.
    """
    with translated():
        with connection.cursor() as cursor:
            cursor.execute(TRANSACTION)
            if snapshot is not None:  # before any query
                cursor.execute(f"SET TRANSACTION SNAPSHOT {text_sql(snapshot)}")
        # One statement. The schema is named, since the search path is still somebody's.
        query_rows(connection, _select("set_config({name}, {value}, true)"))
        (kept,) = query_rows(connection, _select("current_setting({name})"))
    if any(isinstance(value, bytes) for value in kept.values()):
        raise TypesUnknown(
            "quote_all_identifiers was on when the session began: its types can't be recognized",
            CURE,
        )
    for name, value in SETTINGS.items():
        if kept[name] != value:
            raise StagesError(
                f"{name} is {kept[name]!r} in the session, though it was set to {value!r}: values "
                "would not arrive as Postgres prints them",
                CURE,
            )


def query_rows(connection: dbapi.Connection, sql: str) -> list[dict[str, Any]]:
    """All rows of a query, by column; for few rows."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        rows: list[dict[str, Any]] = cursor.fetch_arrow_table().to_pylist()
        return rows


def _select(call: str) -> str:
    """One row with a call of a function of Postgres' own for each setting."""
    items = (
        f'pg_catalog.{call.format(name=text_sql(name), value=text_sql(value))} AS "{name}"'
        for name, value in SETTINGS.items()
    )
    return f"SELECT {', '.join(items)}"

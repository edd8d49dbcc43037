"""The settings that a transaction reads under, whatever those of client, role and database are.

Text forms, the order of rows and the meaning of a filter depend on settings, and a pooler may hand
out a server session that another client has changed. So each setting is made in the transaction
itself, and read back.
Source: Postgres' documentation, and the settings of pg_dump.
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

# The driver begins the transaction by itself, in one message: behind a pooler in transaction mode,
# a BEGIN of our own could be prepared on one server and executed on another.
TRANSACTION = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
# Values as Postgres reports them back.
SETTINGS = {
    # Text encoding, and how values print. The locale C exists everywhere: $1,234.50.
    "client_encoding": "UTF8",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "xmloption": "content",
    "quote_all_identifiers": "off",
    # Supabase's own: which names regclass prints bare, and where operators of citext etc. are.
    "search_path": "public, extensions",
    # What literals and filters mean.
    "standard_conforming_strings": "on",
    "array_nulls": "on",
    "transform_null_equals": "off",
    # Every row, in physical order.
    "row_security": "off",
    "gin_fuzzy_search_limit": "0",
    "synchronize_seqscans": "off",
    # A dump may take any time, but does not wait long for a lock.
    "statement_timeout": "0",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "0",
    "jit": "off",
}


# Decimal places of money in the locale C. Another locale may read the stored number as another
# amount: 1234 is $12.34, or ¥1,234.
MONEY_DIGITS = 2
# Before its first transaction the driver queries the names of functions, and recognizes no types if
# they come back quoted.
PLAIN_NAMES = "-c quote_all_identifiers=off"
CURE = (
    "set SUPABASE_DB_URL to the direct address, or to that of the session pooler, from the "
    "project's Connect page"
)


class TypesUnknown(StagesError):
    """The driver queried Postgres' types in a session that quotes all names."""


def money_digits(connection: dbapi.Connection) -> int:
    """Decimal places of money in the source's own lc_monetary; uses our transaction."""
    own = "SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'lc_monetary'"
    with translated():
        query_rows(connection, f"SELECT set_config('lc_monetary', ({own}), true) AS own")
        (row,) = query_rows(connection, "SELECT scale(0::money::numeric)::int4 AS digits")
        query_rows(connection, _select("set_config({name}, {value}, true)"))
    return int(row["digits"])


def open_first(url: Secret) -> tuple[Secret, dbapi.Connection]:
    """The address for all connections to a source, and the first of them, in a transaction."""
    connection = connect(url)
    try:
        begin(connection)
    except TypesUnknown:
        connection.close()
        # Only if needed: poolers may refuse a client that passes options.
        url = _with_plain_names(url)
        connection = connect(url)
        begin(connection)
    return url, connection


def connect(url: Secret) -> dbapi.Connection:
    """Connect. While it connects, the driver queries Postgres' types."""
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
    """Begin the connection's transaction, in an exported snapshot if one is given.

    Raises StagesError if a setting reads back as something else.
    """
    with translated():
        with connection.cursor() as cursor:
            cursor.execute(TRANSACTION)
            if snapshot is not None:  # before any query
                cursor.execute(f"SET TRANSACTION SNAPSHOT {text_sql(snapshot)}")
        # One statement. Functions are qualified, since the search path is not ours yet.
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
    """All rows of a query, each as a dict; for small results."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        rows: list[dict[str, Any]] = cursor.fetch_arrow_table().to_pylist()
        return rows


def _select(call: str) -> str:
    """SQL of one row that calls a pg_catalog function for each setting."""
    items = (
        f'pg_catalog.{call.format(name=text_sql(name), value=text_sql(value))} AS "{name}"'
        for name, value in SETTINGS.items()
    )
    return f"SELECT {', '.join(items)}"
